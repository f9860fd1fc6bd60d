"""What the strips say of each passage, or why they say nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.events import DrivingFlag

PROBLEMS = (
    "ok",
    "too-few-samples",
    "loop-times",
    "not-finite",
    "flat-strip",
    "clipped",
    "no-quiet-zone",
    "no-vehicle",
    "too-few-axles",
    "too-many-axles",
    "too-few-strips",
    "strips-disagree",
    "strip-order",
    "motion-unclear",
    "speed-range",
)
"""Why a passage was not weighed; index 0 is none."""

MANOEUVRES = (
    DrivingFlag.STRADDLING,
    DrivingFlag.REVERSING,
    DrivingFlag.STOP_AND_GO,
    DrivingFlag.SPEED_CHANGE,
    DrivingFlag.CLOSE_FOLLOWING,
    DrivingFlag.SIDE_BY_SIDE,
    DrivingFlag.WRONG_WAY,
    DrivingFlag.TAIL_LOST,
)
"""Manoeuvres recognised, in the order of `StripLoads.flags`."""


DOUBTS = ("no-loop", "straddling-open", "strips-clipped")
"""What may have been and nothing excludes, in the order of `StripLoads.doubts`: more than one vehicle; a
vehicle beside the strips in part; a load beyond the converters' range."""


@dataclass(frozen=True, eq=False)
class StripLoads:
    """What each strip says of each axle. Shapes: B vehicles, A axles (padded right), S strips.

    A passage with a problem has no figures: NaN throughout, no strip alive, no axles. A passage with a flag
    and no problem has figures nobody may rely on; one with a doubt alone has figures fit for statistics only.

    Attributes
    ----------
    axle_count : (B,) int64
    speed_m_s, acceleration_m_s2 : (B,), at the mean time of all pulses; the speed is negative for a vehicle
        that drove against the lane's direction
    spacing_m : (B, A - 1), NaN behind the last axle
    load : (B, A, S), W = v / L x integral of (s - baseline), newton where the signal is; NaN where there is
        no axle or the strip is not alive
    alive : (B, S), strips that told all the axles
    flags : (B, len(MANOEUVRES))
    doubts : (B, len(DOUBTS))
    problem : (B,) int64, index into `PROBLEMS`
    origin_s : (B,), mean time of all pulses, from the first sample
    place_m : (B, A), where each axle was then, from the first strip; NaN behind the last axle
    residual_m : (B,), root mean square distance of the strip hits from constant acceleration
    """

    axle_count: NDArray[np.int64]
    speed_m_s: NDArray[np.float64]
    acceleration_m_s2: NDArray[np.float64]
    spacing_m: NDArray[np.float64]
    load: NDArray[np.float64]
    alive: NDArray[np.bool_]
    flags: NDArray[np.bool_]
    doubts: NDArray[np.bool_]
    problem: NDArray[np.int64]
    origin_s: NDArray[np.float64]
    place_m: NDArray[np.float64]
    residual_m: NDArray[np.float64]

    def flags_of(self, vehicle: int) -> tuple[DrivingFlag, ...]:
        """Return the manoeuvres one vehicle was seen at."""
        return tuple(flag for flag, seen in zip(MANOEUVRES, self.flags[vehicle], strict=True) if seen)

    def doubts_of(self, vehicle: int) -> tuple[str, ...]:
        """Return what is left open of one vehicle."""
        return tuple(code for code, is_open in zip(DOUBTS, self.doubts[vehicle], strict=True) if is_open)

    def problem_of(self, vehicle: int) -> str:
        """Return why one vehicle was not weighed; "ok" if it was."""
        return PROBLEMS[self.problem[vehicle]]

    @property
    def weighed(self) -> NDArray[np.bool_]:
        """Passages with figures and without a flag, (B,)."""
        return np.asarray((self.problem == 0) & ~self.flags.any(axis=1))

    @property
    def beyond_doubt(self) -> NDArray[np.bool_]:
        """Those of `weighed` without a doubt, (B,): the only ones a case may rest on."""
        return np.asarray(self.weighed & ~self.doubts.any(axis=1))
