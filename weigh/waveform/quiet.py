"""The unloaded signal: noise and baseline of one strip, only from stretches verified to be quiet.

A stretch of 16 blocks is quiet if its spread is that of the strip's own noise (taken from the calmest
stretches of all) and its level is within a little of the lowest such stretch: a wheel that stands on the
strip is as calm as an empty one, but never as low. A straight line through all quiet stretches serves to find
pulses; under each pulse the baseline is taken from the quiet stretches next to it on both sides, so that it
may wander. A strip with too few of them is left out rather than guessed at.
"""
# ruff: noqa: PLR0917 - compiled functions know no keyword-only arguments

from typing import Any

import numpy as np

from weigh._jit import njit
from weigh.waveform.lanes import LANES, greatest, sum_stretches

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


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc"})
def stretches(
    sums: Any, blocks: int, off: Any, squares: Any, mean: Any, variance: Any
) -> float:  # fmt: skip
    """Write mean and variance of each stretch of block sums.

    Parameters
    ----------
    sums : (at least 16 of 16 stretches,) float32
        Block sums; behind the first `blocks` anything may stand, and is worked on for nothing.
    off, squares : (whole sixteens of stretches,) float32, written
    mean, variance : (G,) float64, written

    Returns
    -------
    A sum over everything, not finite where any sample is not; only that is to be read from it.

    Notes
    -----
    The order of summation is fixed where it matters, in `sum_stretches`.
    """
    reference, groups = sums[0], mean.size
    for g in range(0, groups, LANES):
        sum_stretches(sums, g * STRETCH, reference, off, squares, g)
    total = 0.0
    for g in range(groups):
        centre = np.float64(off[g]) / STRETCH
        mean[g] = centre + reference
        spread = np.float64(squares[g]) / STRETCH - centre * centre
        variance[g] = spread if spread > 0.0 else 0.0
        total += mean[g] + np.float64(squares[g])
    for k in range(groups * STRETCH, blocks):
        total += sums[k]
    return total


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"nnan", "nsz", "reassoc"})
def lowest_of(mean: Any) -> float:
    """Return the lowest of finite values."""
    lowest = np.inf
    for g in range(mean.size):
        lowest = mean[g] if mean[g] < lowest else lowest
    return lowest


@njit(cache=True, error_model="numpy", nogil=True)
def loud_stretches(variance: Any, most: float, loud: Any) -> int:
    """Write the stretches of more than this variance to `loud` (G + 1,), in order; return their number.

    Here and in `baseline` every stretch is written and only kept ones are counted: without a branch, as one
    that goes either way costs more than the work.
    """
    n = 0
    for g in range(variance.size):
        loud[n] = g
        n += not variance[g] <= most
    return n


