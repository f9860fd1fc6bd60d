"""Pulses of every strip: where the block sums rise above the verified baseline, and what area they hold.

A run of loaded blocks is followed outwards on both sides down to the noise, and one block further, so that
the window holds the whole pulse, and never a block of the pulse before it. Area and moments are exact sums
over the window's blocks, less the baseline. A block's own centre stands for its samples in the moments; over
a whole pulse the error of that cancels to first order, as its slopes sum to nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from weigh.waveform.blocks import sum_blocks
from weigh.waveform.criteria import Criteria
from weigh.waveform.quiet import (
    CALM_VARIANCES,
    STRETCH,
    baseline,
    largest,
    level_beside,
    noise_variance,
    peak_of,
    stretches,
)

MOST_PULSES = 32
"""Pulses kept of one strip: twice the axles of the longest train, and more is no passage."""

SILENT, NOT_FINITE, CLIPPED, NO_QUIET_ZONE, TOO_MANY, CUT_AT_START, CUT_AT_END, FLAT, LEFT_OUT = (
    1 << bit for bit in range(9)
)
"""What may be wrong with a strip's record, as bits."""

UNFIT = NOT_FINITE | CLIPPED | NO_QUIET_ZONE | TOO_MANY | FLAT | LEFT_OUT
"""Bits with which a strip tells nothing."""

UNUSED = UNFIT | CUT_AT_START | CUT_AT_END
"""Bits with which a strip is not matched: a pulse cut off has no load."""

_HELD = 12
"""Samples at exactly the largest value, one after another, that no noisy signal shows."""
_STILLEST = 2e-4
"""Noise below this part of the peak does not count: a converter's steps and slow wandering then remain."""

_NEAR = 0.7
"""Of the largest block sum: a pulse lower than that does not hold the strip's largest sample."""

Floats = NDArray[np.float64]


class Pulses(NamedTuple):
    """Pulses of a batch, in order of time along the last axis; only the first `number` are written.

    Attributes
    ----------
    number : (B, S) int64
    state : (B, S) int64, bits
    area : (B, S, P), integral of signal less baseline, signal x seconds
    time_s : (B, S, P), centre of gravity, from the first sample
    spread_s2 : (B, S, P), variance of the pulse in time, square seconds
    first, stop : (B, S, P) int64, blocks of the window summed over
    """

    number: NDArray[np.int64]
    state: NDArray[np.int64]
    area: Floats
    time_s: Floats
    spread_s2: Floats
    first: NDArray[np.int64]
    stop: NDArray[np.int64]

    @classmethod
    def room(cls, vehicles: int, strips: int) -> "Pulses":
        """Return room for the pulses of a batch."""
        flat, full = (vehicles, strips), (vehicles, strips, MOST_PULSES)
        return cls(
            np.zeros(flat, dtype=np.int64),
            np.zeros(flat, dtype=np.int64),
            np.empty(full),
            np.empty(full),
            np.empty(full),
            np.empty(full, dtype=np.int64),
            np.empty(full, dtype=np.int64),
        )


class Strips(NamedTuple):
    """How the strips of a batch are to be read.

    Attributes
    ----------
    in_service : (S,) bool
    scale : (S,), newtons a count
    full_scale
        Largest sample the converter delivers; infinite where not known.
    step_s, block
        Seconds a sample, samples a block.
    zero
        What samples are added to.
    quantum
        Step of the converter, in samples; 0 where not known.
    rules
        Thresholds.
    """

    in_service: NDArray[np.bool_]
    scale: Floats
    full_scale: float
    step_s: float
    block: int
    zero: Any
    quantum: float
    rules: Criteria


class _Level(NamedTuple):
    """Where pulses begin and end: the straight baseline in block sums, and the heights above it."""

    start: float
    tilt: float
    calm: float
    on: float
    off: float


class _Work(NamedTuple):
    """One strip's record on the way: sums of fours and of blocks; mean, variance and quietness of each
    stretch; each pulse's largest block; and what is given and wanted."""

    fours: Any
    sums: Any
    mean: Any
    variance: Any
    quiet: Any
    top: Any
    strips: Any
    out: Any


