"""Weighed passes in, a calibration out; the site's bias and the factors on u come from `weigh.weighing`."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError, InputRefused
from domain.events import SampleType
from domain.ids import DeviceId, Sha256, StationId
from domain.refusals import RefusalCode
from domain.units import PPM, utc_text
from weigh.calibration.gain import MIN_PASSES, StripGains, fit_gains
from weigh.calibration.health import HealthRule, Verdict, strip_health
from weigh.calibration.passes import WeighedPasses
from weigh.calibration.state import ALGORITHM, CalibrationState
from weigh.calibration.temperature import TemperatureFit, TemperaturePrior, fit_temperature
from weigh.weighing import with_site

Floats = NDArray[np.float64]

_MILLI = 1_000
_PPB = 1_000_000_000
_MARGIN_K = 15.0
"""How far outside the passes' temperatures a vehicle is weighed at all, with u growing."""
_KNOTS = 25
_COLDEST_MK, _HOTTEST_MK = 180_000, 380_000
_AXLES = 100
"""Enough to tell a dead or flat strip from a sound one, which weighed passes are few for."""
_HEARD = 0.8
"""A strip that says nothing of more passes than the rest is left out."""
_NOISY = 1.5
"""A strip that scatters more than this many times the median has noise of its own."""


@dataclass(frozen=True)
class Installation:
    """What is known of a lane's strips before any pass: from the drawings and the maker.

    Attributes
    ----------
    strip_position_mm : along travel from the first strip, increasing
    strip_width_um : of a strip along travel
    strip_noise_ppm : relative standard deviation of a sound strip's own noise (quartz: 1-2 %)
    sample_type, strip_scale_un : how the station sends the samples; the micronewtons a count of each strip
    other_unit : the signal is known to be of another unit than newton
    follows_temperature : whether the strips' response depends on temperature; then it must be measured
    """

    station: StationId
    device: DeviceId
    lane: int
    strip_position_mm: tuple[int, ...]
    strip_width_um: int
    strip_noise_ppm: int = 15_000
    follows_temperature: bool = True
    sample_type: SampleType = SampleType.FLOAT32
    strip_scale_un: tuple[int, ...] = ()
    other_unit: bool = False


def fit_calibration(
    passes: WeighedPasses,
    installation: Installation,
    *,
    version: int,
    valid_from: datetime,
    passes_sha256: Sha256,
    prior: TemperaturePrior | None = None,
    min_passes: int = MIN_PASSES,
) -> CalibrationState:
    """Return the calibration that weighed passes say.

    A strip that says nothing of many passes, or the same of every axle, is left out as not alive.

    Raises
    ------
    InputRefused
        Too few passes, no strip that says anything of them, or no temperature where it matters.
    """
    strips = len(installation.strip_position_mm)
    if passes.strip_load.shape[2] != strips:
        raise ConfigurationError(
            f"passes have loads of {passes.strip_load.shape[2]} strips, the installation has {strips}"
        )
    if passes.last_day is not None and valid_from.date() < passes.last_day:
        raise _refused(
            f"the calibration would be valid from {valid_from:%Y-%m-%d}, but a truck was weighed on "
            f"{passes.last_day}: what it is fitted on comes first"
        )
    if len(passes) < min_passes:
        raise _refused(f"{len(passes)} weighed passes; a calibration needs at least {min_passes}")
    ratio = passes.strip_ratio()
    if installation.follows_temperature:
        if not np.isfinite(passes.temperature_k).all():
            raise _refused("a weighed pass has no temperature, and the strips depend on it")
        fitted = fit_temperature(ratio, passes.temperature_k, prior=prior, min_passes=min_passes)
        gains, temperature = fitted.gains, _temperature(fitted)
    else:
        gains, temperature = fit_gains(ratio, min_passes=min_passes), _no_temperature(strips)
    # A strip that lacks a pass's load would cost the site's bias the whole pass.
    alive = gains.determined & (np.isfinite(ratio).mean(axis=0) >= _HEARD) & ~_useless(passes, gains)
    if not alive.any():
        raise _refused("no strip says enough of the weighed passes to be calibrated")
    response = np.where(alive, gains.response, 1.0)
    base = CalibrationState.from_document(
        {
            "algorithm": ALGORITHM,
            "version": version,
            "valid_from": utc_text(valid_from),
            "station": installation.station,
            "device": installation.device,
            "lane": installation.lane,
            "passes": len(passes),
            "passes_sha256": passes_sha256,
            "strip_position_mm": installation.strip_position_mm,
            "strip_width_um": installation.strip_width_um,
            "sample_type": installation.sample_type.value,
            "strip_scale_un": installation.strip_scale_un,
            "other_unit": int(installation.other_unit),
            "strip_alive": [int(each) for each in alive],
            "strip_gain_ppm": _scaled(1.0 / response, PPM),
            "strip_noise_ppm": _noise(gains, alive, installation.strip_noise_ppm),
            "speed_bound_m_h": [],
            "site_bias_ppm": [[0]] * 3,
            "u_site_ppm": [[0]] * 3,
            "u_site_gross_ppm": [0],
            "conformal_axle_milli": _MILLI,
            "conformal_group_milli": _MILLI,
            "conformal_gross_milli": _MILLI,
        }
        | temperature
    )
    return with_site(base, passes)


