"""A log as others see it: its static files in a folder or behind an address, believed in nothing.

Whatever is read here may have been made up by whoever serves it; only what is recomputed from it and agrees
with a signed head counts.
"""

import http.client
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from evidence.durable import read_regular
from evidence.merkle import fold, root
from evidence.tiles import WIDTH, tile_path

CHECKPOINT = "checkpoint"
MAX_NOTE_BYTES = 65_536

_HASH_BYTES = 32
_TILES_KEPT = 64


class LogCopy(Protocol):
    """The files of a log."""

    @property
    def place(self) -> str:
        """Where they are, for people."""

    def read(self, path: str, *, max_bytes: int) -> bytes | None:
        """Return a file below the log's place; None where there is none.

        Raises
        ------
        EvidenceBroken
            What is there cannot be a file of the log.
        ServiceUnavailable
            The place did not answer.
        """


class FolderCopy:
    """A log in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    def read(self, path: str, *, max_bytes: int) -> bytes | None:
        """Return a file; errors as `LogCopy.read`."""
        file = self._folder / path
        return read_regular(file, max_bytes=max_bytes) if file.exists() or file.is_symlink() else None


class HttpCopy:
    """A log served as static files over HTTP or HTTPS."""

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s

    @property
    def place(self) -> str:
        """The address."""
        return self._url

    def read(self, path: str, *, max_bytes: int) -> bytes | None:
        """Return a file; errors as `LogCopy.read`."""
        try:
            with urllib.request.urlopen(f"{self._url}/{path}", timeout=self._timeout_s) as answer:  # noqa: S310
                data: bytes = answer.read(max_bytes + 1)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                return None
            raise ServiceUnavailable(f"{self._url}/{path} answers {error.code}; try again later") from None
        except (OSError, http.client.HTTPException) as error:
            raise ServiceUnavailable(f"{self._url}/{path} cannot be fetched: {error}") from None
        if len(data) > max_bytes:
            raise EvidenceBroken(f"{path} is over {max_bytes} bytes long")
        return data


def copy_at(place: str) -> LogCopy:
    """Return the log at a folder, or at a file, http or https address.

    Raises
    ------
    ConfigurationError
        It is neither.
    """
    scheme = urlsplit(place).scheme
    if scheme in ("http", "https"):
        return HttpCopy(place)
    folder = Path(urllib.request.url2pathname(urlsplit(place).path) if scheme == "file" else place)
    if not folder.is_dir():
        raise ConfigurationError(f"{place} is no folder and no http, https or file address of a log")
    return FolderCopy(folder)


class CopiedTiles:
    """The tiles of a copy, as they must be for a tree of a certain size.

    Parameters
    ----------
    copy
        The log's files.
    size
        The tree's size, from a signed head.
    """

    def __init__(self, copy: LogCopy, size: int) -> None:
        self._copy = copy
        self._size = size
        self._kept: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def tile(self, level: int, number: int) -> list[bytes]:
        """Return all hashes that a tile holds in a tree of this size.

        Raises
        ------
        EvidenceBroken
            The tile is missing or too short.
        """
        width = min(WIDTH, (self._size >> (8 * level)) - number * WIDTH)
        path = tile_path(level, number)
        data = self._copy.read(f"{path}.p/{width}", max_bytes=WIDTH * _HASH_BYTES) if width < WIDTH else None
        if data is None:  # once a tile is full, its partial forms may be gone
            data = self._copy.read(path, max_bytes=WIDTH * _HASH_BYTES)
        if data is None or len(data) < width * _HASH_BYTES:
            raise EvidenceBroken(f"the log does not show what it signed: {path} is missing or too short")
        return [data[start : start + _HASH_BYTES] for start in range(0, width * _HASH_BYTES, _HASH_BYTES)]

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree (`merkle.Nodes`)."""
        tile_level, height = divmod(level, 8)
        number, offset = divmod(index << height, WIDTH)
        hashes = self._remembered(tile_level, number)[offset : offset + (1 << height)]
        return fold(hashes)

    def all_of(self, level: int) -> Iterator[list[bytes]]:
        """Yield a level's tiles in order, the last one perhaps not full."""
        for number in range(-(-(self._size >> (8 * level)) // WIDTH)):
            yield self.tile(level, number)

    def _remembered(self, level: int, number: int) -> list[bytes]:
        key = (level, number)
        if key not in self._kept:
            self._kept[key] = self.tile(level, number)
            if len(self._kept) > _TILES_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def recomputed_root(tiles: CopiedTiles, size: int) -> bytes:
    """Return the root computed from the leaf tiles alone, every tile above compared with what they give.

    Raises
    ------
    EvidenceBroken
        A tile is missing, or is not what the tiles below it give.
    """
    edges: list[list[bytes]] = []  # of each level, the hashes after the last full tile: the root's parts
    given: list[bytes] | None = None
    while size >> (8 * len(edges)):
        level, above, edge = len(edges), [], []
        for number, hashes in enumerate(tiles.all_of(level)):
            if given is not None and hashes != given[number * WIDTH : (number + 1) * WIDTH]:
                raise EvidenceBroken(f"{tile_path(level, number)} is not what the entries below it give")
            if len(hashes) == WIDTH:
                above.append(fold(hashes))
            else:
                edge = hashes
        edges.append(edge)
        given = above

    def node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, 8)
        offset = (index << height) % WIDTH
        return fold(edges[tile_level][offset : offset + (1 << height)])

    return root(size, node)
