"""Everything that was signed about one passage, as stored: for telling its life."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from domain.errors import NotFound
from domain.ids import EventId, Sha256
from store.connection import Connection

_PACKAGE = re.compile(r"EV-([0-9a-f]{32})(\.s[0-9]+)?")


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """One signed statement."""

    what: str
    subject: str
    name: str
    """By which a deletion names it."""
    envelope: bytes
    """Empty where it was erased under a rule of retention."""
    leaf: bytes | None
    """As stored with a package; None where it follows from the envelope, or there is none yet."""
    at: datetime


class SealedPackage(NamedTuple):
    """A package or supplement that is complete."""

    supplement: int
    folder: str
    tagmanifest: Sha256


async def sealed_packages(conn: Connection, event_id: EventId) -> list[SealedPackage]:
    """Return the sealed package of a passage and its supplements, in their order."""
    async with conn.cursor(row_factory=class_row(SealedPackage)) as cursor:
        await cursor.execute(
            """SELECT supplement, folder, tagmanifest FROM package
               WHERE event_id = %s AND state = 'complete' ORDER BY supplement""",
            [event_id],
        )
        return await cursor.fetchall()


async def event_named(conn: Connection, name: str) -> EventId:
    """Return the event that an id names: an event's own, a package's folder, or a case's.

    Raises
    ------
    NotFound
        Nothing here has this id.
    """
    package = _PACKAGE.fullmatch(name)
    cursor = await conn.execute(
        """SELECT event_id FROM package WHERE event_id = %(event)s
           UNION SELECT event_id FROM hit WHERE event_id = %(event)s
           UNION SELECT event_id FROM case_file WHERE case_id = %(name)s""",
        {"event": package[1] if package else name, "name": name},
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"nothing here has the id {name!r}; give a case, an event or a package, e.g. EV-...")
    return EventId(row[0])


async def life_of(conn: Connection, event_id: EventId) -> list[SignedRecord]:
    """Return what was signed about a passage, in the order in which it was stored."""
    async with conn.cursor(row_factory=class_row(SignedRecord)) as cursor:
        await cursor.execute(
            """
            SELECT DISTINCT 'captures' AS what, %(event)s AS subject, '' AS name, c.envelope,
                NULL::bytea AS leaf, c.made_at AS at
            FROM capture_statement c JOIN capture_statement_subject s USING (statement_id)
            WHERE s.event_id = %(event)s
               OR s.event_id IN (SELECT event_id FROM capture WHERE passage_event_id = %(event)s)
            UNION ALL
            SELECT CASE supplement WHEN 0 THEN 'package' ELSE 'supplement' END, folder, folder, envelope,
                leaf, built_at
            FROM package WHERE event_id = %(event)s
            UNION ALL
            SELECT 'review', r.case_id, 'review-' || r.round, r.envelope, NULL, r.decided_at
            FROM review r JOIN case_file c USING (case_id) WHERE c.event_id = %(event)s
            UNION ALL
            SELECT kind, subject, act_id, envelope, NULL, made_at FROM act WHERE event_id = %(event)s
            ORDER BY at, what
            """,
            {"event": event_id},
        )
        return await cursor.fetchall()
