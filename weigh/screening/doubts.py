"""What could not be known of a vehicle, each doubt resolved to the party's favour (domain.md E3)."""

import numpy as np

from domain.events import VehicleKind
from domain.law import LimitTables
from weigh.screening.axle_groups import SHIFTS_MM, UNKNOWN, Grouping, group_axles
from weigh.screening.axle_limits import group_limits
from weigh.screening.columns import Bools, Configurations
from weigh.screening.limits import Limits, kinds_open

CONFIGURATION_DOUBTS = (
    "kind-unknown",
    "kind-against-axles",
    "tyres-unknown",
    "tyre-width-unknown",
    "drive-unknown",
    "suspension-unknown",
    "grouping-open",
    "spacing-band-open",
    "close-axles-beyond-table",
)
"""Codes of what may be unknown of a configuration."""

DOUBTS = (*CONFIGURATION_DOUBTS, "uncertainty-undeclared")
"""All codes, in the order they are reported.

After them, where an unconfirmed sum of axle limits would lower the limit, comes
`axle-sum-unconfirmed:<kg>` with that lower figure.
"""


def configuration_doubts(columns: Configurations, limits: Limits, tables: LimitTables) -> Bools:
    """Return which of `CONFIGURATION_DOUBTS` the deciding readings leave, (B, 9)."""
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
        ],
        axis=1,
    )


def _grouping_open(columns: Configurations, limits: Limits) -> Bools:
    """Whether the spacings' error leaves the grouping open, the front being read as it was."""
    paired = limits.pair[:, 0]
    return (_regroups(columns, paired=True) & paired) | (_regroups(columns, paired=False) & ~paired)


def _regroups(columns: Configurations, *, paired: bool) -> Bools:
    measured, *others = (group_axles(columns, paired=paired, shift_mm=shift).size for shift in SHIFTS_MM)
    differs = np.zeros(len(measured), dtype=np.bool_)
    for size in others:
        differs |= np.not_equal(size, measured).any(axis=1)
    return differs


def _band_open(columns: Configurations, limits: Limits, tables: LimitTables) -> Bools:
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
