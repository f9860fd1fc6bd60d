"""What one would write with numpy and scipy, a vehicle at a time: our figures and checks by `find_peaks`.

A strip: samples finite; converter not held at its end; noise from the calmest stretches; stretches verified
to be quiet, a line through them as baseline, what remains of it interpolated under each pulse; a running
mean, one `find_peaks` with heights, prominences and widths; area, time and spread of each pulse. A vehicle:
strips that tell the number of axles most tell; their order; one least-squares fit for speed and acceleration
of all axles together; loads and spacings; manoeuvres as far as the strips alone show them. Loops, doubts,
spare baselines for records without noise and full-scale limits, which ours has too, are left out.

`checked=False` is the same without any check: the baseline is the mean of the first 50 ms, and whatever comes
out is believed. That is what a first attempt looks like, and not what a case could rest on.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

Floats = NDArray[np.float64]
Row = NDArray[np.float32]

SMOOTH = 16
QUIET_S = 0.05
APART_S = 0.02
HEIGHT_PART = 0.04
HEIGHT_SIGMAS = 8.0

STRETCH = 320
CALM = 3.0
LEVEL_SIGMAS = 6.0
LEVEL_PART = 0.03
HELD = 4

SLOWEST_M_S = 1.5
FASTEST_M_S = 36.0
ACCELERATION_M_S2 = 1.0
RESIDUAL_M = 0.008
LONGEST_CONTACT_M = 0.30
FEWEST_STRIPS = 2


class Weighed(NamedTuple):
    """Loads (A, strips that agree), spacings (A - 1,), speed and acceleration of one vehicle, and marks."""

    load: Floats
    spacing_m: Floats
    speed_m_s: float
    acceleration_m_s2: float
    marks: tuple[str, ...] = ()


class _Pulses(NamedTuple):
    time_s: Floats
    area: Floats
    spread_s2: Floats


def weigh(
    samples: Row, position_m: Floats, width_m: float, rate_hz: float, *, checked: bool = True
) -> Weighed | None:
    """Return one vehicle's figures from samples (S, N); None where strips tell no vehicle."""
    found: list[_Pulses] = []
    places: list[float] = []
    for row, place in zip(samples, position_m, strict=True):
        pulses = _checked_pulses(row, rate_hz) if checked else _plain_pulses(row, rate_hz)
        if pulses is not None:
            found.append(pulses)
            places.append(place)
    counts = [len(pulses.time_s) for pulses in found]
    if not counts or (not checked and len(set(counts)) > 1):
        return None
    axles = int(np.bincount(counts).argmax())
    alive = [s for s, count in enumerate(counts) if count == axles]
    if axles < 2 or len(alive) < FEWEST_STRIPS:
        return None
    time_s, area, spread_s2 = (np.array(values).T for values in zip(*(found[s] for s in alive), strict=True))
    place_m = np.array([places[s] for s in alive])
    speed, acceleration, at_m, residual_m = _fit(time_s, place_m)
    t = time_s - time_s.mean()
    marks: tuple[str, ...] = ()
    if checked:
        marks = _marks(
            time_s, spread_s2, place_m, width_m=width_m, acceleration=acceleration, residual_m=residual_m
        )
        if max(counts) > axles:
            marks += ("strips-disagree",)
    return Weighed((speed + acceleration * t) / width_m * area, -np.diff(at_m), speed, acceleration, marks)


def _plain_pulses(row: Row, rate_hz: float) -> _Pulses:
    """Return the pulses above the mean of the first 50 ms."""
    signal = row - row[: int(QUIET_S * rate_hz)].mean()
    return _pulses(signal, 0.0, None, rate_hz)


