"""Loading the tables: TOML in this package, looked up by the day of the act, identified by digest.

A table file has a name, two titles and rows; rows that are no longer in force stay in the file with
their last day, so that an old passage is judged by the law of its day for ever.
"""

import tomllib
from datetime import date
from functools import lru_cache
from importlib.resources import files
from itertools import combinations
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from domain.errors import ConfigurationError
from domain.ids import Sha256, sha256_of
from domain.law.limits import LimitTables
from domain.law.rows import AxleRow, GrossRow, LawRow, RuleRow, Tariff, TariffRow

LIMIT_FILES = ("order62.toml", "gb1589.toml")
TARIFF_FILE = "tariff.toml"
SUPERSEDED = "superseded"
"""Folder of tables as they were before a change: packages that name them still find them."""
LIMIT_TABLES = ("order62", "gb1589")
TARIFF_TABLE = "order62-tariff"
"""What the tables call themselves: how a screening, a proposal and a package name them."""

_Row = TypeVar("_Row", bound=LawRow)


class TableFile(BaseModel):
    """One TOML file of law."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    title_zh: str
    gross: tuple[GrossRow, ...] = ()
    rule: tuple[RuleRow, ...] = ()
    axle: tuple[AxleRow, ...] = ()
    tariff: tuple[TariffRow, ...] = ()


def parse_table(data: bytes, *, file_name: str) -> tuple[TableFile, Sha256]:
    """Return the table in `data` and the SHA-256 of its bytes.

    Raises
    ------
    ConfigurationError
        The bytes are no TOML, or a row lacks its clause, source, dates or confidence.
    """
    try:
        table = TableFile.model_validate(tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigurationError(f"law table {file_name} cannot be used; correct it: {error}") from error
    rows: tuple[LawRow, ...] = (*table.gross, *table.rule, *table.axle, *table.tariff)
    _refuse_overlaps(rows, file_name)
    return table, sha256_of(data)


def _refuse_overlaps(rows: tuple[LawRow, ...], file_name: str) -> None:
    """Two rows of one id may follow each other in time, never hold on the same day."""
    for one, other in combinations(rows, 2):
        overlap = one.in_force(other.effective_from) or other.in_force(one.effective_from)
        if one.id == other.id and overlap:
            raise ConfigurationError(
                f"law table {file_name}: row {one.id} holds twice on one day; end the older one first"
            )


class Table(NamedTuple):
    """One table of law with the bytes it was read from."""

    content: TableFile
    digest: Sha256
    data: bytes


@lru_cache(maxsize=64)
def read_table(data: bytes, *, file_name: str) -> Table:
    """Return the table in `data`, remembered; errors as `parse_table`."""
    return Table(*parse_table(data, file_name=file_name), data)


@lru_cache
def shipped_tables() -> dict[str, Table]:
    """Return every table this software ships, by its name."""
    folder = files("domain.law")
    tables = [
        read_table(folder.joinpath(name).read_bytes(), file_name=name) for name in (*LIMIT_FILES, TARIFF_FILE)
    ]
    return {table.content.name: table for table in tables}


@lru_cache
def published_tables() -> dict[Sha256, Table]:
    """Return every table this software ships or ever shipped, by its digest."""
    replaced = [
        read_table(file.read_bytes(), file_name=file.name)
        for file in files("domain.law").joinpath(SUPERSEDED).iterdir()
        if file.name.endswith(".toml")
    ]
    return {table.digest: table for table in (*replaced, *shipped_tables().values())}


def _on(rows: tuple[_Row, ...], day: date) -> tuple[_Row, ...]:
    return tuple(row for row in rows if row.in_force(day))


@lru_cache(maxsize=1024)
def limit_tables(on: date, *, confirmed_rows: frozenset[str] = frozenset()) -> LimitTables:
    """Return the limits in force on a day; the same arguments give the same object.

    Raises
    ------
    ConfigurationError
        No gross limit is in force on that day, or a confirmed row does not exist.
    """
    return limits_of(*(shipped_tables()[name] for name in LIMIT_TABLES), on=on, confirmed_rows=confirmed_rows)


def limits_of(
    order62: Table, gb1589: Table, *, on: date, confirmed_rows: frozenset[str] = frozenset()
) -> LimitTables:
    """Return the limits that tables from anywhere set on a day; errors as `limit_tables`."""
    rules = order62.content
    every_id = {row.id for row in (*rules.gross, *rules.rule, *gb1589.content.axle)}
    if unknown := sorted(confirmed_rows - every_id):
        raise ConfigurationError(f"confirmed law rows do not exist: {', '.join(unknown)}; correct the ids")
    gross = _on(rules.gross, on)
    if not gross:
        raise ConfigurationError(
            f"no gross limit is in force on {on}; add the table of that day to domain/law/order62.toml"
        )
    return LimitTables(
        gross=gross,
        rules=_on(rules.rule, on),
        axle=_on(gb1589.content.axle, on),
        digest=sha256_of(order62.data + gb1589.data),
        digests=tuple((table.content.name, table.digest) for table in (order62, gb1589)),
        confirmed_rows=confirmed_rows,
    )


@lru_cache(maxsize=1024)
def tariff(on: date) -> Tariff:
    """Return the tariff in force on a day.

    Raises
    ------
    ConfigurationError
        None is, or more than one.
    """
    return tariff_of(shipped_tables()[TARIFF_TABLE], on=on)


def tariff_of(table: Table, *, on: date) -> Tariff:
    """Return the tariff that a table from anywhere sets on a day; errors as `tariff`."""
    rows = _on(table.content.tariff, on)
    if len(rows) != 1:
        raise ConfigurationError(f"{len(rows)} tariffs are in force on {on}; there must be exactly one")
    return Tariff(**rows[0].model_dump(), table=table.content.name, digest=table.digest)
