"""Weighed passes: vehicles whose axles were weighed at rest and that then drove over the strips.

They are what every calibration and every accuracy report rests on, so that nothing is guessed here: a
figure that cannot be is refused, and what was not measured is NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from domain.errors import InputRefused
from domain.events import MAX_AXLES
from domain.refusals import RefusalCode
from weigh.calibration.state import AXLE_TYPES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST_KG, _MOST_KG = 1.0, 100_000.0
_FASTEST_M_S = 300_000 / 3_600
_COLDEST_K, _HOTTEST_K = 180.0, 380.0


class WeighedAxle(NamedTuple):
    """One axle of one weighed pass, as a row of a file says it; NaN where it says nothing."""

    pass_id: str
    axle_type: int
    group: int
    """Number of the axle group, from 1 at the front; an axle alone in its group is a single axle."""
    reference_kg: float
    measured_kg: float
    speed_m_s: float
    temperature_k: float
    strip_load: tuple[float, ...]
    day: date | None = None
    """When it passed, UTC."""


@dataclass(frozen=True)
class WeighedPasses:
    """Weighed passes as columns. Shapes: P passes, A axles (padded right), S strips (may be 0).

    Attributes
    ----------
    reference_kg : (P, A), static load of each axle; NaN where there is none
    measured_kg : (P, A), what the station said; NaN where it said nothing
    strip_load : (P, A, S), axle by strip, not yet calibrated; NaN where a strip said nothing
    axle_type : (P, A), index into `AXLE_TYPES`, -1 where there is no axle
    group : (P, A), number of the axle's group within its vehicle, -1 where there is no axle
    speed_m_s : (P,)
    temperature_k : (P,), NaN where not measured
    last_day : day of the latest pass, UTC; None where no day is known
    """

    reference_kg: Floats
    measured_kg: Floats
    strip_load: Floats
    axle_type: NDArray[np.int8]
    group: NDArray[np.int64]
    speed_m_s: Floats
    temperature_k: Floats
    last_day: date | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be, naming the pass by its number from 1."""
        shape = self.reference_kg.shape
        if len(shape) != 2 or not all(
            found == wanted
            for found, wanted in (
                (self.measured_kg.shape, shape),
                (self.axle_type.shape, shape),
                (self.group.shape, shape),
                (self.strip_load.shape[:2], shape),
                (self.speed_m_s.shape, shape[:1]),
                (self.temperature_k.shape, shape[:1]),
            )
        ):
            raise _refused(RefusalCode.FIELD_INVALID, "the columns' shapes differ")
        axle = self.axle
        _check(np.asarray(axle.any(axis=1)), "has no axle", RefusalCode.FIELD_MISSING)
        _check(_each(axle <= (self.axle_type < len(AXLE_TYPES))), "has an unknown axle type")
        _check(
            _each(~axle | np.isfinite(self.reference_kg)), "lacks a reference load", RefusalCode.NOT_FINITE
        )
        _check(_within(self.reference_kg, _LEAST_KG, _MOST_KG), "has a reference load of no axle")
        _check(_within(self.measured_kg, 0.0, _MOST_KG), "has a measured load of no axle")
        _check(_each(~np.isinf(self.strip_load)), "has an infinite strip load", RefusalCode.NOT_FINITE)
        _check(_each(np.isfinite(self.speed_m_s)), "lacks its speed", RefusalCode.NOT_FINITE)
        _check(_within(self.speed_m_s, 0.1, _FASTEST_M_S), "has a speed of no truck")
        _check(_within(self.temperature_k, _COLDEST_K, _HOTTEST_K), "has a temperature of no road")

    @property
    def axle(self) -> Bools:
        """Where there is an axle, (P, A)."""
        return np.asarray(self.axle_type >= 0)

    def __len__(self) -> int:
        """How many passes."""
        return len(self.speed_m_s)

    def take(self, chosen: Bools | NDArray[np.int64]) -> Self:
        """Return some of the passes."""
        return type(self)(
            reference_kg=self.reference_kg[chosen],
            measured_kg=self.measured_kg[chosen],
            strip_load=self.strip_load[chosen],
            axle_type=self.axle_type[chosen],
            group=self.group[chosen],
            speed_m_s=self.speed_m_s[chosen],
            temperature_k=self.temperature_k[chosen],
            last_day=self.last_day,
        )

    def strip_ratio(self) -> Floats:
        """Return each strip's load of the vehicle by its reference, (P, S); NaN where an axle is missing.

        Summing over axles first weighs each by its load and averages part of the dynamics out.
        """
        loads = np.where(self.axle[:, :, None], self.strip_load, 0.0).sum(axis=1)
        return np.asarray(loads / np.nansum(self.reference_kg, axis=1)[:, None])


