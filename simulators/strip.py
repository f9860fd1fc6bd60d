"""The weigh-in-motion strip: what the station measures of a truck whose true loads are known.

The error of an axle load has a part common to all axles (calibration, temperature, surface) and an
independent part (the body's bouncing at that axle). The two contribute equally to the gross mass,
whose relative standard uncertainty is the declared u. By default draws beyond 3 u of the gross mass are
drawn again; whether that is within a station's maximum permissible error is the scenario's choice.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from domain.events import DrivingFlag
from simulators.randomness import normal_ppm

UNUSABLE_DRIVES = (
    DrivingFlag.STRADDLING,
    DrivingFlag.REVERSING,
    DrivingFlag.STOP_AND_GO,
    DrivingFlag.SPEED_CHANGE,
    DrivingFlag.SCALE_JUMPING,
    DrivingFlag.CLOSE_FOLLOWING,
)


@dataclass(frozen=True)
class StripError:
    """How well a strip weighs; ratios in parts per million.

    `cut_milli` is where the gross error is cut, in thousandths of u (3000 = 3 u); None leaves the
    normal distribution whole.
    """

    u_gross_ppm: int = 15_000
    u_axle_ppm: int = 30_000
    cut_milli: int | None = 3_000
    spacing_ppm: int = 8_000


def measure_loads_kg(rng: random.Random, true_kg: Sequence[int], error: StripError) -> tuple[int, ...]:
    """Return measured axle loads in kg; their sum is the measured gross mass."""
    gross = sum(true_kg)
    common_ppm = isqrt(error.u_gross_ppm**2 // 2)
    # sigma of the independent part such that sum(w_i^2) sigma^2 = u^2 / 2, w_i the axle's share of the gross
    squares = sum(load * load for load in true_kg)
    independent_ppm = isqrt(error.u_gross_ppm**2 * gross * gross // (2 * squares))
    while True:
        shift = normal_ppm(rng, common_ppm)
        measured = tuple(
            load + _rounded(load * (shift + normal_ppm(rng, independent_ppm)), 1_000_000) for load in true_kg
        )
        if error.cut_milli is None:
            return measured
        if abs(sum(measured) - gross) * 1_000_000_000 <= gross * error.u_gross_ppm * error.cut_milli:
            return measured


def spoil_loads_kg(rng: random.Random, measured_kg: Sequence[int], flag: DrivingFlag) -> tuple[int, ...]:
    """Return loads as a strip reports them after an unusable drive (domain.md C7)."""
    if flag is DrivingFlag.STRADDLING:  # the outer wheels miss the strip
        return tuple(load * rng.randint(550, 800) // 1000 for load in measured_kg)
    return tuple(load * rng.randint(850, 1250) // 1000 for load in measured_kg)


def measure_spacings_mm(rng: random.Random, true_mm: Sequence[int], error: StripError) -> tuple[int, ...]:
    """Return measured axle spacings in mm; the error is uniform within +- `spacing_ppm`."""
    return tuple(
        spacing + _rounded(spacing * rng.randint(-error.spacing_ppm, error.spacing_ppm), 1_000_000)
        for spacing in true_mm
    )


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
