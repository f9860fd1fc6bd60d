"""Everything that was signed about one passage, as stored: for telling its life.

Which event an act, a review or a package is about is signed in it. So they are found by what was signed, and
by the columns beside it too: whoever moves a row to another event hides it from neither.
"""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from domain.errors import NotFound
from domain.ids import PACKAGE_NAME, EventId, Sha256
from store.connection import Connection

_BEYOND = 20
"""So many supplements behind the last one known are looked for."""


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
    event: str | None = None
    """Which event the columns say an act, a review or a package is about."""


class QueuedEntry(NamedTuple):
    """An entry of the log, or one on its way there, as it was queued beside what it tells of."""

    kind: str
    subject: str
    leaf: bytes
    queued_at: datetime
    leaf_index: int | None
    """None while it waits to be logged."""


class UnaccountedEntry(NamedTuple):
    """An entry of the log that is that of no statement stored."""

    leaf_index: int
    leaf_hash: bytes


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
    package = PACKAGE_NAME.fullmatch(name)
    cursor = await conn.execute(
        """SELECT event_id FROM package WHERE event_id = %(event)s
           UNION SELECT event_id FROM hit WHERE event_id = %(event)s
           UNION SELECT event_id FROM case_file WHERE case_id = %(name)s""",
        {"event": package["event"] if package else name, "name": name},
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"nothing here has the id {name!r}; give a case, an event or a package, e.g. EV-...")
    return EventId(row[0])


async def life_of(conn: Connection, event_id: EventId, *, deleted: Sequence[str] = ()) -> list[SignedRecord]:
    """Return what was signed about a passage, or stored as if it were, in the order in which it was stored.

    `deleted` are the names that a deletion gives: of captures, and of holds on a plate that it erased.
    """
    async with conn.cursor(row_factory=class_row(SignedRecord)) as cursor:
        await cursor.execute(
            """
            SELECT DISTINCT 'captures' AS what, %(event)s AS subject, '' AS name, c.envelope,
                NULL::bytea AS leaf, c.made_at AS at, NULL AS event
            FROM capture_statement c JOIN capture_statement_subject s USING (statement_id)
            WHERE s.event_id = %(event)s OR s.event_id = ANY(%(deleted)s)
               OR s.event_id IN (SELECT event_id FROM capture WHERE passage_event_id = %(event)s)
            UNION ALL
            SELECT CASE supplement WHEN 0 THEN 'package' ELSE 'supplement' END, folder, folder, envelope,
                leaf, built_at, event_id
            FROM package WHERE event_id = %(event)s OR position(%(sealed_0)s in envelope) > 0
                OR position(%(sealed_1)s in envelope) > 0 OR position(%(sealed_2)s in envelope) > 0
            UNION ALL
            SELECT 'review', r.case_id, 'review-' || r.round, r.envelope, NULL, r.decided_at, c.event_id
            FROM review r LEFT JOIN case_file c USING (case_id)
            WHERE c.event_id = %(event)s OR position(%(acted_0)s in r.envelope) > 0
                OR position(%(acted_1)s in r.envelope) > 0 OR position(%(acted_2)s in r.envelope) > 0
            UNION ALL
            SELECT kind, subject, act_id, envelope, NULL, made_at, event_id FROM act
            WHERE event_id = %(event)s OR position(%(acted_0)s in envelope) > 0
                OR position(%(acted_1)s in envelope) > 0 OR position(%(acted_2)s in envelope) > 0
                OR act_id = ANY(%(deleted)s) OR act_id IN (
                SELECT unnest(ARRAY[l.placed_act, l.released_act])
                FROM hold_cover JOIN legal_hold l USING (hold_id) WHERE hold_cover.event_id = %(event)s)
            ORDER BY at, what
            """,
            {
                "event": event_id,
                "deleted": list(deleted),
                **_in_base64("acted", f'"event":"{event_id}"'),
                **_in_base64("sealed", f'"event_id":"{event_id}"'),
            },
        )
        return await cursor.fetchall()


