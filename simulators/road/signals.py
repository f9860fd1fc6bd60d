"""What the roadside cabinet records: the strips' waveforms in newtons, and the times of the loops.

A contact patch of even pressure and length Lc rolls over a strip of width L: at each moment the strip feels
F times (their overlap) / Lc, so that W = (v / L) x integral of (s - baseline). On top: offset, drift, noise
and crosstalk of the sensors, and the converter.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from simulators.road.motion import Drive, Ride
from simulators.road.passes import PAIRS_8_M, STANDARD_GRAVITY_M_S2
from simulators.road.trucks import Trucks

Floats = NDArray[np.float64]
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Lane:
    """A lane's strips and loops, positions along travel from the first strip's centre, and how it records.

    Parameters
    ----------
    strip_position_m
        Centres of the strips, shape (S,), increasing.
    width_m
        Width L of a strip along travel.
    window_s
        Length of a recording; it begins `lead_in_s` before the front bumper reaches the lead loop.
    lead_loop_m, trail_loop_m, loop_length_m
        Centres of the two loops, and the length of each.
    """

    strip_position_m: Floats
    width_m: float = 0.053
    sample_rate_hz: float = 2_000.0
    window_s: float = 6.0
    lead_loop_m: float = -1.5
    trail_loop_m: float = 15.7
    loop_length_m: float = 2.0
    lead_in_s: float = 0.05

    def __post_init__(self) -> None:
        position = self.strip_position_m
        if position.ndim != 1 or len(position) == 0 or (np.diff(position) <= 0).any():
            raise ConfigurationError("strips must lie one behind the other along travel")
        if not (self.width_m > 0 and self.sample_rate_hz > 0 and self.samples >= 2):
            raise ConfigurationError("a lane needs a strip width, a sample rate and a window above zero")

    @classmethod
    def pairs_8(cls, sample_rate_hz: float = 2_000.0, window_s: float = 6.0) -> "Lane":
        """Return the lane of eight strips in pairs."""
        return cls(PAIRS_8_M, sample_rate_hz=sample_rate_hz, window_s=window_s)

    @property
    def samples(self) -> int:
        """Number of samples N of a recording."""
        return round(self.window_s * self.sample_rate_hz)

    @property
    def time_s(self) -> Floats:
        """Time of each sample, shape (N,)."""
        return np.arange(self.samples) / self.sample_rate_hz


@dataclass(frozen=True)
class Electronics:
    """The sensors' own part of a signal, in newtons.

    Parameters
    ----------
    noise_n
        Standard deviation of each sample, white.
    offset_n
        Standard deviation of a strip's baseline from one recording to the next.
    drift_n
        Amplitude of a slow wandering of the baseline, of 0.05-0.3 Hz.
    crosstalk
        Part of a strip's signal that appears in its two neighbours'.
    """

    noise_n: float = 20.0
    offset_n: float = 400.0
    drift_n: float = 20.0
    crosstalk: float = 0.0


@dataclass(frozen=True)
class LoopTimes:
    """What the loops say, each of shape (B,); seconds from the first sample, NaN for nothing.

    `..._detuning` is relative to a centred passage of such a vehicle; left and right are the neighbouring
    lanes' loops beside the lead loop.
    """

    lead_on: Floats
    lead_off: Floats
    trail_on: Floats
    trail_off: Floats
    lead_detuning: Floats
    trail_detuning: Floats
    left_on: Floats
    left_off: Floats
    right_on: Floats
    right_off: Floats

    @classmethod
    def silent(cls, vehicles: int) -> "LoopTimes":
        """Return loops that say nothing."""
        return cls(**{field.name: np.full(vehicles, np.nan) for field in fields(cls)})


def approach_m(lane: Lane, trucks: Trucks, speed_m_s: Floats) -> Floats:
    """Return where the first axle is when the recording begins, shape (B,)."""
    edge = lane.lead_loop_m - lane.loop_length_m / 2
    return np.asarray(edge - trucks.front_m - speed_m_s * lane.lead_in_s, dtype=np.float64)


def whole_passage_m(lane: Lane, trucks: Trucks) -> Floats:
    """Return how far a vehicle goes from the lead loop until it has left strips and loops, shape (B,)."""
    begin = lane.lead_loop_m - lane.loop_length_m / 2
    end = max(lane.trail_loop_m + lane.loop_length_m / 2, float(lane.strip_position_m[-1]) + 0.5)
    length = trucks.front_m + np.nansum(trucks.spacing_m, axis=1) + trucks.rear_m
    return np.asarray(end - begin + length, dtype=np.float64)


def baselines(rng: np.random.Generator, lane: Lane, vehicles: int, electronics: Electronics) -> Samples:
    """Return what strips record of an empty road, in newtons, shape (B, S, N)."""
    strips, time = len(lane.strip_position_m), lane.time_s.astype(np.float32)
    shape = (vehicles, strips, 1)
    out = rng.standard_normal((vehicles, strips, lane.samples), dtype=np.float32)
    out *= np.float32(electronics.noise_n)
    out += (electronics.offset_n * rng.standard_normal(shape)).astype(np.float32)
    turning = (2 * np.pi * rng.uniform(0.05, 0.3, shape)).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, shape).astype(np.float32)
    if electronics.drift_n:
        out += np.float32(electronics.drift_n) * np.sin(turning * time + phase)
    return out


def pulses(
    lane: Lane,
    trucks: Trucks,
    drive: Drive,
    load_kg: Floats | Ride,
    factor: Floats | None = None,
) -> Samples:
    """Return the signal of the axles alone, in newtons, shape (B, S, N).

    Parameters
    ----------
    load_kg
        What each strip feels of each axle, shape (B, A, S); or a `Ride`, whose load at each moment counts.
    factor
        What each strip makes of each axle's load (gain, own error, wheels beside the strip), shape (B, A, S).
    """
    time = lane.time_s
    head = drive.position_m(time)
    out = np.zeros((len(trucks), len(lane.strip_position_m), lane.samples), dtype=np.float32)
    for row in range(len(trucks)):
        for axle in range(int(trucks.axle_count[row])):
            place = head[row] - trucks.offset_m[row, axle]
            hits, strips, part = crossing(place, lane, trucks.contact_m[row, axle])
            if isinstance(load_kg, Ride):
                load = np.interp(time[hits], load_kg.time_s, load_kg.load_kg[row, axle])
            else:
                load = load_kg[row, axle, strips]
            if factor is not None:
                load = load * factor[row, axle, strips]
            out[row, strips, hits] += (STANDARD_GRAVITY_M_S2 * load * part).astype(np.float32)
    return out


def crossing(
    place_m: Floats, lane: Lane, contact_m: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return when an axle touches a strip, which strip, and how much of the axle's load it feels.

    Parameters
    ----------
    place_m
        Where the axle is at each sample, shape (N,).

    Returns
    -------
    Numbers of the samples, numbers of the strips, and the overlap of contact patch and strip as a part of the
    patch: a trapezoid over the distance of their centres.
    """
    reach, position = (contact_m + lane.width_m) / 2, lane.strip_position_m
    if (np.diff(position) < 2 * reach).any():
        raise ConfigurationError("strips nearer than a contact length and a strip's width are not simulated")
    over = np.flatnonzero((place_m > position[0] - reach) & (place_m < position[-1] + reach))
    near = np.searchsorted(position - reach, place_m[over], side="left") - 1
    inside = reach - np.abs(place_m[over] - position[near])
    on = inside > 0
    overlap = np.minimum(inside[on], min(contact_m, lane.width_m))
    return over[on], near[on], np.asarray(overlap / contact_m, dtype=np.float64)


