"""The unloaded signal: noise and baseline of one strip, only from stretches verified to be quiet.

A stretch of 16 blocks is quiet if its spread is that of the strip's own noise (taken from the calmest
stretches of all) and its level is within a little of the lowest such stretch: a wheel that stands on the
strip is as calm as an empty one, but never as low. A straight line through all quiet stretches serves to find
pulses; under each pulse the baseline is taken from the quiet stretches next to it on both sides, so that it
may wander. A strip with too few of them is left out rather than guessed at.
"""

from typing import Any

import numpy as np

from weigh._jit import njit
from weigh.waveform.ahead import ask_for

STRETCH = 16
"""Blocks in a stretch."""

_LOOKED_AT = 32
_THIRD_OF_MANY = 1.45
"""The third smallest of 32 to 63 sample sds of 16, times this, is about the sd itself. Of fewer it is more:
stretches then count as quiet more easily, and their level decides."""

CALM_VARIANCES = 3.0
"""A block 8 sds off alone gives its stretch a variance of about 4: calm stretches hold no pulse."""

_LEVEL_SIGMAS = 6.0
_LEVEL_PEAK = 0.03
"""Part of the peak that the baseline may wander within a record; the lightest axle weighs more than that."""

_LEAST_SHARE = 0.1
_LEAST_STRETCHES = 2
_SPAN_FOR_SLOPE = 0.5

_NEAR = 16
"""Stretches on each side of a pulse among which one must be quiet: more than a group of axles takes."""

_BESIDE = 4
"""Quiet stretches taken on each side of a pulse: their noise is then small against the pulse's own."""


