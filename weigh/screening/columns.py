"""Configurations as columns: one row a vehicle, axles padded to the right, whole numbers throughout.

Shapes: `B` passages, `N` axles (the most in the batch). Lengths mm.
What a record does not say is an own value (0, -1 or a mask), never a guess; guesses are made, to the
party's favour, where a limit is read.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.events import DrivingFlag, Tyres, VehicleKind

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

APART_MM = 1_000_000
"""Stands for the distance behind the last axle: farther than any group reaches."""

TYRES = (Tyres.UNKNOWN, Tyres.SINGLE, Tyres.SINGLE_UNDER_425_MM, Tyres.WIDE, Tyres.DUAL)
KINDS = (VehicleKind.UNKNOWN, VehicleKind.TRUCK, VehicleKind.TRAIN)
FLAGS = tuple(DrivingFlag)
MISSING = ("no-certificate", "no-announcement", "no-legal-basis")

_MAY_BE = {
    Tyres.SINGLE_UNDER_425_MM: (Tyres.UNKNOWN, Tyres.SINGLE, Tyres.SINGLE_UNDER_425_MM),
    Tyres.WIDE: (Tyres.UNKNOWN, Tyres.SINGLE, Tyres.WIDE),
    Tyres.DUAL: (Tyres.UNKNOWN, Tyres.DUAL),
}
"""Tyres an axle really has, and as what a station may have reported them."""

KNOWN_TYRES = tuple(_MAY_BE)
_MAY_BE_BY_CODE = {
    tyres: np.array([*(code in reported for code in TYRES), False]) for tyres, reported in _MAY_BE.items()
}
"""Looked up by the code reported; the last entry answers -1, where there is no axle."""


@dataclass(frozen=True)
class Configurations:
    """What decides how vehicles are read: everything but masses, conditions and places.

    Attributes
    ----------
    axle_count : (B,)
    tyres : (B, N), index into `TYRES`; -1 behind the last axle
    spacing_mm : (B, N), from axle i to axle i + 1; `APART_MM` from the last axle on
    kind : (B,), index into `KINDS`
    driven : (B, N), axles reported as driven; the front axle is never counted
    drive_known : (B,), at least one driven axle behind the front axle was reported
    air : (B,), 1 air suspension, 0 none, -1 unknown
    """

    axle_count: Ints
    tyres: Ints
    spacing_mm: Ints
    kind: Ints
    driven: Bools
    drive_known: Bools
    air: Ints

    @property
    def axle(self) -> Bools:
        """Where there is an axle, (B, N)."""
        return np.greater_equal(self.tyres, 0)

    def may_be(self, tyres: Tyres) -> Bools:
        """Axles that have these tyres (of `KNOWN_TYRES`) or may have them, (B, N)."""
        return np.asarray(_MAY_BE_BY_CODE[tyres][self.tyres])

    def is_kind(self, kind: VehicleKind) -> Bools:
        """Passages reported as of this kind, (B,)."""
        return np.equal(self.kind, KINDS.index(kind))

    @property
    def may_have_air(self) -> Bools:
        """Passages whose suspension is air, or not known, (B,)."""
        return np.not_equal(self.air, 0)
