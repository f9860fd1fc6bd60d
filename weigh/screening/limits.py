"""The gross limit of each vehicle: every reading that is open, and the one with the highest limit.

A reading fixes what cannot be known for sure: truck or train, twin steering or not, the grouping that
the spacings leave open. Its limit is (Order 62 Art. 3, domain.md A1, A2, E3)

    min(table - 3000 per single-tyred axle + 1000 for air suspension, sum of axle limits)

where the sum of axle limits counts only if every row in it was read or confirmed. Readings of equal
limit are settled by order: train before truck, the natural front, the spacings as measured.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from domain.errors import ConfigurationError
from domain.events import Tyres, VehicleKind
from domain.law import LimitTables, RuleRole
from weigh.screening.axle_groups import (
    SHIFTS_MM,
    SINGLE,
    SINGLE_UNDER_425_MM,
    SPACING_ERROR_MM,
    Fronts,
    Grouping,
    fronts,
    group_axles,
    sections,
)
from weigh.screening.axle_limits import GroupLimits, group_limits
from weigh.screening.columns import Bools, Configurations, Ints

WIDE_SEMI_TRAILER_MM = 1_800
"""Semi-trailer spacing from which a four-axle articulated vehicle may have 37 t (2016 table, note 4)."""

AIR_TRUCK_AXLES = (3, 4)
"""Trucks that may have 1000 kg more for air suspension (2016 table, note 4)."""


@dataclass(frozen=True)
class Limits:
    """The deciding reading of each passage.

    Attributes
    ----------
    limit_kg : (B,), the legal limit before any lower one of the site
    train : (B,), read as a train
    gross_row : (B,), index into the tables' gross rows
    reduced : (B, N), axles whose tyres, known to be single and not wide, lower the limit
    width_open : (B, N), axles that would lower it too if their single tyres were not wide
    air_truck, air_articulated : (B,), the limit was raised for air suspension
    axle_sum_kg : (B,), sum of axle limits; 0 where a group is beyond the table
    axle_sum_counts : (B,), every row of the sum may lower a gross limit
    size, pair, crowded : the grouping, see `weigh.screening.axle_groups.Grouping`
    trailer, may_drive : (B, N), see `weigh.screening.axle_limits.group_limits`
    group_limit_kg, group_row : (B, N), see `weigh.screening.axle_limits.GroupLimits`
    """

    limit_kg: Ints
    train: Bools
    gross_row: Ints
    reduced: Bools
    width_open: Bools
    air_truck: Bools
    air_articulated: Bools
    axle_sum_kg: Ints
    axle_sum_counts: Bools
    size: Ints
    member: Ints
    pair: Bools
    crowded: Bools
    trailer: Bools
    may_drive: Bools
    group_limit_kg: Ints
    group_row: Ints


@dataclass(frozen=True)
class GrossRows:
    """The gross rows by number of axles, (17,): an index into the tables' rows, -1 where there is none."""

    truck: Ints
    train: Ints
    train_single_drive: Ints
    limit_kg: Ints

    @classmethod
    def of(cls, tables: LimitTables) -> "GrossRows":
        """Return the rows of the tables in force."""

        def index(kind: str, *, single_drive: bool) -> Ints:
            found = np.full(17, -1, dtype=np.int64)
            for axles in range(2, 17):
                try:
                    row = tables.gross_row(kind, axles, single_drive=single_drive)
                except ConfigurationError:
                    continue  # no row for this kind and count: -1 says so
                found[axles] = tables.gross.index(row)
            return found

        return cls(
            truck=index("truck", single_drive=False),
            train=index("train", single_drive=False),
            train_single_drive=index("train", single_drive=True),
            limit_kg=np.array([row.limit_kg for row in tables.gross], dtype=np.int64),
        )


@dataclass(frozen=True)
class _Batch:
    """What all readings of a batch share."""

    columns: Configurations
    tables: LimitTables
    rows: GrossRows
    section: Ints
    fronts: tuple["_Front", ...]

    @classmethod
    def of(cls, columns: Configurations, tables: LimitTables) -> "_Batch":
        front = fronts(columns)
        return cls(columns, tables, GrossRows.of(tables), sections(columns, front), _fronts(front))

    @property
    def last_section(self) -> Ints:
        return np.asarray(np.where(self.columns.axle, self.section, 0).max(axis=1))


@dataclass(frozen=True)
class _Front:
    """One reading of the first two axles, with what follows from it."""

    open: Bools
    natural: Bools
    paired: bool
    drive_section: Ints


