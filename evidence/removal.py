"""Removing a package's files at the end of retention: whole, or not begun; the log keeps its entry."""

import shutil
from pathlib import Path

from domain.errors import EvidenceBroken
from domain.ids import PACKAGE_NAME
from evidence.durable import fsync_folder
from evidence.package import temporary_folder


def remove_package(evidence_root: Path, folder: str) -> bool:
    """Take a package out of its place in one step, then delete its files; False where it is not there.

    A kill leaves it whole, or under a name that `remove_leftovers` clears away.

    Raises
    ------
    EvidenceBroken
        The name is no package's.
    """
    if not PACKAGE_NAME.fullmatch(folder):
        raise EvidenceBroken(f"{folder!r} is no package's folder; nothing is removed")
    package = evidence_root / folder
    if not package.is_dir():
        return False
    with temporary_folder(evidence_root, f"{folder}-removed") as aside:
        package.rename(aside / folder)
        fsync_folder(evidence_root)
        shutil.rmtree(aside / folder)
    return True
