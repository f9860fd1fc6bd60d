"""Means and quadratic fits that a few bad passes cannot carry away.

Huber's M-estimator (P. J. Huber, Robust Statistics, 1981) by iteratively reweighted least squares, with
the scale from the median absolute deviation. Ridge terms are given as prior standard deviations, so
that they mean something: the fit is the posterior mean, and its covariance the posterior's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TUNING = 1.345
_EFFICIENCY = 0.95
"""Of the estimate at this tuning, where errors are normal."""
_ROUNDS = 25
_MAD_TO_SD = 1.482602218505602


@dataclass(frozen=True)
class Fit:
    """A linear fit: coefficients (K,), their covariance (K, K), and the robust residual deviation."""

    coefficient: Floats
    covariance: Floats
    sd: float


def fit(design: Floats, observed: Floats, prior_sd: Floats) -> Fit:
    """Return the robust ridge fit of `observed` on `design`.

    Parameters
    ----------
    design : (N, K)
    observed : (N,), finite
    prior_sd : (K,), of each coefficient about zero; infinite for none
    """
    precision = np.diag(1.0 / np.square(prior_sd))
    least = _least(observed)
    freedom = max(len(observed) - design.shape[1], 1)
    weight = np.ones(len(observed))
    spread = max(float(np.std(observed)), least)
    coefficient = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        weighted = design * weight[:, None]
        coefficient = _solve(weighted.T @ design / spread**2 + precision, weighted.T @ observed / spread**2)
        residual = observed - design @ coefficient
        bound = _TUNING * max(deviation(residual), least)
        weight = np.minimum(1.0, bound / np.maximum(np.abs(residual), least))
        inside = max(float(np.mean(weight >= 1.0)), 0.5)
        spread = max(float(np.sqrt(np.sum(weight * np.square(residual)) / freedom / inside)), least)
    information = design.T @ design * (_EFFICIENCY / spread**2) + precision
    return Fit(coefficient, np.asarray(np.linalg.inv(information), dtype=np.float64), spread)


def _solve(matrix: Floats, right: Floats) -> Floats:
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def mean(observed: Floats) -> Fit:
    """Return the robust mean of (N,) finite observations as a fit of one coefficient."""
    return fit(np.ones((len(observed), 1)), observed, np.array([np.inf]))


def deviation(figures: Floats) -> float:
    """Return the standard deviation that the median absolute deviation stands for."""
    return _MAD_TO_SD * float(np.median(np.abs(figures - np.median(figures))))


def _least(observed: Floats) -> float:
    """A deviation below which observations are equal but for rounding."""
    return 1e-12 * max(float(np.max(np.abs(observed))), 1e-100)