def read_limits(columns: Configurations, tables: LimitTables) -> Limits:
    """Return the deciding reading of every passage.

    Raises
    ------
    ConfigurationError
        The tables have no gross row for a number of axles, or no axle row for a group.
    """
    batch = _Batch.of(columns, tables)
    best: Limits | None = None
    best_score = np.full(len(columns.axle_count), -1, dtype=np.int64)
    for front in batch.fronts:
        for rank, shift in enumerate(SHIFTS_MM):
            grouping = group_axles(columns, paired=front.paired, shift_mm=shift)
            for train in (True, False):
                possible = front.open & _kind_open(batch, front, train=train)
                if not possible.any():
                    continue
                reading = _read(batch, front, grouping, train=train)
                order = np.where(front.natural, 0, 3) + (0 if train else 6) + rank
                score = np.where(possible, reading.limit_kg * 16 + 15 - order, -1)
                best = reading if best is None else _better(best, reading, score > best_score)
                best_score = np.maximum(score, best_score)
    if best is None or (best_score < 0).any():
        raise ConfigurationError("the gross limits lack a number of axles; complete domain/law/order62.toml")
    if ((best.size > 0) & (best.group_row < 0)).any():
        raise ConfigurationError("the axle limits lack a kind of group; complete domain/law/gb1589.toml")
    return best


def _fronts(front: Fronts) -> tuple[_Front, _Front]:
    one = np.ones_like(front.close, dtype=np.int64)
    # Twin steering axles far apart are two sections; the drive axles stand in the one behind them.
    behind_pair = np.where(front.close, one, 2 * one)
    return (
        _Front(front.pair_open, front.pair_first, paired=True, drive_section=behind_pair),
        _Front(front.free_open, ~front.pair_first, paired=False, drive_section=one),
    )


def kinds_open(columns: Configurations, tables: LimitTables) -> tuple[Bools, Bools]:
    """Return where a truck reading is open and where a train reading is, under any reading of the front."""
    batch = _Batch.of(columns, tables)
    truck, train = np.zeros((2, len(columns.axle_count)), dtype=np.bool_)
    for front in batch.fronts:
        truck |= front.open & _kind_open(batch, front, train=False)
        train |= front.open & _kind_open(batch, front, train=True)
    return truck, train


def _kind_open(batch: _Batch, front: _Front, *, train: bool) -> Bools:
    """Whether the kind may be read so: as reported, as the axles allow, as far as the table goes.

    A report comes from a camera that may be wrong, and truck for train is the classic error (domain.md
    A2): a report opens a reading and closes none. A train reading is open where it is reported, where
    there is room for a trailer, or where the table knows no truck.
    """
    columns, count = batch.columns, batch.columns.axle_count
    has_truck = np.greater_equal(batch.rows.truck[count], 0)
    has_train = np.greater_equal(batch.rows.train[count], 0)
    if not train:
        return has_truck
    room = np.greater(batch.last_section, front.drive_section)
    return has_train & (columns.is_kind(VehicleKind.TRAIN) | room | ~has_truck)


def _read(batch: _Batch, front: _Front, grouping: Grouping, *, train: bool) -> Limits:
    columns, tables = batch.columns, batch.tables
    trailer = columns.axle & (batch.section > front.drive_section[:, None]) & train
    may_drive = _may_drive(columns, grouping, trailer)
    gross_row = _gross_row(batch, front, trailer, train=train)
    liable = _liable(grouping, trailer, may_drive)
    reduced = liable & (columns.tyres == SINGLE_UNDER_425_MM)
    air_truck = _air_truck(columns) & (not train)
    air_articulated = _air_articulated(columns, front, trailer)
    raised = (
        batch.rows.limit_kg[gross_row]
        + tables.rule(RuleRole.SINGLE_TYRE).amount_kg * reduced.sum(axis=1)
        + tables.rule(RuleRole.AIR_TRUCK).amount_kg * air_truck
        + tables.rule(RuleRole.AIR_ARTICULATED).amount_kg * air_articulated
    )
    groups = group_limits(
        tables.axle,
        columns,
        grouping,
        trailer=trailer,
        may_drive=may_drive,
        spacing_error_mm=SPACING_ERROR_MM,
    )
    axle_sum = np.where(grouping.crowded, 0, groups.limit_kg.sum(axis=1))
    counts = _axle_sum_counts(tables, grouping, groups)
    return Limits(
        limit_kg=np.where(counts, np.minimum(raised, axle_sum), raised),
        train=np.full(len(counts), train),
        gross_row=gross_row,
        reduced=reduced,
        width_open=liable & (columns.tyres == SINGLE),
        air_truck=air_truck,
        air_articulated=air_articulated,
        axle_sum_kg=axle_sum,
        axle_sum_counts=counts,
        size=grouping.size,
        member=grouping.member,
        pair=grouping.pair,
        crowded=grouping.crowded,
        trailer=trailer,
        may_drive=may_drive,
        group_limit_kg=groups.limit_kg,
        group_row=groups.row,
    )


