"""What the demo's database holds at a moment, and whether everything in it is settled."""

from typing import NamedTuple

from store.connection import Connection

_COUNTS = """
SELECT
    (SELECT count(*) FROM passage),
    (SELECT count(*) FROM capture),
    (SELECT count(*) FROM quarantine),
    (SELECT count(*) FROM hit),
    (SELECT count(*) FROM hit WHERE state NOT IN ('open', 'incomplete')),
    (SELECT count(*) FROM package WHERE state = 'complete'),
    (SELECT count(*) FROM package WHERE state <> 'complete'),
    (SELECT count(*) FROM case_file),
    (SELECT tree_size FROM log_head),
    (SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed')
"""


class Counts(NamedTuple):
    """Rows by what they are."""

    passages: int
    captures: int
    quarantined: int
    flagged: int
    hits_under_way: int
    sealed: int
    packages_under_way: int
    cases: int
    log_entries: int
    failed_jobs: int

    @property
    def under_way(self) -> int:
        """What still has to be settled."""
        return self.hits_under_way + self.packages_under_way


async def count(conn: Connection) -> Counts:
    """Count everything the progress display shows."""
    cursor = await conn.execute(_COUNTS)
    row = await cursor.fetchone()
    return Counts(*(int(value) for value in row or [0] * len(Counts._fields)))


async def packages_of(conn: Connection, events: list[str]) -> list[tuple[str, bool]]:
    """Return folder and completeness of every sealed package of these events."""
    cursor = await conn.execute(
        "SELECT folder, complete FROM package "
        "WHERE state = 'complete' AND event_id = ANY(%s) ORDER BY folder",
        [events],
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]
