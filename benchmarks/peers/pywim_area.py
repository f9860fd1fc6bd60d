"""The area method of pywim (OpenWIM), the open weigh-in-motion package, written anew from its description.

From its notebooks on speed detection, wave curves and weight estimation: each sensor's signal less its
baseline, smoothed by a first-order Butterworth filter both ways; peaks above half of the sensor's range and
at least 30 samples apart; the curve of a peak reaches to where the signal falls under a threshold, and a
little further; area by the trapezoidal rule; speed between neighbouring sensors from their peaks; and

    W = (v / L) * A * C

by axle and sensor, the sensors averaged after those beyond 1.5 interquartile ranges are left out. The
baseline here is the mean of the first 50 ms, which are unloaded: kinder than the minimum the package takes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt, find_peaks

Floats = NDArray[np.float64]

PEAK_PART = 0.5
PEAK_DISTANCE = 30
CURVE_MARGIN = 5
THRESHOLD_PART = 0.02
CUT = 0.12
QUIET_S = 0.05


def weigh(samples: NDArray[np.float32], position_m: Floats, width_m: float, rate_hz: float) -> Floats | None:
    """Return one vehicle's axle loads (A,) from samples (S, N); None where sensors see different axles."""
    quiet = int(QUIET_S * rate_hz)
    b, a = butter(1, CUT)
    signals = [filtfilt(b, a, row - row[:quiet].mean()) for row in samples.astype(np.float64)]
    peaks = [find_peaks(row, height=_height(row), distance=PEAK_DISTANCE)[0] for row in signals]
    if len({len(found) for found in peaks}) != 1 or len(peaks[0]) == 0:
        return None
    speeds = [
        (position_m[s] - position_m[s - 1]) / ((peaks[s] - peaks[s - 1]) / rate_hz)
        for s in range(1, len(peaks))
    ]
    speeds.insert(0, speeds[0])
    areas = [
        np.array([_area(row, peak, rate_hz) for peak in found])
        for row, found in zip(signals, peaks, strict=True)
    ]
    weights = np.array([speed / width_m * area for speed, area in zip(speeds, areas, strict=True)])
    return np.array([_without_outliers(weights[:, axle]).mean() for axle in range(weights.shape[1])])


def _height(row: Floats) -> float:
    return float(PEAK_PART * (row.max() - row.min()) + row.min())


def _area(row: Floats, peak: int, rate_hz: float) -> float:
    """Return the area of the curve around a peak."""
    threshold = THRESHOLD_PART * row.max()
    first, stop = peak, peak
    while first > 0 and row[first] > threshold:
        first -= 1
    while stop < len(row) - 1 and row[stop] > threshold:
        stop += 1
    curve = row[max(first - CURVE_MARGIN, 0) : stop + CURVE_MARGIN]
    return float(np.trapezoid(curve, dx=1 / rate_hz))


def _without_outliers(values: Floats) -> Floats:
    low, high = np.percentile(values, [25, 75])
    reach = 1.5 * (high - low)
    return np.asarray(values[(values >= low - reach) & (values <= high + reach)])
