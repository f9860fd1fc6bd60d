"""Stored passages of some days as batches of `zhichao/records/1`, day by day."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
from psycopg.rows import dict_row

from domain.ids import StationId
from store.columnar_records import record_batch
from store.connection import Connection
from store.registry import LOCAL_TIME

BATCH_ROWS = 8_192
"""A passage's documents take a few kilobytes each."""


class StationBatch(NamedTuple):
    """Passages of one station, all of one local day."""

    station: StationId
    batch: pa.RecordBatch


_PASSAGES = """
SELECT event_id, captured_at, station_id, device_id, record, context::text AS context,
    screening -> 'reasons' AS reasons
FROM passage WHERE captured_at >= %s AND captured_at < %s ORDER BY captured_at, event_id
"""


async def passage_batches(
    conn: Connection, day: date, *, own_reasons: frozenset[str], batch_rows: int = BATCH_ROWS
) -> AsyncIterator[StationBatch]:
    """Yield the passages of a local day in the order of the act, read from the server as they are taken.

    Parameters
    ----------
    conn
        In a transaction of the caller's, so that all batches see one state.
    own_reasons
        Reasons a screening finds by itself; for any other the passage was held, and stays so.
    """
    async with conn.cursor(name="passages_to_columns", row_factory=dict_row) as cursor:
        cursor.itersize = batch_rows
        await cursor.execute(_PASSAGES, _span(day))
        while rows := await cursor.fetchmany(batch_rows):
            by_station: dict[StationId, list[dict[str, Any]]] = {}
            for row in rows:
                by_station.setdefault(StationId(row["station_id"]), []).append(row)
            for station, of_station in by_station.items():
                yield StationBatch(station, _batch(of_station, day, own_reasons))


def _span(day: date) -> tuple[datetime, datetime]:
    """Return the first moment of a local day and of the next."""
    midnight = datetime.combine(day, time(), LOCAL_TIME)
    return midnight, datetime.combine(day + timedelta(days=1), time(), LOCAL_TIME)


def _batch(rows: Sequence[dict[str, Any]], day: date, own_reasons: frozenset[str]) -> pa.RecordBatch:
    records = [row["record"] for row in rows]
    columns: dict[str, Any] = {
        "record_id": [row["event_id"] for row in rows],
        "captured_at": [row["captured_at"] for row in rows],
        "local_day": [day] * len(rows),
        "local_hour": [row["captured_at"].astimezone(LOCAL_TIME).hour for row in rows],
        "station": [row["station_id"] for row in rows],
        "device": [row["device_id"] for row in rows],
        "axle_load_kg": [[axle["load_kg"] for axle in record["axles"]] for record in records],
        "axle_tyres": [[axle["tyres"] for axle in record["axles"]] for record in records],
        "spacing_mm": [record["spacings_mm"] for record in records],
        "held_reasons": [[code for code in row["reasons"] if code not in own_reasons] for row in rows],
        "context": [row["context"] for row in rows],
    }
    columns |= {name: [record.get(name) for record in records] for name in _AS_RECORDED}
    return record_batch(columns)


_AS_RECORDED = (
    "match_key",
    "lane",
    "direction",
    "speed_m_h",
    "gross_kg",
    "kind",
    "drive_axles",
    "air_suspension",
    "length_mm",
    "u_gross_ppm",
    "u_axle_ppm",
    "acceleration_mm_s2",
    "temperature_mk",
    "flags",
)
