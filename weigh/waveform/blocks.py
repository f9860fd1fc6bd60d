"""Sums over blocks of samples: the one pass over all the data.

Weight is linear in the signal, so sums over blocks lose nothing of a load; finding the pulses needs only
blocks shorter than half a pulse.

Accuracy. A block of at most 20 float32 samples is summed in float32 in one fixed order, without leave to
reassociate, so that the bits are the same on every processor; in lanes of four, which processors add at once.
The rounding of n additions is at most n 2^-24, about 1e-6 of the sum of the samples' magnitudes, and a tenth
of that as root mean square; everything after the block (baseline, areas, moments) is float64. A baseline
offset of ten times the pulse's height therefore costs at most 1e-5 of the load: a hundredth of what the
processing is allowed. Samples need no float64, as a 24 bit mantissa is finer than any converter used at the
roadside. int16 is summed in whole numbers; 20 samples of 2^15 stay below 2^24, which float32 still holds
exactly.
"""

from math import floor
from typing import Any

import numpy as np
from numba import njit

from domain.errors import ConfigurationError
from weigh.waveform.criteria import Criteria
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
def sum_blocks(row: Any, block: int, zero: Any, out: Any) -> None:
    """Write the sum of each whole block of `row` (N,) to `out` (N // block,) float32.

    Sizes that are written out run at the memory's speed; a loop of a length not known beforehand does not.
    """
    if block == 20:
        _sum_20(row, out)
    elif block == 16:
        _sum_16(row, out)
    elif block == 12:
        _sum_12(row, out)
    elif block == 8:
        _sum_8(row, out)
    elif block == 4:
        _sum_4(row, out)
    else:
        for i in range(out.size):
            total = zero
            for j in range(i * block, (i + 1) * block):
                total += row[j]
            out[i] = total


@njit(cache=True, error_model="numpy", nogil=True)
def _sum_20(row: Any, out: Any) -> None:
    for i in range(out.size):
        r = row[i * 20 : i * 20 + 20]
        a = r[0] + r[4] + r[8] + r[12] + r[16]
        b = r[1] + r[5] + r[9] + r[13] + r[17]
        c = r[2] + r[6] + r[10] + r[14] + r[18]
        d = r[3] + r[7] + r[11] + r[15] + r[19]
        out[i] = (a + c) + (b + d)


@njit(cache=True, error_model="numpy", nogil=True)
def _sum_16(row: Any, out: Any) -> None:
    for i in range(out.size):
        r = row[i * 16 : i * 16 + 16]
        a, b, c, d = r[0] + r[8], r[1] + r[9], r[2] + r[10], r[3] + r[11]
        e, f, g, h = r[4] + r[12], r[5] + r[13], r[6] + r[14], r[7] + r[15]
        out[i] = ((a + e) + (c + g)) + ((b + f) + (d + h))


@njit(cache=True, error_model="numpy", nogil=True)
def _sum_12(row: Any, out: Any) -> None:
    for i in range(out.size):
        r = row[i * 12 : i * 12 + 12]
        a, b = r[0] + r[4] + r[8], r[1] + r[5] + r[9]
        c, d = r[2] + r[6] + r[10], r[3] + r[7] + r[11]
        out[i] = (a + c) + (b + d)


@njit(cache=True, error_model="numpy", nogil=True)
def _sum_8(row: Any, out: Any) -> None:
    for i in range(out.size):
        r = row[i * 8 : i * 8 + 8]
        a, b, c, d = r[0] + r[4], r[1] + r[5], r[2] + r[6], r[3] + r[7]
        out[i] = (a + c) + (b + d)


@njit(cache=True, error_model="numpy", nogil=True)
def _sum_4(row: Any, out: Any) -> None:
    for i in range(out.size):
        r = row[i * 4 : i * 4 + 4]
        out[i] = (r[0] + r[2]) + (r[1] + r[3])
