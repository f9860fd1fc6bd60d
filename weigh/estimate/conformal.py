"""Making an interval cover what it promises, whatever the model behind it got wrong.

Split conformal prediction (Vovk, Gammerman and Shafer, 2005): where errors divided by their modelled u are
exchangeable with those of weighed passes, an interval as wide as the k-th smallest of n such scores, with
k = coverage (n + 1), covers a new one with the coverage promised. Between two whole ranks it is interpolated,
which keeps the promise where large errors are rarer than small ones. That holds over sites; at
one site the width hangs on its two or three largest scores. The model is therefore counted as some passes
of its own: scores as a normal error with the modelled u would have them. With many passes it fades. It may
widen the interval where few passes happened to err little; never narrow it, for a model that is overconfident
would vouch for itself: the factor is the larger of the two, and keeps the promise whatever the model.
"""

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from domain.errors import ConfigurationError
from weigh.estimate.kernel import Floats

COVERAGE = 0.95
FEWEST = math.ceil(COVERAGE / (1.0 - COVERAGE) - 1e-9)
"""Scores needed before any of them can promise the coverage: 19 for 95 %."""

WITHOUT_PROOF = 2.0
"""Factor on u while there are fewer: caution, not statistics."""

MODEL_COUNTS = 5
"""Scores that the model is worth, where they widen the interval. Chosen on simulated roads, none of which the
published figures are measured on: with more, gross masses are covered by over 96 % of their intervals."""

TWO_SIDED = NormalDist().inv_cdf(0.5 + COVERAGE / 2.0)
"""Half the width of the interval in standard deviations of a normal error: 1.96."""


def conformal_factor(score: Floats, *, model_counts: int = MODEL_COUNTS) -> float:
    """Return what u is multiplied with so that 1.96 u covers 95 % of errors.

    Parameters
    ----------
    score : (n,), |error| / u of weighed passes that had no part in the estimate they are compared with
    model_counts : how many scores the model is worth; they can only widen the interval
    """
    if score.ndim != 1 or not (np.isfinite(score).all() and (score >= 0.0).all()):
        raise ConfigurationError("conformal scores must be finite and not negative")
    if len(score) < FEWEST:
        return max(WITHOUT_PROOF, float(score.max(initial=0.0)) / TWO_SIDED)
    smoothed = np.concatenate([score, _modelled(model_counts)])
    return max(_covering(score), _covering(smoothed)) / TWO_SIDED


def _covering(score: Floats) -> float:
    """Return the score of rank coverage (n + 1), in proportion between two of them."""
    rank = COVERAGE * (len(score) + 1)
    below = math.floor(rank + 1e-9)
    places = [below - 1, min(below, len(score) - 1)]
    low, high = np.partition(score, places)[places]
    return float(low + max(rank - below, 0.0) * (high - low))


@cache
def _modelled(number: int) -> Floats:
    """Return the absolute values of a standard normal's quantiles, evenly spread."""
    levels = [0.5 + 0.5 * (at + 0.5) / number for at in range(number)]
    return np.array([NormalDist().inv_cdf(level) for level in levels])
