"""Real components that integration tests want beyond the wheels: skip without them, but never in CI."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

_ALSO_AT = (Path("/usr/sbin"), Path("/usr/local/sbin"))


def find(program: str) -> str | None:
    """Return the path of an installed program, or None; daemons often lie outside an ordinary PATH."""
    found = shutil.which(program)
    if found:
        return found
    return next((str(folder / program) for folder in _ALSO_AT if (folder / program).exists()), None)


def require(program: str) -> str:
    """Return the program's path; skip the test where it is missing, fail it in CI."""
    found = find(program)
    if found is None:
        _missing(f"{program} is not installed (on Debian: apt-get install {program})")
    assert found is not None
    return found


def shared(part: str) -> Path:
    """Return a path of the shared material beside the checkout; skip where it is absent, fail in CI."""
    path = SHARED / part
    if not path.exists():
        _missing(f"../shared/{part} is not beside this checkout")
    return path


def _missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; CI must have it")
    pytest.skip(reason)


def asyncapi_schema(version: str) -> Path:
    """Return AsyncAPI's own JSON schema of a version, from npm's @asyncapi/specs under `.components`."""
    path = (
        ROOT
        / ".components"
        / "node_modules"
        / "@asyncapi"
        / "specs"
        / "schemas"
        / f"{version}-without-$id.json"
    )
    if not path.exists():
        _missing(
            "AsyncAPI's schema is missing (npm install --no-save --prefix .components @asyncapi/specs@6.11.1)"
        )
    return path
