"""Strips that fail: a cut cable, a value that stands still, a baseline that runs away, a clipping converter.

Each takes a recording and returns it with one strip of every vehicle (or the converter of all) at fault.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from simulators.road.recordings import Recording
from simulators.road.signals import Electronics, baselines


def dead(rng: np.random.Generator, recording: Recording, strips: int = 1) -> Recording:
    """Cut the cable of some strips: their noise goes on, no axle is felt."""
    quiet = baselines(rng, recording.lane, len(recording.samples), Electronics())
    return _spoil(rng, recording, strips, "dead", lambda _, row, strip: quiet[row, strip])


def flat(rng: np.random.Generator, recording: Recording, strips: int = 1) -> Recording:
    """Let some strips stand still at one value."""
    return _spoil(rng, recording, strips, "flat", lambda signal, *_: np.full_like(signal, signal[0]))


def missing(rng: np.random.Generator, recording: Recording, strips: int = 1) -> Recording:
    """Let some strips deliver no number at all: NaN from somewhere on."""
    samples = recording.samples.shape[2]

    def cut(signal: np.ndarray, *_: int) -> np.ndarray:
        broken = signal.copy()
        broken[rng.integers(0, samples) :] = np.nan
        return broken

    return _spoil(rng, recording, strips, "missing", cut)


def drifting(rng: np.random.Generator, recording: Recording, strips: int = 1) -> Recording:
    """Let the baseline of some strips run away by 2 to 20 kN while the vehicle passes, ever more slowly."""
    time = recording.lane.time_s

    def ramp(signal: np.ndarray, *_: int) -> np.ndarray:
        height = rng.uniform(2e3, 2e4) * rng.choice([-1, 1])
        settles_s = rng.uniform(0.3, 1.0) * recording.lane.window_s
        return np.asarray(signal + (height * -np.expm1(-time / settles_s)).astype(np.float32))

    return _spoil(rng, recording, strips, "drifting", ramp)


def clipped(rng: np.random.Generator, recording: Recording) -> Recording:
    """Set the converter's end at 0.5 to 0.9 of the least of the vehicles' highest samples: all clip."""
    full_scale = float(recording.samples.max(axis=(1, 2)).min() * rng.uniform(0.5, 0.9))
    samples = np.clip(recording.samples, -full_scale, full_scale)
    at_end = np.asarray((np.abs(samples) >= full_scale).any(axis=2), dtype=np.bool_)
    truth = replace(
        recording.truth, manoeuvre="clipped", usable=False, spoilt=at_end, full_scale_n=full_scale
    )
    return replace(recording, samples=samples, truth=truth)


FAULTS = {"dead": dead, "flat": flat, "missing": missing, "drifting": drifting, "clipped": clipped}


def _spoil(
    rng: np.random.Generator,
    recording: Recording,
    strips: int,
    kind: str,
    change: Callable[..., np.ndarray],
) -> Recording:
    """Change the signal of some strips, drawn for each vehicle; the passage stays as usable as it was."""
    samples, spoilt = recording.samples.copy(), recording.truth.spoilt.copy()
    for row in range(len(samples)):
        for strip in rng.choice(samples.shape[1], size=strips, replace=False):
            samples[row, strip] = change(samples[row, strip], row, strip)
            spoilt[row, strip] = True
    truth = replace(recording.truth, manoeuvre=kind, spoilt=spoilt)
    return replace(recording, samples=samples, truth=truth)
