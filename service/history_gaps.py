"""What a history misses: entries of the log whose statement is stored no more, and entries nobody knows."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from domain.errors import EvidenceBroken
from evidence import Trust, leaf_hash
from evidence.checkpoint import Checkpoint, SignedCheckpoint
from evidence.durable import read_regular
from evidence.log_copy import CHECKPOINT, MAX_NOTE_BYTES, CopiedTiles, FolderCopy, recomputed_root
from evidence.tiles import WIDTH, Tiles
from evidence.witnessed import witnessed
from service.chapters import Chapter, Finding
from service.history_deletions import Reckoning
from store.connection import Connection
from store.life import QueuedEntry, entries_below, tile_digests
from store.outbox import log_head

_SHOWN = 5

REMOVED = "removed"
"""What a chapter is called of which the log's entry alone is left."""


def removed(entries: Sequence[QueuedEntry], told: Iterable[bytes]) -> list[Chapter]:
    """Return a chapter for every entry under a passage's names that nothing stored accounts for.

    `told` are the leaves of all that is told. Whoever takes a statement out of its table leaves its entry.
    """
    known = {leaf_hash(leaf) for leaf in told}
    return [_chapter(entry) for entry in entries if leaf_hash(entry.leaf) not in known]


async def whole_log(conn: Connection, folder: Path, *, trust: Trust, reckoning: Reckoning) -> Finding:
    """Say whether the database knows every entry of the log that lies in a folder, and what each tells of.

    The log's head must be signed and cosigned by keys of the trust file, its root be that of the tiles, the
    tiles be the entries that the database knows, and each of these that of a statement which is stored, or
    which a deletion that is believed names. An entry is known before it is written there, so one that is not
    has been removed since.
    """
    logged = (await log_head(conn)).tree_size  # read first: the log grows, and its files before its row
    if not (folder / CHECKPOINT).exists():
        return Finding(None, f"no log lies in {folder}")
    try:
        head = vouched_head(folder, trust)
    except EvidenceBroken as error:
        return Finding(False, f"the log's checkpoint is not to be believed: {error}")
    if head.size < logged:
        return Finding(
            False,
            f"the log has {head.size} entries, and {logged} were written: it was cut, or an old copy of it "
            "was restored; bring back its newest state",
        )
    known = await entries_below(conn, head.size)
    digests = await tile_digests(conn, head.size, WIDTH)
    broken = (
        _unknown(head.size - known, head.size)
        or _without_statement([one for one in reckoning.missing if one < head.size], head.size)
        or await asyncio.to_thread(_differing_from, digests, folder, head)
    )
    if broken:
        return Finding(False, f"{broken}; compare with a backup")
    if reckoning.waiting:
        detail = f"{len(reckoning.waiting)} entries were erased by deletions that are not in the log yet"
        return Finding(None, f"{detail}; look again when they are")
    return Finding(True, f"all {head.size} entries of the log are known")


def vouched_head(folder: Path, trust: Trust) -> Checkpoint:
    """Return the head of the log in a folder, once log and witness of the trust file vouch for it.

    Raises
    ------
    EvidenceBroken
        They do not, or a key's life had ended.
    """
    signed = SignedCheckpoint.parse(read_regular(folder / CHECKPOINT, max_bytes=MAX_NOTE_BYTES))
    log = signed.log_of(trust.logs)
    seen = witnessed(signed, trust)  # dates nothing here: a witness whose key has ended will do
    trust.life_of(log.public_key).check(seen.at, f"the log key {log}")
    return signed.checkpoint


def _unknown(missing: int, size: int) -> str:
    if not missing:
        return ""
    return (
        f"the log has {missing} entries of {size} that the database knows nothing of: rows were removed, or "
        "an old copy of it was restored"
    )


def _without_statement(gone: Sequence[int], size: int) -> str:
    if not gone:
        return ""
    return (
        f"the log has {len(gone)} entries of {size} whose statement is stored no more: entry "
        f"{', '.join(map(str, gone[:_SHOWN]))}; rows were removed"
    )


def _differing_from(digests: dict[int, bytes], folder: Path, head: Checkpoint) -> str:
    """Say where the log's tiles are not what the database knows, or not what the head was signed over."""

    def differing(numbers: Iterable[int]) -> list[int]:
        return [number for number in numbers if _tile(folder, number, head.size) != digests.get(number)]

    # Asked twice: the log's writer may just have replaced a partial tile.
    tiles = differing(differing(range(-(-head.size // WIDTH))))
    if tiles:
        first = tiles[0] * WIDTH
        return (
            f"the log has other entries than the database from entry {first} to {first + WIDTH - 1}, and in "
            f"{len(tiles) - 1} more tiles"
        )
    try:
        root = recomputed_root(CopiedTiles(FolderCopy(folder), head.size), head.size)
    except EvidenceBroken as error:
        return str(error)
    return "" if root == head.root else "the log's head was signed over other entries than the database knows"


def _tile(folder: Path, number: int, size: int) -> bytes | None:
    with suppress(EvidenceBroken, OSError):
        hashes = Tiles(folder).hashes(0, number, min(WIDTH, size - number * WIDTH))
        return hashlib.sha256(b"".join(hashes)).digest()
    return None


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
