"""numba's compiler, with a cache that never runs yesterday's code.

numba keeps compiled functions with `cache=True` and compiles anew when the file of a function changes. What
a function was compiled together with, constants and functions of other files, it does not watch: a kernel
would go on weighing by what they were. So what is kept lies below a digest of all sources of this package.

Where: below NUMBA_CACHE_DIR if that is set (the service sets it where this folder is not its own), else
beside the sources; where neither can be written to, numba finds a place of its own.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import numba
from numba import njit

__all__ = ["njit"]

_PACKAGE = Path(__file__).parent
_config: Any = numba.config


def sources_digest(package: Path = _PACKAGE) -> str:
    """Return a digest of every source file of a package: its place and its content."""
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        content = source.read_bytes()
        digest.update(f"{source.relative_to(package).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _keep_by_source() -> None:
    beside = _PACKAGE / "__pycache__"
    if _config.CACHE_DIR:
        base = Path(_config.CACHE_DIR)
    elif os.access(beside if beside.exists() else _PACKAGE, os.W_OK):
        base = beside
    else:
        return
    _config.CACHE_DIR = str(base / f"compiled-{sources_digest()}")


_keep_by_source()
