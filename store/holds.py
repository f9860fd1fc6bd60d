"""Legal holds: what no rule may delete, and the one lock that keeps holding and deleting apart.

A hold covers an event, a case, a vehicle (every passage at which its plate was read or typed), or a message
in quarantine. Several may cover the same; each ends by itself.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from domain.acts import Act, SignedAct
from domain.errors import ConflictingChange, NotFound, RuleViolation
from domain.ids import EventId
from store.acts import add_act
from store.connection import Connection


class HoldKind(StrEnum):
    """What a hold is on."""

    EVENT = "event"
    CASE = "case"
    VEHICLE = "vehicle"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold, in force or released."""

    hold_id: int
    kind: str
    subject: str
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
    release_reason: str | None


_SELECT = """
SELECT hold_id, kind, subject, reason, placed_by, placed_at, released_by, released_at, release_reason
FROM legal_hold
"""


async def keep_holds_as_they_are(conn: Connection) -> None:
    """Have whoever places a hold wait until the caller's transaction, which deletes by a rule, has ended."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('zhichao legal holds', 0))")


async def subject_held(conn: Connection, kind: HoldKind, subject: str) -> str:
    """Return what a hold on `subject` covers: a capture's or package's passage, or itself.

    Raises
    ------
    NotFound
        There is nothing of this kind by this name.
    RuleViolation
        It was deleted under a rule already: there is nothing left to hold.
    """
    if kind is HoldKind.VEHICLE:
        return subject
    row = await (await conn.execute(_FOUND[kind], {"subject": subject})).fetchone()
    if row is None:
        raise NotFound(f"no {_WORDS[kind]} {subject} is stored here; nothing is held")
    found, gone = row
    if gone:
        raise RuleViolation(
            f"the evidence of {subject} was deleted under a retention rule; nothing can be held"
        )
    return str(found)


async def place_hold(
    conn: Connection, kind: HoldKind, subject: str, *, act: Act, signed: SignedAct, by: str
) -> Hold:
    """Store a hold and queue its entry for the log; once this is committed, no rule deletes what it covers.

    Raises
    ------
    NotFound, RuleViolation
        As `subject_held`, asked again after whatever was being deleted is gone.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('zhichao legal holds', 0))")
    covered = await subject_held(conn, kind, subject)
    await add_act(conn, act, signed)
    cursor = await conn.execute(
        """
        INSERT INTO legal_hold (kind, subject, reason, placed_by, placed_at, placed_act)
        VALUES (%s, %s, %s, %s, %s, %s) RETURNING hold_id
        """,
        [kind.value, covered, act.reason, by, act.made_at, act.act_id],
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - RETURNING gives the row
    return await hold_of(conn, row[0])


async def release_hold(conn: Connection, hold_id: int, *, act: Act, signed: SignedAct, by: str) -> Hold:
    """End a hold and queue its entry for the log.

    Raises
    ------
    NotFound
        There is no such hold.
    ConflictingChange
        It is released already.
    """
    await hold_of(conn, hold_id)
    await add_act(conn, act, signed)
    cursor = await conn.execute(
        """
        UPDATE legal_hold SET released_by = %s, released_at = %s, release_reason = %s, released_act = %s
        WHERE hold_id = %s AND released_at IS NULL
        """,
        [by, act.made_at, act.reason, act.act_id, hold_id],
    )
    if cursor.rowcount != 1:
        raise ConflictingChange(f"the hold {hold_id} is released already")
    return await hold_of(conn, hold_id)


async def hold_of(conn: Connection, hold_id: int) -> Hold:
    """Return a hold.

    Raises
    ------
    NotFound
        There is no such hold.
    """
    async with conn.cursor(row_factory=class_row(Hold)) as cursor:
        await cursor.execute(_SELECT + "WHERE hold_id = %s", [hold_id])
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"there is no hold {hold_id}; `zhichao evidence holds` lists them")
    return found


async def holds(conn: Connection, *, released: bool = False) -> list[Hold]:
    """Return the holds in force, or all there ever were, in the order they were placed."""
    async with conn.cursor(row_factory=class_row(Hold)) as cursor:
        await cursor.execute(_SELECT + "WHERE released_at IS NULL OR %s ORDER BY hold_id", [released])
        return await cursor.fetchall()


async def event_of(conn: Connection, kind: HoldKind, subject: str) -> EventId | None:
    """Return the one passage that a hold on an event or case covers; None for the other kinds."""
    if kind is HoldKind.EVENT:
        return EventId(subject)
    if kind is not HoldKind.CASE:
        return None
    row = await (
        await conn.execute("SELECT event_id FROM case_file WHERE case_id = %s", [subject])
    ).fetchone()
    return None if row is None else EventId(row[0])


_WORDS = {
    HoldKind.EVENT: "event",
    HoldKind.CASE: "case",
    HoldKind.QUARANTINE: "message in quarantine with the number",
}

_FOUND = {
    HoldKind.EVENT: """
        SELECT coalesce(c.passage_event_id, c.event_id), false FROM capture c WHERE c.event_id = %(subject)s
        UNION ALL SELECT event_id, erased_at IS NOT NULL FROM passage WHERE event_id = %(subject)s
    """,
    HoldKind.CASE: """
        SELECT c.case_id, h.deletion_id IS NOT NULL FROM case_file c LEFT JOIN hit h USING (event_id)
        WHERE c.case_id = %(subject)s
    """,
    HoldKind.QUARANTINE: """
        SELECT quarantine_id, erased_at IS NOT NULL FROM quarantine WHERE quarantine_id::text = %(subject)s
    """,
}
