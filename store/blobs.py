"""Blobs: bytes kept under their SHA-256, durable before any row names them.

A blob lies at ROOT/sha256/aa/bb/DIGEST. It is written beside its place, synced, renamed into place and
its folder synced, in that order: after a power cut a file is either whole or absent, and one that
`put` has returned for is there. Nothing is ever overwritten: equal digest is equal content. Which files
may go is decided in `store.blob_deletion`; one that goes is set aside at ROOT/aside/DIGEST first.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from domain.errors import EvidenceBroken, NotFound, ServiceUnavailable
from domain.ids import Sha256, sha256_of

PARTS = 256
"""Of the store, by a digest's first byte; housekeeping looks through some of them at a time."""

_DIGEST = re.compile("[0-9a-f]{64}")


class BlobStore:
    """Content-addressed files below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._durable_folders: set[Path] = set()

    def path(self, digest: Sha256) -> Path:
        """Return where the blob lies, or would lie."""
        return self.root / "sha256" / digest[:2] / digest[2:4] / digest

    def put(self, data: bytes) -> Sha256:
        """Store bytes durably and return their digest; blocks for the disk (see `put_all`).

        Raises
        ------
        ServiceUnavailable
            The disk is full or not writable.
        """
        digest = sha256_of(data)
        target = self.path(digest)
        try:
            self._make_durable(target.parent)
            if target.exists():
                # Another writer may have renamed it into place and not yet synced the folder.
                _sync_folder(target.parent)
            else:
                self._write(target, data)
        except OSError as error:
            raise ServiceUnavailable(
                f"cannot store a blob below {self.root} ({error}); check free space and permissions"
            ) from error
        return digest

    async def put_all(self, items: list[bytes]) -> list[Sha256]:
        """Store several blobs without blocking the event loop; return their digests in order."""
        return await asyncio.gather(*(asyncio.to_thread(self.put, data) for data in items))

    def get(self, digest: Sha256) -> bytes:
        """Return a blob's bytes, checked against the digest.

        Raises
        ------
        NotFound
            There is no such blob.
        EvidenceBroken
            The file's content is not what was stored.
        """
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"no blob {digest} below {self.root}; restore it from a backup") from None
        if sha256_of(data) != digest:
            raise EvidenceBroken(
                f"the blob {digest} has other content than was stored; restore it from a backup"
            )
        return data

    def set_aside(self, digest: Sha256) -> None:
        """Take a blob out of its place, to be dropped or put back; nothing where it is not there."""
        aside = self._aside(digest)
        aside.parent.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            self.path(digest).rename(aside)

    def put_back(self, digest: Sha256) -> None:
        """Undo `set_aside`, durably; equal content that was put meanwhile is as good."""
        with suppress(FileNotFoundError):
            self._aside(digest).rename(self.path(digest))
            _sync_folder(self.path(digest).parent)

    def drop_aside(self, digest: Sha256) -> None:
        """Delete for good what was set aside."""
        self._aside(digest).unlink(missing_ok=True)

    def lying_aside(self) -> list[Sha256]:
        """Return the digests of files set aside: in hand, or left by a process that was killed."""
        return sorted(_digests(self.root / "aside"))

    def files_before(self, moment: datetime, part: int) -> list[Sha256]:
        """Return the blobs of one of the `PARTS` that were written before then."""
        found = []
        for folder in sorted((self.root / "sha256" / f"{part:02x}").glob("[0-9a-f][0-9a-f]")):
            for digest in _digests(folder):
                with suppress(FileNotFoundError):
                    if (folder / digest).stat().st_mtime < moment.timestamp():
                        found.append(digest)
        return sorted(found)

    def _aside(self, digest: Sha256) -> Path:
        return self.root / "aside" / digest

    def _write(self, target: Path, data: bytes) -> None:
        with NamedTemporaryFile(dir=target.parent, prefix=".new-", delete=False) as file:
            unfinished = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                unfinished.rename(target)
            except BaseException:
                with suppress(FileNotFoundError):
                    unfinished.unlink()
                raise
        _sync_folder(target.parent)

    def _make_durable(self, folder: Path) -> None:
        """Make a folder whose name survives a power cut: each level's parent is synced, once a process."""
        if folder in self._durable_folders:
            return
        if folder != self.root:
            self._make_durable(folder.parent)
        folder.mkdir(parents=folder == self.root, exist_ok=True)
        _sync_folder(folder.parent)
        self._durable_folders.add(folder)


def _digests(folder: Path) -> Iterator[Sha256]:
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if _DIGEST.fullmatch(name):
                yield Sha256(name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
