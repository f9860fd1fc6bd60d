"""How long a CUSUM runs before it alarms, and the threshold for a wanted run length.

Brook and Evans' Markov chain (Biometrika 59, 1972) over a grid of the sum's values, for standard normal
observations; the two one-sided sums of a two-sided scheme combine by their rates.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from domain.errors import ConfigurationError

Floats = NDArray[np.float64]

_CELLS = 100
MOST_SLACK = 3.0
"""Beyond this even one observation tells; the chain's figures would no longer be numbers."""


def one_sided(slack: float, bound: float, shift: float = 0.0) -> float:
    """Return the mean number of observations until max(0, sum + z - slack) passes `bound`.

    Parameters
    ----------
    slack, bound : k and h, in standard deviations of an observation
    shift : mean of the observations, likewise
    """
    width = 2.0 * bound / (2 * _CELLS - 1)
    steps = np.arange(_CELLS)
    # From the middle of cell i the sum lands in cell j when z - slack falls into a strip of `width`.
    edges = (steps[None, :] - steps[:, None] + 0.5) * width + slack - shift
    below = ndtr(edges)
    chance = np.diff(below, axis=1, prepend=0.0)
    chance[:, 0] = below[:, 0]
    return float(np.linalg.solve(np.eye(_CELLS) - chance, np.ones(_CELLS))[0])


def two_sided(slack: float, bound: float, shift: float = 0.0) -> float:
    """Return the mean number of observations until either sum passes `bound`."""
    up, down = one_sided(slack, bound, shift), one_sided(slack, bound, -shift)
    return 1.0 / (1.0 / up + 1.0 / down)


@lru_cache(maxsize=256)
def threshold(slack: float, run_length: float, learnt_from: int | None = None) -> float:
    """Return the bound at which a two-sided scheme runs for `run_length` observations without a shift.

    Parameters
    ----------
    learnt_from : number of observations whose mean stands for what is normal; None where that is known. A
        mean that is off raises false alarms sooner, so that the bound is higher: then the mean rate of
        false alarms over all such means is one in `run_length`.
    """
    if not (0.0 < slack <= MOST_SLACK and run_length > 1.0):
        raise ConfigurationError(f"no CUSUM has slack {slack} and runs for {run_length} observations")
    places, weights = (np.zeros(1), np.ones(1)) if learnt_from is None else _NORMAL
    off = places / np.sqrt(learnt_from or 1)

    def short(bound: float) -> float:
        rate = sum(
            weight / two_sided(slack, bound, shift) for shift, weight in zip(off, weights, strict=True)
        )
        return float(-np.log(rate * run_length))

    least = 1e-3
    if short(least) >= 0.0:
        return least
    most = 1.0
    while short(most) < 0.0:
        most *= 1.5
    return float(brentq(short, least, most, xtol=1e-4))


def _half_normal(nodes: int) -> tuple[Floats, Floats]:
    """Return places and weights to average an even function over the standard normal distribution."""
    places, weights = np.polynomial.hermite_e.hermegauss(2 * nodes)
    return np.asarray(places[nodes:]), np.asarray(2.0 * weights[nodes:] / weights.sum())


_NORMAL = _half_normal(4)
