"""Intake: a batch of messages becomes rows, pairs and jobs in one transaction, each message once.

Rules
-----
- The ledger decides what is new: the first message of a key is, the same content again is a
  duplicate and counted, other content is a conflict and goes to quarantine.
- Only then are rows written, straight into their tables; a message that is not new costs no more.
- A record and its images may be stored by two ingesters at the same moment, neither seeing the
  other's uncommitted rows. Both take the lock of (station, match key) before they look for partners,
  so the later one looks when the earlier has committed. This wants READ COMMITTED, the default.
- Locks are taken in one order by everyone (ledger keys, blobs, match keys, quarantine, each sorted), so
  that ingesters with overlapping batches wait for each other and never in a circle.
- A flagged passage gets its hit row, its job at the deadline, and, once all expected captures are
  there, its job at once; in this same transaction. A capture paired later gets the job of a supplement.
- What the log must name within seconds (capture_statement_subject) is every capture, since one may
  come before anybody knows it is needed, and the record of every flagged passage.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from domain.completeness import profile
from domain.ids import EventId
from domain.screening import Outcome
from store.connection import Connection
from store.drift import SteerAxle, Watched, add_samples
from store.intake_batch import (
    CAPTURE_WAIT,
    INLINE_PAYLOAD_BYTES,
    CaptureRow,
    IntakeBatch,
    Key,
    PassageRow,
    RefusalRow,
    Row,
    Stored,
    StoreOutcome,
)
from store.intake_rows import copy_captures, copy_passages, insert_quarantine, quarantine_of
from store.jobs import AFTERWARDS, AT_DEADLINE, PendingJob, Task, defer_all
from store.ledger import enter_in_ledger

SUPPLEMENT_WAIT = timedelta(seconds=60)
"""How long a capture that came too late waits for others, so that they make one supplement."""

__all__ = [
    "CAPTURE_WAIT",
    "INLINE_PAYLOAD_BYTES",
    "CaptureRow",
    "IntakeBatch",
    "Key",
    "PassageRow",
    "RefusalRow",
    "StoreOutcome",
    "Stored",
    "store_batch",
]


async def store_batch(conn: Connection, batch: IntakeBatch) -> list[Stored]:
    """Store a batch in the caller's transaction; the blobs it names (`batch.blobs()`) are stored already.

    Returns
    -------
    list[Stored]
        One for every passage, then every capture, then every refusal, in the batch's order.

    Raises
    ------
    psycopg.Error
        Something in the batch cannot be stored: nothing of it is, once the caller rolls back.
    """
    rows: list[Row] = [*batch.passages, *batch.captures, *batch.refusals]
    outcomes = await enter_in_ledger(conn, rows)
    new = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is StoreOutcome.NEW]
    passages = [row for row in new if isinstance(row, PassageRow)]
    captures = [row for row in new if isinstance(row, CaptureRow)]

    await copy_captures(conn, captures)
    await copy_passages(conn, passages)
    await add_samples(conn, [_sample(row, row.drift_basis) for row in passages if row.drift_basis])
    flagged = [row for row in passages if row.screening.outcome is Outcome.OVERLOADED]
    jobs = await _open_hits(conn, flagged)
    await _name_originals(conn, flagged, captures)
    paired = await _pair(conn, [*passages, *captures])
    jobs += await _complete_hits(conn, {row.key.event_id for row in flagged} | paired)
    jobs += await _supplement_hits(conn, paired)
    outcomes = await _quarantine(conn, rows, outcomes)
    await defer_all(conn, jobs)
    return [
        Stored(outcome, row.key.event_id if row.key else None)
        for row, outcome in zip(rows, outcomes, strict=True)
    ]


def _sample(row: PassageRow, basis: str) -> SteerAxle:
    header, record = row.message.header, row.message.record
    return SteerAxle(
        row.key.event_id,
        Watched(header.station, header.device, record.lane, basis),
        header.captured_at,
        record.axles[0].load_kg,
    )


async def _open_hits(conn: Connection, flagged: Sequence[PassageRow]) -> list[PendingJob]:
    """Write the hit rows of flagged passages; return their jobs at the deadline."""
    if not flagged:
        return []
    cursor = await conn.execute(
        """
        INSERT INTO hit (event_id, captured_at, station_id, match_key, expected_captures, deadline)
        SELECT event_id, captured_at, station_id, match_key, string_to_array(expected, ' '), now() + wait
        FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::interval[])
            AS flagged (event_id, captured_at, station_id, match_key, expected, wait)
        RETURNING event_id, deadline
        """,
        [
            [row.key.event_id for row in flagged],
            [row.message.header.captured_at for row in flagged],
            [row.key.station for row in flagged],
            [row.message.record.match_key for row in flagged],
            [" ".join(_expected_captures(row)) for row in flagged],
            [row.capture_wait for row in flagged],
        ],
    )
    return [
        PendingJob(Task.SETTLE_HIT, EventId(event_id), at=deadline, priority=AT_DEADLINE)
        for event_id, deadline in await cursor.fetchall()
    ]


def _expected_captures(row: PassageRow) -> list[str]:
    """Return what the record announces, as device/role, and the roles the site's profile wants, as /role.

    Both, because a hit settled before a wanted role is there is incomplete for good: a record that
    announces its front camera alone must not shut out the rear one that comes a second later.
    """
    announced = {f"{capture.device}/{capture.role.value}" for capture in row.message.record.expected_captures}
    wanted = {f"/{role}" for role in profile(row.context.site.completeness_profile).expected_roles}
    return sorted(announced | wanted)


async def _name_originals(
    conn: Connection, flagged: Sequence[PassageRow], captures: Sequence[CaptureRow]
) -> None:
    """Queue the digests of originals for the next capture statement."""
    named = {row.key.event_id: row.payload_sha256 for row in flagged}
    named |= {row.key.event_id: row.blob_sha256 for row in captures}
    if named:
        await conn.execute(
            """
            INSERT INTO capture_statement_subject (event_id, sha256)
            SELECT * FROM unnest(%s::text[], %s::text[])
            """,
            [list(named), list(named.values())],
        )


async def _pair(conn: Connection, rows: Sequence[PassageRow | CaptureRow]) -> set[EventId]:
    """Pair whatever this batch's match keys now allow; return the passages that got a capture.

    A capture goes to the passage nearest in time within the window, of its own lane where it says which;
    each goes to one, once.
    """
    windows: dict[tuple[str, str], timedelta] = {}
    for row in rows:
        match = row.message.record if isinstance(row, PassageRow) else row.message.meta
        windows[row.key.station, match.match_key] = row.pairing_window
    if not windows:
        return set()
    await conn.execute(
        "SELECT pg_advisory_xact_lock(lock) FROM unnest(%s::bigint[]) AS lock",
        [sorted({_pairing_lock(station, match_key) for station, match_key in windows})],
    )
    cursor = await conn.execute(
        """
        UPDATE capture SET passage_event_id = nearest.event_id
        FROM (
            SELECT DISTINCT ON (c.event_id) c.event_id AS capture_event_id, p.event_id
            FROM unnest(%s::text[], %s::text[], %s::interval[]) AS key (station_id, match_key, span)
            JOIN capture AS c ON c.station_id = key.station_id AND c.match_key = key.match_key
            JOIN passage AS p ON p.station_id = key.station_id AND p.match_key = key.match_key
                AND p.captured_at BETWEEN c.captured_at - key.span AND c.captured_at + key.span
                AND p.erased_at IS NULL
                AND coalesce((c.meta ->> 'lane')::smallint, p.lane) = p.lane
            WHERE c.passage_event_id IS NULL
            ORDER BY c.event_id, abs(extract(epoch FROM p.captured_at - c.captured_at)), p.event_id
        ) AS nearest
        WHERE capture.event_id = nearest.capture_event_id
        RETURNING capture.passage_event_id
        """,
        [
            [station for station, _ in windows],
            [match_key for _, match_key in windows],
            list(windows.values()),
        ],
    )
    return {EventId(row[0]) for row in await cursor.fetchall()}


def _pairing_lock(station: str, match_key: str) -> int:
    material = f"zhichao pairing\0{station}\0{match_key}".encode()
    return int.from_bytes(hashlib.sha256(material).digest()[:8], signed=True)


async def _complete_hits(conn: Connection, passages: set[EventId]) -> list[PendingJob]:
    """Return a job at once for each waiting hit among `passages` whose expected captures are all there.

    A hit that expects nothing in particular is complete with its first capture.
    """
    if not passages:
        return []
    cursor = await conn.execute(
        """
        SELECT hit.event_id FROM hit
        JOIN LATERAL (
            SELECT array_agg(device_id || '/' || role) || array_agg('/' || role) AS there
            FROM capture WHERE passage_event_id = hit.event_id
        ) AS captures ON true
        WHERE hit.event_id = ANY(%s) AND hit.state = 'waiting' AND hit.expected_captures <@ captures.there
        """,
        [list(passages)],
    )
    return [PendingJob(Task.SETTLE_HIT, EventId(row[0])) for row in await cursor.fetchall()]


async def _supplement_hits(conn: Connection, paired: set[EventId]) -> list[PendingJob]:
    """Return a job for each hit that got a capture when it waited for none any more: a supplement holds it.

    Whether the package has it after all is decided by the job; it waits for others that come as late.
    """
    if not paired:
        return []
    cursor = await conn.execute(
        "SELECT event_id, now() + %s FROM hit WHERE event_id = ANY(%s) AND state <> 'waiting'",
        [SUPPLEMENT_WAIT, list(paired)],
    )
    return [
        PendingJob(Task.SUPPLEMENT_HIT, EventId(event_id), at=at, priority=AFTERWARDS)
        for event_id, at in await cursor.fetchall()
    ]


async def _quarantine(
    conn: Connection, rows: Sequence[Row], outcomes: Sequence[StoreOutcome]
) -> list[StoreOutcome]:
    """Keep what is refused or in conflict; return the outcomes, with repeated keyless refusals known."""
    kept = {
        index: quarantine_of(row)
        for index, (row, outcome) in enumerate(zip(rows, outcomes, strict=True))
        if outcome is StoreOutcome.CONFLICT or (isinstance(row, RefusalRow) and outcome is StoreOutcome.NEW)
    }
    new = await insert_quarantine(conn, list(kept.values()))
    settled = list(outcomes)
    for index, quarantined in kept.items():
        if rows[index].key is not None:
            continue
        if quarantined.fingerprint in new:
            new.remove(quarantined.fingerprint)
        else:
            settled[index] = StoreOutcome.DUPLICATE
    return settled
