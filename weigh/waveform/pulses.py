"""Pulses of every strip: where the block sums rise above the verified baseline, and what area they hold.

A run of loaded blocks is followed outwards on both sides down to the noise, and one block further, so that
the window holds the whole pulse, and never a block of the pulse before it. Area and moments are exact sums
over the window's blocks, less the baseline. A block's own centre stands for its samples in the moments; over
a whole pulse the error of that cancels to first order, as its slopes sum to nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weigh._jit import njit
from weigh.waveform.ahead import ask_for, ask_on
from weigh.waveform.blocks import sum_blocks
from weigh.waveform.criteria import Criteria
from weigh.waveform.lanes import LANES, above, bits_set, equal, lowest_bit
from weigh.waveform.quiet import (
    CALM_VARIANCES,
    STRETCH,
    baseline,
    largest,
    level_beside,
    loud_stretches,
    lowest_of,
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

_HELD = 4
"""Samples at exactly the largest value, one after another, that no noisy signal shows. So few, because at
1 kHz the whole pulse of a fast axle has no more than 6."""
_STILLER = 3
"""By which the run must be longer than any in an unloaded stretch: a coarse converter repeats values too."""
_LEAST_STEPS = 2.5
"""Of the converter that noise must span when unloaded: what spans fewer stands on one value by itself."""

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
    """Where pulses begin and end: quiet stretches, the straight baseline in block sums, heights above it."""

    quiet: int
    start: float
    tilt: float
    calm: float
    on: float
    off: float


# Arrays go from kernel to kernel one by one, and the small ones are written into their caller: a tuple of
# arrays opened inside a loop counts references each time, which took longer than the work.


@njit(cache=True, error_model="numpy", nogil=True)
def find_pulses(samples: Any, strips: Strips, out: Pulses) -> None:
    """Write the pulses of samples (B, S, N)."""
    block, zero, full_scale, step_s = strips.block, strips.zero, strips.full_scale, strips.step_s
    in_service, scale, rules = strips.in_service, strips.scale, strips.rules
    area, time_s, spread_s2, begin, end = out.area, out.time_s, out.spread_s2, out.first, out.stop
    number, state = out.number, out.state
    vehicles, strip_count, length = samples.shape
    blocks = length // block
    groups = blocks // STRETCH
    floor = block * strips.quantum * strips.quantum / 12.0
    room = (groups + LANES) // LANES * LANES
    fours, sums = np.empty(length // 4 + 1, np.float32), np.full((room + 1) * STRETCH, np.nan, np.float32)
    off, squares = np.empty(room, np.float32), np.empty(room, np.float32)
    mean, variance = np.empty(groups), np.empty(groups)
    where, before, loud = np.empty((3, groups + 1), np.int64)
    top = np.empty(MOST_PULSES, np.int64)
    for b in range(vehicles):
        for s in range(strip_count):
            number[b, s], state[b, s] = 0, LEFT_OUT
            if not in_service[s]:
                continue
            row = samples[b, s]
            ahead = samples[b, s + 1] if s + 1 < strip_count else samples[min(b + 1, vehicles - 1), 0]
            sum_blocks(row, block, zero, fours, sums, blocks, ahead)
            bits, level, louds, asked = _level(
                sums, blocks, off, squares, mean, variance, where, before, loud, floor, full_scale * block,
                rules, ahead,
            )  # fmt: skip
            state[b, s] = bits
            if bits != 0:
                continue
            found, bits = _runs(
                sums, blocks, mean, where, before, loud[:louds], top, level, block, step_s, scale[s],
                rules.unsteady_part, b, s, area, time_s, spread_s2, begin, end, ahead, asked,
            )  # fmt: skip
            if found == 0:
                bits |= SILENT | (FLAT if level.calm == 0.0 and variance.max() == 0.0 else 0)
            elif _clipped(row, sums, top[:found], block, level.start, full_scale, where[0]):
                bits |= CLIPPED
            number[b, s], state[b, s] = found, bits


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _level(  # noqa: PLR0917
    sums: Any, blocks: int, off: Any, squares: Any, mean: Any, variance: Any, where: Any, before: Any,
    loud: Any, floor: float, end_of_scale: float, rules: Criteria, ahead: Any,
) -> Any:  # fmt: skip
    """Return what is wrong with a strip, where its pulses begin, its loud stretches, what is asked for."""
    asked = ask_on(ahead, ahead.size // 2)
    total = stretches(sums, blocks, off, squares, mean, variance)
    asked = ask_on(ahead, asked)
    lowest = lowest_of(mean)
    noise = max(noise_variance(variance), floor)
    louds = loud_stretches(variance, CALM_VARIANCES * noise, loud)
    asked = ask_on(ahead, asked)
    peak = peak_of(sums, blocks, loud, louds)
    least = (_STILLEST * max(peak - lowest, 0.0)) ** 2
    if noise < least:
        noise = least
        louds = loud_stretches(variance, CALM_VARIANCES * noise, loud)
    asked = ask_on(ahead, asked)
    level, slope, quiet = baseline(mean, variance, noise, peak, where, before)
    height, sigma, tilt = max(peak - level, 0.0), np.sqrt(noise), slope / STRETCH
    bits = 0
    if not np.isfinite(total):
        bits = NOT_FINITE
    elif lowest <= -end_of_scale:
        bits = CLIPPED
    elif quiet == 0:
        bits = NO_QUIET_ZONE
    loud[louds] = mean.size  # what is left behind the last whole stretch
    rises = _Level(
        quiet,
        level - tilt * 0.5 * (STRETCH - 1),
        tilt,
        CALM_VARIANCES * noise,
        max(rules.threshold_sigmas * sigma, rules.threshold_peak * height),
        max(rules.edge_sigmas * sigma, rules.edge_peak * height),
    )
    return bits, rises, louds + 1, asked


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _runs(  # noqa: PLR0917
    sums: Any, blocks: int, mean: Any, where: Any, before: Any, loud: Any, top: Any, level: Any, block: int,
    step_s: float, scale: float, unsteady: float, b: int, s: int, area: Any, time_s: Any, spread_s2: Any,
    begin: Any, end: Any, ahead: Any, asked: int,
) -> Any:  # fmt: skip
    """Find runs above the baseline; write each; return their number and state bits."""
    found, bits, done = 0, 0, 0
    for group in loud:
        asked, origin = ask_on(ahead, asked), group * STRETCH
        higher = above(sums, origin, level.start, level.tilt, level.on)
        while done < origin + STRETCH:
            higher &= -1 << max(done - origin, 0)
            if higher == 0:
                break
            first = origin + lowest_bit(higher)
            under, rise = level_beside(mean, where, level.quiet, before[group], group)
            stop, more = first + 1, LANES
            while more == LANES:  # not a number, as behind the last sum, is above nothing
                more = lowest_bit(~above(sums, stop, under, 0.0, level.off))
                stop += more
            while first > done and sums[first - 1] - under > level.off:
                first -= 1
            bits |= (CUT_AT_START if first == 0 else 0) | (CUT_AT_END if stop == blocks else 0)
            long = stop - first > 1  # a pulse is longer than two blocks; a single one is a spark
            first, stop = max(first - 1, done), min(stop + 1, blocks)
            if long and found == MOST_PULSES:
                bits |= TOO_MANY
            elif long:
                total, centre, second, top[found] = _moments(sums, under, first, stop)
                area[b, s, found] = total * scale * step_s
                time_s[b, s, found] = ((first + centre + 0.5) * block - 0.5) * step_s
                spread_s2[b, s, found] = (second - centre * centre) * (block * step_s) ** 2
                begin[b, s, found], end[b, s, found] = first, stop
                bits |= NO_QUIET_ZONE if abs(rise) * (stop - first) > 2.0 * unsteady * total else 0
                found += 1
            done = stop
    ask_for(ahead, asked, ahead.size)
    return found, bits


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _moments(sums: Any, under: float, first: int, stop: int) -> Any:
    """Return a pulse's sum, mean and mean square place from its first block, and its largest block."""
    total, moment, second, x, top, highest = 0.0, 0.0, 0.0, 0.0, first, sums[first]
    for k in range(first, stop):
        top = k if sums[k] > highest else top
        highest = sums[k] if sums[k] > highest else highest
        y = np.float64(sums[k]) - under
        total += y
        moment += x * y
        second += x * x * y
        x += 1.0
    return total, moment / total, second / total, top


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _clipped(  # noqa: PLR0917
    row: Any, sums: Any, top: Any, block: int, level: float, full_scale: float, calm: int
) -> bool:
    """Whether the converter stood at its end: at its full scale, or held at its largest value.

    Looked for around the largest block of each pulse that comes near the highest. A flat top is evidence only
    where the unloaded signal is not nearly as still.
    """
    highest_sum = -np.inf
    for p in range(top.size):
        highest_sum = max(highest_sum, np.float64(sums[top[p]]))
    highest, held = -np.inf, 0
    for p in range(top.size):
        if sums[top[p]] - level > _NEAR * (highest_sum - level):
            first, stop = max(top[p] - 2, 0) * block, min((top[p] + 3) * block, row.size)
            here = largest(row, first, stop)
            if here >= highest:
                run = _longest_run(row, first, stop, here)
                held = run if here > highest else max(held, run)
                highest = here
    size = STRETCH * block
    flat = held >= _HELD and held >= _STILLER * _stillness(row[calm * size : (calm + 1) * size])
    return bool(highest >= full_scale or flat)


