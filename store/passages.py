"""Passages as the API and the web ask for them: a page, one, and how many there are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row, dict_row

from domain.ids import EventId
from store.connection import Connection


class Cursor(NamedTuple):
    """Where a page ended: the next one begins after this passage."""

    captured_at: datetime
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageFilter:
    """Which passages are wanted; None means all. `since` is inclusive, `until` is not."""

    station: str | None = None
    outcome: str | None = None
    plate: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageSummary:
    """One line of a list of passages."""

    event_id: str
    captured_at: datetime
    stored_at: datetime
    station_id: str
    device_id: str
    lane: int
    speed_m_h: int
    gross_kg: int
    axle_count: int
    vehicle_code: str
    limit_kg: int
    over_kg: int
    outcome: str
    plate: str | None
    hit_state: str | None
    package_folder: str | None
    package_state: str | None
    case_id: str | None
    case_state: str | None

    @property
    def cursor(self) -> Cursor:
        """Where a page that ends with this passage ends."""
        return Cursor(self.captured_at, self.event_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageDetail:
    """One passage with all that is known of it; documents as stored."""

    summary: PassageSummary
    header: dict[str, Any]
    record: dict[str, Any]
    context: dict[str, Any]
    screening: dict[str, Any]
    reading: dict[str, Any] | None
    missing: list[str]
    captures: list[dict[str, Any]]


_SUMMARY = """
SELECT passage.event_id, passage.captured_at, passage.stored_at, passage.station_id, passage.device_id,
    passage.lane, passage.speed_m_h, passage.gross_kg, passage.axle_count, passage.vehicle_code,
    passage.limit_kg, passage.over_kg, passage.outcome,
    reading.plate, hit.state AS hit_state, package.folder AS package_folder, package.state AS package_state,
    case_file.case_id, case_file.state AS case_state
FROM passage
LEFT JOIN hit ON hit.event_id = passage.event_id
LEFT JOIN reading ON reading.event_id = passage.event_id AND reading.supplement = 0
LEFT JOIN package ON package.event_id = passage.event_id AND package.supplement = 0
LEFT JOIN case_file ON case_file.event_id = passage.event_id
"""

_WANTED = """
WHERE (%(station)s::text IS NULL OR passage.station_id = %(station)s)
    AND (%(outcome)s::text IS NULL OR passage.outcome = %(outcome)s)
    AND (%(plate)s::text IS NULL OR reading.plate = %(plate)s)
    AND (%(since)s::timestamptz IS NULL OR passage.captured_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR passage.captured_at < %(until)s)
    AND (%(before)s::timestamptz IS NULL
        OR (passage.captured_at, passage.event_id) < (%(before)s, %(before_event)s::text))
ORDER BY passage.captured_at DESC, passage.event_id DESC LIMIT %(limit)s
"""


async def passage_page(
    conn: Connection, wanted: PassageFilter, *, limit: int, after: Cursor | None = None
) -> list[PassageSummary]:
    """Return passages, the latest captured first, going on after a page's last one."""
    async with conn.cursor(row_factory=class_row(PassageSummary)) as cursor:
        await cursor.execute(
            _SUMMARY + _WANTED,
            {
                "station": wanted.station,
                "outcome": wanted.outcome,
                "plate": wanted.plate,
                "since": wanted.since,
                "until": wanted.until,
                "before": after.captured_at if after else None,
                "before_event": after.event_id if after else None,
                "limit": limit,
            },
        )
        return await cursor.fetchall()


async def passage_detail(conn: Connection, event_id: EventId) -> PassageDetail | None:
    """Return one passage, or None where there is none with this event id."""
    async with conn.cursor(row_factory=class_row(PassageSummary)) as summaries:
        await summaries.execute(_SUMMARY + "WHERE passage.event_id = %s", [event_id])
        summary = await summaries.fetchone()
    if summary is None:
        return None
    async with conn.cursor(row_factory=dict_row) as documents:
        await documents.execute(
            """
            SELECT passage.header, passage.record, passage.context, passage.screening, reading.reading,
                coalesce(hit.missing, '{}') AS missing
            FROM passage
            LEFT JOIN reading ON reading.event_id = passage.event_id AND reading.supplement = 0
            LEFT JOIN hit ON hit.event_id = passage.event_id
            WHERE passage.event_id = %s AND passage.captured_at = %s
            """,
            [event_id, summary.captured_at],
        )
        found = await documents.fetchone() or {}
        await documents.execute(
            """
            SELECT event_id, device_id, role, captured_at, stored_at, blob_sha256 AS sha256, size_bytes,
                width_px, height_px
            FROM capture WHERE passage_event_id = %s ORDER BY role, captured_at, event_id
            """,
            [event_id],
        )
        captures = await documents.fetchall()
    return PassageDetail(summary=summary, captures=captures, **found)


async def count_passages(conn: Connection, *, since: datetime | None = None) -> dict[str, int]:
    """Return how many passages there are by outcome, captured since then."""
    cursor = await conn.execute(
        """
        SELECT outcome, count(*) FROM passage
        WHERE %(since)s::timestamptz IS NULL OR captured_at >= %(since)s GROUP BY outcome
        """,
        {"since": since},
    )
    return dict(await cursor.fetchall())
