"""Read-only questions about cases that the API and the review web ask."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row, dict_row

from domain.casework import CaseFile, CaseState, QueueFilter
from domain.ids import CaseId, EventId, Sha256
from store.cases import BEHIND, IN_QUEUE, SELECT_CASE, case_from_row, queue_values
from store.connection import Connection

_OLDEST_FIRST = """
    ORDER BY c.captured_at, c.case_id LIMIT %(limit)s
"""

_NEWEST_FIRST = """
      AND (%(after)s::text IS NULL OR (c.captured_at, c.case_id) <
           (SELECT a.captured_at, a.case_id FROM case_file a WHERE a.case_id = %(after)s))
    ORDER BY c.captured_at DESC, c.case_id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCapture:
    """One image of a passage."""

    event_id: str
    role: str
    device_id: str
    blob_sha256: str
    captured_at: datetime
    size_bytes: int
    width_px: int
    height_px: int
    in_evidence: bool
    """False for an image that arrived after sealing: no package holds it, and nothing may rest on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSignature:
    """What was found of a device's own signature on its messages of a passage that are in evidence."""

    device_id: str
    state: str
    """`domain.device_signatures.SignatureState`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPackage:
    """One evidence package of a passage: the first, or a supplement."""

    supplement: int
    state: str
    folder: str
    tagmanifest: str
    complete: bool
    missing: list[str]
    built_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """All of a passage that a reviewer decides on; JSON documents as stored."""

    record: dict[str, Any]
    context: dict[str, Any]
    screening: dict[str, Any]
    header: dict[str, Any]
    weighing: dict[str, Any] | None
    wire_blob: Sha256 | None
    reading: dict[str, Any] | None
    captures: list[ShownCapture]
    signatures: list[ShownSignature]
    packages: list[ShownPackage]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of a case's life."""

    at: datetime
    actor: str
    what: str
    detail: dict[str, Any]


