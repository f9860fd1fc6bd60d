"""What others do with the same strip loads: plain mean, inverse variance, a fitted sinusoid.

Each gets the site's bias by axle type as the plain mean over the same weighed passes.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Types = NDArray[np.int8]

SINUSOIDS_HZ = np.arange(1.4, 3.7, 0.2)
"""Frequencies tried: those of bodies on air springs and on steel leaves."""

_BATCH = 20_000


def type_bias(estimate: Floats, reference: Floats, axle_type: Types) -> Floats:
    """Return the mean relative error by axle type, (3,); padded axles are NaN in `reference`."""
    error = estimate / reference - 1.0
    return np.array(
        [error[axle_type == kind].mean() if (axle_type == kind).any() else 0.0 for kind in range(3)]
    )


def without_type_bias(estimate: Floats, bias: Floats, axle_type: Types) -> Floats:
    """Return estimates with the bias of their type divided out."""
    return np.asarray(estimate / (1.0 + np.where(axle_type < 0, 0.0, bias[axle_type])))


def strip_variance(load: Floats, reference: Floats) -> Floats:
    """Return each strip's variance about the reference, (S,), from weighed passes."""
    return np.asarray(np.nanvar(load / reference[..., None], axis=(0, 1)))


def sinusoid_fit(load: Floats, speed_m_s: Floats, position_m: Floats) -> Floats:
    """Return static loads (B, A) by least squares of a constant and one sinusoid, its frequency tried out.

    Every axle takes the frequency of `SINUSOIDS_HZ` that leaves the least; batched over the vehicles.
    """
    parts = [
        _fit(load[at : at + _BATCH], speed_m_s[at : at + _BATCH], position_m)
        for at in range(0, len(load), _BATCH)
    ]
    return np.concatenate(parts)


def _fit(load: Floats, speed_m_s: Floats, position_m: Floats) -> Floats:
    least = np.full(load.shape[:2], np.inf)
    best = np.zeros(load.shape[:2])
    seconds = position_m / speed_m_s[:, None]
    for frequency in SINUSOIDS_HZ:
        angle = 2.0 * np.pi * frequency * seconds
        basis = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=-1)
        normal = basis.swapaxes(1, 2) @ basis
        fitted = np.linalg.solve(normal, basis.swapaxes(1, 2) @ load.swapaxes(1, 2))
        left = np.square(load.swapaxes(1, 2) - basis @ fitted).sum(axis=1)
        better = left < least
        least = np.where(better, left, least)
        best = np.where(better, fitted[:, 0], best)
    return best
