"""How the tyre force of a passing axle varies along a road: its covariance between two strips.

An axle is two masses on two springs (quarter car). Over a road of displacement density
Gd(n) = Gd(n0) (n / n0)^-2 (ISO 8608, n in cycles per metre, n0 = 0.1) its force deviates from the static
one by H(n v) times the road, and the covariance of the relative deviation between strips dx apart is

    K(dx; v) = integral Gd(n) |H(n v)|^2 cos(2 pi n dx) dn,

averaged over the assumed population. Part of it is what all axles of a type do alike at a speed, because
they drive over the same road; that part, with the mean of H in place of its square, is the site's bias.
The rest differs from vehicle to vehicle, and more so the lighter the axle.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from weigh.estimate import _kernels
from weigh.estimate.population import LOADS_KG, Population, members

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

REFERENCE_WAVENUMBER = 0.1
"""n0 of ISO 8608, cycles per metre."""

_EDGES = np.concatenate(
    [np.geomspace(0.006, 0.25, 77)[:-1], np.arange(0.25, 1.5, 0.0125), np.arange(1.5, 5.0, 0.025)]
)
_WAVENUMBER = np.sqrt(_EDGES[:-1] * _EDGES[1:])
"""Cycles per metre: from waves of 160 m to those that a contact patch of 0.2 m averages away."""

MIN_SPEED_M_S = 1.5
SPEED_STEP_M_S = 0.5
SPEED_COUNT = 78
SPEEDS_M_S: Floats = MIN_SPEED_M_S + SPEED_STEP_M_S * np.arange(SPEED_COUNT, dtype=np.float64)
"""Speeds of the table, 1.5 to 40 m/s: each stands for the half metre a second around it."""


@dataclass(frozen=True)
class ForceSpectra:
    """Relative tyre force over a road of unit density Gd(n0), by speed, axle type and wavenumber.

    `V` speeds, three axle types, `L` loads (`LOADS_KG`), `N` wavenumbers; the density of the road and
    the width of a wavenumber's bin are in the figures.

    Attributes
    ----------
    power : (V, 3, N), mean of |H|^2 over the population
    common : (V, 3, N), mean of H, times the root of density and width, complex
    apart : (V, 3, L, N), mean of |H - mean of H|^2 over axles of each load
    """

    power: Floats
    common: Complexes
    apart: Floats


@lru_cache(maxsize=4)
def force_spectra(population: Population) -> ForceSpectra:
    """Return the spectra of a population's relative tyre force at `SPEEDS_M_S`."""
    shape = (SPEED_COUNT, len(population), len(LOADS_KG), len(_WAVENUMBER))
    power, mean = np.empty(shape), np.empty(shape, dtype=np.complex128)
    for axle_type, axles in enumerate(population):
        sample = members(axles.springs)
        for load, load_kg in enumerate(LOADS_KG):
            power[:, axle_type, load], mean[:, axle_type, load] = _kernels.force_moments(
                SPEEDS_M_S,
                _WAVENUMBER,
                load_kg,
                sample.weight,
                sample.springs,
            )
    density = np.diff(_EDGES) * np.square(REFERENCE_WAVENUMBER / _WAVENUMBER)
    share = np.array([axles.load_share for axles in population])
    common = np.einsum("tl,vtln->vtn", share, mean)
    alike = 2.0 * (np.conj(common)[:, :, None] * mean).real - np.square(np.abs(common))[:, :, None]
    return ForceSpectra(
        power=np.einsum("tl,vtln->vtn", share, power) * density,
        common=common * np.sqrt(density),
        apart=np.maximum(power - alike, 0.0) * density,
    )


def strip_kernels(position_m: Floats, population: Population) -> tuple[Floats, Floats]:
    """Return the covariance of strips over a road of unit density: whole, and what a type has in common.

    Parameters
    ----------
    position_m : (S,), strips along travel

    Returns
    -------
    whole, common : (V, 3, S, S), per m3 of Gd(n0), relative to the static load
    """
    spectra = force_spectra(population)
    apart = _checked(position_m)[:, None] - position_m[None, :]
    waves = np.cos(2.0 * np.pi * _WAVENUMBER[:, None] * apart.reshape(1, -1))
    shape = (*spectra.power.shape[:2], *apart.shape)
    whole = (spectra.power @ waves).reshape(shape)
    return whole, (np.square(np.abs(spectra.common)) @ waves).reshape(shape)


def weighted_common(weight: Floats, position_m: Floats, population: Population) -> Complexes:
    """Return what the weights (V, 3, S) leave of the common deviation, (V, 3, N).

    Over roads of unit density the covariance of two weighted biases F and G is Re F G*, summed over N.
    """
    return np.asarray(force_spectra(population).common * _answer(weight, position_m))


def weighted_apart(weight: Floats, position_m: Floats, population: Population) -> Floats:
    """Return the variance that the weights (V, 3, S) leave of what differs between vehicles, (V, 3, L)."""
    answer = np.square(np.abs(_answer(weight, position_m)))
    return np.asarray(np.einsum("vtln,vtn->vtl", force_spectra(population).apart, answer))


def _answer(weight: Floats, position_m: Floats) -> Complexes:
    waves = np.exp(2j * np.pi * np.outer(_checked(position_m), _WAVENUMBER))
    return np.asarray(weight @ waves)


def _checked(position_m: Floats) -> Floats:
    if position_m.ndim != 1 or not len(position_m) or not np.isfinite(position_m).all():
        raise ConfigurationError("strip positions must be finite, one for each strip")
    if (np.diff(position_m) <= 0).any():
        raise ConfigurationError("strip positions must increase along travel")
    return position_m
