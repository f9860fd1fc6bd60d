"""Screening a batch: limits, adjudged masses, usability and doubts, as columns.

Order of precedence of the outcome:

1. UNUSABLE, when the weighing cannot be relied on: nothing may be concluded from it, not even counted;
2. STATISTICS_ONLY, when certificate, announcement or legal basis is missing on the day, or the passage
   was not in the direction and on a lane that the site is registered, and so announced, with;
3. OVERLOADED, when the adjudged gross mass is over the limit; an axle flag never makes it so;
4. WITHIN.
"""

from dataclasses import dataclass

import numpy as np

from domain.events import VehicleKind
from domain.law import LimitTables
from domain.screening import Outcome
from domain.units import PPM
from weigh.adjudication import Adjudged, adjudge
from weigh.axle_groups import SHIFTS_MM, UNKNOWN, Grouping, group_axles
from weigh.axle_limits import group_limits
from weigh.columns import Bools, Ints, PassageColumns
from weigh.limits import Limits, kinds_open, read_limits
from weigh.rule import DecisionRule
from weigh.usability import UNUSABLE, reasons

ALGORITHM = "zhichao-screen/1"
"""Name and version of what is computed here: a change of any result is a new version."""

OUTCOMES = (Outcome.UNUSABLE, Outcome.STATISTICS_ONLY, Outcome.OVERLOADED, Outcome.WITHIN)

DOUBTS = (
    "kind-unknown",
    "kind-against-axles",
    "tyres-unknown",
    "tyre-width-unknown",
    "drive-unknown",
    "suspension-unknown",
    "grouping-open",
    "spacing-band-open",
    "close-axles-beyond-table",
    "uncertainty-undeclared",
)
"""Codes of what could not be known, in the order they are reported.

After them, where an unconfirmed sum of axle limits would lower the limit, comes
`axle-sum-unconfirmed:<kg>` with that lower figure.
"""


@dataclass(frozen=True)
class ScreeningColumns:
    """The results of a batch.

    Attributes
    ----------
    outcome : (B,), index into `OUTCOMES`
    limits : the deciding reading of each passage
    limit_kg : (B,), the limit that decides, the site's own included
    mpe_ppm, u_gross_ppm : (B,), what was taken off
    gross : adjudged gross mass, (B,)
    over_kg, over_ppm : (B,)
    group_load_kg : (B, N), measured load of each group at its first axle
    group_over_kg : (B, N), excess of the adjudged group load
    reasons : (B, len(weigh.usability.REASONS))
    doubts : (B, len(DOUBTS))
    unconfirmed_axle_sum_kg : (B,), the lower figure that unconfirmed rows would give, or 0
    """

    outcome: Ints
    limits: Limits
    limit_kg: Ints
    mpe_ppm: Ints
    u_gross_ppm: Ints
    gross: Adjudged
    over_kg: Ints
    over_ppm: Ints
    group_load_kg: Ints
    group_over_kg: Ints
    reasons: Bools
    doubts: Bools
    unconfirmed_axle_sum_kg: Ints


def screen_columns(columns: PassageColumns, tables: LimitTables, rule: DecisionRule) -> ScreeningColumns:
    """Screen a batch of passages that one set of tables applies to."""
    limits = read_limits(columns, tables)
    site = columns.site_limit_kg
    limit = np.where(site > 0, np.minimum(limits.limit_kg, site), limits.limit_kg)
    mpe = np.where(columns.certified, columns.mpe_ppm, rule.mpe_without_certificate_ppm)
    u_gross = np.where(columns.u_gross_ppm > 0, columns.u_gross_ppm, rule.default_u_gross_ppm)
    gross = adjudge(
        columns.gross_kg,
        limit,
        mpe_ppm=mpe,
        u_ppm=u_gross,
        formula=rule.formula,
        guard_k_milli=rule.guard_k_milli,
    )
    over = np.maximum(gross.decides - limit, 0)
    load, group_over = _groups(columns, limits, mpe, rule)
    why = reasons(columns)
    lower = (limits.axle_sum_kg > 0) & ~limits.axle_sum_counts & (limits.axle_sum_kg < limits.limit_kg)
    return ScreeningColumns(
        outcome=_outcome(why, over),
        limits=limits,
        limit_kg=limit,
        mpe_ppm=mpe,
        u_gross_ppm=u_gross,
        gross=gross,
        over_kg=over,
        over_ppm=over * PPM // limit,
        group_load_kg=load,
        group_over_kg=group_over,
        reasons=why,
        doubts=_doubts(columns, limits, tables),
        unconfirmed_axle_sum_kg=np.where(lower, limits.axle_sum_kg, 0),
    )


