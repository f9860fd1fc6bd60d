"""A calibration: everything needed to turn strip loads into axle loads with their uncertainty.

A state is sealed into evidence packages, so that every figure is an integer in scaled units, its
document holds integers and strings alone, and its digest is that of one spelling: keys sorted, no white
space, UTF-8. A state is never changed: a new calibration has a higher `version`, and a drift alarm
stands until there is one.

How the figures are applied, with T the temperature and d = T - reference:

    corrected strip load = strip load x gain / (1 + slope d + curve d^2)      (`gain_factors`)
    corrected axle load  = estimate over the strips / (1 + site bias)          (`site_bias`)
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_serializer

from domain.errors import ConfigurationError
from domain.events import SampleType
from domain.ids import DeviceId, Sha256, StationId, sha256_of
from domain.units import PPM, utc_text
from weigh.calibration.document import read_document

ALGORITHM: Final = "zhichao-calibration/1"
AXLE_TYPES = ("steer", "drive", "trailer")
"""Rows of the tables by axle type, in the order of the codes 0, 1, 2."""

GAIN_OF_NEWTONS_PPM = (50_000, 200_000)
"""Kilograms a newton, times 10^6: 101 972 by standard gravity, and half and twice that. The bounds are this
software's own choice: a strip further off is broken, or was not read in newtons."""

LEAST_NOISE_PPM = 1_000
"""No published strip comes near 0.1 %; with less, the uncertainty would be nothing."""

LEAST_FACTOR_MILLI = 500
"""The model is not taken to be more than twice too cautious, whatever weighed passes say."""

MOST_BIAS_PPM = 150_000
"""A road that shifts all axles of a type by more than 15 % is no place to weigh. Our own choice."""

MAX_STRIPS = 64
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"

Document = dict[str, int | str | list[int] | list[list[int]]]

_Ratio = Annotated[int, Field(ge=0, le=PPM)]
_Noise = Annotated[int, Field(ge=LEAST_NOISE_PPM, le=PPM)]
_Bias = Annotated[int, Field(ge=-MOST_BIAS_PPM, le=MOST_BIAS_PPM)]
_Departure = Annotated[int, Field(ge=-PPM, le=PPM)]
_Kelvin = Annotated[int, Field(ge=180_000, le=380_000)]
_Coefficient = Annotated[int, Field(ge=-(10**9), le=10**9)]
_Factor = Annotated[int, Field(ge=LEAST_FACTOR_MILLI, le=100_000)]


