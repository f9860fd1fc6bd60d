"""Messages of waveforms as the arrays `weigh.waveform` works on. Shapes: B vehicles, S strips, N samples."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.events import Loop, SampleType, Waveform
from weigh.calibration.state import CalibrationState
from weigh.waveform import Layout, Loops, samples_from_buffer

_US = 1e-6
_LOOPS = ("lead", "trail", "left", "right")

Floats = NDArray[np.float64]


class Signals(NamedTuple):
    """One vehicle's waveform: its description, its samples and the calibration in force, if there is one."""

    waveform: Waveform
    samples: bytes | memoryview
    state: CalibrationState | None
    unreadable: bool = False
    """A calibration is in force, and this program cannot read it."""


def kind_of(vehicle: Signals) -> Any:
    """Return what vehicles must have in common to be weighed in one batch."""
    wave = vehicle.waveform
    loops = tuple(loop and loop.position_mm for loop in (wave.lead, wave.trail))
    # Its figures would tell it as well, but take longer to look at than the vehicle takes to weigh.
    state = None if vehicle.state is None else id(vehicle.state)
    beside = (wave.left is not None, wave.right is not None)
    shape = (wave.sample_rate_hz, wave.sample_count, wave.sample_type, wave.full_scale_n)
    used = (state, vehicle.unreadable)
    return (*shape, wave.strip_width_um, wave.strips, loops, beside, wave.loop_length_mm, used)


def layout_of(wave: Waveform) -> Layout:
    """Return where strips and loops lie; raises `ConfigurationError` where they cannot."""

    def metres(loop: Loop | None) -> float | None:
        return None if loop is None or loop.position_mm is None else loop.position_mm / 1_000

    given = {} if wave.loop_length_mm is None else {"loop_length_m": wave.loop_length_mm / 1_000}
    return Layout(
        position_m=np.array([strip.position_mm for strip in wave.strips]) / 1_000,
        width_m=wave.strip_width_um * _US,
        sample_rate_hz=float(wave.sample_rate_hz),
        lead_loop_m=metres(wave.lead),
        trail_loop_m=metres(wave.trail),
        left_loop=wave.left is not None,
        right_loop=wave.right is not None,
        full_scale=None if wave.full_scale_n is None else float(wave.full_scale_n),
        **given,
    )


def samples_of(vehicles: Sequence[Signals]) -> NDArray[Any]:
    """Return the samples of all, (B, S, N)."""
    first = vehicles[0].waveform
    dtype = "int16" if first.sample_type is SampleType.INT16 else "float32"
    return np.concatenate(
        [
            samples_from_buffer(one.samples, dtype=dtype, strips=len(first.strips), count=first.sample_count)
            for one in vehicles
        ]
    )


def scale_of(wave: Waveform) -> Floats | None:
    """Return newtons a count, (S,); None where samples are newtons."""
    counts = [strip.scale_un for strip in wave.strips if strip.scale_un is not None]
    return np.array(counts) * _US if counts else None


def loops_of(waves: Sequence[Waveform]) -> Loops:
    """Return what the loops said of each vehicle, (B,)."""

    def seconds(name: str, what: str) -> Floats:
        loops = [getattr(wave, name) for wave in waves]
        return np.array(
            [np.nan if one is None or (t := getattr(one, what)) is None else t * _US for one in loops]
        )

    def detuning(name: str) -> Floats:
        return seconds(name, "detuning_milli") / _US / 1_000

    times = {f"{name}_{end}": seconds(name, f"{end}_us") for name in _LOOPS for end in ("on", "off")}
    return Loops(**times, lead_detuning=detuning("lead"), trail_detuning=detuning("trail"))


def temperature_of(waves: Sequence[Waveform]) -> Floats:
    """Return each vehicle's strip temperature in kelvin, (B,); NaN where not measured."""
    known = [wave.temperature_mk for wave in waves]
    return np.array([np.nan if mk is None else mk / 1_000 for mk in known])
