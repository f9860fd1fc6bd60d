"""Axle and axle-group limits (GB 1589 Table 2), each group read to the party's favour.

A group's limit is the highest row that may apply: a row is left out only where what is known rules it
out. Spacings count with their error, so a tandem measured at 1.25 m may be one of 1.3 m.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.law import AxleRow
from weigh.screening.axle_groups import Grouping
from weigh.screening.columns import KNOWN_TYRES, Bools, Configurations, Ints


@dataclass(frozen=True)
class GroupLimits:
    """Limits of the groups, at the first axle of each; 0 and -1 elsewhere, (B, N)."""

    limit_kg: Ints
    row: Ints
    """Index into the axle rows."""


def group_limits(
    rows: Sequence[AxleRow],
    columns: Configurations,
    grouping: Grouping,
    *,
    trailer: Bools,
    may_drive: Bools,
    spacing_error_mm: int,
) -> GroupLimits:
    """Return the highest limit that may apply to each group.

    Parameters
    ----------
    trailer, may_drive
        Axles of a trailer, axles that are or may be driven, (B, N).
    """
    widest = _widest_gap(columns.spacing_mm, grouping.size)
    driven = _any_member(may_drive, grouping.size)
    may_have = {tyres: _all_members(columns.may_be(tyres), grouping.size) for tyres in KNOWN_TYRES}
    air = columns.may_have_air[:, None]
    limit = np.zeros_like(grouping.size)
    which = np.full_like(grouping.size, -1)
    for index, row in enumerate(rows):
        applies = grouping.size == row.axles
        if row.axles > 1:
            applies &= widest + spacing_error_mm >= row.spacing_min_mm
            if row.spacing_max_mm is not None:
                applies &= widest - spacing_error_mm <= row.spacing_max_mm
        if row.tyres is not None:
            applies &= may_have[row.tyres]
        if row.drive:
            applies &= driven
        if row.air:
            applies &= air
        if row.trailer is not None:
            applies &= trailer == row.trailer
        better = applies & (row.limit_kg > limit)
        limit = np.where(better, row.limit_kg, limit)
        which = np.where(better, index, which)
    return GroupLimits(limit, which)


def _ahead(values: Bools, steps: int) -> Bools:
    """Return, for each axle, the value `steps` axles behind it on the vehicle."""
    moved = np.zeros_like(values)
    if steps < values.shape[1]:
        moved[:, : values.shape[1] - steps] = values[:, steps:]
    return moved


def _all_members(values: Bools, size: Ints) -> Bools:
    every = values & (_ahead(values, 1) | (size < 2)) & (_ahead(values, 2) | (size < 3))
    return np.asarray(every)


def _any_member(values: Bools, size: Ints) -> Bools:
    return values | (_ahead(values, 1) & (size >= 2)) | (_ahead(values, 2) & (size >= 3))


def _widest_gap(spacing_mm: Ints, size: Ints) -> Ints:
    """Return the wider of a group's gaps; a single axle has none."""
    second = np.zeros_like(spacing_mm)
    second[:, :-1] = spacing_mm[:, 1:]
    return np.maximum(np.where(size >= 2, spacing_mm, 0), np.where(size >= 3, second, 0))