@njit(cache=True, error_model="numpy", nogil=True)
def peak_of(sums: Any, blocks: int, loud: Any, louds: int) -> float:
    """Return the largest block sum of loud stretches and of the rest behind; minus infinity without any."""
    peak = -np.inf
    for n in range(louds):
        here = greatest(sums, loud[n] * STRETCH)
        peak = here if here > peak else peak
    for k in range(blocks // STRETCH * STRETCH, blocks):
        peak = max(peak, np.float64(sums[k]))
    return peak


@njit(cache=True, error_model="numpy", nogil=True)
def largest(values: Any, first: int, stop: int) -> Any:
    """Return the largest of values[first:stop], all finite."""
    if stop - first >= LANES:
        top = greatest(values, stop - LANES)
        for j in range(first, stop - LANES, LANES):
            top = max(top, greatest(values, j))
        return top
    top = np.float64(values[first])
    for j in range(first + 1, stop):
        top = max(top, np.float64(values[j]))
    return top


@njit(cache=True, error_model="numpy", nogil=True)
def noise_variance(variance: Any) -> float:
    """Return the variance of block sums when unloaded, from the third smallest of some tens of stretches."""
    a = b = c = np.inf
    for g in range(0, variance.size, max(variance.size // _LOOKED_AT, 1)):
        v = variance[g]
        above_a = v if v > a else a
        a = v if v < a else a
        above_b = above_a if above_a > b else b
        b = above_a if above_a < b else b
        c = above_b if above_b < c else c
    third = c if c < np.inf else (b if b < np.inf else a)
    return third * _THIRD_OF_MANY * _THIRD_OF_MANY


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"nnan", "nsz", "reassoc"})
def _lowest_calm(mean: Any, variance: Any, most: float) -> float:
    """Return the lowest mean of the stretches of no more than this variance, infinite without any."""
    lowest = np.inf
    for g in range(mean.size):
        here = mean[g] if variance[g] <= most else np.inf
        lowest = here if here < lowest else lowest
    return lowest


@njit(cache=True, error_model="numpy", nogil=True)
def baseline(
    mean: Any, variance: Any, noise: float, peak: float, where: Any, before: Any
) -> Any:  # fmt: skip
    """Return (level, slope, number) of a straight line through the quiet stretches.

    Parameters
    ----------
    mean, variance : (G,), of block sums by stretch
    noise
        Variance of block sums when unloaded.
    peak
        Largest block sum, or minus infinity.
    where : (G + 1,) int64, written: the quiet stretches, in order
    before : (G + 1,) int64, written: how many quiet stretches lie before each

    Returns
    -------
    Level in block sums at stretch 0, its rise a stretch, and the number of quiet stretches, 0 if too few.
    """
    groups, most = mean.size, CALM_VARIANCES * noise
    lowest = _lowest_calm(mean, variance, most)
    highest = lowest + max(_LEVEL_SIGMAS * np.sqrt(noise), _LEVEL_PEAK * max(peak - lowest, 0.0))
    n, sx, sxx, sy, sxy = 0, 0, 0, 0.0, 0.0
    for g in range(groups):
        quiet = (variance[g] <= most) & (mean[g] <= highest)
        y = mean[g] - lowest if quiet else 0.0
        where[n] = g
        before[g] = n
        n, sx, sxx = n + quiet, sx + quiet * g, sxx + quiet * g * g
        sy, sxy = sy + y, sxy + g * y
    before[groups] = n
    if n < _LEAST_STRETCHES or n < _LEAST_SHARE * groups:
        return 0.0, 0.0, 0
    slope = 0.0
    if where[n - 1] - where[0] >= _SPAN_FOR_SLOPE * groups and n > 2:
        slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    return (sy - slope * sx) / n + lowest, slope, n


@njit(cache=True, error_model="numpy", nogil=True)
def level_beside(mean: Any, where: Any, quiet: int, before: int, at: int) -> Any:
    """Return the unloaded level under a pulse, and how far the two sides of it differ.

    Parameters
    ----------
    mean : (G,), of block sums by stretch
    where : (at least `quiet`,), the quiet stretches
    before
        How many of them lie before the stretch in which the pulse was met.
    at
        That stretch.

    Returns
    -------
    Level in block sums at that stretch; and the rise from one side to the other, 0 where the record ends on
    one side, infinite where a side has no quiet stretch near.
    """
    has_left = before > 0 and at - where[before - 1] <= _NEAR
    has_right = before < quiet and where[before] - at <= _NEAR
    lost_left, lost_right = not has_left and at > _NEAR, not has_right and mean.size - 1 - at > _NEAR
    if lost_left or lost_right or not (has_left or has_right):
        return 0.0, np.inf
    left, left_at = _centre(mean, where, max(before - _BESIDE, 0), before)
    right, right_at = _centre(mean, where, before, min(before + _BESIDE, quiet))
    if not has_left:
        return right, 0.0
    if not has_right:
        return left, 0.0
    return left + (at - left_at) / (right_at - left_at) * (right - left), right - left


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
