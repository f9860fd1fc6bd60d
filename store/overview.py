"""The pipeline at a glance: how much came in, how far it got, and what waits for how long."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from store.connection import Connection
from store.jobs import count_jobs
from store.passages import count_passages


class Waiting(NamedTuple):
    """A queue: how many wait in it, and since when the first does; None where none waits."""

    waiting: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Counts of everything on its way; by state where there are states."""

    passages: dict[str, int]
    captures: int
    captures_unpaired: int
    messages: int
    duplicates: int
    quarantined: int
    hits: dict[str, int]
    packages: dict[str, int]
    cases: dict[str, int]
    jobs: dict[str, int]
    originals: Waiting
    """Originals whose digest no capture statement names yet: more than 10 s is too long."""
    log_outbox: Waiting
    log_size: int


async def overview(conn: Connection) -> Overview:
    """Return all counts, as of one moment of the caller's transaction."""
    captures, unpaired, messages, duplicates, quarantined, log_size = await _one(
        conn,
        """
        SELECT (SELECT count(*) FROM capture),
            (SELECT count(*) FROM capture WHERE passage_event_id IS NULL),
            (SELECT count(*) FROM ledger),
            (SELECT coalesce(sum(duplicates), 0)::bigint FROM ledger),
            (SELECT count(*) FROM quarantine),
            (SELECT tree_size FROM log_head)
        """,
    )
    return Overview(
        passages=await count_passages(conn),
        captures=captures,
        captures_unpaired=unpaired,
        messages=messages,
        duplicates=duplicates,
        quarantined=quarantined,
        hits=await _counts(conn, "SELECT state, count(*) FROM hit GROUP BY state"),
        packages=await _counts(conn, "SELECT state, count(*) FROM package GROUP BY state"),
        cases=await _counts(conn, "SELECT state, count(*) FROM case_file GROUP BY state"),
        jobs=await count_jobs(conn),
        originals=Waiting(
            *await _one(
                conn,
                "SELECT count(*), min(queued_at) FROM capture_statement_subject WHERE statement_id IS NULL",
            )
        ),
        log_outbox=Waiting(
            *await _one(conn, "SELECT count(*), min(queued_at) FROM log_outbox WHERE logged_at IS NULL")
        ),
        log_size=log_size,
    )


async def _one(conn: Connection, query: str) -> tuple[Any, ...]:
    cursor = await conn.execute(query)
    return await cursor.fetchone() or ()


async def _counts(conn: Connection, query: str) -> dict[str, int]:
    cursor = await conn.execute(query)
    return dict(await cursor.fetchall())
