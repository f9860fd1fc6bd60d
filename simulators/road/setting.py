"""Where and with what a set of recordings is made, and the drives that sets are built from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from simulators.road.motion import Drive
from simulators.road.passes import SPEED_RANGE_M_S
from simulators.road.profile import Site
from simulators.road.recordings import Recording, Sensors, record
from simulators.road.signals import Lane, approach_m, whole_passage_m
from simulators.road.trucks import Trucks, draw_trucks

Floats = NDArray[np.float64]
Range = tuple[float, float]


@dataclass(frozen=True)
class Setting:
    """Where and with what a set is made."""

    rng: np.random.Generator
    site: Site
    lane: Lane
    sensors: Sensors
    codes: tuple[str, ...] | None = None

    def trucks(self, vehicles: int) -> Trucks:
        """Draw the vehicles of a set."""
        return draw_trucks(self.rng, vehicles, codes=self.codes)

    def uniform(self, low: float | Floats, high: float | Floats, vehicles: int) -> Floats:
        """Draw one number a vehicle."""
        return np.asarray(self.rng.uniform(low, high, vehicles), dtype=np.float64)

    def record(
        self, trucks: Trucks, drive: Drive, kind: str, *, usable: bool = False, share: Floats | None = None
    ) -> Recording:
        """Record a drive; see `record` for the share."""
        return record(
            self.rng,
            self.site,
            self.lane,
            trucks,
            drive,
            manoeuvre=kind,
            usable=usable,
            sensors=self.sensors,
            share=share,
        )


def fitting_speed(
    setting: Setting, trucks: Trucks, speeds: Range = SPEED_RANGE_M_S, more_m: float | Floats = 0.0
) -> Floats:
    """Draw speeds at which the whole passage, and some metres more, lies within the window; shape (B,).

    Where even the highest of `speeds` is too slow for the window, the least speed that fits is taken.
    """
    way = whole_passage_m(setting.lane, trucks) + more_m
    least = 1.02 * way / (setting.lane.window_s - setting.lane.lead_in_s)
    low = np.maximum(speeds[0], least)
    return setting.uniform(low, np.maximum(speeds[1], low), len(trucks))


def steady(setting: Setting, trucks: Trucks, speed: Floats, acceleration: Floats | float = 0.0) -> Drive:
    """Return drives through the lane at constant acceleration from the recording's beginning on."""
    return Drive.steady(approach_m(setting.lane, trucks, speed), speed, acceleration)


def from_place(
    setting: Setting, trucks: Trucks, speed: Floats, place_m: Floats, later: list[tuple[Floats, Floats]]
) -> Drive:
    """Return drives at a speed until a place, then through the given (seconds, speed) pieces."""
    start = approach_m(setting.lane, trucks, speed)
    when = np.maximum(place_m - start, 0) / speed
    times, speeds = [np.zeros_like(when), when], [speed, speed]
    for seconds, then in later:
        times.append(times[-1] + seconds)
        speeds.append(then)
    return Drive(np.stack(times, axis=1), np.stack(speeds, axis=1), start)


def within_window(setting: Setting, drive: Drive) -> Drive:
    """Return the drives if the last of their pieces ends within the window."""
    needed = float(drive.knot_s[:, -1].max())
    if needed > setting.lane.window_s:
        raise ConfigurationError(
            f"a window of {setting.lane.window_s:g} s is too short: this takes {needed:.1f} s"
        )
    return drive