def _useless(passes: WeighedPasses, gains: StripGains) -> NDArray[np.bool_]:
    """Return which strips are dead or say the same of every axle, (S,), if the axles are enough to tell."""
    verdicts = strip_health(
        passes.strip_load[passes.axle] / gains.response, HealthRule(min_axles=_AXLES)
    ).verdict
    return np.array([verdict in (Verdict.DEAD, Verdict.FLAT) for verdict in verdicts])


def _temperature(fitted: TemperatureFit) -> dict[str, object]:
    """Return the fields of a calibration that tell how the response follows the temperature."""
    low = max(round((fitted.low_k - _MARGIN_K) * _MILLI), _COLDEST_MK)
    high = min(round((fitted.high_k + _MARGIN_K) * _MILLI), _HOTTEST_MK)
    knots = np.linspace(low, high, _KNOTS).round()
    known = np.isfinite(fitted.gains.response)
    return {
        "temperature_reference_mk": round(fitted.reference_k * _MILLI),
        "temperature_slope_ppb_k": _scaled(np.where(known, fitted.slope, 0.0), _PPB),
        "temperature_curve_ppb_k2": _scaled(np.where(known, fitted.curve, 0.0), _PPB),
        "temperature_min_mk": round(fitted.low_k * _MILLI),
        "temperature_max_mk": round(fitted.high_k * _MILLI),
        "u_gain_temperature_mk": _scaled(knots, 1),
        "u_gain_ppm": _scaled(np.minimum(fitted.u_gain(knots / _MILLI), 1.0), PPM),
    }


def _no_temperature(strips: int) -> dict[str, object]:
    """Return the same for strips that do not depend on it: one knot, which stands for all temperatures."""
    nothing = (0,) * strips
    return {
        "temperature_reference_mk": 293_150,
        "temperature_slope_ppb_k": nothing,
        "temperature_curve_ppb_k2": nothing,
        "temperature_min_mk": _COLDEST_MK,
        "temperature_max_mk": _HOTTEST_MK,
        "u_gain_temperature_mk": (293_150,),
        "u_gain_ppm": (0,),
    }


def _noise(gains: StripGains, alive: NDArray[np.bool_], nominal_ppm: int) -> tuple[int, ...]:
    """Return each strip's noise: what it scatters beyond the others is taken for its own."""
    spread = np.where(alive, gains.spread, np.nan)
    usual = float(np.nanmedian(spread))
    nominal = nominal_ppm / PPM
    excess = np.sqrt(np.maximum(np.square(spread) - usual**2, 0.0) + nominal**2)
    return _scaled(np.minimum(np.where(spread > _NOISY * usual, excess, nominal), 1.0), PPM)


def _scaled(figures: Floats, unit: int) -> tuple[int, ...]:
    return tuple(round(figure * unit) for figure in figures.tolist())


def _refused(detail: str) -> InputRefused:
    return InputRefused(RefusalCode.OUT_OF_RANGE, detail)
