"""What a retention rule deletes, with its statement, in one transaction: figures stay, what is personal goes.

Rules
-----
1. What goes is named by digest in one signed statement, whose leaf is in the log's outbox when the rows are
   gone: nothing is deleted silently, and nothing is stated that was not deleted.
2. A hold that was placed before is seen; one that is being placed waits (`store.holds`). Whether a flagged
   passage is due is asked again once its row is locked: what the first look did not see, a case just opened,
   a supplement just asked for, keeps it. Whoever adds to a passage's evidence holds that row.
3. The ledger is not touched: what is sent again is a duplicate, and stored no second time. Statements on
   captures, packages' rows and the log stay, so that it can be proven what there was, and when.
4. Rows first. Files follow once this is committed: packages by `packages_to_remove`, blobs after their grace.
5. A capture that comes after its passage was erased is not paired any more, or as the deletion was under way;
   either way it is no evidence, and goes by the shortest rule.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from domain.acts import Act, SignedAct
from domain.ids import EventId, Sha256
from domain.retention import OF_HITS, Rule, Term
from store.acts import add_act
from store.blob_deletion import mark_unreferenced
from store.connection import Connection
from store.holds import keep_holds_as_they_are


class Gone(NamedTuple):
    """What one statement is about."""

    rule: Rule
    event: EventId | None
    """The passage, where all of it belongs to one."""
    subject: str
    digests: tuple[tuple[str, Sha256], ...]
    """Names and digests: events' ids, packages' folders with their tag manifests, quarantine numbers."""


State = Callable[[Gone], Awaitable[tuple[Act, SignedAct]]]
"""Makes the statement of a deletion, signs it, and makes its entry in the log."""

_DUE_CAPTURES = """
FROM capture c
WHERE c.stored_at < %(before)s
    AND NOT EXISTS (SELECT FROM hit h WHERE h.event_id = c.passage_event_id AND h.deletion_id IS NULL)
    AND NOT EXISTS (SELECT FROM held_event e WHERE e.event_id IN (c.event_id, c.passage_event_id))
"""

_DUE_MESSAGES = """
FROM passage p
WHERE p.stored_at < %(before)s AND p.erased_at IS NULL
    AND NOT EXISTS (SELECT FROM hit h WHERE h.event_id = p.event_id)
    AND NOT EXISTS (SELECT FROM held_event e WHERE e.event_id = p.event_id)
"""

_DUE_QUARANTINE = """
FROM quarantine q
WHERE q.stored_at < %(before)s AND q.erased_at IS NULL
    AND NOT EXISTS (SELECT FROM legal_hold l WHERE l.kind = 'quarantine' AND l.released_at IS NULL
                    AND l.subject = q.quarantine_id::text)
"""

_DUE_HITS = """
FROM hit h
JOIN LATERAL (SELECT max(k.completed_at) AS sealed_at, bool_and(k.state = 'complete') AS whole
              FROM package k WHERE k.event_id = h.event_id) AS sealed ON sealed.whole
LEFT JOIN case_file c ON c.event_id = h.event_id
WHERE h.deletion_id IS NULL AND h.state IN ('incomplete', 'open')
    AND coalesce(c.state, '') = %(state)s AND greatest(sealed.sealed_at, c.updated_at) < %(before)s
    AND NOT EXISTS (SELECT FROM supplement_request s WHERE s.event_id = h.event_id AND s.supplement IS NULL)
    AND NOT EXISTS (SELECT FROM held_event e WHERE e.event_id = h.event_id)
"""

_LOCK_CAPTURES = (
    "SELECT c.event_id" + _DUE_CAPTURES + "ORDER BY c.stored_at LIMIT %(limit)s FOR UPDATE OF c SKIP LOCKED"
)

_DELETE_CAPTURES = (
    "DELETE FROM capture WHERE event_id IN (SELECT c.event_id"  # noqa: S608 - ours
    + _DUE_CAPTURES
    + """
    AND c.event_id = ANY(%(locked)s))