async def case_page(
    conn: Connection, wanted: QueueFilter, *, limit: int, newest_first: bool = False
) -> list[CaseFile]:
    """Return up to `limit` cases in the order of their passages, behind `wanted.after`."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            SELECT_CASE + IN_QUEUE + (_NEWEST_FIRST if newest_first else BEHIND + _OLDEST_FIRST),
            {**queue_values(wanted), "limit": limit},
        )
        return [case_from_row(row) for row in await cursor.fetchall()]


async def cases_by_state(conn: Connection) -> dict[CaseState, int]:
    """Return how many cases stand in each state, zeroes included."""
    cursor = await conn.execute("SELECT state, count(*) FROM case_file GROUP BY state")
    counted: dict[str, int] = dict(await cursor.fetchall())
    return {state: counted.get(state.value, 0) for state in CaseState}


async def claims_of(conn: Connection, case_ids: list[CaseId], now: datetime) -> dict[CaseId, str]:
    """Return who holds which of these cases."""
    cursor = await conn.execute(
        "SELECT case_id, username FROM case_claim WHERE case_id = ANY(%s) AND expires_at > %s",
        [case_ids, now],
    )
    return dict(await cursor.fetchall())


async def exhibit(conn: Connection, event_id: str, captured_at: datetime) -> Exhibit | None:
    """Return what is known of a passage, or None where it is not stored."""
    async with conn.cursor(row_factory=dict_row) as rows:
        await rows.execute(
            """SELECT record, context, screening, header, weighing, wire_blob,
                   (SELECT r.reading FROM shown_reading r WHERE r.event_id = p.event_id
                    ORDER BY r.supplement DESC LIMIT 1) AS reading
               FROM passage p WHERE event_id = %s AND captured_at = %s""",
            [event_id, captured_at],
        )
        passage = await rows.fetchone()
    if passage is None:
        return None
    return Exhibit(
        **passage,
        captures=await _captures(conn, event_id),
        signatures=await _signatures(conn, event_id, captured_at),
        packages=await packages_of(conn, event_id),
    )


async def _captures(conn: Connection, event_id: str) -> list[ShownCapture]:
    async with conn.cursor(row_factory=class_row(ShownCapture)) as cursor:
        await cursor.execute(
            """SELECT event_id, role, device_id, blob_sha256, captured_at, size_bytes, width_px, height_px,
                   in_evidence
               FROM shown_capture WHERE passage_event_id = %s
               ORDER BY array_position(ARRAY['front', 'rear', 'side', 'plate', 'panorama'], role),
                   event_id""",
            [event_id],
        )
        return await cursor.fetchall()


async def _signatures(conn: Connection, event_id: str, captured_at: datetime) -> list[ShownSignature]:
    async with conn.cursor(row_factory=class_row(ShownSignature)) as cursor:
        await cursor.execute(
            """WITH message AS (
                   SELECT device_id, device_signature, header FROM passage
                   WHERE event_id = %(event)s AND captured_at = %(at)s
                   UNION ALL
                   SELECT c.device_id, c.device_signature, c.header FROM capture c
                   JOIN shown_capture s ON s.event_id = c.event_id
                   WHERE s.passage_event_id = %(event)s AND s.in_evidence
               )
               SELECT DISTINCT device_id, coalesce(
                   device_signature ->> 'state',
                   CASE WHEN header ->> 'signature' IS NULL THEN 'absent' ELSE 'unknown-key' END
               ) AS state FROM message ORDER BY device_id, state""",
            {"event": event_id, "at": captured_at},
        )
        return await cursor.fetchall()


async def packages_of(conn: Connection, event_id: str) -> list[ShownPackage]:
    """Return the packages of a passage, supplements last."""
    async with conn.cursor(row_factory=class_row(ShownPackage)) as cursor:
        await cursor.execute(
            """SELECT supplement, state, folder, tagmanifest, complete, missing, built_at, completed_at
               FROM package WHERE event_id = %s ORDER BY supplement""",
            [event_id],
        )
        return await cursor.fetchall()


async def timeline(conn: Connection, case_id: CaseId) -> list[TimelineEntry]:
    """Return the life of a case in order."""
    async with conn.cursor(row_factory=class_row(TimelineEntry)) as cursor:
        await cursor.execute(
            "SELECT at, actor, what, detail FROM case_event WHERE case_id = %s ORDER BY case_event_id",
            [case_id],
        )
        return await cursor.fetchall()


class ShownDeletion(NamedTuple):
    """By what the evidence of a passage was deleted at the end of its retention."""

    rule: str
    """`domain.retention.Rule`."""
    made_at: datetime
    officer_id: str | None
    leaf_index: int | None
    """Where the deletion stands in the log; None while it waits to be logged."""


async def deletion_of(conn: Connection, event_id: str) -> ShownDeletion | None:
    """Return the deletion of a passage's evidence, or None where it is kept."""
    cursor = await conn.execute(
        """SELECT d.rule, d.made_at, a.officer_id, o.leaf_index
           FROM hit h JOIN deletion d USING (deletion_id) JOIN act a USING (act_id)
               JOIN log_outbox o USING (leaf_hash)
           WHERE h.event_id = %s""",
        [event_id],
    )
    row = await cursor.fetchone()
    return None if row is None else ShownDeletion(*row)


class ShownImage(NamedTuple):
    """An image that is evidence, and of which passage."""

    content_type: str
    event_id: EventId


async def shown_image(conn: Connection, sha256: str) -> list[ShownImage]:
    """Return the flagged passages that an image is evidence of, with its content type; none elsewhere.

    Images of passages that are no hits are nobody's business, and what arrived after sealing is no evidence.
    """
    cursor = await conn.execute(
        """SELECT DISTINCT i.content_type, i.passage_event_id
           FROM capture i JOIN shown_capture s ON s.event_id = i.event_id
               JOIN hit h ON h.event_id = i.passage_event_id
           WHERE i.blob_sha256 = %s AND s.in_evidence ORDER BY i.passage_event_id""",
        [sha256],
    )
    return [ShownImage(*row) for row in await cursor.fetchall()]
