"""Where the drift test of each lane stands, and the axles it has yet to count."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from domain.ids import DeviceId, EventId, StationId
from store.connection import Connection


class Watched(NamedTuple):
    """A lane under the calibration or certificate it weighs by."""

    station: StationId
    device: DeviceId
    lane: int
    basis: str


class SteerAxle(NamedTuple):
    """A steer axle the drift test is to count."""

    event_id: EventId
    watched: Watched
    captured_at: datetime
    steer_kg: int


class AlarmOn(NamedTuple):
    """A drift alarm that stands."""

    watched: Watched
    since: datetime


async def alarmed(conn: Connection, wanted: Sequence[Watched]) -> set[Watched]:
    """Return those of `wanted` whose alarm is on."""
    if not wanted:
        return set()
    distinct = list(dict.fromkeys(wanted))
    cursor = await conn.execute(
        """
        SELECT station_id, device_id, lane, basis FROM drift
        WHERE alarm_since IS NOT NULL AND (station_id, device_id, lane, basis)
            IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::text[]))
        """,
        [list(column) for column in zip(*distinct, strict=True)],
    )
    return {Watched(*row) for row in await cursor.fetchall()}


async def alarms(conn: Connection) -> list[AlarmOn]:
    """Return every alarm on a calibration or certificate that no newer one has followed, latest first."""
    cursor = await conn.execute(
        """
        SELECT station_id, device_id, lane, basis, alarm_since FROM drift
        WHERE alarm_since IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM calibration_state AS newer JOIN calibration_state AS own
                    USING (station_id, device_id, lane)
                WHERE own.station_id = drift.station_id AND own.device_id = drift.device_id
                    AND own.lane = drift.lane AND drift.basis = 'calibration:' || own.version
                    AND newer.version > own.version AND newer.valid_from <= now())
            AND NOT EXISTS (
                SELECT FROM certificate AS newer JOIN certificate AS own USING (station_id, device_id)
                WHERE own.station_id = drift.station_id AND own.device_id = drift.device_id
                    AND drift.basis = 'certificate:' || own.number
                    AND newer.valid_from > own.valid_from AND newer.valid_from <= current_date)
        ORDER BY alarm_since DESC, station_id, device_id, lane, basis
        """
    )
    return [AlarmOn(Watched(*row[:4]), row[4]) for row in await cursor.fetchall()]


async def add_samples(conn: Connection, axles: Sequence[SteerAxle]) -> None:
    """Let axles wait to be counted, in the transaction that stores their passages."""
    if not axles:
        return
    columns = zip(
        *((axle.event_id, *axle.watched, axle.captured_at, axle.steer_kg) for axle in axles), strict=True
    )
    await conn.execute(
        """
        INSERT INTO drift_sample (event_id, station_id, device_id, lane, basis, captured_at, steer_kg)
        SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::timestamptz[],
            %s::int[])
        """,
        [list(column) for column in columns],
    )


async def take_samples(conn: Connection, *, limit: int = 10_000) -> dict[Watched, list[SteerAxle]]:
    """Take waiting axles out, in the caller's transaction, each lane's in the order they passed.

    Only one counter works at a time; another is handed nothing.
    """
    cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('zhichao drift', 0))")
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return {}
    cursor = await conn.execute(
        """
        DELETE FROM drift_sample WHERE event_id IN (
            SELECT event_id FROM drift_sample ORDER BY captured_at, event_id LIMIT %s)
        RETURNING event_id, station_id, device_id, lane, basis, captured_at, steer_kg
        """,
        [limit],
    )
    taken = [
        SteerAxle(EventId(event_id), Watched(StationId(station), DeviceId(device), lane, basis), at, steer)
        for event_id, station, device, lane, basis, at, steer in await cursor.fetchall()
    ]
    lanes: dict[Watched, list[SteerAxle]] = {}
    for axle in sorted(taken, key=lambda one: (one.captured_at, one.event_id)):
        lanes.setdefault(axle.watched, []).append(axle)
    return lanes


async def drift_states(conn: Connection, watched: Sequence[Watched]) -> dict[Watched, dict[str, Any]]:
    """Return the documents of the tests that have begun."""
    if not watched:
        return {}
    cursor = await conn.execute(
        """
        SELECT station_id, device_id, lane, basis, state FROM drift
        WHERE (station_id, device_id, lane, basis)
            IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::text[]))
        """,
        [list(column) for column in zip(*watched, strict=True)],
    )
    return {Watched(*row[:4]): row[4] for row in await cursor.fetchall()}


async def keep_drift(
    conn: Connection, watched: Watched, state: Mapping[str, object], *, alarm_since: datetime | None
) -> None:
    """Keep where a test stands; an alarm that was on stays on since when it was."""
    await conn.execute(
        """
        INSERT INTO drift (station_id, device_id, lane, basis, state, alarm_since)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (station_id, device_id, lane, basis) DO UPDATE SET state = excluded.state,
            alarm_since = coalesce(drift.alarm_since, excluded.alarm_since), updated_at = now()
        """,
        [*watched, Jsonb(state), alarm_since],
    )
