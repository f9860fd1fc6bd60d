"""Compiled code is that of the sources as they are, whichever file was changed."""

import os
import subprocess
import sys
from pathlib import Path

from weigh._jit import sources_digest

KERNEL = """
from {package}._jit import njit
from {package}.figures import answer

@njit(cache=True)
def ask() -> int:
    return answer()
"""
FIGURES = """
from {package}._jit import njit

@njit(cache=True)
def answer() -> int:
    return {value}
"""


def _write(folder: Path, value: int) -> None:
    package = folder / "scale"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    source = (Path(__file__).parents[3] / "weigh" / "_jit.py").read_text(encoding="utf-8")
    (package / "_jit.py").write_text(source, encoding="utf-8")
    kernel = package / "kernel.py"
    if not kernel.exists():
        kernel.write_text(KERNEL.format(package="scale"), encoding="utf-8")
    (package / "figures.py").write_text(FIGURES.format(package="scale", value=value), encoding="utf-8")


def _ask(folder: Path, cache: Path) -> int:
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", "from scale.kernel import ask; print(ask())"]
    return int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def test_a_kernel_is_compiled_anew_when_a_file_it_calls_into_changes(tmp_path: Path) -> None:
    _write(tmp_path, 1)
    assert _ask(tmp_path, tmp_path / "cache") == 1
    _write(tmp_path, 2)
    assert _ask(tmp_path, tmp_path / "cache") == 2


def test_what_was_compiled_is_used_again(tmp_path: Path) -> None:
    _write(tmp_path, 1)
    for _ in range(2):
        assert _ask(tmp_path, tmp_path / "cache") == 1
    assert len([*(tmp_path / "cache").rglob("kernel.ask-*.1.nbc")]) == 1
    assert [*(tmp_path / "cache").rglob("kernel.ask-*.nbc")] == [
        *(tmp_path / "cache").rglob("kernel.ask-*.1.nbc")
    ]


def test_the_digest_tells_files_and_contents_apart(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    before = sources_digest(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    renamed = sources_digest(tmp_path)
    (tmp_path / "b.py").write_text("x = 2")
    assert len({before, renamed, sources_digest(tmp_path)}) == 3
