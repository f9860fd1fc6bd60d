"""What a calibration says of passes: gains by temperature, bias by axle type and speed, uncertainties.

Shapes: B vehicles, A axles, S strips. A temperature that is not known (NaN) gives NaN where the
calibration depends on it: never a figure that looks like one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.units import PPM
from weigh.calibration.state import AXLE_TYPES, CalibrationState

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]

_PPB = 1e-9
_MILLI = 1e-3
_SECONDS_AN_HOUR = 3_600.0


def gain_factors(state: CalibrationState, temperature_k: Floats) -> Floats:
    """Return what each strip's load is multiplied by, (B, S); NaN for strips that are not alive.

    Parameters
    ----------
    temperature_k : (B,), of the strips, kelvin. NaN gives NaN, unless no strip depends on temperature.
    """
    slope = np.array(state.temperature_slope_ppb_k) * _PPB
    curve = np.array(state.temperature_curve_ppb_k2) * _PPB
    gain = np.array(state.strip_gain_ppm) / PPM
    apart = _apart(state, temperature_k)
    response = 1.0 + apart[:, None] * slope + np.square(apart)[:, None] * curve
    factor = np.divide(gain, response, out=np.full_like(response, np.nan), where=response > 0.0)
    factor[:, ~alive(state)] = np.nan
    return factor


def alive(state: CalibrationState) -> Bools:
    """Return which strips are used, (S,)."""
    return np.array(state.strip_alive, dtype=np.bool_)


def depends_on_temperature(state: CalibrationState) -> bool:
    """Whether a weighing needs to know the temperature at all."""
    return any(state.temperature_slope_ppb_k) or any(state.temperature_curve_ppb_k2)


def u_gain(state: CalibrationState, temperature_k: Floats) -> Floats:
    """Return the relative standard uncertainty of the gain, (B,); NaN outside the knots."""
    figures = np.array(state.u_gain_ppm) / PPM
    if len(figures) == 1:
        return np.full(np.shape(temperature_k), figures[0])
    knots = np.array(state.u_gain_temperature_mk) * _MILLI
    return np.interp(temperature_k, knots, figures, left=np.nan, right=np.nan)


def speed_class(state: CalibrationState, speed_m_s: Floats) -> NDArray[np.int64]:
    """Return the speed class, (B,), 0 the slowest; a speed on a bound is of the upper class."""
    bounds = np.array(state.speed_bound_m_h) / _SECONDS_AN_HOUR
    return np.searchsorted(bounds, speed_m_s, side="right")


def site_bias(state: CalibrationState, axle_type: Integers, speed_m_s: Floats) -> Floats:
    """Return the site's relative bias of each axle, (B, A); NaN where there is no axle (type -1)."""
    return _by_axle(state.site_bias_ppm, state, axle_type, speed_m_s)


def u_site(state: CalibrationState, axle_type: Integers, speed_m_s: Floats) -> Floats:
    """Return the site's relative standard uncertainty of each axle, (B, A); NaN where there is none."""
    return _by_axle(state.u_site_ppm, state, axle_type, speed_m_s)


def u_site_gross(state: CalibrationState, speed_m_s: Floats) -> Floats:
    """Return the site's relative standard uncertainty of the gross mass, (B,)."""
    figures = np.array(state.u_site_gross_ppm)[speed_class(state, speed_m_s)] / PPM
    return np.where(np.isfinite(speed_m_s), figures, np.nan)


def strip_pattern(state: CalibrationState, speed_m_s: Floats) -> tuple[Floats, Floats] | None:
    """Return the strips' mean departures and their uncertainty at speeds, (V, 3, S); None where not known."""
    if not state.strip_pattern_ppm:
        return None
    shape = (len(AXLE_TYPES), len(state.strip_position_mm), -1)
    at = speed_class(state, speed_m_s)
    mean, u = (
        np.moveaxis(np.array(table).reshape(shape)[..., at], -1, 0) / PPM
        for table in (state.strip_pattern_ppm, state.u_strip_pattern_ppm)
    )
    return mean, u


def _by_axle(
    table: tuple[tuple[int, ...], ...], state: CalibrationState, axle_type: Integers, speed_m_s: Floats
) -> Floats:
    figures = np.array(table) / PPM
    known = (axle_type >= 0) & (axle_type < len(figures))
    found = figures[np.where(known, axle_type, 0), speed_class(state, speed_m_s)[:, None]]
    return np.where(known & np.isfinite(speed_m_s)[:, None], found, np.nan)


def _apart(state: CalibrationState, temperature_k: Floats) -> Floats:
    if not depends_on_temperature(state):
        return np.zeros(np.shape(temperature_k))
    return np.asarray(temperature_k - state.temperature_reference_mk * _MILLI, dtype=np.float64)
