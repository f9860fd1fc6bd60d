"""Sums over blocks of samples: the one pass over all the data.

Weight is linear in the signal, so sums over blocks lose nothing of a load; finding the pulses needs only
blocks shorter than half a pulse.

Accuracy. A block of at most 20 float32 samples is summed in float32 in one fixed order, without leave to
reassociate, so that the bits are the same on every processor.
The rounding of n additions is at most n 2^-24, about 1e-6 of the sum of the samples' magnitudes, and a tenth
of that as root mean square; everything after the block (baseline, areas, moments) is float64. A baseline
offset of ten times the pulse's height therefore costs at most 1e-5 of the load: a hundredth of what the
processing is allowed. Samples need no float64, as a 24 bit mantissa is finer than any converter used at the
roadside. Sums of 20 int16 samples stay below 2^24, up to which float32 holds whole numbers exactly.
"""
# ruff: noqa: PLR0917 - compiled functions know no keyword-only arguments

from math import floor
from typing import Any

import numpy as np

from domain.errors import ConfigurationError
from weigh._jit import njit
from weigh.waveform.ahead import ask_for
from weigh.waveform.criteria import Criteria
from weigh.waveform.lanes import LANES, sum_fours, sum_sixteens
from weigh.waveform.layout import Layout

LARGEST_BLOCK = 20
LEAST_PULSE = 4.0
"""Samples in the shortest pulse: with fewer the integral is no longer the load."""


def block_samples(layout: Layout, criteria: Criteria) -> int:
    """Return how many samples make a block: at most half the shortest pulse there can be, and at most 20.

    The fastest vehicle's shortest contact decides, not the vehicle at hand: its speed is not known yet.
    """
    shortest_m = criteria.shortest_contact_m + layout.width_m
    pulse = layout.sample_rate_hz * shortest_m / criteria.fastest_m_s
    if pulse < LEAST_PULSE:
        raise ConfigurationError(
            f"{layout.sample_rate_hz:g} Hz leaves {pulse:.1f} samples of an axle at"
            f" {criteria.fastest_m_s:g} m/s; at least {LEAST_PULSE:g} are needed: sample faster or lower"
            " fastest_m_s"
        )
    half = min(LARGEST_BLOCK, floor(pulse / 2))
    return half if half < 4 else half // 4 * 4


def zero_of(dtype: np.dtype[Any]) -> np.float32 | np.int32:
    """Return the zero that samples of this type are added to."""
    return np.int32(0) if dtype.kind == "i" else np.float32(0)


@njit(cache=True, error_model="numpy", nogil=True)
def sum_blocks(
    row: Any, block: int, zero: Any, fours: Any, out: Any, blocks: int, ahead: Any
) -> None:  # fmt: skip
    """Write the sums of the first `blocks` blocks of `row` (N,) to `out`, float32.

    Blocks of a multiple of four go by way of sums of four, in `fours` (at least N // 4,) float32, sixteen at
    once. The first half of `ahead` (N,), the row looked at next, is asked for meanwhile.
    """
    if block % 4:
        ask_for(ahead, 0, ahead.size // 2)
        for i in range(blocks):
            total = zero
            for j in range(i * block, (i + 1) * block):
                total += row[j]
            out[i] = total
    elif block == 16:
        many = blocks // LANES * LANES
        for i in range(0, many, LANES):
            ask_for(ahead, i * block // 2, (i + LANES) * block // 2)
            sum_sixteens(row, i * block, out, i)
        for i in range(many, blocks):
            _by_4(row, i * block, fours, 0, 4)
            out[i] = (fours[0] + fours[1]) + (fours[2] + fours[3])
    else:
        quarters = blocks * (block // 4)
        many = quarters // LANES * LANES
        for i in range(0, many, LANES):
            ask_for(ahead, 2 * i, 2 * (i + LANES))
            sum_fours(row, 4 * i, fours, i)
        _by_4(row, 4 * many, fours, many, quarters - many)
        _join(fours, block, out, blocks)


@njit(cache=True, error_model="numpy", nogil=True)
def _join(fours: Any, block: int, out: Any, blocks: int) -> None:
    """Write the sums of blocks of 20, 12, 8 or 4 from their sums of four."""
    if block == 20:
        for i in range(blocks):
            first = (fours[5 * i] + fours[5 * i + 1]) + (fours[5 * i + 2] + fours[5 * i + 3])
            out[i] = first + fours[5 * i + 4]
    elif block == 12:
        for i in range(blocks):
            out[i] = (fours[3 * i] + fours[3 * i + 1]) + fours[3 * i + 2]
    elif block == 8:
        for i in range(blocks):
            out[i] = fours[2 * i] + fours[2 * i + 1]
    else:
        out[:blocks] = fours[:blocks]


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _by_4(values: Any, first: int, out: Any, to: int, number: int) -> None:
    """Write sums of four, one by one: what is left where sixteen are no longer there."""
    for i in range(number):
        j = first + 4 * i
        out[to + i] = (values[j] + values[j + 1]) + (values[j + 2] + values[j + 3])
