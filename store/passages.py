"""Whole passages in the order of the act, page after page: what the API, scoring and exporting tools read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row

from store.connection import Connection

_SELECT = """
SELECT p.event_id, p.captured_at, p.received_at, p.stored_at, p.station_id, p.device_id, p.epoch, p.sequence,
    p.match_key, p.lane, p.record, p.screening, p.weighing, r.reading, r.plate, h.state AS hit_state,
    h.missing, k.folder AS package_folder, k.state AS package_state, c.case_id, c.state AS case_state
FROM passage p
LEFT JOIN hit h ON h.event_id = p.event_id
LEFT JOIN LATERAL (SELECT reading, plate FROM reading WHERE reading.event_id = p.event_id
                   ORDER BY supplement DESC LIMIT 1) r ON true
LEFT JOIN package k ON k.event_id = p.event_id AND k.supplement = 0
LEFT JOIN case_file c ON c.event_id = p.event_id
"""

_PAGE = """
WHERE %(captured_at)s::timestamptz IS NULL
    OR (p.captured_at, p.event_id) > (%(captured_at)s, %(event_id)s::text)
ORDER BY p.captured_at, p.event_id LIMIT %(limit)s
"""


class Cursor(NamedTuple):
    """Where a page ended: the next one begins after this passage."""

    captured_at: datetime
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPassage:
    """One passage with its documents and what became of it."""

    event_id: str
    captured_at: datetime
    received_at: datetime
    stored_at: datetime
    station_id: str
    device_id: str
    epoch: str
    sequence: int
    match_key: str
    lane: int
    record: dict[str, Any]
    screening: dict[str, Any]
    weighing: dict[str, Any] | None
    reading: dict[str, Any] | None
    plate: str | None
    hit_state: str | None
    missing: list[str] | None
    package_folder: str | None
    package_state: str | None
    case_id: str | None
    case_state: str | None


async def export_page(conn: Connection, *, after: Cursor | None, limit: int) -> list[ExportedPassage]:
    """Return up to `limit` passages behind `after`, oldest first."""
    async with conn.cursor(row_factory=class_row(ExportedPassage)) as cursor:
        await cursor.execute(
            _SELECT + _PAGE,
            {
                "captured_at": after.captured_at if after else None,
                "event_id": after.event_id if after else None,
                "limit": limit,
            },
        )
        return await cursor.fetchall()


async def export_one(conn: Connection, event_id: str) -> ExportedPassage | None:
    """Return one passage, or None where it is not stored."""
    async with conn.cursor(row_factory=class_row(ExportedPassage)) as cursor:
        await cursor.execute(_SELECT + " WHERE p.event_id = %(event_id)s", {"event_id": event_id})
        return await cursor.fetchone()
