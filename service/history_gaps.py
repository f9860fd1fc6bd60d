"""What a history misses: entries of the log whose statement is stored no more, and entries nobody knows."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from domain.errors import EvidenceBroken
from evidence import leaf_hash
from evidence.checkpoint import SignedCheckpoint
from evidence.log_copy import CHECKPOINT
from service.chapters import Chapter, Finding
from store.connection import Connection
from store.life import QueuedEntry, entries_below

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
    return Finding(True, f"all {size} entries of the log are known")


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
