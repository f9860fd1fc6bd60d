"""The last word of every station's devices, and how far its clock can be off at most."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from domain.events import StatusMessage
from store.connection import Connection


class DeviceStatus(NamedTuple):
    """A registered device with what it last said of itself; None where it never said anything."""

    station_id: str
    site_name: str
    device_id: str
    kind: str
    state: str | None
    sent_at: datetime | None
    received_at: datetime | None
    clock_delay_ms: int | None
    """Smallest arrival - sent_at seen: an upper bound of how far the station's clock is behind."""
    spool_messages: int | None
    software: str | None


async def record_statuses(conn: Connection, messages: Sequence[StatusMessage]) -> None:
    """Keep the newest word of each device; an older one that arrives late changes nothing.

    A last will carries no time of its own: the broker published it when it lost the station, so its
    arrival counts.
    """
    ordered = sorted(messages, key=lambda one: (one.status.station, one.status.device, one.wire.received_at))
    async with conn.cursor() as cursor:
        await cursor.executemany(_RECORD, [_values(message) for message in ordered])


async def device_statuses(conn: Connection) -> list[DeviceStatus]:
    """Return every registered device with its status, by station and device."""
    cursor = await conn.execute(
        """
        SELECT device.station_id, site.name, device.device_id, device.kind, status.state, status.sent_at,
            status.received_at, status.clock_delay_ms, status.spool_messages, status.software
        FROM device
        JOIN station USING (station_id)
        JOIN site USING (site_id)
        LEFT JOIN station_status AS status USING (station_id, device_id)
        ORDER BY device.station_id, device.device_id
        """
    )
    return [DeviceStatus(*row) for row in await cursor.fetchall()]


_RECORD = """
INSERT INTO station_status AS known
    (station_id, device_id, state, sent_at, received_at, clock_delay_ms, spool_messages, software)
VALUES
    (%(station)s, %(device)s, %(state)s, %(sent_at)s, %(received_at)s, %(delay_ms)s, %(spool)s, %(software)s)
ON CONFLICT (station_id, device_id) DO UPDATE SET
    state = excluded.state,
    sent_at = coalesce(excluded.sent_at, known.sent_at),
    received_at = excluded.received_at,
    clock_delay_ms = least(known.clock_delay_ms, excluded.clock_delay_ms),
    spool_messages = coalesce(excluded.spool_messages, known.spool_messages),
    software = coalesce(excluded.software, known.software)
WHERE known.received_at <= excluded.received_at
"""


def _values(message: StatusMessage) -> dict[str, object]:
    status, received_at = message.status, message.wire.received_at
    delay = None if status.sent_at is None else received_at - status.sent_at
    return {
        "station": status.station,
        "device": status.device,
        "state": status.state.value,
        "sent_at": status.sent_at,
        "received_at": received_at,
        "delay_ms": None if delay is None else round(delay.total_seconds() * 1000),
        "spool": status.spool_messages,
        "software": status.software,
    }