def weighed_passes(axles: Sequence[WeighedAxle]) -> WeighedPasses:
    """Return rows, in the order of their passes and axles, as columns."""
    passes: dict[str, list[WeighedAxle]] = {}
    for axle in axles:
        passes.setdefault(axle.pass_id, []).append(axle)
    if not passes:
        raise _refused(RefusalCode.FIELD_MISSING, "there is no weighed pass")
    width = max(len(rows) for rows in passes.values())
    strips = len(axles[0].strip_load)
    if width > MAX_AXLES:
        raise _refused(
            RefusalCode.OUT_OF_RANGE, f"a pass has {width} axles; at most {MAX_AXLES} are possible"
        )
    for name, rows in passes.items():
        _check_rows(name, rows, strips)
    table = [[*rows, *[None] * (width - len(rows))] for rows in passes.values()]
    first = [rows[0] for rows in passes.values()]
    nothing = (np.nan,) * strips
    return WeighedPasses(
        reference_kg=np.array([[a.reference_kg if a else np.nan for a in row] for row in table]),
        measured_kg=np.array([[a.measured_kg if a else np.nan for a in row] for row in table]),
        strip_load=np.array([[a.strip_load if a else nothing for a in row] for row in table]).reshape(
            len(table), width, strips
        ),
        axle_type=np.array([[a.axle_type if a else -1 for a in row] for row in table], dtype=np.int8),
        group=np.array([[a.group if a else -1 for a in row] for row in table], dtype=np.int64),
        speed_m_s=np.array([a.speed_m_s for a in first], dtype=np.float64),
        temperature_k=np.array([a.temperature_k for a in first], dtype=np.float64),
        last_day=max((axle.day for axle in axles if axle.day is not None), default=None),
    )


def _check_rows(name: str, rows: Sequence[WeighedAxle], strips: int) -> None:
    if any(len(row.strip_load) != strips for row in rows):
        raise _refused(RefusalCode.FIELD_INVALID, f"pass {name}: rows differ in the number of strips")
    for field in ("speed_m_s", "temperature_k"):
        if len({repr(getattr(row, field)) for row in rows}) > 1:
            raise _refused(RefusalCode.FIELD_INVALID, f"pass {name}: its rows differ in {field}")
    groups = [row.group for row in rows]
    if groups != sorted(groups) or groups[0] < 1:
        raise _refused(
            RefusalCode.FIELD_INVALID, f"pass {name}: groups are numbered from 1, front to back: {groups}"
        )


def _each(holds: Bools) -> Bools:
    return np.asarray(holds.reshape(len(holds), -1).all(axis=1))


def _within(figures: Floats, least: float, most: float) -> Bools:
    return _each(np.asarray(np.isnan(figures) | ((figures >= least) & (figures <= most))))


def _check(holds: Bools, complaint: str, code: RefusalCode = RefusalCode.OUT_OF_RANGE) -> None:
    if not holds.all():
        raise _refused(code, f"weighed pass {int(np.argmin(holds)) + 1} {complaint}")


def _refused(code: RefusalCode, detail: str) -> InputRefused:
    return InputRefused(code, detail)
