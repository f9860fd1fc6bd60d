"""What one would write with numpy and scipy, a vehicle at a time: the same figures by `find_peaks`.

Nothing is done that need not be: smoothing by a running mean, one `find_peaks` a strip with its widths, one
sum a pulse, one least-squares fit for speed and acceleration of all axles together.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

Floats = NDArray[np.float64]

SMOOTH = 16
QUIET_S = 0.05
APART_S = 0.02
HEIGHT_PART = 0.04


class Weighed(NamedTuple):
    """Loads (A, S), spacings (A - 1,), speed and acceleration of one vehicle."""

    load: Floats
    spacing_m: Floats
    speed_m_s: float
    acceleration_m_s2: float


def weigh(samples: NDArray[np.float32], position_m: Floats, width_m: float, rate_hz: float) -> Weighed | None:
    """Return one vehicle's figures from samples (S, N); None where strips see different axles."""
    times, areas = [], []
    for row in samples:
        signal = row - row[: int(QUIET_S * rate_hz)].mean()
        smooth = uniform_filter1d(signal, SMOOTH)
        height = HEIGHT_PART * smooth.max()
        peaks, found = find_peaks(
            smooth,
            height=height,
            distance=int(APART_S * rate_hz),
            prominence=height,
            width=1,
            rel_height=0.98,
        )
        time, area = np.empty(len(peaks)), np.empty(len(peaks))
        for i, (left, right) in enumerate(zip(found["left_ips"], found["right_ips"], strict=True)):
            first, stop = max(int(left) - SMOOTH, 0), int(right) + SMOOTH
            pulse = signal[first:stop]
            area[i] = pulse.sum(dtype=np.float64)
            time[i] = (first + np.arange(len(pulse)) @ pulse / area[i]) / rate_hz
        times.append(time)
        areas.append(area / rate_hz)
    if len({len(time) for time in times}) != 1 or len(times[0]) < 2:
        return None
    return _fit(np.array(times).T, np.array(areas).T, position_m, width_m)


def _fit(time_s: Floats, area: Floats, position_m: Floats, width_m: float) -> Weighed:
    """Fit place = x_axle + v t + a t^2 / 2 to all axles (A) and strips (S) at once."""
    axles, strips = time_s.shape
    t = time_s - time_s.mean()
    design = np.zeros((axles * strips, axles + 2))
    design[:, 0], design[:, 1] = t.ravel(), t.ravel() ** 2 / 2
    design[np.arange(axles * strips), 2 + np.repeat(np.arange(axles), strips)] = 1
    answer = np.linalg.lstsq(design, np.tile(position_m, axles), rcond=None)[0]
    speed, acceleration = float(answer[0]), float(answer[1])
    return Weighed((speed + acceleration * t) / width_m * area, -np.diff(answer[2:]), speed, acceleration)
