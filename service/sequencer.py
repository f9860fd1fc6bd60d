"""The one writer of the transparency log: drains the outbox, appends, lets packages go on.

Every worker process runs one of these; the database's lock decides which of them works, and its
fencing token that an ousted one stops; one that is frozen is ousted after a minute. Each round, a few
times a second:

1. originals that wait are named in one signed capture statement, whose leaf goes into the outbox;
2. waiting leaves get the next indices (committed before the log's files are touched);
3. what the log does not have of them is appended, with the witness's cosignature;
4. in one transaction the head is recorded, the leaves marked, packages are `logged`, and their next
   job is deferred.

A kill between any two of these is made good by the next holder: see `store.outbox`, `evidence.log`.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from domain.errors import ConflictingChange, EvidenceBroken, ServiceUnavailable
from domain.ids import EventId
from evidence import KeySet, TransparencyLog, sign_capture_statement, statement_leaf
from evidence.checkpoint import SignedCheckpoint
from service.patience import Patience
from service.settings import Settings
from service.wiring import log_of
from store.connection import Connection, connect
from store.entry_proofs import keep_proofs
from store.jobs import AT_ONCE, PendingJob, Task, defer_all
from store.originals import Subject, state_originals
from store.outbox import LogEntry, assign_indices, mark_logged, take_log
from store.packages import record_logged
from store.transactions import transaction_on

ROUND_S = 0.2
TRY_AGAIN_S = 1.0
LONGEST_PAUSE_S = 5.0
"""Short beside the ten seconds within which originals are to be in the log once the witness is back."""

FINISH_FIRST = AT_ONCE + 10
"""What is nearly a lead goes before what still has to be read: in a rush the oldest hits come out first."""

log = logging.getLogger(__name__)


async def run_sequencer(settings: Settings, keys: KeySet) -> None:
    """Write the log whenever no other process does, until cancelled."""
    patience = Patience(TRY_AGAIN_S, LONGEST_PAUSE_S, time.monotonic)
    while True:
        try:
            await _hold(settings, keys, patience)
        except (ServiceUnavailable, ConflictingChange) as error:
            if patience.failed(str(error)):
                log.warning("the log is not written, and is tried again until it is: %s", error)
        await asyncio.sleep(patience.pause_s)


async def _hold(settings: Settings, keys: KeySet, patience: Patience) -> None:
    """Take the log and write it until something comes between; return at once if another holds it."""
    conn = await connect(settings.require_database_url(), autocommit=True)
    try:
        async with transaction_on(conn):
            token = await take_log(conn)
        if token is None:
            return
        if not patience.failing:
            log.info("this process writes the log (fencing token %d)", token)
        transparency_log = await asyncio.to_thread(log_of, settings, keys)
        while True:
            await sequence(conn, token, transparency_log, keys)
            if patience.succeeded():
                log.info("the log is written again (fencing token %d)", token)
            await asyncio.sleep(ROUND_S)
    finally:
        with suppress(OSError):
            await conn.close()


async def sequence(conn: Connection, token: int, transparency_log: TransparencyLog, keys: KeySet) -> int:
    """Do one round; return how many entries the log has gained.

    Raises
    ------
    ConflictingChange
        Another sequencer has taken the log.
    EvidenceBroken
        Log and database contradict each other: one of them was restored from an old copy.
    """

    async def sign(subjects: Sequence[Subject]) -> tuple[bytes, bytes]:
        return await asyncio.to_thread(_statement, subjects, keys)  # a token may take its time

    async with transaction_on(conn):
        await state_originals(conn, sign)
    async with transaction_on(conn):
        entries = await assign_indices(conn, token)
    if not entries:
        return 0
    await asyncio.to_thread(_append, transparency_log, entries)
    note = transparency_log.checkpoint_note
    head = SignedCheckpoint.parse(note).checkpoint
    async with transaction_on(conn):
        logged = await mark_logged(
            conn, token, tree_size=head.size, root_hash=head.root, checkpoint=note.decode()
        )
        await keep_proofs(conn, await asyncio.to_thread(proofs_of, transparency_log, logged))
        ready = await record_logged(conn, [entry.leaf_hash for entry in logged if entry.kind == "package"])
        await defer_all(conn, [_next_job(event_id, supplement) for event_id, supplement in ready])
    return len(logged)


def proofs_of(transparency_log: TransparencyLog, logged: Sequence[LogEntry]) -> dict[bytes, bytes]:
    """Return the proofs of what is no package, by leaf hash: with the head that the witness has just seen."""
    return {
        entry.leaf_hash: transparency_log.inclusion_proof(entry.leaf_index)
        for entry in logged
        if entry.kind != "package"
    }


def _next_job(event_id: EventId, supplement: int) -> PendingJob:
    if supplement:
        return PendingJob(Task.SUPPLEMENT_HIT, event_id)
    return PendingJob(Task.FINISH_PACKAGE, event_id, priority=FINISH_FIRST)


def _append(transparency_log: TransparencyLog, entries: Sequence[LogEntry]) -> None:
    """Append what the log does not have yet; what it has must be what the database says."""
    first = entries[0].leaf_index
    present = transparency_log.size - first
    if present < 0 or present > len(entries):
        raise EvidenceBroken(
            f"the log has {transparency_log.size} entries, the database expects {first} to "
            f"{first + len(entries)}: one of them was restored from an old copy; bring back its newest state"
        )
    expected = [entry.leaf_hash for entry in entries[:present]]
    if transparency_log.leaf_hashes(first, transparency_log.size) != expected:
        raise EvidenceBroken("the log holds other entries than the database; restore whichever is wrong")
    rest = [entry.leaf_hash for entry in entries[present:]]
    if rest:
        transparency_log.append(rest)


def _statement(subjects: Sequence[Subject], keys: KeySet) -> tuple[bytes, bytes]:
    envelope = sign_capture_statement(subjects, keys.service, datetime.now(UTC))
    return envelope, statement_leaf(envelope)