class CalibrationState(BaseModel):
    """One version of the calibration of one lane's strips. Shapes: S strips, K speed classes, Q knots.

    Attributes
    ----------
    algorithm : name and version of how the figures are applied; others are refused
    version : 1, 2, ... of this station, device and lane
    valid_from : from when on it is used, UTC
    station, device, lane : whose it is
    passes : weighed passes it was fitted on; 0 for one set by hand
    passes_sha256 : SHA-256 of those passes as read, or ""
    strip_position_mm : (S,), along travel from the first strip, increasing, the first 0
    strip_width_um : width of a strip along travel
    sample_type : how the station writes the samples: "f4" newtons, "i2" counts
    strip_scale_un : (S,), micronewtons a count as the station declares them; none for "f4"
    other_unit : 1 where the signal was said to be of another unit than newton, so that any gain is in order
    strip_alive : (S,), 1 used, 0 dead or not trusted
    strip_gain_ppm : (S,), factor on the strip's load at the reference temperature
    temperature_reference_mk : temperature at which the gains hold, mK
    temperature_slope_ppb_k, temperature_curve_ppb_k2 : (S,), relative response by K and K^2
    temperature_min_mk, temperature_max_mk : range the passes covered
    strip_noise_ppm : (S,), relative standard deviation of one strip's own noise
    road_roughness_mm3 : displacement density at 0.1 cycle/m (ISO 8608) that the strips' residuals speak
        for, 1e-9 m3; class A's geometric mean is 16 000
    speed_bound_m_h : (K - 1,), inner bounds of the speed classes, increasing; a bound is of the upper class
    site_bias_ppm : (3, K), by `AXLE_TYPES` and speed class
    u_site_ppm : (3, K), standard uncertainty of an axle from the site, likewise
    u_site_gross_ppm : (K,), the same for the gross mass
    strip_pattern_ppm, u_strip_pattern_ppm : (3 S, K), by `AXLE_TYPES`, then strip, and speed class: by how
        much the road makes a strip depart from the others alive, and the standard uncertainty of it; empty
        where not known
    u_gain_temperature_mk, u_gain_ppm : (Q,), standard uncertainty of the gain, linear between knots
    conformal_axle_milli, conformal_group_milli, conformal_gross_milli : factor on u, times 1000
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    algorithm: Literal["zhichao-calibration/1"] = ALGORITHM
    version: Annotated[int, Field(ge=1, le=10**9)]
    valid_from: AwareDatetime
    station: Annotated[StationId, Field(pattern=_NAME)]
    device: Annotated[DeviceId, Field(pattern=_NAME)]
    lane: Annotated[int, Field(ge=1, le=16)]
    passes: Annotated[int, Field(ge=0, le=10**9)]
    passes_sha256: Annotated[Sha256, Field(pattern=r"^([0-9a-f]{64})?$")]
    strip_position_mm: Annotated[
        tuple[Annotated[int, Field(ge=0, le=100_000)], ...], Field(min_length=1, max_length=MAX_STRIPS)
    ]
    strip_width_um: Annotated[int, Field(gt=0, le=1_000_000)]
    sample_type: SampleType
    strip_scale_un: tuple[Annotated[int, Field(gt=0, le=1_000_000_000)], ...]
    other_unit: Literal[0, 1]
    strip_alive: tuple[Literal[0, 1], ...]
    strip_gain_ppm: tuple[Annotated[int, Field(gt=0, le=1_000 * PPM)], ...]
    temperature_reference_mk: _Kelvin
    temperature_slope_ppb_k: tuple[_Coefficient, ...]
    temperature_curve_ppb_k2: tuple[_Coefficient, ...]
    temperature_min_mk: _Kelvin
    temperature_max_mk: _Kelvin
    strip_noise_ppm: tuple[_Noise, ...]
    road_roughness_mm3: Annotated[int, Field(gt=0, le=10**9)] = 16_000
    speed_bound_m_h: Annotated[tuple[Annotated[int, Field(gt=0, le=300_000)], ...], Field(max_length=127)]
    site_bias_ppm: tuple[tuple[_Bias, ...], ...]
    u_site_ppm: tuple[tuple[_Ratio, ...], ...]
    u_site_gross_ppm: tuple[_Ratio, ...]
    strip_pattern_ppm: tuple[tuple[_Departure, ...], ...] = ()
    u_strip_pattern_ppm: tuple[tuple[_Ratio, ...], ...] = ()
    u_gain_temperature_mk: Annotated[tuple[_Kelvin, ...], Field(min_length=1, max_length=64)]
    u_gain_ppm: tuple[_Ratio, ...]
    conformal_axle_milli: _Factor
    conformal_group_milli: _Factor
    conformal_gross_milli: _Factor

    def model_post_init(self, _context: object) -> None:
        """Refuse figures that do not belong together."""
        strips, classes = len(self.strip_position_mm), len(self.speed_bound_m_h) + 1
        for name in _BY_STRIP:
            _require(
                len(getattr(self, name)) == strips, name, f"needs one figure for each of {strips} strips"
            )
        scales = strips if self.sample_type is SampleType.INT16 else 0
        _require(len(self.strip_scale_un) == scales, "strip_scale_un", f"needs {scales} figures")
        for name in ("site_bias_ppm", "u_site_ppm"):
            table = getattr(self, name)
            shaped = len(table) == len(AXLE_TYPES) and all(len(row) == classes for row in table)
            _require(shaped, name, f"needs {len(AXLE_TYPES)} rows of {classes} speed classes")
        for name in ("strip_pattern_ppm", "u_strip_pattern_ppm"):
            rows = len(AXLE_TYPES) * strips if self.strip_pattern_ppm else 0
            table = getattr(self, name)
            shaped = len(table) == rows and all(len(row) == classes for row in table)
            _require(shaped, name, f"needs {rows} rows of {classes} speed classes")
        _require(len(self.u_site_gross_ppm) == classes, "u_site_gross_ppm", f"needs {classes} speed classes")
        _require(
            len(self.u_gain_ppm) == len(self.u_gain_temperature_mk), "u_gain_ppm", "needs one figure a knot"
        )
        for name in ("strip_position_mm", "speed_bound_m_h", "u_gain_temperature_mk"):
            figures = getattr(self, name)
            _require(all(a < b for a, b in pairwise(figures)), name, "must increase")
        _require(self.strip_position_mm[0] == 0, "strip_position_mm", "the first strip is at 0")
        _require(any(self.strip_alive), "strip_alive", "no strip is alive: there is nothing to weigh with")
        _require(
            self.temperature_min_mk <= self.temperature_max_mk, "temperature_max_mk", "lies below the minimum"
        )
        self._require_newtons()
        _require(self.valid_from.utcoffset() == timedelta(0), "valid_from", "must be UTC, ending in Z")

    def _require_newtons(self) -> None:
        """Refuse gains that speak of another unit, unless that was said."""
        low, high = GAIN_OF_NEWTONS_PPM
        for strip, (gain, alive) in enumerate(
            zip(self.strip_gain_ppm, self.strip_alive, strict=True), start=1
        ):
            _require(
                bool(self.other_unit) or not alive or low <= gain <= high,
                "strip_gain_ppm",
                f"strip {strip} has {gain / PPM:g} kg for each newton, where gravity asks for 0.102: "
                "its loads are of another unit, or its scale is wrong; give loads in newtons, as the "
                "platform stored them, or fit with --other-unit if the station truly sends another unit",
            )

    @field_serializer("valid_from")
    def _valid_from_text(self, moment: AwareDatetime) -> str:
        return utc_text(moment)

    def to_document(self) -> Document:
        """Return the state as a dictionary of integers, strings and lists of integers."""
        return self.model_dump(mode="json")

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Self:
        """Return the state a document says; any unknown, missing or unfit field is refused by name."""
        return read_document(cls, document, "calibration state")

    def canonical(self) -> bytes:
        """Return the one spelling of the document, which equals RFC 8785 for what it may hold."""
        return json.dumps(
            self.to_document(), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()

    @property
    def digest(self) -> Sha256:
        """SHA-256 of the canonical document."""
        return sha256_of(self.canonical())


_BY_STRIP = (
    "strip_alive",
    "strip_gain_ppm",
    "temperature_slope_ppb_k",
    "temperature_curve_ppb_k2",
    "strip_noise_ppm",
)


def _require(holds: bool, field: str, demand: str) -> None:
    if not holds:
        raise ConfigurationError(f"calibration state: {field}: {demand}")
