"""Screening records of many days, each by the limits of its own."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from domain.law import LimitTables
from weigh.screening.bulk import BulkFindings, screen_bulk
from weigh.screening.record_columns import RecordColumns
from weigh.screening.rule import DecisionRule


def screen_by_day(
    columns: RecordColumns, tables: Sequence[LimitTables], day: NDArray[Any], rule: DecisionRule
) -> BulkFindings:
    """Screen records by the limits of their days; findings in the order of the records.

    Parameters
    ----------
    tables
        The limits in force on each day; days on which the same rows hold are screened together.
    day
        Index into `tables`, (B,).

    Raises
    ------
    InputRefused, ConfigurationError
        As `weigh.screening.bulk.screen_bulk`.
    """
    if not tables:
        raise ConfigurationError("records are screened by the limits of at least one day; give its tables")
    same: dict[tuple[object, ...], int] = {}
    which = np.array([same.setdefault(_rows_of(one), at) for at, one in enumerate(tables)], dtype=np.int64)
    if len(same) == 1:
        return screen_bulk(columns, tables[0], rule)
    of_record = which[day]
    parts = {int(one): np.flatnonzero(of_record == one) for one in np.unique(of_record)}
    found = {one: screen_bulk(columns.take(rows), tables[one], rule) for one, rows in parts.items()}
    return BulkFindings(**{field.name: _merged(field.name, parts, found) for field in fields(BulkFindings)})


def _rows_of(tables: LimitTables) -> tuple[object, ...]:
    """Return what the limits of a day rest on: the same rows are the same objects on every day."""
    return (*map(id, tables.rows), tables.confirmed_rows)


def _merged(name: str, parts: dict[int, NDArray[np.int64]], found: dict[int, BulkFindings]) -> NDArray[Any]:
    pieces = [getattr(found[one], name) for one in parts]
    merged = np.empty(sum(map(len, pieces)), dtype=pieces[0].dtype)
    for rows, piece in zip(parts.values(), pieces, strict=True):
        merged[rows] = piece
    return merged
