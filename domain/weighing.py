"""How a passage was weighed from its strips' signals: stored with it, sealed with it, shown with it.

Integers throughout, so that what is sealed can be compared to the last digit: masses are rounded down and
uncertainties up, both to the party's favour.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from domain.ids import Sha256


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CalibrationUse(_Model):
    """The calibration state a passage was weighed with; the state itself is sealed beside the passage."""

    version: int
    digest: Sha256
    """SHA-256 of the state's canonical document."""


class WeighedAxle(_Model):
    """One axle."""

    load_kg: int
    place_mm: int
    """Where it was at the origin, from the first strip along the lane's direction."""
    u_ppm: int | None
    """Relative standard uncertainty; None without a calibration."""
    strip_loads_n: tuple[int | None, ...]
    """What each strip measured, before calibration; None where it was left out."""


class WeighedGroup(_Model):
    """One axle group, as screening formed them."""

    first_axle: int
    axle_count: int
    load_kg: int
    u_ppm: int | None


class Weighing(_Model):
    """The whole weighing of one passage."""

    axles: tuple[WeighedAxle, ...]
    groups: tuple[WeighedGroup, ...]
    gross_kg: int
    u_gross_ppm: int | None
    speed_mm_s: int
    """At the origin; negative against the lane's direction."""
    acceleration_mm_s2: int
    origin_us: int
    """The moment that speed and places are of, from the first sample."""
    calibration: CalibrationUse | None
    """None where none was installed, or none could be used; such a passage makes statistics only."""
    algorithms: Annotated[dict[str, str], Field(min_length=1)]
    """Name and version of each algorithm, by what it does; of "criteria", "population" and "trust",
    which are assumptions that decide results as well, the SHA-256 of their figures."""