RETURNING event_id, blob_sha256, CASE WHEN wire_prefix IS NULL THEN wire_sha256 END
"""
)

_LOCK_MESSAGES = (
    "SELECT p.event_id, p.captured_at, p.wire_blob, encode(l.payload_sha256, 'hex') FROM (SELECT *"  # noqa: S608 - ours
    + _DUE_MESSAGES
    + """
    ORDER BY p.stored_at LIMIT %(limit)s FOR UPDATE OF p SKIP LOCKED
) AS p JOIN ledger l USING (station_id, device_id, epoch, sequence)
"""
)

_ERASE_QUARANTINE = (
    "WITH due AS (SELECT q.quarantine_id, q.payload IS NULL AS in_blobs"  # noqa: S608 - ours
    + _DUE_QUARANTINE
    + """
    ORDER BY q.stored_at LIMIT %(limit)s FOR UPDATE OF q SKIP LOCKED
)
UPDATE quarantine AS q SET payload = NULL, properties = '[]', detail = 'erased', erased_at = %(now)s
FROM due WHERE q.quarantine_id = due.quarantine_id
RETURNING q.quarantine_id, q.payload_sha256, due.in_blobs
"""
)

_LOCK_HIT = "SELECT h.event_id, h.captured_at" + _DUE_HITS + "LIMIT 1 FOR UPDATE OF h SKIP LOCKED"

_STILL_DUE = "SELECT 1" + _DUE_HITS + "AND h.event_id = %(event)s"

_CASE_STATE = {Rule.HIT: "", Rule.REJECTED: "rejected", Rule.CONFIRMED: "confirmed"}


async def due(conn: Connection, term: Term, now: datetime) -> dict[str, int]:
    """Return how many of each a rule would delete now, by what they are; deletes nothing."""
    if term.rule is Rule.UNFLAGGED:
        return {
            "captures": await _count(conn, _DUE_CAPTURES, term, now),
            "messages": await _count(conn, _DUE_MESSAGES, term, now),
        }
    if term.rule is Rule.QUARANTINE:
        return {"messages": await _count(conn, _DUE_QUARANTINE, term, now)}
    return {"passages": await _count(conn, _DUE_HITS, term, now)}


async def delete_due(conn: Connection, term: Term, state: State, *, now: datetime, limit: int) -> int:
    """Delete up to `limit` of what a rule ends, with its statement, in the caller's transaction.

    Of hits one passage at a time, each with a statement of its own. Several may run at once: each takes what
    no other has taken. Returns how many were deleted.
    """
    await keep_holds_as_they_are(conn)
    if term.rule in OF_HITS:
        return await _delete_hit(conn, term, state, now)
    if term.rule is Rule.QUARANTINE:
        digests, freed = await _erase_quarantine(conn, term, now, limit)
    else:
        digests, freed = await _delete_captures(conn, term, now, limit)
        more, waveforms = await _erase_messages(conn, term, now, limit)
        digests, freed = digests + more, freed + waveforms
    if not digests:
        return 0
    await mark_unreferenced(conn, freed, at=now)
    await _keep_statement(conn, Gone(term.rule, None, term.rule.value, tuple(sorted(digests))), state, now)
    return len(digests)


async def packages_to_remove(conn: Connection, *, limit: int) -> list[str]:
    """Return folders of packages that were deleted and whose files may still be there."""
    cursor = await conn.execute(
        """
        SELECT folder FROM package WHERE deletion_id IS NOT NULL AND files_removed_at IS NULL
        ORDER BY deletion_id, folder LIMIT %s
        """,
        [limit],
    )
    return [row[0] for row in await cursor.fetchall()]


async def record_removed(conn: Connection, folders: Sequence[str], at: datetime) -> None:
    """Store that no file of these packages is left."""
    await conn.execute("UPDATE package SET files_removed_at = %s WHERE folder = ANY(%s)", [at, list(folders)])


async def _count(conn: Connection, due_rows: LiteralString, term: Term, now: datetime) -> int:
    cursor = await conn.execute("SELECT count(*)" + due_rows, _parameters(term, now))
    row = await cursor.fetchone()
    return row[0] if row else 0


def _parameters(term: Term, now: datetime, limit: int = 1) -> dict[str, object]:
    return {
        "before": term.before(now),
        "now": now,
        "limit": limit,
        "state": _CASE_STATE.get(term.rule, ""),
    }


async def _delete_captures(
    conn: Connection, term: Term, now: datetime, limit: int
) -> tuple[list[tuple[str, Sha256]], list[Sha256]]:
    """Delete captures of passages never flagged; return their digests, and the blobs they named."""
    values = _parameters(term, now, limit)
    cursor = await conn.execute(_LOCK_CAPTURES, values)
    locked = [row[0] for row in await cursor.fetchall()]
    # Asked again now that nobody can pair them: one may just have been, with a flagged passage.
    cursor = await conn.execute(_DELETE_CAPTURES, values | {"locked": locked})
    rows = await cursor.fetchall()
    blobs = [blob for row in rows for blob in row[1:] if blob is not None]
    return [(row[0], row[1]) for row in rows], blobs


async def _erase_messages(
    conn: Connection, term: Term, now: datetime, limit: int
) -> tuple[list[tuple[str, Sha256]], list[Sha256]]:
    """Erase what was received of passages never flagged; return digests from the ledger, and freed blobs."""
    cursor = await conn.execute(_LOCK_MESSAGES, _parameters(term, now, limit))
    rows = await cursor.fetchall()
    await _erase_wire(conn, [row[0] for row in rows], [row[1] for row in rows], now)
    return [(row[0], row[3]) for row in rows], [row[2] for row in rows if row[2] is not None]


async def _erase_wire(
    conn: Connection, events: Sequence[str], captured_at: Sequence[datetime], now: datetime
) -> None:
    await conn.execute(
        """
        UPDATE passage SET wire_payload = '', wire_blob = NULL, wire_properties = '[]', erased_at = %s
        FROM unnest(%s::text[], %s::timestamptz[]) AS gone (event_id, captured_at)
        WHERE passage.event_id = gone.event_id AND passage.captured_at = gone.captured_at
        """,
        [now, list(events), list(captured_at)],
    )


async def _erase_quarantine(
    conn: Connection, term: Term, now: datetime, limit: int
) -> tuple[list[tuple[str, Sha256]], list[Sha256]]:
    """Erase what refused messages said; who claimed to send them, when, and why they were refused stays."""
    cursor = await conn.execute(_ERASE_QUARANTINE, _parameters(term, now, limit))
    rows = await cursor.fetchall()
    return [(f"quarantine:{row[0]}", row[1]) for row in rows], [row[1] for row in rows if row[2]]


async def _delete_hit(conn: Connection, term: Term, state: State, now: datetime) -> int:
    """Delete the evidence of one flagged passage; the files of its packages follow."""
    found = await _lock_due_hit(conn, _parameters(term, now))
    if found is None:
        return 0
    event, captured_at = found
    folders, digests, freed = await _contents(conn, event, captured_at)
    subject = folders[0] if folders else event
    deletion = await _keep_statement(conn, Gone(term.rule, event, subject, tuple(digests)), state, now)
    await _erase_wire(conn, [event], [captured_at], now)
    for statement in _ERASE_EVENT:
        await conn.execute(
            statement, {"event": event, "deletion": deletion, "named": [name for name, _ in digests]}
        )
    await mark_unreferenced(conn, freed, at=now)
    return 1


async def _lock_due_hit(conn: Connection, values: dict[str, object]) -> tuple[EventId, datetime] | None:
    """Return a passage that a rule ends, its hit's row locked; None where none is left that nobody holds."""
    while True:
        row = await (await conn.execute(_LOCK_HIT, values)).fetchone()
        if row is None:
            return None
        # Asked again under the lock, by a statement that sees what was committed since the first one began.
        if await (await conn.execute(_STILL_DUE, values | {"event": row[0]})).fetchone():
            return EventId(row[0]), row[1]


