"""What strips weigh of passing axles: the static load, plus the bounce the road has stirred up by then.

At constant speed v a component n of the road reaches an axle as a vibration of n v hertz, and the axle of two
degrees of freedom answers it exactly in the frequency domain:

    S = ks + j w c,  Ds = -w^2 ms + S,  Du = -w^2 mu + S + kt,  Zu/Zr = kt Ds / (Du Ds - S^2)
    Fdyn/Fs = kt (1 - Zu/Zr) sinc(n Lc) Zr / (g W)

Every axle rolls over the same road: where axle a stands on strip s, the road's phase under it is that of the
strip's place, whatever the axle's distance behind the first. That distance shifts its pulse in time only.
"""

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from simulators.road.profile import Site
from simulators.road.trucks import Trucks

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

STANDARD_GRAVITY_M_S2 = 9.80665
PAIRS_8_M = np.array([0, 3.1, 4.0, 6.6, 7.4, 10.1, 11.0, 14.2])
"""Eight strips in pairs about half a hop wavelength apart."""

SPEED_RANGE_M_S = (50 / 3.6, 90 / 3.6)
"""Free-flowing trucks on a trunk road."""

_CELLS = 60_000
"""Complex numbers in one array at a time: 1 MB, so that the arithmetic stays in the cache."""


def wheel_transfer(angular_rad_s: Floats, trucks: Trucks) -> Complexes:
    """Return Zu/Zr of every axle, the axle's own movement per movement of the road.

    Parameters
    ----------
    angular_rad_s
        w, broadcast against (B, A, 1): shape (K,), (B, 1, K) or (B, A, K).

    Returns
    -------
    Complex, shape (B, A, K).
    """
    squared = angular_rad_s**2
    tyre = trucks.tyre_n_m[..., None]
    spring = trucks.suspension_n_m[..., None] + 1j * angular_rad_s * trucks.damping_n_s_m[..., None]
    body = spring - squared * trucks.sprung_kg[..., None]
    wheel = spring + tyre - squared * trucks.unsprung_kg[..., None]
    with np.errstate(invalid="ignore"):  # NaN where there is no axle
        return np.asarray(tyre * body / (wheel * body - spring**2), dtype=np.complex128)


def force_per_road(site: Site, trucks: Trucks, speed_m_s: Floats) -> Complexes:
    """Return Fdyn/Fs per metre of each road component, shape (B, A, K), at constant speed (B,)."""
    wave = site.wavenumber_per_m
    angular = 2 * np.pi * wave * speed_m_s[:, None, None]
    weight_n = STANDARD_GRAVITY_M_S2 * trucks.static_kg
    contact = np.sinc(wave * trucks.contact_m[..., None])
    push = (trucks.tyre_n_m / weight_n)[..., None] * (1 - wheel_transfer(angular, trucks))
    return np.asarray(push * contact, dtype=np.complex128)


def dynamic_ratio(site: Site, trucks: Trucks, speed_m_s: Floats, position_m: Floats) -> Floats:
    """Return Fdyn/Fs of every axle where it stands at each position, shape (B, A, P); positions (P,)."""
    road = site.phasors(position_m).T  # (K, P)
    axles = trucks.static_kg.shape[1]
    step = max(1, _CELLS // (axles * len(site.wavenumber_per_m)))
    out = np.empty((len(trucks), axles, len(position_m)))
    for first in range(0, len(trucks), step):
        rows = slice(first, first + step)
        answer = force_per_road(site, trucks.take(rows), speed_m_s[rows])
        # The real part of a complex product, as two real ones: half the work.
        out[rows] = answer.real @ road.real - answer.imag @ road.imag
    return out


def dynamic_rms(site: Site, trucks: Trucks, speed_m_s: Floats) -> Floats:
    """Return the root mean square of Fdyn/Fs along the whole road, shape (B, A)."""
    power = np.abs(force_per_road(site, trucks, speed_m_s) * site.amplitude_m) ** 2
    return np.asarray(np.sqrt(power.sum(axis=-1) / 2), dtype=np.float64)


def strip_passes(
    rng: np.random.Generator,
    site: Site,
    trucks: Trucks,
    speed_m_s: Floats,
    strip_position_m: Floats,
    *,
    noise: float | Floats = 0.015,
    gain: Floats | None = None,
    warmer_k: Floats | None = None,
    temperature_per_k: Floats | float = 0.0,
    dead: NDArray[np.bool_] | None = None,
) -> Floats:
    """Return what each strip weighs of each axle, in kg, at constant speed.

    Parameters
    ----------
    speed_m_s
        Shape (B,).
    strip_position_m
        Places of the strips along travel from the first, shape (S,).
    noise
        Standard deviation of the strips' own error relative to the load: a number, or by strip (S,).
    gain
        True gain of each strip, shape (S,) or (B, S); 1 if None.
    warmer_k, temperature_per_k
        Temperature above the one the strips were calibrated at, shape (B,), and the relative gain per kelvin,
        a number or by strip (S,); +0.005 to +0.012 is published for piezo polymer.
    dead
        Strips that give nothing, shape (S,) or (B, S).

    Returns
    -------
    Shape (B, A, S); NaN where there is no axle or the strip is dead.
    """
    position = np.asarray(strip_position_m, dtype=np.float64)
    speed = np.asarray(speed_m_s, dtype=np.float64)
    if speed.shape != (len(trucks),) or not (np.isfinite(speed) & (speed > 0)).all():
        raise ConfigurationError("speed_m_s must hold one positive speed for each vehicle")
    felt = np.maximum(1 + dynamic_ratio(site, trucks, speed, position), 0)  # a tyre pushes and never pulls
    felt *= 1 + np.broadcast_to(noise, position.shape) * rng.standard_normal(felt.shape)
    felt *= trucks.static_kg[..., None]
    if gain is not None:
        felt *= gain if gain.ndim == 1 else gain[:, None]
    if warmer_k is not None:
        felt *= (1 + np.multiply.outer(warmer_k, np.broadcast_to(temperature_per_k, position.shape)))[:, None]
    if dead is not None:
        felt[np.broadcast_to(dead if dead.ndim == 1 else dead[:, None], felt.shape)] = np.nan
    return felt
