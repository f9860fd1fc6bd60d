"""Step 6, of few hits: what came after the last package, and whether a supplement is wanted for it."""

from domain.plates import PlateReading
from service.steps.read import captures_read
from store.connection import Connection
from store.hits import Hit
from store.packages import Package
from store.readings import reading_of
from store.supplements import requests_waiting


async def is_wanted(conn: Connection, hit: Hit, last: Package) -> bool:
    """Say whether there are captures that a hit's last package was built without, or anybody asked."""
    if await requests_waiting(conn, hit.event_id):
        return True
    reading = await reading_of(conn, hit.event_id, supplement=last.supplement)
    return reading is None or captures_read(hit, reading) != hit.captures


def adds_nothing(reading: PlateReading, earlier: PlateReading | None) -> bool:
    """Say whether a reading names only captures that an earlier one named."""
    return earlier is not None and _named(reading) <= _named(earlier)


def _named(reading: PlateReading) -> set[tuple[str, str]]:
    return {(one.role.value, one.image_sha256) for one in reading.captures}