def _outcome(why: Bools, over_kg: Ints) -> Ints:
    unusable = why[:, : len(UNUSABLE)].any(axis=1)
    statistics = why[:, len(UNUSABLE) :].any(axis=1)
    return np.select([unusable, statistics, over_kg > 0], [0, 1, 2], default=3)


def _groups(columns: PassageColumns, limits: Limits, mpe_ppm: Ints, rule: DecisionRule) -> tuple[Ints, Ints]:
    """Return each group's load and the excess of its adjudged load over its limit, (B, N)."""
    loads = np.pad(columns.load_kg, ((0, 0), (0, 2)))
    width = columns.load_kg.shape[1]
    load = sum(
        (np.where(limits.size > member, loads[:, member : member + width], 0) for member in range(3)),
        start=np.zeros_like(columns.load_kg),
    )
    u_axle = np.where(columns.u_axle_ppm > 0, columns.u_axle_ppm, rule.default_u_axle_ppm)
    adjudged = adjudge(
        load,
        limits.group_limit_kg,
        mpe_ppm=mpe_ppm[:, None],
        u_ppm=u_axle[:, None],
        formula=rule.formula,
        guard_k_milli=rule.guard_k_milli,
    )
    return load, np.maximum(adjudged.decides - limits.group_limit_kg, 0)


def _doubts(columns: PassageColumns, limits: Limits, tables: LimitTables) -> Bools:
    truck, train = kinds_open(columns, tables)
    against = (columns.is_kind(VehicleKind.TRUCK) & train) | (
        columns.is_kind(VehicleKind.TRAIN) & ~limits.trailer.any(axis=1)
    )
    return np.stack(
        [
            columns.is_kind(VehicleKind.UNKNOWN) & truck & train,
            against,
            (columns.tyres == UNKNOWN).any(axis=1),
            limits.width_open.any(axis=1),
            ~columns.drive_known,
            columns.air < 0,
            _grouping_open(columns, limits),
            _band_open(columns, limits, tables),
            limits.crowded,
            columns.u_gross_ppm == 0,
        ],
        axis=1,
    )


def _grouping_open(columns: PassageColumns, limits: Limits) -> Bools:
    """Whether the spacings' error leaves the grouping open, the front being read as it was."""
    paired = limits.pair[:, 0]
    return (_regroups(columns, paired=True) & paired) | (_regroups(columns, paired=False) & ~paired)


def _regroups(columns: PassageColumns, *, paired: bool) -> Bools:
    measured, *others = (group_axles(columns, paired=paired, shift_mm=shift).size for shift in SHIFTS_MM)
    differs = np.zeros(len(measured), dtype=np.bool_)
    for size in others:
        differs |= np.not_equal(size, measured).any(axis=1)
    return differs


def _band_open(columns: PassageColumns, limits: Limits, tables: LimitTables) -> Bools:
    """Whether the spacing's error raised a group's limit."""
    exact = group_limits(
        tables.axle,
        columns,
        Grouping(limits.size, limits.member, limits.pair, limits.crowded),
        trailer=limits.trailer,
        may_drive=limits.may_drive,
        spacing_error_mm=0,
    )
    return np.asarray((exact.limit_kg < limits.group_limit_kg).any(axis=1))
