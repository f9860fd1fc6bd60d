"""Plate readings: one for a passage, one more for every supplement; the first one stored stands."""

from psycopg.types.json import Jsonb

from domain.ids import EventId
from domain.plates import PlateReading
from store.connection import Connection


async def keep_reading(
    conn: Connection, event_id: EventId, reading: PlateReading, *, supplement: int = 0
) -> PlateReading:
    """Store a reading unless there is one; return the one that stands.

    A job that runs twice, on another machine perhaps, must not change what was sealed or shown.
    """
    await conn.execute(
        """
        INSERT INTO reading (event_id, supplement, reading, plate) VALUES (%s, %s, %s, %s)
        ON CONFLICT (event_id, supplement) DO NOTHING
        """,
        [event_id, supplement, Jsonb(reading.model_dump(mode="json")), reading.text],
    )
    return await reading_of(conn, event_id, supplement=supplement) or reading


async def reading_of(conn: Connection, event_id: EventId, *, supplement: int = 0) -> PlateReading | None:
    """Return the stored reading, or None."""
    cursor = await conn.execute(
        "SELECT reading FROM reading WHERE event_id = %s AND supplement = %s", [event_id, supplement]
    )
    row = await cursor.fetchone()
    return None if row is None else PlateReading.model_validate(row[0])