def with_crosstalk(samples: Samples, part: float) -> Samples:
    """Return signals in which each strip also hears its neighbours."""
    if part == 0:
        return samples
    heard = samples.copy()
    heard[:, 1:] += np.float32(part) * samples[:, :-1]
    heard[:, :-1] += np.float32(part) * samples[:, 1:]
    return heard


def loop_times(lane: Lane, trucks: Trucks, drive: Drive) -> LoopTimes:
    """Return when the lane's own loops were occupied, for a centred passage; neighbours quiet.

    NaN where a loop was not reached, or not left, before the recording ended.
    """
    time = lane.time_s
    front = drive.position_m(time) + trucks.front_m[:, None]
    back = front - (trucks.front_m + np.nansum(trucks.spacing_m, axis=1) + trucks.rear_m)[:, None]
    times = vars(LoopTimes.silent(len(trucks)))
    for name, centre in (("lead", lane.lead_loop_m), ("trail", lane.trail_loop_m)):
        over = (front > centre - lane.loop_length_m / 2) & (back < centre + lane.loop_length_m / 2)
        reached = over.any(axis=1)
        last = over.shape[1] - 1 - over[:, ::-1].argmax(axis=1)
        times[f"{name}_on"] = np.where(reached, time[over.argmax(axis=1)], np.nan)
        times[f"{name}_off"] = np.where(reached & (last < len(time) - 1), time[last], np.nan)
        times[f"{name}_detuning"] = np.where(reached, 1.0, np.nan)
    return LoopTimes(**times)


def waveforms(
    rng: np.random.Generator,
    lane: Lane,
    trucks: Trucks,
    drive: Drive,
    load_kg: Floats | Ride,
    *,
    factor: Floats | None = None,
    electronics: Electronics | None = None,
) -> tuple[Samples, LoopTimes]:
    """Return samples (B, S, N) in newtons and the loops of normal passages.

    At constant speed `load_kg` may be what `strip_passes` returns for the same strips (its NaN for dead
    strips gives no pulse); with a `Ride` any drive is physical. `electronics` None means the default sensors.
    """
    sensors = Electronics() if electronics is None else electronics
    felt = pulses(
        lane, trucks, drive, load_kg if isinstance(load_kg, Ride) else np.nan_to_num(load_kg), factor
    )
    out = with_crosstalk(felt, sensors.crosstalk)
    out += baselines(rng, lane, len(trucks), sensors)
    return out, loop_times(lane, trucks, drive)


def to_counts(samples: Samples, newton_per_count: float | Floats) -> NDArray[np.int16]:
    """Return samples as a 16-bit converter delivers them: rounded, and clipped at its range.

    Parameters
    ----------
    newton_per_count
        A number or by strip, shape (S,).
    """
    scale = np.broadcast_to(newton_per_count, samples.shape[1:2]).astype(np.float64)
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ConfigurationError("newton_per_count must be positive")
    counts = np.rint(samples / scale[:, None])
    return np.clip(counts, -32768, 32767).astype(np.int16)
