"""What the strips of a lane measured of ordinary traffic, as stored with its passages."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from domain.events import WeighRecord
from domain.ids import DeviceId, EventId, StationId
from domain.weighing import Weighing
from store.connection import Connection


class StripLoads(NamedTuple):
    """Axles in the order they passed: loads by strip, newton before calibration, None where left out."""

    axles: list[tuple[int | None, ...]]
    since: datetime | None
    until: datetime | None
    """Capture of the first and the last passage; None where there is none."""


async def strip_loads(
    conn: Connection, station: StationId, device: DeviceId, lane: int, *, strips: int, most_passages: int
) -> StripLoads:
    """Return the loads of a lane's latest usable passages that were weighed by `strips` strips."""
    cursor = await conn.execute(
        """
        SELECT captured_at, weighing -> 'axles' FROM passage
        WHERE station_id = %s AND device_id = %s AND lane = %s AND weighing IS NOT NULL
            AND outcome <> 'unusable'
            AND jsonb_array_length(weighing -> 'axles' -> 0 -> 'strip_loads_n') = %s
        ORDER BY captured_at DESC LIMIT %s
        """,
        [station, device, lane, strips, most_passages],
    )
    rows = (await cursor.fetchall())[::-1]
    axles = [tuple(axle["strip_loads_n"]) for _, weighed in rows for axle in weighed]
    if not rows:
        return StripLoads([], None, None)
    return StripLoads(axles, rows[0][0], rows[-1][0])


class StoredWeighing(NamedTuple):
    """A passage the platform weighed from its strips' signals."""

    record: WeighRecord
    weighing: Weighing
    captured_at: datetime


async def weighings(conn: Connection, events: Sequence[EventId]) -> dict[EventId, StoredWeighing]:
    """Return those of the passages that were weighed from signals."""
    cursor = await conn.execute(
        """
        SELECT event_id, record, weighing, captured_at FROM passage
        WHERE event_id = ANY(%s) AND weighing IS NOT NULL
        """,
        [list(events)],
    )
    return {
        EventId(event): StoredWeighing(
            WeighRecord.model_validate_json(json.dumps(record)),
            Weighing.model_validate(weighing),
            captured_at,
        )
        for event, record, weighing, captured_at in await cursor.fetchall()
    }
