"""Loading the tables: TOML in this package, looked up by the day of the act, identified by digest.

A table file has a name, two titles and rows; rows that are no longer in force stay in the file with
their last day, so that an old passage is judged by the law of its day for ever.
"""

import tomllib
from datetime import date
from functools import lru_cache
from importlib.resources import files
from itertools import combinations
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from domain.errors import ConfigurationError
from domain.ids import Sha256, sha256_of
from domain.law.limits import LimitTables
from domain.law.rows import AxleRow, GrossRow, LawRow, RuleRow, Tariff, TariffRow

LIMIT_FILES = ("order62.toml", "gb1589.toml")
TARIFF_FILE = "tariff.toml"

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


@lru_cache
def _packaged(file_name: str) -> tuple[TableFile, Sha256, bytes]:
    data = files("domain.law").joinpath(file_name).read_bytes()
    table, digest = parse_table(data, file_name=file_name)
    return table, digest, data


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
    order62, order62_digest, order62_bytes = _packaged(LIMIT_FILES[0])
    gb1589, gb1589_digest, gb1589_bytes = _packaged(LIMIT_FILES[1])
    every_id = {row.id for row in (*order62.gross, *order62.rule, *gb1589.axle)}
    if unknown := sorted(confirmed_rows - every_id):
        raise ConfigurationError(f"confirmed law rows do not exist: {', '.join(unknown)}; correct the ids")
    gross = _on(order62.gross, on)
    if not gross:
        raise ConfigurationError(
            f"no gross limit is in force on {on}; add the table of that day to domain/law/order62.toml"
        )
    return LimitTables(
        gross=gross,
        rules=_on(order62.rule, on),
        axle=_on(gb1589.axle, on),
        digest=sha256_of(order62_bytes + gb1589_bytes),
        digests=((order62.name, order62_digest), (gb1589.name, gb1589_digest)),
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
    table, digest, _ = _packaged(TARIFF_FILE)
    rows = _on(table.tariff, on)
    if len(rows) != 1:
        raise ConfigurationError(f"{len(rows)} tariffs are in force on {on}; there must be exactly one")
    return Tariff(**rows[0].model_dump(), table=table.name, digest=digest)
