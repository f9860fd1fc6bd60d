"""Monthly partitions of `passage`, made ahead of time; the default one catches what no month covers.

A passage older than the made months (a station that was offline for a season, a replayed record)
lands in the default partition and moves into its month when that is made. Where `passage` is a
TimescaleDB hypertable its chunks make themselves, and there is nothing to do here.
"""

from datetime import UTC, date, datetime

from psycopg import sql

from store.connection import Connection

MONTHS_BEHIND = 2
MONTHS_AHEAD = 3


async def ensure_partitions(
    conn: Connection, today: date, *, months_behind: int = MONTHS_BEHIND, months_ahead: int = MONTHS_AHEAD
) -> list[str]:
    """Make the missing partitions around `today` (UTC); return the names of those made.

    Run at migration and then daily. The caller's transaction holds a lock against a second run.
    """
    if not await _is_partitioned(conn):
        return []
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('zhichao passage partitions', 0))")
    made = []
    for offset in range(-months_behind, months_ahead + 1):
        first = _month(today, offset)
        name = f"passage_{first:%Y_%m}"
        cursor = await conn.execute("SELECT to_regclass(%s) IS NULL", [name])
        row = await cursor.fetchone()
        if row is not None and row[0]:
            await _make(conn, name, first, _month(today, offset + 1))
            made.append(name)
    return made


async def _is_partitioned(conn: Connection) -> bool:
    cursor = await conn.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = 'passage'::regclass")
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _make(conn: Connection, name: str, first: datetime, end: datetime) -> None:
    """Make one partition from what the default one holds of its span, then attach it.

    Attaching needs only a weak lock on `passage`, so ingest goes on meanwhile.
    """
    names = {"partition": sql.Identifier(name), "first": sql.Literal(first), "end": sql.Literal(end)}
    for statement in (
        "CREATE TABLE {partition} (LIKE passage INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        "WITH moved AS (DELETE FROM passage_default WHERE captured_at >= {first} AND captured_at < {end} "
        "RETURNING *) INSERT INTO {partition} SELECT * FROM moved",
        "ALTER TABLE passage ATTACH PARTITION {partition} FOR VALUES FROM ({first}) TO ({end})",
    ):
        await conn.execute(sql.SQL(statement).format(**names))


def _month(day: date, offset: int) -> datetime:
    """Return the first moment (UTC) of the month `offset` months from `day`'s."""
    months = day.year * 12 + day.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
