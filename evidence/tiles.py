"""The log's tree as static files (c2sp.org/tlog-tiles): `tile/<level>/<number>[.p/<width>]`.

A full tile is 256 hashes. Level 0 holds leaf hashes; a hash at level n is the root of a full tile
at level n - 1. The entries themselves are not published: the log holds hashes only, and each entry
travels in the evidence package it seals.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from domain.errors import EvidenceBroken
from evidence.durable import fsync_folder, make_folders, read_regular, replace
from evidence.merkle import fold

WIDTH = 256
_HASH_BYTES = 32


def tile_path(level: int, number: int) -> str:
    """Return where a full tile lies below the log's place; a partial one is `<path>.p/<width>`."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03}")
    return "/".join(["tile", str(level), *reversed(groups)])


class Tiles:
    """The tiles of one log in a folder.

    Files may reach beyond the log's checkpoint after a crash; they always extend what the
    checkpoint covers, are never read beyond its size, and are replaced by the next append.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree (`merkle.Nodes`).

        Raises
        ------
        EvidenceBroken
            The tile that holds it is missing or too short.
        """
        tile_level, height = divmod(level, 8)
        first = index << height
        number, offset = divmod(first, WIDTH)
        hashes = self.hashes(tile_level, number, offset + (1 << height))
        return fold(hashes[offset:])

    def hashes(self, level: int, number: int, width: int) -> list[bytes]:
        """Return the first `width` hashes of a tile, from any file that is at least so wide."""
        path = self._path(level, number)
        if not path.exists():
            path = self._narrowest_partial(path, level, width)
        data = read_regular(path, max_bytes=WIDTH * _HASH_BYTES)
        if len(data) < width * _HASH_BYTES or len(data) % _HASH_BYTES:
            raise EvidenceBroken(
                f"the log's tile {path.relative_to(self._folder)} is damaged; restore the log"
            )
        return [data[i : i + _HASH_BYTES] for i in range(0, width * _HASH_BYTES, _HASH_BYTES)]

    def append(self, size: int, leaf_hashes: Sequence[bytes]) -> None:
        """Write every tile that changes when a log of `size` entries grows, durably."""
        new = list(leaf_hashes)
        level, start = 0, size
        while new:
            number, tail = divmod(start, WIDTH)
            hashes = (self.hashes(level, number, tail) if tail else []) + new
            above = []
            for offset in range(0, len(hashes), WIDTH):
                tile = hashes[offset : offset + WIDTH]
                path = self._path(level, number + offset // WIDTH)
                self._discard_wider(path, 0 if offset else tail)
                self._write(path, tile)
                if len(tile) == WIDTH:
                    above.append(fold(tile))
            level, start, new = level + 1, number, above

    def drop_partials(self, old_size: int, size: int) -> None:
        """Remove partial tiles that full ones have replaced since the log had `old_size` entries."""
        level = 0
        while size:
            for number in range(old_size // WIDTH, size // WIDTH):
                shutil.rmtree(self._partials(self._path(level, number)), ignore_errors=True)
            level, old_size, size = level + 1, old_size // WIDTH, size // WIDTH

    def _discard_wider(self, path: Path, width: int) -> None:
        """Remove what a crashed append left of this tile: nothing signed ever covered it."""
        if path.exists():
            path.unlink()
            fsync_folder(path.parent)
        partials = self._partials(path)
        if partials.is_dir():
            for file in partials.iterdir():
                if not file.name.isdecimal() or int(file.name) > width:
                    file.unlink()
            fsync_folder(partials)

    def _write(self, path: Path, tile: Sequence[bytes]) -> None:
        if len(tile) < WIDTH:
            path = self._partials(path) / str(len(tile))
        make_folders(path.parent)
        replace(path, b"".join(tile))

    def _path(self, level: int, number: int) -> Path:
        return self._folder / tile_path(level, number)

    @staticmethod
    def _partials(path: Path) -> Path:
        return path.with_name(path.name + ".p")

    def _narrowest_partial(self, path: Path, level: int, width: int) -> Path:
        """Return the partial file of exactly this width, or else the next wider one."""
        folder = self._partials(path)
        exact = folder / str(width)
        if exact.exists() or not folder.is_dir():
            return exact
        wider = sorted(int(file.name) for file in folder.iterdir() if file.name.isdecimal())
        return next((folder / str(found) for found in wider if found >= width), exact)
