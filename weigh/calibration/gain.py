"""Gain of each strip from weighed passes: robust means, strips drawn towards their common gain.

The common gain rests on all strips. What one strip's mean differs by is mostly the road: every truck
drives over the same bumps, which on a class A road move a strip's mean by about 4.5 % (simulated), and the
weights over the strips deal with that better than a gain would. Strips keep of their difference the share
that neither the road nor their own error explains (the empirical Bayes estimator of Efron and Morris, 1975).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weigh.calibration import robust

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MIN_PASSES = 10
"""Fewer passes over a strip than this, and its gain is not determined."""
ROAD_PATTERN = 0.045
"""Relative standard deviation between strips' means that a class A road alone gives (simulated)."""

_FEWEST_TO_SHRINK = 3


@dataclass(frozen=True)
class StripGains:
    """What strips say for one unit of load. S strips.

    Attributes
    ----------
    response : (S,), strip load by reference load, shrunk; NaN where not determined
    se : (S,), standard error of the strip's own mean, relative to it
    spread : (S,), relative standard deviation of single passes: dynamics and noise together
    determined : (S,)
    """

    response: Floats
    se: Floats
    spread: Floats
    determined: Bools


def fit_gains(
    ratio: Floats, *, min_passes: int = MIN_PASSES, road_pattern: float = ROAD_PATTERN
) -> StripGains:
    """Return the strips' responses from weighed passes at one temperature, or corrected to one.

    Parameters
    ----------
    ratio : (P, S), strip load by reference load; NaN where a strip said nothing
    road_pattern : see `ROAD_PATTERN`
    min_passes : a strip with fewer is not determined; nor is one whose mean is not clearly above zero
    """
    strips = ratio.shape[1]
    response, se, spread = (np.full(strips, np.nan) for _ in range(3))
    for strip in range(strips):
        said = ratio[np.isfinite(ratio[:, strip]), strip]
        if len(said) < min_passes:
            continue
        fitted = robust.mean(said)
        level, error = float(fitted.coefficient[0]), float(np.sqrt(fitted.covariance[0, 0]))
        if level > 5.0 * error:
            response[strip], se[strip], spread[strip] = level, error / level, fitted.sd / level
    determined = np.isfinite(response)
    return StripGains(_shrunk(response, np.hypot(se, road_pattern)), se, spread, determined)


def _shrunk(response: Floats, explained: Floats) -> Floats:
    """Draw each strip's logarithm towards the mean of all by the part of the scatter that is explained."""
    if np.isfinite(response).sum() < _FEWEST_TO_SHRINK:
        return response
    level = np.log(response)
    common = float(np.nanmean(level))
    between = max(float(np.nanvar(level, ddof=1)) - float(np.nanmean(np.square(explained))), 0.0)
    kept = between / (between + np.square(explained))
    return np.asarray(np.exp(common + kept * (level - common)))
