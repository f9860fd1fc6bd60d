"""Writing files so that a power cut leaves the old content or the new, never a mixture."""

import os
import stat
from pathlib import Path

from domain.errors import EvidenceBroken


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file that must not exist yet, and its content through to the disk (not its name)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write or replace a file: whole new content under the name, or the old, at any moment."""
    # One writer a folder (the log's lock, the witness's lock): a fixed name is overwritten after a crash.
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    write_new(beside, data, mode=mode)
    beside.rename(path)
    fsync_folder(path.parent)


def make_folders(folder: Path) -> None:
    """Make a folder and its missing parents, each name durable."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for name in reversed(missing):
        name.mkdir(exist_ok=True)
        fsync_folder(name.parent)


def fsync_tree(root: Path) -> None:
    """Make the names in a folder and in all folders below it durable."""
    for folder, _, _ in os.walk(root):
        fsync_folder(Path(folder))


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """Read a regular file of at most `max_bytes`, following no symbolic link at its end.

    Raises
    ------
    EvidenceBroken
        It is missing, no regular file, or larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise EvidenceBroken(f"{path.name} cannot be read: {error.strerror}") from None
    with open(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise EvidenceBroken(f"{path.name} is not a regular file")
        if found.st_size > max_bytes:
            raise EvidenceBroken(f"{path.name} is {found.st_size} bytes; at most {max_bytes} belong there")
        return file.read()
