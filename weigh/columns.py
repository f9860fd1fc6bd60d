"""Passages as columns: one row a vehicle, axles padded to the right, whole numbers throughout.

Shapes: `B` passages, `N` axles (the most in the batch). Masses kg, lengths mm, speeds m/h, ratios ppm.
What a record does not say is an own value (0, -1 or a mask), never a guess; guesses are made, to the
party's favour, where a limit is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.events import DrivingFlag, Tyres, VehicleKind, WeighRecord
from domain.registry import UNKNOWN_DIRECTION, StationContext

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
_TYRE_CODE = {tyres: code for code, tyres in enumerate(TYRES)}
_MAY_BE_BY_CODE = {
    tyres: np.array([*(code in reported for code in TYRES), False]) for tyres, reported in _MAY_BE.items()
}
"""Looked up by the code reported; the last entry answers -1, where there is no axle."""

_KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class PassageColumns:
    """A batch of passages and what the registry says of each.

    Attributes
    ----------
    axle_count, gross_kg, speed_m_h : (B,)
    load_kg : (B, N), 0 behind the last axle
    tyres : (B, N), index into `TYRES`; -1 behind the last axle
    spacing_mm : (B, N), from axle i to axle i + 1; `APART_MM` from the last axle on
    kind : (B,), index into `KINDS`
    driven : (B, N), axles reported as driven; the front axle is never counted
    drive_known : (B,), at least one driven axle behind the front axle was reported
    air : (B,), 1 air suspension, 0 none, -1 unknown
    length_mm, u_gross_ppm, u_axle_ppm : (B,), 0 where not reported
    flags : (B, len(FLAGS)), driving conditions reported
    missing : (B, len(MISSING)), what is not in force on the day
    certified : (B,), a certificate is in force; where not, the next four are 0
    mpe_ppm, min_speed_m_h, max_speed_m_h : (B,), from the certificate
    lane_certified : (B,), the lane is on the certificate
    direction_registered, lane_at_site : (B,), the site is registered with this direction, with this lane
    site_limit_kg : (B,), the site's own limit, 0 where it has none
    """

    axle_count: Ints
    load_kg: Ints
    tyres: Ints
    spacing_mm: Ints
    kind: Ints
    driven: Bools
    drive_known: Bools
    air: Ints
    gross_kg: Ints
    speed_m_h: Ints
    length_mm: Ints
    u_gross_ppm: Ints
    u_axle_ppm: Ints
    flags: Bools
    missing: Bools
    certified: Bools
    mpe_ppm: Ints
    min_speed_m_h: Ints
    max_speed_m_h: Ints
    lane_certified: Bools
    direction_registered: Bools
    lane_at_site: Bools
    site_limit_kg: Ints

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


def passage_columns(records: Sequence[WeighRecord], contexts: Sequence[StationContext]) -> PassageColumns:
    """Return records and their contexts, in order, as columns."""
    width = max((len(record.axles) for record in records), default=2)
    certificates = [context.certificate for context in contexts]
    driven = _driven(records, width)
    return PassageColumns(
        axle_count=_ints([len(record.axles) for record in records]),
        load_kg=_padded([[axle.load_kg for axle in record.axles] for record in records], width, 0),
        tyres=_padded([[_TYRE_CODE[axle.tyres] for axle in record.axles] for record in records], width, -1),
        spacing_mm=_padded([record.spacings_mm for record in records], width, APART_MM),
        kind=_ints([_KIND_CODE[record.kind] for record in records]),
        driven=driven,
        drive_known=np.asarray(driven.any(axis=1)),
        air=_ints([-1 if r.air_suspension is None else int(r.air_suspension) for r in records]),
        gross_kg=_ints([record.gross_kg for record in records]),
        speed_m_h=_ints([record.speed_m_h for record in records]),
        length_mm=_ints([record.length_mm or 0 for record in records]),
        u_gross_ppm=_ints([record.u_gross_ppm or 0 for record in records]),
        u_axle_ppm=_ints([record.u_axle_ppm or 0 for record in records]),
        flags=_table([[flag in record.flags for flag in FLAGS] for record in records], len(FLAGS)),
        missing=_table([[code in c.missing for code in MISSING] for c in contexts], len(MISSING)),
        certified=_bools([certificate is not None for certificate in certificates]),
        mpe_ppm=_ints([c.mpe_in_service_ppm if c else 0 for c in certificates]),
        min_speed_m_h=_ints([c.min_speed_m_h if c else 0 for c in certificates]),
        max_speed_m_h=_ints([c.max_speed_m_h if c else 0 for c in certificates]),
        lane_certified=_bools(
            [c is not None and r.lane in c.lanes for c, r in zip(certificates, records, strict=True)]
        ),
        direction_registered=_bools(
            [
                r.direction == c.site.direction != UNKNOWN_DIRECTION
                for r, c in zip(records, contexts, strict=True)
            ]
        ),
        lane_at_site=_bools([r.lane <= c.site.lanes for r, c in zip(records, contexts, strict=True)]),
        site_limit_kg=_ints([context.site.gross_limit_kg or 0 for context in contexts]),
    )


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _bools(values: Sequence[bool]) -> Bools:
    return np.array(values, dtype=np.bool_)


def _table(rows: Sequence[Sequence[bool]], width: int) -> Bools:
    return np.array(rows, dtype=np.bool_).reshape(len(rows), width)


def _padded(rows: Sequence[Sequence[int]], width: int, filler: int) -> Ints:
    padded = [[*row, *[filler] * (width - len(row))] for row in rows]
    return np.array(padded, dtype=np.int64).reshape(len(rows), width)


def _driven(records: Sequence[WeighRecord], width: int) -> Bools:
    driven = np.zeros((len(records), width), dtype=np.bool_)
    for row, record in enumerate(records):
        for number in record.drive_axles or ():
            if 2 <= number <= len(record.axles):
                driven[row, number - 1] = True
    return driven