@njit(cache=True, error_model="numpy", nogil=True)
def stretches(sums: Any, mean: Any, variance: Any, ahead: Any, size: int) -> Any:
    """Write mean and variance of each stretch of block sums, in a fixed order of summation.

    Parameters
    ----------
    sums : (M,) float32
    mean, variance : (M // 16,) float64, written
    ahead : (N,)
        The row looked at next: the first half of each of its stretches is asked for meanwhile.
    size
        Samples in a stretch.

    Returns
    -------
    A sum over everything, not finite where any sample is not; and the lowest mean.
    """
    reference = sums[0]
    total, lowest = 0.0, np.inf
    for g in range(sums.size // STRETCH):
        o = g * STRETCH
        ask_for(ahead, g * size, g * size + size // 2)
        s0 = s1 = s2 = s3 = np.float32(0)
        q0 = q1 = q2 = q3 = np.float32(0)
        for k in range(o, o + STRETCH, 4):
            d0, d1 = sums[k] - reference, sums[k + 1] - reference
            d2, d3 = sums[k + 2] - reference, sums[k + 3] - reference
            s0, s1, s2, s3 = s0 + d0, s1 + d1, s2 + d2, s3 + d3
            q0, q1, q2, q3 = q0 + d0 * d0, q1 + d1 * d1, q2 + d2 * d2, q3 + d3 * d3
        centre = np.float64((s0 + s1) + (s2 + s3)) / STRETCH
        mean[g] = centre + reference
        variance[g] = max(np.float64((q0 + q1) + (q2 + q3)) / STRETCH - centre * centre, 0.0)
        total += mean[g] + variance[g]
        lowest = min(lowest, mean[g])
    for k in range(sums.size // STRETCH * STRETCH, sums.size):
        total += sums[k]
    return total, lowest


@njit(cache=True, error_model="numpy", nogil=True)
def peak_of(sums: Any, variance: Any, noise: float) -> float:
    """Return the largest block sum of the stretches that are not calm; minus infinity where all are."""
    peak = -np.inf
    for g in range(variance.size):
        if variance[g] > CALM_VARIANCES * noise:
            peak = max(peak, largest(sums, g * STRETCH, (g + 1) * STRETCH))
    if variance.size * STRETCH < sums.size:
        peak = max(peak, largest(sums, variance.size * STRETCH, sums.size))
    return peak


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"nnan", "ninf", "nsz", "reassoc"})
def largest(values: Any, first: int, stop: int) -> float:
    """Return the largest of values[first:stop], all finite; the order of comparing cannot matter."""
    top = values[first]
    for j in range(first + 1, stop):
        top = values[j] if values[j] > top else top
    return np.float64(top)


@njit(cache=True, error_model="numpy", nogil=True)
def noise_variance(variance: Any) -> float:
    """Return the variance of block sums when unloaded, from the third smallest of some tens of stretches."""
    a = b = c = np.inf
    for g in range(0, variance.size, max(variance.size // _LOOKED_AT, 1)):
        v = variance[g]
        if v < a:
            a, b, c = v, a, b
        elif v < b:
            b, c = v, b
        elif v < c:
            c = v
    third = c if c < np.inf else (b if b < np.inf else a)
    return third * _THIRD_OF_MANY * _THIRD_OF_MANY


@njit(cache=True, error_model="numpy", nogil=True)
def baseline(mean: Any, variance: Any, noise: float, peak: float, where: Any) -> Any:
    """Return (level, slope, number) of a straight line through the quiet stretches.

    Parameters
    ----------
    mean, variance : (G,), of block sums by stretch
    noise
        Variance of block sums when unloaded.
    peak
        Largest block sum, or minus infinity.
    where : (G,) int64, written: the quiet stretches, in order

    Returns
    -------
    Level in block sums at stretch 0, its rise a stretch, and the number of quiet stretches, 0 if too few.
    """
    groups = mean.size
    lowest = np.inf
    for g in range(groups):
        if variance[g] <= CALM_VARIANCES * noise and mean[g] < lowest:
            lowest = mean[g]
    highest = lowest + max(_LEVEL_SIGMAS * np.sqrt(noise), _LEVEL_PEAK * max(peak - lowest, 0.0))
    n, sx, sy, sxx, sxy = 0, 0.0, 0.0, 0.0, 0.0
    for g in range(groups):
        if variance[g] <= CALM_VARIANCES * noise and mean[g] <= highest:
            y = mean[g] - lowest
            where[n] = g
            n, sx, sy, sxx, sxy = n + 1, sx + g, sy + y, sxx + g * g, sxy + g * y
    if n < _LEAST_STRETCHES or n < _LEAST_SHARE * groups:
        return 0.0, 0.0, 0
    slope = 0.0
    if where[n - 1] - where[0] >= _SPAN_FOR_SLOPE * groups and n > 2:
        slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    return (sy - slope * sx) / n + lowest, slope, n


@njit(cache=True, error_model="numpy", nogil=True)
def level_beside(mean: Any, where: Any, at: int, hint: int) -> Any:
    """Return the unloaded level under a pulse, and how far the two sides of it differ.

    Parameters
    ----------
    mean : (G,), of block sums by stretch
    where : (Q,), the quiet stretches
    at
        The stretch in which the pulse was met.
    hint
        A position in `where` not behind the pulse, from the pulse before.

    Returns
    -------
    Level in block sums at that stretch; the rise from one side to the other, 0 where the record ends on one
    side, infinite where a side has no quiet stretch near; and the hint for the next pulse.
    """
    middle = hint
    while middle < where.size and where[middle] < at:
        middle += 1
    has_left = middle > 0 and at - where[middle - 1] <= _NEAR
    has_right = middle < where.size and where[middle] - at <= _NEAR
    lost_left, lost_right = not has_left and at > _NEAR, not has_right and mean.size - 1 - at > _NEAR
    if lost_left or lost_right or not (has_left or has_right):
        return 0.0, np.inf, middle
    left, left_at = _centre(mean, where, max(middle - _BESIDE, 0), middle)
    right, right_at = _centre(mean, where, middle, min(middle + _BESIDE, where.size))
    if not has_left:
        return right, 0.0, middle
    if not has_right:
        return left, 0.0, middle
    return left + (at - left_at) / (right_at - left_at) * (right - left), right - left, middle


@njit(cache=True, error_model="numpy", nogil=True)
def _centre(mean: Any, where: Any, first: int, stop: int) -> Any:
    """Return the mean level of some quiet stretches, and their mean place."""
    if stop - first == 4:  # nearly always, and the same to the last bit: a quarter is exact
        a, b, c, d = where[first], where[first + 1], where[first + 2], where[first + 3]
        return (mean[a] + mean[b] + mean[c] + mean[d]) * 0.25, (a + b + c + d) * 0.25
    level, place = 0.0, 0.0
    for q in range(first, stop):
        level += mean[where[q]]
        place += where[q]
    return level / max(stop - first, 1), place / max(stop - first, 1)
