"""The last word of every station's devices, and how far its clock can be off at most."""

from collections.abc import Sequence
from datetime import timedelta

from domain.events import StatusMessage
from store.connection import Connection

CLOCK_DELAY_STANDS_FOR = timedelta(hours=1)
"""How long the smallest delay seen is taken for the present one: a clock drifts, and is set right."""


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
    (station_id, device_id, state, sent_at, received_at, clock_delay_ms, clock_delay_seen_at, spool_messages,
    software)
VALUES
    (%(station)s, %(device)s, %(state)s, %(sent_at)s, %(received_at)s, %(delay_ms)s, %(delay_seen_at)s,
    %(spool)s, %(software)s)
ON CONFLICT (station_id, device_id) DO UPDATE SET
    state = excluded.state,
    sent_at = coalesce(excluded.sent_at, known.sent_at),
    received_at = excluded.received_at,
    (clock_delay_ms, clock_delay_seen_at) = (
        SELECT delay_ms, seen_at
        FROM (VALUES
            (known.clock_delay_ms, known.clock_delay_seen_at),
            (excluded.clock_delay_ms, excluded.clock_delay_seen_at)
        ) AS delay (delay_ms, seen_at)
        WHERE seen_at >= excluded.received_at - %(stands_for)s::interval
        ORDER BY delay_ms, seen_at DESC LIMIT 1
    ),
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
        "delay_seen_at": None if delay is None else received_at,
        "stands_for": CLOCK_DELAY_STANDS_FOR,
        "spool": status.spool_messages,
        "software": status.software,
    }
