"""What a history misses: entries of the log whose statement is stored no more, and entries nobody knows."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from domain.errors import EvidenceBroken
from evidence import leaf_hash
from evidence.acts import leaf_of_digest, subjects_of
from evidence.checkpoint import SignedCheckpoint
from evidence.dsse import Envelope
from evidence.log_copy import CHECKPOINT
from evidence.tiles import WIDTH, Tiles
from service.chapters import Chapter, Finding
from store.connection import Connection
from store.life import QueuedEntry, entries_below, entries_unaccounted, named_in_deletions, tile_digests

_SHOWN = 5

REMOVED = "removed"
"""What a chapter is called of which the log's entry alone is left."""


def removed(entries: Sequence[QueuedEntry], told: Iterable[bytes]) -> list[Chapter]:
    """Return a chapter for every entry under a passage's names that nothing stored accounts for.

    `told` are the leaves of all that is told. Whoever takes a statement out of its table leaves its entry.
    """
    known = {leaf_hash(leaf) for leaf in told}
    return [_chapter(entry) for entry in entries if leaf_hash(entry.leaf) not in known]


async def whole_log(conn: Connection, folder: Path) -> Finding:
    """Say whether the database knows every entry of the log that lies in a folder.

    An entry is known before it is written there, so one that is not has been removed since.
    """
    try:
        size = SignedCheckpoint.parse((folder / CHECKPOINT).read_bytes()).checkpoint.size
    except OSError:
        return Finding(None, f"no log lies in {folder}")
    except EvidenceBroken as error:
        return Finding(False, f"the log's checkpoint cannot be read: {error}")
    missing = size - await entries_below(conn, size)
    if missing:
        return Finding(
            False,
            f"the log has {missing} entries of {size} that the database knows nothing of: rows were removed, "
            "or an old copy of it was restored; compare with a backup",
        )
    erased = [leaf_hash(leaf) for leaf in _erased_leaves(await named_in_deletions(conn))]
    gone = await entries_unaccounted(conn, size, erased=erased)
    if gone:
        return Finding(
            False,
            f"the log has {len(gone)} entries of {size} whose statement is stored no more: entry "
            f"{', '.join(map(str, gone[:_SHOWN]))}; rows were removed; compare with a backup",
        )
    differing = await _differing_tiles(conn, folder, size)
    if differing:
        first = differing[0] * WIDTH
        return Finding(
            False,
            f"the log has other entries than the database from entry {first} to {first + WIDTH - 1}, and in "
            f"{len(differing) - 1} more tiles; compare with a backup",
        )
    return Finding(True, f"all {size} entries of the log are known")


async def _differing_tiles(conn: Connection, folder: Path, size: int) -> list[int]:
    """Return the numbers of tiles that lie in the log otherwise than the database knows their entries."""
    known = await tile_digests(conn, size, WIDTH)

    def differing(numbers: Iterable[int]) -> list[int]:
        return [number for number in numbers if _tile(folder, number, size) != known.get(number)]

    # Asked twice: the log's writer may just have replaced a partial tile.
    return await asyncio.to_thread(lambda: differing(differing(range(-(-size // WIDTH)))))


def _tile(folder: Path, number: int, size: int) -> bytes | None:
    with suppress(EvidenceBroken, OSError):
        hashes = Tiles(folder).hashes(0, number, min(WIDTH, size - number * WIDTH))
        return hashlib.sha256(b"".join(hashes)).digest()
    return None


def _erased_leaves(deletions: Iterable[bytes]) -> Iterator[bytes]:
    for envelope in deletions:
        with suppress(EvidenceBroken):
            yield from (
                leaf_of_digest(digest) for _, digest in subjects_of(Envelope.parse(envelope).statement)
            )


def _chapter(entry: QueuedEntry) -> Chapter:
    place = "waits to be logged" if entry.leaf_index is None else f"entry {entry.leaf_index}"
    return Chapter(
        what=REMOVED,
        subject=entry.subject,
        leaf_index=entry.leaf_index,
        at=entry.queued_at,
        witnessed_at=None,
        officer=None,
        licence=None,
        reason="",
        envelope_sha256=entry.leaf.decode("ascii", "replace").partition(" ")[0],
        corrects=None,
        signature=Finding(
            False, f"the log has an entry for it ({entry.kind}), but what was signed is not stored any more"
        ),
        inclusion=Finding(None if entry.leaf_index is None else True, place),
    )
