"""What stations say of themselves: the last word of each device, and a bound on its clock.

The offset of a station's clock is at most the smallest delay seen between its `sent_at` and our
arrival: a delay can grow in a network, it cannot shrink below the truth.
"""

from collections.abc import Sequence

from domain.events import StatusMessage
from store.connection import Connection

_UPSERT = """
INSERT INTO station_status AS known
    (station_id, device_id, state, sent_at, received_at, clock_delay_ms, spool_messages, software)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (station_id, device_id) DO UPDATE SET
    state = excluded.state,
    sent_at = coalesce(excluded.sent_at, known.sent_at),
    received_at = excluded.received_at,
    clock_delay_ms = least(known.clock_delay_ms, excluded.clock_delay_ms),
    spool_messages = coalesce(excluded.spool_messages, known.spool_messages),
    software = coalesce(excluded.software, known.software)
WHERE known.received_at <= excluded.received_at
"""


async def record_statuses(conn: Connection, messages: Sequence[StatusMessage]) -> None:
    """Keep the latest status of each device, in the caller's transaction."""
    if not messages:
        return
    ordered = sorted(messages, key=lambda one: (one.status.station, one.status.device, one.wire.received_at))
    async with conn.cursor() as cursor:
        await cursor.executemany(_UPSERT, [_values(message) for message in ordered])


def _values(message: StatusMessage) -> list[object]:
    status, received_at = message.status, message.wire.received_at
    delay_ms = (
        None if status.sent_at is None else round((received_at - status.sent_at).total_seconds() * 1000)
    )
    return [
        status.station,
        status.device,
        status.state.value,
        status.sent_at,
        received_at,
        delay_ms,
        status.spool_messages,
        status.software,
    ]
