"""Where the strips and loops of a lane lie, and what the loops said of each vehicle."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError

Floats = NDArray[np.float64]

LONGEST_ARRAY_M = 200.0
"""Farther apart than the strips of any site; a position beyond it is a mistake in units."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The strips and loops of one lane, along the direction of travel.

    Attributes
    ----------
    position_m : (S,)
        Centre of each strip from the first, increasing.
    width_m
        Width L of a strip along travel; W = (v / L) x integral of (s - baseline).
    sample_rate_hz
        Of every strip alike.
    lead_loop_m, trail_loop_m
        Centres of the loops before and behind (or between) the strips; None where there is none.
    loop_length_m
        Length of each loop along travel.
    left_loop, right_loop
        Whether the neighbouring lane on that side has a loop: quiet says something only where there is one.
    full_scale
        Largest sample the converter can deliver, in the samples' own unit; None where not known. For
        int16 the type's own range always counts too.
    """

    position_m: Floats
    width_m: float = 0.053
    sample_rate_hz: float = 5_000.0
    lead_loop_m: float | None = None
    trail_loop_m: float | None = None
    loop_length_m: float = 2.0
    left_loop: bool = False
    right_loop: bool = False
    full_scale: float | None = None

    def __post_init__(self) -> None:
        position = np.array(self.position_m, dtype=np.float64)
        object.__setattr__(self, "position_m", position)
        if position.ndim != 1 or position.size < 2:
            raise ConfigurationError("a layout needs at least two strips, to tell a speed")
        if not np.isfinite(position).all() or np.any(np.diff(position) <= 0):
            raise ConfigurationError(f"strip positions must increase along travel, got {position.tolist()} m")
        if position[-1] - position[0] > LONGEST_ARRAY_M:
            raise ConfigurationError(
                f"strips {position[-1] - position[0]:g} m apart: give positions in metres"
            )
        if self.width_m >= np.diff(position).min():
            raise ConfigurationError(f"strips of {self.width_m:g} m width would overlap")
        for name in ("width_m", "sample_rate_hz", "loop_length_m", "full_scale"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise ConfigurationError(f"{name} must be above zero, got {value}")
        for name in ("lead_loop_m", "trail_loop_m"):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value):
                raise ConfigurationError(f"{name} must be a position or None, got {value}")
        loops = (self.lead_loop_m, self.trail_loop_m)
        if loops[0] is not None and loops[1] is not None and loops[0] >= loops[1]:
            raise ConfigurationError("the lead loop must lie before the trail loop")
        position.setflags(write=False)

    @property
    def strips(self) -> int:
        """Number of strips, S."""
        return int(self.position_m.size)


@dataclass(frozen=True, eq=False)
class Loops:
    """What the loops said, one entry a vehicle; NaN where a loop said nothing or is not there.

    Attributes
    ----------
    lead_on, lead_off, trail_on, trail_off : (B,)
        Seconds from the first sample at which the lane's own loops became occupied and free.
    lead_detuning, trail_detuning : (B,)
        Depth of the loop's detuning, relative to a centred passage of such a vehicle (1.0 = centred).
    left_on, left_off, right_on, right_off : (B,)
        The neighbouring lanes' loops in the same seconds; NaN = quiet.
    """

    lead_on: Floats
    lead_off: Floats
    trail_on: Floats
    trail_off: Floats
    lead_detuning: Floats
    trail_detuning: Floats
    left_on: Floats
    left_off: Floats
    right_on: Floats
    right_off: Floats

    def __post_init__(self) -> None:
        for field in fields(self):
            value = np.asarray(getattr(self, field.name), dtype=np.float64)
            if value.ndim != 1:
                raise ConfigurationError(f"loops.{field.name} must have one entry a vehicle")
            object.__setattr__(self, field.name, value)
        if len({getattr(self, field.name).size for field in fields(self)}) != 1:
            raise ConfigurationError("all loop arrays must be of the same length")

    @property
    def vehicles(self) -> int:
        """Number of vehicles, B."""
        return int(self.lead_on.size)

    @classmethod
    def silent(cls, vehicles: int) -> "Loops":
        """Return loops that said nothing, for a site without loops."""
        return cls(*(np.full(vehicles, np.nan) for _ in fields(cls)))
