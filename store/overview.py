"""The pipeline at a glance: how much came in and how far it got."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from store.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Everything that ever came in; exact."""

    messages: int
    """Different messages with a whole key: what the ledger holds."""
    duplicates: int
    passages: int
    captures: int
    captures_unpaired: int
    flagged: int
    quarantined: int
    log_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLine:
    """One registered device with what was heard of it; None where it never said anything of itself."""

    station_id: str
    site_name: str
    device_id: str
    kind: str
    state: str | None
    sent_at: datetime | None
    received_at: datetime | None
    clock_delay_ms: int | None
    spool_messages: int | None
    software: str | None
    messages: int
    duplicates: int
    quarantined: int


async def totals(conn: Connection) -> Totals:
    """Return what came in, as of one moment."""
    async with conn.cursor(row_factory=class_row(Totals)) as cursor:
        await cursor.execute(
            """
            SELECT messages, duplicates,
                (SELECT count(*) FROM passage) AS passages,
                (SELECT count(*) FROM capture) AS captures,
                (SELECT count(*) FROM capture WHERE passage_event_id IS NULL) AS captures_unpaired,
                (SELECT count(*) FROM hit) AS flagged,
                (SELECT count(*) FROM quarantine WHERE resolved_at IS NULL) AS quarantined,
                (SELECT tree_size FROM log_head) AS log_size
            FROM (
                SELECT count(*) AS messages, coalesce(sum(duplicates), 0)::bigint AS duplicates FROM ledger
            ) AS ledgered
            """
        )
        (found,) = await cursor.fetchall()
        return found


async def packages_by_state(conn: Connection) -> dict[str, int]:
    """Return how many packages stand in each state of sealing; states without any are left out."""
    return await _counts(conn, "SELECT state, count(*) FROM package GROUP BY state")


async def device_lines(conn: Connection) -> list[DeviceLine]:
    """Return every registered device, by station and device."""
    async with conn.cursor(row_factory=class_row(DeviceLine)) as cursor:
        await cursor.execute(
            """
            SELECT device.station_id, site.name AS site_name, device.device_id, device.kind, status.state,
                status.sent_at, status.received_at, status.clock_delay_ms, status.spool_messages,
                status.software, coalesce(heard.messages, 0) AS messages,
                coalesce(heard.duplicates, 0) AS duplicates, coalesce(refused.quarantined, 0) AS quarantined
            FROM device
            JOIN station USING (station_id)
            CROSS JOIN LATERAL (
                SELECT name FROM site_facts WHERE site_id = station.site_id
                ORDER BY valid_from <= (now() AT TIME ZONE 'Asia/Shanghai')::date DESC, valid_from DESC
                LIMIT 1
            ) AS site
            LEFT JOIN station_status AS status USING (station_id, device_id)
            LEFT JOIN (
                SELECT station_id, device_id, count(*) AS messages, sum(duplicates)::bigint AS duplicates
                FROM ledger GROUP BY station_id, device_id
            ) AS heard USING (station_id, device_id)
            LEFT JOIN (
                SELECT station_id, device_id, count(*) AS quarantined
                FROM quarantine WHERE resolved_at IS NULL GROUP BY station_id, device_id
            ) AS refused USING (station_id, device_id)
            ORDER BY device.station_id, device.device_id
            """
        )
        return await cursor.fetchall()


async def _counts(conn: Connection, query: str) -> dict[str, int]:
    cursor = await conn.execute(query)
    rows: list[tuple[Any, ...]] = await cursor.fetchall()
    return dict(rows)