def _checked_pulses(row: Row, rate_hz: float) -> _Pulses | None:
    """Return the pulses above the verified baseline; None where the strip's record is unfit."""
    if not np.isfinite(row).all():
        return None
    highest = row.max()
    at = np.flatnonzero(row == highest)
    if at.size >= HELD and np.any(at[HELD - 1 :] - at[: -HELD + 1] == HELD - 1):
        return None
    stretches = row[: row.size // STRETCH * STRETCH].reshape(-1, STRETCH)
    mean, variance = stretches.mean(axis=1, dtype=np.float64), stretches.var(axis=1, dtype=np.float64)
    noise = np.partition(variance, 2)[2]
    calm = variance <= CALM * noise
    lowest = mean[calm].min()
    room = max(LEVEL_SIGMAS * np.sqrt(noise), LEVEL_PART * (highest - lowest))
    quiet = np.flatnonzero(calm & (mean <= lowest + room))
    if quiet.size < 3:
        return None
    centre = np.asarray(quiet * STRETCH + (STRETCH - 1) / 2, dtype=np.float64)
    slope, level = np.polyfit(centre, mean[quiet], 1)
    signal = row - (level + slope * np.arange(row.size))
    remains = mean[quiet] - (level + slope * centre)
    return _pulses(signal, HEIGHT_SIGMAS * float(np.sqrt(noise / SMOOTH)), (centre, remains), rate_hz)


def _pulses(
    signal: Floats | Row, least: float, remains: tuple[Floats, Floats] | None, rate_hz: float
) -> _Pulses:
    """Return time, area and spread of the pulses of a signal above its baseline."""
    smooth = uniform_filter1d(signal, SMOOTH)
    height = max(HEIGHT_PART * smooth.max(), least)
    peaks, found = find_peaks(
        smooth,
        height=height,
        distance=int(APART_S * rate_hz),
        prominence=height,
        width=1,
        rel_height=0.98,
    )
    under = np.zeros(len(peaks)) if remains is None else np.interp(peaks, *remains)
    time, area, spread = np.empty(len(peaks)), np.empty(len(peaks)), np.empty(len(peaks))
    for i, (left, right) in enumerate(zip(found["left_ips"], found["right_ips"], strict=True)):
        first, stop = max(int(left) - SMOOTH, 0), int(right) + SMOOTH
        pulse = signal[first:stop] - under[i]
        place = np.arange(len(pulse))
        area[i] = pulse.sum(dtype=np.float64)
        centre = place @ pulse / area[i]
        time[i] = (first + centre) / rate_hz
        if remains is not None:
            spread[i] = ((place - centre) ** 2 @ pulse / area[i]) / rate_hz**2
    return _Pulses(time, area / rate_hz, spread)


def _fit(time_s: Floats, position_m: Floats) -> tuple[float, float, Floats, float]:
    """Fit place = x_axle + v t + a t^2 / 2 to all axles (A) and strips (S) at once."""
    axles, strips = time_s.shape
    t = time_s - time_s.mean()
    design = np.zeros((axles * strips, axles + 2))
    design[:, 0], design[:, 1] = t.ravel(), t.ravel() ** 2 / 2
    design[np.arange(axles * strips), 2 + np.repeat(np.arange(axles), strips)] = 1
    answer, squares, _, _ = np.linalg.lstsq(design, np.tile(position_m, axles), rcond=None)
    residual_m = float(np.sqrt(squares[0] / t.size)) if squares.size else 0.0
    return float(answer[0]), float(answer[1]), answer[2:], residual_m


def _marks(
    time_s: Floats,
    spread_s2: Floats,
    position_m: Floats,
    *,
    width_m: float,
    acceleration: float,
    residual_m: float,
) -> tuple[str, ...]:
    """Return what speaks against a passage, as far as strips alone can tell."""
    took = np.diff(time_s, axis=1)
    between = np.diff(position_m) / np.abs(took)
    widest_s = np.sqrt((LONGEST_CONTACT_M**2 + width_m**2) / 12) / SLOWEST_M_S
    marks = []
    if not (took > 0).all():
        marks.append("wrong-way" if (took < 0).all() else "strip-order")
    if between.min() < SLOWEST_M_S or np.sqrt(spread_s2.max()) > widest_s:
        marks.append("stop-and-go")
    if between.max() > FASTEST_M_S:
        marks.append("speed-range")
    if abs(acceleration) > ACCELERATION_M_S2 or residual_m > RESIDUAL_M:
        marks.append("speed-change")
    return tuple(marks)
