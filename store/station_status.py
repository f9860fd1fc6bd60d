"""The last word of every station's devices, and how far its clock can be off at most."""

from collections.abc import Sequence

from domain.events import StatusMessage
from store.connection import Connection


async def record_statuses(conn: Connection, messages: Sequence[StatusMessage]) -> None:
    """Keep the newest word of each device; an older one that arrives late changes nothing.

    A last will carries no time of its own: the broker published it when it lost the station, so its
    arrival counts.
    """
    ordered = sorted(messages, key=lambda one: (one.status.station, one.status.device, one.wire.received_at))
    async with conn.cursor() as cursor:
        await cursor.executemany(_RECORD, [_values(message) for message in ordered])


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