@njit(cache=True, error_model="numpy", nogil=True)
def _longest_run(row: Any, first: int, stop: int, value: float) -> int:
    """Return the longest run of one value in row[first:stop]; how often it occurs at all if too seldom."""
    run, longest, often, j = 0, 0, 0, first
    while j + LANES <= stop:  # hardly any signal goes further than counting
        often += bits_set(equal(row, j, np.float32(value)))
        j += LANES
    while j < stop:
        often += row[j] == value
        j += 1
    if often < _HELD:
        return often
    for j in range(first, stop):
        run = run + 1 if row[j] == value else 0
        longest = max(longest, run)
    return longest


@njit(cache=True, error_model="numpy", nogil=True)
def _stillness(values: Any) -> float:
    """Return the longest run of any one value; infinite where noise takes hardly more than one step."""
    run, longest, step = 1, 1, np.inf
    low, high = np.float64(values[0]), np.float64(values[0])
    for j in range(1, values.size):
        here, difference = np.float64(values[j]), abs(np.float64(values[j]) - np.float64(values[j - 1]))
        run = run + 1 if difference == 0.0 else 1
        longest, low, high = max(longest, run), min(low, here), max(high, here)
        step = difference if 0.0 < difference < step else step
    return np.float64(longest) if high - low >= _LEAST_STEPS * step else np.inf
