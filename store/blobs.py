"""Blobs: bytes kept under their SHA-256, durable before any row names them.

A blob lies at ROOT/sha256/aa/bb/DIGEST. It is written beside its place, synced, renamed into place and
its folder synced, in that order: after a power cut a file is either whole or absent, and one that
`put` has returned for is there. Nothing is ever overwritten: equal digest is equal content.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from domain.errors import EvidenceBroken, NotFound, ServiceUnavailable
from domain.ids import Sha256, sha256_of


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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