_ERASE_EVENT = (
    "UPDATE hit SET deletion_id = %(deletion)s WHERE event_id = %(event)s",
    "UPDATE package SET deletion_id = %(deletion)s WHERE event_id = %(event)s",
    "DELETE FROM capture WHERE passage_event_id = %(event)s AND event_id = ANY(%(named)s)",
    "DELETE FROM reading WHERE event_id = %(event)s",
    "UPDATE supplement_request SET note = '' WHERE event_id = %(event)s",
    """UPDATE review SET note = '', envelope = '',
           plate_typed = CASE WHEN plate_typed IS NOT NULL THEN 'erased' END
       WHERE case_id IN (SELECT case_id FROM case_file WHERE event_id = %(event)s)""",
    """UPDATE case_file SET ocr_plate = NULL, plate = CASE WHEN plate IS NOT NULL THEN 'erased' END
       WHERE event_id = %(event)s""",
)


async def _contents(
    conn: Connection, event: EventId, captured_at: datetime
) -> tuple[list[str], list[tuple[str, Sha256]], list[Sha256]]:
    """Return the passage's package folders, what is to be deleted with digests, and the blobs it frees."""
    cursor = await conn.execute(
        "SELECT folder, tagmanifest FROM package WHERE event_id = %s ORDER BY supplement", [event]
    )
    packages = await cursor.fetchall()
    cursor = await conn.execute(
        """
        SELECT event_id, encode(l.payload_sha256, 'hex'), wire_blob, NULL
        FROM passage p JOIN ledger l USING (event_id, station_id, device_id, epoch, sequence)
        WHERE event_id = %(event)s AND captured_at = %(captured_at)s
        UNION ALL
        SELECT * FROM (
            SELECT event_id, blob_sha256, blob_sha256, CASE WHEN wire_prefix IS NULL THEN wire_sha256 END
            FROM capture WHERE passage_event_id = %(event)s ORDER BY event_id FOR UPDATE
        ) AS paired
        """,
        {"event": event, "captured_at": captured_at},
    )
    originals = await cursor.fetchall()
    cursor = await conn.execute(
        """
        SELECT 'review-' || round, encode(sha256(envelope), 'hex')
        FROM review JOIN case_file USING (case_id) WHERE event_id = %s ORDER BY round
        """,
        [event],
    )
    reviews = await cursor.fetchall()
    cursor = await conn.execute(
        """
        SELECT DISTINCT act_id, encode(sha256(envelope), 'hex')
        FROM hold_cover JOIN legal_hold l USING (hold_id) JOIN act ON act_id IN (placed_act, l.released_act)
        WHERE hold_cover.event_id = %s ORDER BY act_id
        """,
        [event],
    )
    holds = await cursor.fetchall()  # by a plate that is erased next, nobody would find them any more
    digests = [(row[0], Sha256(row[1])) for row in (*packages, *originals, *reviews, *holds)]
    freed = [Sha256(blob) for row in originals for blob in row[2:] if blob is not None]
    return [row[0] for row in packages], digests, freed


async def _keep_statement(conn: Connection, gone: Gone, state: State, now: datetime) -> int:
    act, signed = await state(gone)
    await add_act(conn, act, signed)
    cursor = await conn.execute(
        "INSERT INTO deletion (rule, act_id, made_at) VALUES (%s, %s, %s) RETURNING deletion_id",
        [gone.rule.value, act.act_id, now],
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - RETURNING gives the row
    return int(row[0])
