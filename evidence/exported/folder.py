"""The files of an export: their names, and whether they are those that its list of sums names."""

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from domain.errors import EvidenceBroken
from domain.ids import PACKAGE_NAME
from evidence.durable import read_regular
from evidence.package import MAX_TAG_BYTES
from evidence.verify.inspection import some

SUMS = "SHA256SUMS"
ACT_FILE = "export.dsse.json"
HISTORY = "history.json"
STATEMENTS = "statements"

_SUM = re.compile(r"([0-9a-f]{64})  ([^\n\r\\]+)\n")


def packages_in(folder: Path) -> list[Path]:
    """Return the packages in an export, the first before its supplements."""
    return sorted(one for one in folder.iterdir() if PACKAGE_NAME.fullmatch(one.name))


def events_of(packages: Iterable[str]) -> set[str]:
    """Return the passages of packages, by the names of their folders."""
    return {match["event"] for one in packages if (match := PACKAGE_NAME.fullmatch(one))}


def read(path: Path) -> bytes:
    """Return a small file of an export; errors as `read_regular`."""
    return read_regular(path, max_bytes=MAX_TAG_BYTES)


def check_sums(folder: Path) -> str:
    """Check that an export holds the files that were listed when it was made, and no others.

    Raises
    ------
    EvidenceBroken
        One is missing, was added, changed, or is no regular file.
    """
    data = read(folder / SUMS)
    listed = {path: digest for digest, path in _SUM.findall(data.decode("utf-8", "replace"))}
    entries = [one for one in folder.rglob("*") if one.is_symlink() or not one.is_dir()]
    odd = sorted(
        one.relative_to(folder).as_posix() for one in entries if not stat.S_ISREG(one.lstat().st_mode)
    )
    if odd:
        raise EvidenceBroken(f"not regular files: {some(odd)}")
    there = {one.relative_to(folder).as_posix(): one for one in entries}
    if set(there) - {SUMS, ACT_FILE} != listed.keys():
        differ = sorted((set(there) - {SUMS, ACT_FILE}) ^ listed.keys())
        raise EvidenceBroken(f"listed and lying there are not the same files: {some(differ)}")
    changed = [path for path, digest in listed.items() if _digest(there[path]) != digest]
    if changed:
        raise EvidenceBroken(f"changed since: {some(changed)}")
    return f"{len(listed)} files, nothing else"


def _digest(path: Path) -> str:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