async def entries_about(
    conn: Connection, event_id: EventId, *, deleted: Sequence[str] = ()
) -> list[QueuedEntry]:
    """Return the entries that were ever queued for the log under a name of this passage, told or not."""
    async with conn.cursor(row_factory=class_row(QueuedEntry)) as cursor:
        await cursor.execute(
            """
            WITH folder AS (
                SELECT 'EV-' || %(event)s AS name
                UNION ALL SELECT 'EV-' || %(event)s || '.s' || number
                FROM generate_series(1, %(beyond)s + (SELECT coalesce(max(supplement), 0) FROM package
                                                      WHERE event_id = %(event)s)) AS number
            )
            SELECT kind, subject, leaf, queued_at,
                CASE WHEN logged_at IS NOT NULL THEN leaf_index END AS leaf_index
            FROM log_outbox
            WHERE subject IN (SELECT name FROM folder UNION ALL SELECT %(event)s
                              UNION ALL SELECT case_id FROM case_file WHERE event_id = %(event)s)
               OR kind = 'capture' AND (subject = ANY(%(deleted)s) OR subject IN (
                    SELECT event_id FROM capture WHERE passage_event_id = %(event)s))
            ORDER BY outbox_id
            """,
            {"event": event_id, "deleted": list(deleted), "beyond": _BEYOND},
        )
        return await cursor.fetchall()


async def deletions_with_places(conn: Connection) -> AsyncIterator[tuple[bytes, int | None]]:
    """Yield the envelope of every deletion that was queued for the log, and its index; None while it waits.

    Its entry is found by the leaf computed from the envelope, whatever the row says.
    """
    async with conn.cursor() as cursor:
        rows = cursor.stream(
            """
            SELECT a.envelope, CASE WHEN o.logged_at IS NOT NULL THEN o.leaf_index END
            FROM act a JOIN log_outbox o ON o.leaf_hash = sha256('\\x00'::bytea || convert_to(
                encode(sha256(a.envelope), 'hex') || E'  statement.dsse.json\\n', 'UTF8'))
            WHERE a.kind = 'deletion'
            """
        )
        async for envelope, leaf_index in rows:
            yield bytes(envelope), leaf_index


async def entries_unaccounted(conn: Connection) -> list[UnaccountedEntry]:
    """Return the entries whose leaf is that of no statement stored in any table, in their order.

    The leaf hash is computed anew from what is stored: no column that only says so is believed.
    """
    async with conn.cursor(row_factory=class_row(UnaccountedEntry)) as cursor:
        await cursor.execute(
            """
            WITH enveloped AS (
                SELECT envelope FROM capture_statement UNION ALL SELECT envelope FROM review
                UNION ALL SELECT envelope FROM act UNION ALL SELECT envelope FROM key_statement
                UNION ALL SELECT envelope FROM officer_key_statement
            ), stored AS (
                SELECT sha256('\\x00'::bytea || convert_to(
                    encode(sha256(envelope), 'hex') || E'  statement.dsse.json\\n', 'UTF8')) AS leaf_hash
                FROM enveloped WHERE envelope <> ''
                UNION ALL SELECT sha256('\\x00'::bytea || leaf) FROM package WHERE leaf IS NOT NULL
            )
            SELECT leaf_index, leaf_hash FROM log_outbox o
            WHERE leaf_index IS NOT NULL
                AND NOT EXISTS (SELECT FROM stored WHERE stored.leaf_hash = o.leaf_hash)
            ORDER BY leaf_index
            """
        )
        return await cursor.fetchall()


async def tile_digests(conn: Connection, size: int, width: int) -> dict[int, bytes]:
    """Return by tile number the SHA-256 of the leaf hashes known of it, in their order, one after another."""
    cursor = await conn.execute(
        """SELECT leaf_index / %(width)s, sha256(string_agg(leaf_hash, ''::bytea ORDER BY leaf_index))
           FROM log_outbox WHERE leaf_index < %(size)s GROUP BY 1""",
        {"size": size, "width": width},
    )
    return {row[0]: bytes(row[1]) for row in await cursor.fetchall()}


async def entries_below(conn: Connection, size: int) -> int:
    """Return how many entries of a log of this size are known."""
    cursor = await conn.execute("SELECT count(*) FROM log_outbox WHERE leaf_index < %s", [size])
    row = await cursor.fetchone()
    return row[0] if row else 0


def _in_base64(name: str, text: str) -> dict[str, bytes]:
    """Return how a text looks inside base64, by where it begins in a group of three bytes."""
    data = text.encode()
    return {
        f"{name}_{skip}": base64.b64encode(data[skip:])[: (len(data) - skip) // 3 * 4] for skip in range(3)
    }
