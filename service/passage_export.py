"""Stored passages to Parquet files by day and station, so that years can be screened with new tables."""

from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from domain.errors import ConfigurationError
from domain.ids import StationId
from service.reach import database_of
from service.settings import Settings
from store.columnar import ColumnWriter, new_folder
from store.columnar_schemas import RECORDS
from store.connection import Connection, connect
from store.migrate import migrate
from store.passage_batches import passage_batches
from weigh import REASONS

MOST_HELD_ROWS = 262_144
"""Rows that may wait, over all stations, for their row groups to be full."""


class Exported(NamedTuple):
    """How much was written."""

    passages: int
    files: int


async def export_days(settings: Settings, first: date, last: date, out: Path) -> Exported:
    """Write the passages of the local days from `first` to `last` below `out`.

    All is of one moment: what is stored meanwhile is not in it. Memory holds some rows of one day, however
    many days there are.

    Raises
    ------
    ConfigurationError
        `last` is before `first`, or there is such a folder already.
    """
    if last < first:
        raise ConfigurationError(f"the days end on {last}, before they begin on {first}; exchange them")
    with new_folder(out) as unfinished:
        return await _export(settings, first, last, unfinished)


async def _export(settings: Settings, first: date, last: date, out: Path) -> Exported:
    async with database_of(settings) as url:
        await migrate(url)
        async with await connect(url) as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return await export_passages(conn, first, last, out)


async def export_passages(conn: Connection, first: date, last: date, out: Path) -> Exported:
    """Write the passages of some days in the caller's transaction; errors as `export_days`."""
    passages = files = 0
    for offset in range((last - first).days + 1):
        rows = await _one_day(conn, first + timedelta(days=offset), out)
        passages += sum(rows)
        files += len(rows)
    return Exported(passages, files)


async def _one_day(conn: Connection, day: date, out: Path) -> list[int]:
    """Write one file for each station that has passages on the day; return how many each has."""
    writers: dict[StationId, ColumnWriter] = {}
    with ExitStack() as stack:
        async for station, batch in passage_batches(conn, day, own_reasons=frozenset(REASONS)):
            if station not in writers:
                path = out / f"day={day}" / f"station={quote(station, safe='')}" / "records.parquet"
                writers[station] = stack.enter_context(ColumnWriter(path, RECORDS))
            writers[station].write(batch)
            if sum(writer.held_rows for writer in writers.values()) > MOST_HELD_ROWS:
                for writer in writers.values():
                    writer.flush()
    return [writer.rows for writer in writers.values()]