def _axle_sum_counts(tables: LimitTables, grouping: Grouping, groups: GroupLimits) -> Bools:
    """Whether every group has a row, and every row may lower a gross limit (domain.md E3)."""
    may_lower = np.array([*(tables.may_lower(row) for row in tables.axle), False])
    sure = np.where(grouping.size > 0, may_lower[groups.row], True).all(axis=1)
    rule = tables.may_lower(tables.rule(RuleRole.AXLE_SUM))
    return np.asarray(sure & ~grouping.crowded & rule, dtype=np.bool_)


def _may_drive(columns: Configurations, grouping: Grouping, trailer: Bools) -> Bools:
    """Axles reported as driven, or, where none was, all that could be; never one read as steering."""
    could_be = columns.axle.copy()
    could_be[:, 0] = False
    may_drive = np.where(columns.drive_known[:, None], columns.driven, could_be)
    return np.asarray(may_drive & ~trailer & ~grouping.pair)


def _gross_row(batch: _Batch, front: _Front, trailer: Bools, *, train: bool) -> Ints:
    columns, rows = batch.columns, batch.rows
    if not train:
        return rows.truck[columns.axle_count]
    drive_section = columns.axle & (batch.section == front.drive_section[:, None])
    alone = drive_section.sum(axis=1) == 1
    reported_single = (columns.driven & ~trailer).sum(axis=1) == 1
    return np.where(
        alone | reported_single, rows.train_single_drive[columns.axle_count], rows.train[columns.axle_count]
    )


def _liable(grouping: Grouping, trailer: Bools, may_drive: Bools) -> Bools:
    """Axles that cost 3000 kg on single tyres: in a group or on a trailer, neither driven nor steering.

    Twin steering axles need no word of their own: they are in no group and on no trailer.
    """
    liable = ((grouping.member >= 2) | trailer) & ~may_drive
    liable[:, 0] = False
    return np.asarray(liable, dtype=np.bool_)


def _air_truck(columns: Configurations) -> Bools:
    """Three- and four-axle trucks whose drive axle has, or may have, dual tyres and air suspension."""
    may_be_dual = columns.may_be(Tyres.DUAL)
    reported = (~columns.driven | may_be_dual).all(axis=1)
    supposed = may_be_dual[:, 1:].any(axis=1)
    dual_drive = np.where(columns.drive_known, reported, supposed)
    return columns.may_have_air & dual_drive & np.isin(columns.axle_count, AIR_TRUCK_AXLES)


def _air_articulated(columns: Configurations, front: _Front, trailer: Bools) -> Bools:
    """Two-axle tractor with a two-axle trailer of wide spacing, dual drive tyres and air suspension.

    A semi-trailer cannot be told from a full trailer by its axles, so both may have it.
    """
    if columns.tyres.shape[1] < 4:
        return np.zeros(len(columns.axle_count), dtype=np.bool_)
    four = np.equal(columns.axle_count, 4) & np.equal(front.drive_section, 1)
    two_and_two = four & ~trailer[:, 1] & trailer[:, 2]
    dual_drive = columns.may_be(Tyres.DUAL)[:, 1] & (columns.driven[:, 1] | ~columns.drive_known)
    wide = np.greater_equal(columns.spacing_mm[:, 2] + SPACING_ERROR_MM, WIDE_SEMI_TRAILER_MM)
    return columns.may_have_air & two_and_two & dual_drive & wide


def _better(best: Limits, other: Limits, where: Bools) -> Limits:
    """Return `other` where it is better, `best` elsewhere."""

    def pick(name: str) -> Any:
        ours, theirs = getattr(best, name), getattr(other, name)
        return np.where(where if ours.ndim == 1 else where[:, None], theirs, ours)

    return Limits(**{field.name: pick(field.name) for field in fields(Limits)})