@njit(cache=True, error_model="numpy", nogil=True)
def find_pulses(samples: Any, strips: Strips, out: Pulses) -> None:
    """Write the pulses of samples (B, S, N)."""
    blocks = samples.shape[2] // strips.block
    groups = blocks // STRETCH
    work = _Work(
        np.empty(samples.shape[2] // 4 + 1, dtype=np.float32),
        np.empty(blocks, dtype=np.float32),
        np.empty(groups),
        np.empty(groups),
        np.empty(groups, dtype=np.bool_),
        np.empty(MOST_PULSES, dtype=np.int64),
        strips,
        out,
    )
    for b in range(samples.shape[0]):
        for s in range(samples.shape[1]):
            if strips.in_service[s]:
                out.number[b, s], out.state[b, s] = _read_strip(work, samples[b, s], b, s)
            else:
                out.number[b, s], out.state[b, s] = 0, LEFT_OUT


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _read_strip(work: Any, row: Any, b: int, s: int) -> Any:
    """Write the pulses of one strip of one vehicle; return their number and the state."""
    strips, rules = work.strips, work.strips.rules
    sum_blocks(row, strips.block, strips.zero, work.fours, work.sums)
    if not np.isfinite(stretches(work.sums, work.mean, work.variance)):
        return 0, NOT_FINITE
    noise = max(noise_variance(work.variance), strips.block * strips.quantum * strips.quantum / 12.0)
    peak = peak_of(work.sums, work.variance, noise)
    lowest = work.mean.min()
    if lowest <= -strips.full_scale * strips.block:
        return 0, CLIPPED
    noise = max(noise, (_STILLEST * max(peak - lowest, 0.0)) ** 2)
    level, slope, known = baseline(work.mean, work.variance, noise, peak, work.quiet)
    if not known:
        return 0, NO_QUIET_ZONE
    height, sigma, tilt = max(peak - level, 0.0), np.sqrt(noise), slope / STRETCH
    above = _Level(
        level - tilt * 0.5 * (STRETCH - 1),
        tilt,
        CALM_VARIANCES * noise,
        max(rules.threshold_sigmas * sigma, rules.threshold_peak * height),
        max(rules.edge_sigmas * sigma, rules.edge_peak * height),
    )
    found, bits = _runs(work, above, b, s)
    if found == 0:
        still = noise == 0.0 and np.all(work.variance == 0.0)
        bits |= SILENT | (FLAT if still else 0)
    elif _clipped(work, row, found, level):
        bits |= CLIPPED
    return found, bits


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _runs(work: Any, level: Any, b: int, s: int) -> Any:
    """Find runs above the baseline; write each; return their number and state bits."""
    sums, variance = work.sums, work.variance
    blocks, groups = sums.size, variance.size
    found, bits, done = 0, 0, 0
    for group in range(groups + 1):
        if group < groups and variance[group] <= level.calm:
            continue
        i, end = max(group * STRETCH, done), min((group + 1) * STRETCH, blocks)
        while i < end:
            if sums[i] - level.start - level.tilt * i <= level.on:
                i += 1
                continue
            under, rise = level_beside(work.mean, work.quiet, group)
            first, stop = i, i + 1
            while stop < blocks and sums[stop] - under > level.off:
                stop += 1
            while first > done and sums[first - 1] - under > level.off:
                first -= 1
            bits |= (CUT_AT_START if first == 0 else 0) | (CUT_AT_END if stop == blocks else 0)
            long = stop - first > 1  # a pulse is longer than two blocks; a single one is a spark
            first, stop = max(first - 1, done), min(stop + 1, blocks)
            if long and found == MOST_PULSES:
                bits |= TOO_MANY
            elif long:
                work.out.first[b, s, found], work.out.stop[b, s, found] = first, stop
                area = _measure(work, under, b, s, found)
                unsure = abs(rise) * (stop - first) > 2.0 * work.strips.rules.unsteady_part * area
                bits |= NO_QUIET_ZONE if unsure else 0
                found += 1
            done = i = stop
    return found, bits


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _measure(work: Any, under: float, b: int, s: int, at: int) -> float:
    """Write area, centre and spread of the pulse in its window over the level `under`; return its sum."""
    strips, out = work.strips, work.out
    first, stop = out.first[b, s, at], out.stop[b, s, at]
    total, moment, second = 0.0, 0.0, 0.0
    x, top = 0.0, first
    for k in range(first, stop):
        top = k if work.sums[k] > work.sums[top] else top
        y = np.float64(work.sums[k]) - under
        total += y
        moment += x * y
        second += x * x * y
        x += 1.0
    work.top[at] = top
    centre = moment / total
    out.area[b, s, at] = total * strips.scale[s] * strips.step_s
    out.time_s[b, s, at] = ((first + centre + 0.5) * strips.block - 0.5) * strips.step_s
    out.spread_s2[b, s, at] = (second / total - centre * centre) * (strips.block * strips.step_s) ** 2
    return total


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _clipped(work: Any, row: Any, found: int, level: float) -> bool:
    """Whether the converter stood at its end: at its full scale, or held at its largest value.

    Looked for around the largest block of each pulse that comes near the highest. A flat top is evidence only
    where the unloaded signal is not as still.
    """
    sums, block = work.sums, work.strips.block
    highest_sum = -np.inf
    for p in range(found):
        highest_sum = max(highest_sum, np.float64(sums[work.top[p]]))
    highest, at = -np.inf, 0
    for p in range(found):
        if sums[work.top[p]] - level > _NEAR * (highest_sum - level):
            k = work.top[p]
            top = largest(row, max(k - 1, 0) * block, min((k + 2) * block, row.size))
            if top > highest:
                highest, at = top, k
    if highest >= work.strips.full_scale:
        return True
    if _longest_run(row, max(at - 1, 0) * block, min((at + 2) * block, row.size), highest) < _HELD:
        return False
    size = STRETCH * block
    calm = np.argmax(work.quiet) * size
    return bool(_longest_still(row[calm : calm + size]) < _HELD // 2)


@njit(cache=True, error_model="numpy", nogil=True)
def _longest_run(row: Any, first: int, stop: int, value: float) -> int:
    """Return the longest run of one value in row[first:stop]."""
    run, longest = 0, 0
    for j in range(first, stop):
        run = run + 1 if row[j] == value else 0
        longest = max(longest, run)
    return longest


@njit(cache=True, error_model="numpy", nogil=True)
def _longest_still(values: Any) -> int:
    """Return the longest run of any one value."""
    run, longest = 1, 1
    for j in range(1, values.size):
        run = run + 1 if values[j] == values[j - 1] else 1
        longest = max(longest, run)
    return longest
