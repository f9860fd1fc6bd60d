"""An independent generator and an independent reading of strip signals: short, slow and obvious.

A contact patch of even pressure rolls at constant acceleration over strips; every sample is worked out on
its own. Nothing is shared with the simulators or with `weigh`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from weigh.waveform import Layout, Loops

POSITION_M = (0.0, 3.1, 4.0, 6.6)
CONTACT_M = 0.25


@dataclass(frozen=True)
class Drive:
    """One vehicle: axle loads in newtons, spacings, speed when its first axle meets the first strip."""

    load_n: tuple[float, ...] = (60_000.0, 90_000.0, 85_000.0)
    spacing_m: tuple[float, ...] = (3.6, 1.35)
    speed_m_s: float = 20.0
    acceleration_m_s2: float = 0.0
    first_s: float = 0.15


def layout(rate_hz: float = 5_000.0, **more: Any) -> Layout:
    """Return four strips without loops."""
    return Layout(np.array(POSITION_M), sample_rate_hz=rate_hz, **more)


def passing_s(drive: Drive, at_m: float) -> float:
    """Return when a point that is at 0 m at `first_s` reaches a place."""
    v, a = drive.speed_m_s, drive.acceleration_m_s2
    took = at_m / v if a == 0 else (-v + np.sqrt(v * v + 2 * a * at_m)) / a
    return drive.first_s + float(took)


def signal(
    drive: Drive, *, rate_hz: float = 5_000.0, seconds: float = 1.5, width_m: float = 0.053
) -> NDArray[np.float64]:
    """Return the force on each strip at each sample, (S, N)."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    since = time - drive.first_s
    front = drive.speed_m_s * since + drive.acceleration_m_s2 * since**2 / 2
    behind = np.concatenate([[0.0], np.cumsum(drive.spacing_m)])
    rows = []
    for strip in POSITION_M:
        force = np.zeros_like(time)
        for load, distance in zip(drive.load_n, behind, strict=True):
            centre = front - distance - strip
            left = np.maximum(centre - CONTACT_M / 2, -width_m / 2)
            right = np.minimum(centre + CONTACT_M / 2, width_m / 2)
            force += load * np.maximum(right - left, 0.0) / CONTACT_M
        rows.append(force)
    return np.array(rows)


def silent_batch(*signals: NDArray[np.float64]) -> tuple[NDArray[np.float32], Loops]:
    """Return signals as a float32 batch without loops."""
    return np.stack(signals).astype(np.float32), Loops.silent(len(signals))


def loads_by_integration(
    samples: NDArray[np.float64], drive: Drive, rate_hz: float, width_m: float = 0.053
) -> NDArray[np.float64]:
    """Return v / L x integral of (s - baseline), sample by sample where the pulse is known to be, (A, S)."""
    behind = np.concatenate([[0.0], np.cumsum(drive.spacing_m)])
    out = np.empty((len(drive.load_n), len(POSITION_M)))
    quiet = samples[:, : int(0.8 * drive.first_s * rate_hz)].mean(axis=1)
    for axle, distance in enumerate(behind):
        for strip, place in enumerate(POSITION_M):
            at = passing_s(drive, place + distance)
            v = drive.speed_m_s + drive.acceleration_m_s2 * (at - drive.first_s)
            half = 0.2 / v
            first, stop = int((at - half) * rate_hz), int((at + half) * rate_hz) + 1
            area = trapezoid(samples[strip, first:stop] - quiet[strip], dx=1 / rate_hz)
            out[axle, strip] = v / width_m * area
    return out
