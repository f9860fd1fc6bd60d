"""One recording a vehicle with the truth about it: a drive, the ride it gives, what the strips make of it."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from simulators.road.motion import Drive, Ride, ride
from simulators.road.profile import Site
from simulators.road.signals import (
    Electronics,
    Lane,
    LoopTimes,
    Samples,
    baselines,
    crossing,
    loop_times,
    pulses,
    with_crosstalk,
)
from simulators.road.trucks import Trucks

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sensors:
    """What a site's strips do to a load.

    Parameters
    ----------
    noise
        Standard deviation of each weighing of an axle by a strip, relative to the load.
    gain
        True gain of each strip, shape (S,), or of each passage too (its temperature), (B, S); 1 if None.
    electronics
        Their offset, drift, noise and crosstalk.
    """

    noise: float = 0.015
    gain: Floats | None = None
    electronics: Electronics = field(default_factory=Electronics)


@dataclass(frozen=True)
class Truth:
    """What is true of B recordings of one kind.

    Parameters
    ----------
    manoeuvre
        Which kind, a key of `manoeuvres.MANOEUVRES`.
    usable
        Whether a weighing made of it may be used.
    trucks, drive
        The vehicles as they stand on the road: axle count, true static loads, spacings; and how they
        drove.
    speed_m_s, acceleration_m_s2
        When the first axle reached the first strip, shape (B,); at the beginning where it never did.
    load_kg
        What each strip made of each axle's first crossing, its own error included, averaged as its width
        averages; shape (B, A, S), NaN where the axle never crossed.
    crossings
        How often each axle crossed each strip, shape (B, A, S); of the vehicle itself, not of others near it.
    spoilt
        Strips whose signal is at fault, shape (B, S).
    full_scale_n
        Where the converter clips; infinite if it does not.
    """

    manoeuvre: str
    usable: bool
    trucks: Trucks
    drive: Drive
    speed_m_s: Floats
    acceleration_m_s2: Floats
    load_kg: Floats
    crossings: NDArray[np.int64]
    spoilt: NDArray[np.bool_]
    full_scale_n: float = np.inf

    @property
    def axle_count(self) -> NDArray[np.int64]:
        """True number of axles on the road, shape (B,)."""
        return self.trucks.axle_count


@dataclass(frozen=True)
class Recording:
    """B recordings: `samples` (B, S, N) float32 in newtons, the loops, the lane, and the truth."""

    samples: Samples
    loops: LoopTimes
    lane: Lane
    truth: Truth


def record(
    rng: np.random.Generator,
    site: Site,
    lane: Lane,
    trucks: Trucks,
    drive: Drive,
    *,
    manoeuvre: str,
    usable: bool,
    sensors: Sensors | None = None,
    share: Floats | None = None,
) -> Recording:
    """Return recordings of vehicles driving as told.

    Parameters
    ----------
    share
        How much of each axle's load comes to lie on the strips, shape (B, A, S); all of it if None.
    """
    strips = Sensors() if sensors is None else sensors
    felt = ride(site, trucks, drive, _busy_s(lane, trucks, drive))
    factor = _factor(rng, lane, trucks, strips, share)
    samples = with_crosstalk(pulses(lane, trucks, drive, felt, factor), strips.electronics.crosstalk)
    samples += baselines(rng, lane, len(trucks), strips.electronics)
    times, load = _crossings(lane, trucks, drive, felt)
    speed, acceleration = _at_first_strip(lane, drive)
    truth = Truth(
        manoeuvre=manoeuvre,
        usable=usable,
        trucks=trucks,
        drive=drive,
        speed_m_s=speed,
        acceleration_m_s2=acceleration,
        load_kg=load * factor,
        crossings=times,
        spoilt=np.zeros(samples.shape[:2], dtype=bool),
    )
    return Recording(samples, loop_times(lane, trucks, drive), lane, truth)


def with_follower(
    rng: np.random.Generator,
    site: Site,
    first: Recording,
    trucks: Trucks,
    drive: Drive,
    *,
    sensors: Sensors | None = None,
) -> Recording:
    """Return the recordings with other vehicles' axles added; loops and truth stay the first's."""
    strips = Sensors() if sensors is None else sensors
    felt = ride(site, trucks, drive, _busy_s(first.lane, trucks, drive))
    factor = _factor(rng, first.lane, trucks, strips, None)
    more = with_crosstalk(pulses(first.lane, trucks, drive, felt, factor), strips.electronics.crosstalk)
    return replace(first, samples=first.samples + more)


def _busy_s(lane: Lane, trucks: Trucks, drive: Drive) -> float:
    """Return when the last of the axles has left the last strip for good, or the recording ended."""
    time = lane.time_s
    tail = drive.position_m(time) - np.nansum(trucks.spacing_m, axis=1)[:, None]
    on_strips = np.flatnonzero((tail < lane.strip_position_m[-1] + 0.5).any(axis=0))
    return float(time[on_strips[-1]]) if len(on_strips) else 0.0


def _factor(
    rng: np.random.Generator, lane: Lane, trucks: Trucks, sensors: Sensors, share: Floats | None
) -> Floats:
    """Return what each strip makes of each axle's load, shape (B, A, S)."""
    shape = (*trucks.static_kg.shape, len(lane.strip_position_m))
    factor = 1 + sensors.noise * rng.standard_normal(shape)
    if sensors.gain is not None:
        factor *= sensors.gain if sensors.gain.ndim == 1 else sensors.gain[:, None]
    return factor if share is None else factor * share


def _crossings(lane: Lane, trucks: Trucks, drive: Drive, felt: Ride) -> tuple[NDArray[np.int64], Floats]:
    """Return how often each axle crossed each strip, and the mean load of the first time, both (B, A, S)."""
    time, head = lane.time_s, drive.position_m(lane.time_s)
    shape = (*trucks.static_kg.shape, len(lane.strip_position_m))
    times, load = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan)
    for row, axle in zip(*np.nonzero(trucks.axle_type >= 0), strict=True):
        place = head[row] - trucks.offset_m[row, axle]
        hits, strip, part = crossing(place, lane, trucks.contact_m[row, axle])
        if len(hits) == 0:
            continue
        # A new crossing begins wherever samples or strips do not go on.
        begins = np.flatnonzero(np.r_[True, (np.diff(hits) > 1) | (np.diff(strip) != 0)])
        np.add.at(times[row, axle], strip[begins], 1)
        weights = part * np.abs(np.gradient(place)[hits])
        loads = np.interp(time[hits], felt.time_s, felt.load_kg[row, axle])
        ends = np.append(begins[1:], len(hits))
        for begin, end in zip(begins[::-1], ends[::-1], strict=True):  # the first crossing is written last
            if weights[begin:end].any():
                load[row, axle, strip[begin]] = np.average(loads[begin:end], weights=weights[begin:end])
    return times, load


def _at_first_strip(lane: Lane, drive: Drive) -> tuple[Floats, Floats]:
    """Return speed and acceleration when the first axle reached the first strip, shape (B,)."""
    time = lane.time_s
    reached = drive.position_m(time) >= lane.strip_position_m[0]
    moment = reached.argmax(axis=1)[:, None]
    speed = np.take_along_axis(drive.speed_m_s(time), moment, axis=1)[:, 0]
    return speed, np.take_along_axis(drive.acceleration_m_s2(time), moment, axis=1)[:, 0]
