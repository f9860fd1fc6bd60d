"""What one driver does on the strips: drives evenly, changes speed, stops, goes back, comes the wrong way."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulators.road.passes import SPEED_RANGE_M_S
from simulators.road.recordings import Recording
from simulators.road.setting import Range, Setting, fitting_speed, from_place, steady, within_window
from simulators.road.signals import LoopTimes, approach_m, whole_passage_m
from simulators.road.trucks import Trucks, draw_trucks, lift_axle

Floats = NDArray[np.float64]

_GENTLE_M_S2 = 0.1


def normal(setting: Setting, vehicles: int, speeds: Range = SPEED_RANGE_M_S) -> Recording:
    """Drive through at an even speed, as well as anybody keeps it."""
    trucks = setting.trucks(vehicles)
    speed = fitting_speed(setting, trucks, speeds, 1.0)
    gentle = setting.uniform(-_GENTLE_M_S2, _GENTLE_M_S2, vehicles)
    return setting.record(trucks, steady(setting, trucks, speed, gentle), "normal", usable=True)


def lifted_axle(setting: Setting, vehicles: int) -> Recording:
    """Drive through with one of the last two axles lifted: fewer axles, a true weight."""
    able = [code for code in setting.codes or ("115", "155", "157", "127", "1127") if len(code) >= 3]
    trucks = draw_trucks(setting.rng, vehicles, codes=able, load_factor=setting.uniform(0.0, 0.6, vehicles))
    trucks = lift_axle(trucks, trucks.axle_count - 1 - setting.rng.integers(0, 2, vehicles))
    speed = fitting_speed(setting, trucks, SPEED_RANGE_M_S, 1.0)
    return setting.record(trucks, steady(setting, trucks, speed), "lifted-axle", usable=True)


def mild_acceleration(setting: Setting, vehicles: int) -> Recording:
    """Speed up or slow down a little all the way: 0.2 to 0.8 m/s2, which does not spoil a weighing."""
    trucks = setting.trucks(vehicles)
    rate = setting.uniform(0.2, 0.8, vehicles) * setting.rng.choice([-1, 1], vehicles)
    # A vehicle slowing down for the whole window covers a t^2 / 2 less.
    lost = np.maximum(-rate, 0) * setting.lane.window_s**2 / 2
    fast = fitting_speed(setting, trucks, SPEED_RANGE_M_S, 1.0 + np.minimum(lost, 40.0))
    least = np.sqrt(np.maximum(-rate, 0) * 2 * (whole_passage_m(setting.lane, trucks) + 2)) + 2
    speed = np.maximum(fast, least)
    return setting.record(trucks, steady(setting, trucks, speed, rate), "mild-acceleration", usable=True)


def hard_braking(setting: Setting, vehicles: int) -> Recording:
    """Brake at 2 to 5.5 m/s2 while axles are on the strips, to 0.3-0.7 of the speed, and roll on.

    Where the window is short they brake less, so that all of the vehicle still passes within it.
    """
    trucks = setting.trucks(vehicles)
    least = fitting_speed(setting, trucks, (3.0, 3.0), 1.0)
    speed = np.maximum(setting.uniform(10.0, 25.0, vehicles), 1.3 * least)
    slow = np.maximum(speed * setting.uniform(0.3, 0.7, vehicles), least)
    rate = setting.uniform(2.0, 5.5, vehicles)
    place = setting.uniform(0.0, setting.lane.strip_position_m[-1], vehicles)
    drive = from_place(setting, trucks, speed, place, [((speed - slow) / rate, slow)])
    return setting.record(trucks, drive, "hard-braking")


def hard_accelerating(setting: Setting, vehicles: int) -> Recording:
    """Speed up at 1.2 to 2 m/s2 from low speed while axles are on the strips."""
    trucks = setting.trucks(vehicles)
    speed = fitting_speed(setting, trucks, (3.0, 8.0), 1.0)
    rate, lasts = setting.uniform(1.2, 2.0, vehicles), setting.uniform(2.0, 5.0, vehicles)
    place = setting.uniform(-1.0, setting.lane.strip_position_m[-1], vehicles)
    drive = from_place(setting, trucks, speed, place, [(lasts, speed + rate * lasts)])
    return setting.record(trucks, drive, "hard-accelerating")


def _halt(setting: Setting, trucks: Trucks) -> tuple[Floats, Floats, Floats]:
    """Return a speed, the braking that ends it, and where that begins: the vehicle halts upon the strips."""
    vehicles, last = len(trucks), float(setting.lane.strip_position_m[-1])
    length = np.nansum(trucks.spacing_m, axis=1)
    halt, rate = setting.uniform(0.5, last + length - 0.5, vehicles), setting.uniform(1.5, 4.0, vehicles)
    way = halt - approach_m(setting.lane, trucks, np.full(vehicles, 5.0))
    speed = np.minimum(setting.uniform(3.0, 9.0, vehicles), np.sqrt(2 * rate * way) * 0.9)
    return speed, rate, halt - speed**2 / (2 * rate)


def stopping(setting: Setting, vehicles: int) -> Recording:
    """Stop before the last axle has crossed the last strip, and stay until the recording ends."""
    trucks = setting.trucks(vehicles)
    speed, rate, place = _halt(setting, trucks)
    drive = from_place(setting, trucks, speed, place, [(speed / rate, 0 * speed)])
    return setting.record(trucks, drive, "stopping")


def stop_and_go(setting: Setting, vehicles: int) -> Recording:
    """Stop on the strips for 0.3 to 3 s and drive on."""
    trucks = setting.trucks(vehicles)
    speed, rate, place = _halt(setting, trucks)
    wait, away = setting.uniform(0.3, 3.0, vehicles), setting.uniform(3.0, 7.0, vehicles)
    start = away / setting.uniform(0.8, 1.5, vehicles)
    still = 0 * speed
    pieces = [(speed / rate, still), (wait, still), (start, away)]
    drive = within_window(setting, from_place(setting, trucks, speed, place, pieces))
    return setting.record(trucks, drive, "stop-and-go")


def reversing(setting: Setting, vehicles: int) -> Recording:
    """Stop, go back until an axle crosses a strip again, and drive on: it is weighed twice."""
    trucks = setting.trucks(vehicles)
    speed, rate, place = _halt(setting, trucks)
    halt = place + speed**2 / (2 * rate)
    back, slow = _way_back(setting, trucks, halt), setting.uniform(1.0, 2.0, vehicles)
    wait, still = setting.uniform(0.2, 0.8, vehicles), 0 * speed
    # Speeding up and slowing down at 1 m/s2 take slow^2 / 2 metres each.
    slow = np.minimum(slow, np.sqrt(back))
    rolls = np.maximum(back - slow**2, 0) / slow
    away = setting.uniform(3.0, 7.0, vehicles)
    pieces = [
        (speed / rate, still),
        (wait, still),
        (slow, -slow),
        (rolls, -slow),
        (slow, still),
        (wait, still),
    ]
    drive = from_place(setting, trucks, speed, place, [*pieces, (away / 1.2, away)])
    return setting.record(trucks, within_window(setting, drive), "reversing")


def _way_back(setting: Setting, trucks: Trucks, halt_m: Floats) -> Floats:
    """Return how far each vehicle goes back: 0.3 to 3 m beyond the first crossing it repeats."""
    behind = (halt_m[:, None] - trucks.offset_m)[..., None] - setting.lane.strip_position_m
    nearest = np.nanmin(np.where(behind > 0.2, behind, np.nan), axis=(1, 2))
    return np.asarray(nearest + setting.uniform(0.3, 3.0, len(trucks)), dtype=np.float64)


def wrong_way(setting: Setting, vehicles: int) -> Recording:
    """Drive through against the direction of travel: the last strip and the trail loop come first."""
    lane, end = setting.lane, float(setting.lane.strip_position_m[-1])
    seen = replace(
        lane,
        strip_position_m=end - lane.strip_position_m[::-1],
        lead_loop_m=end - lane.trail_loop_m,
        trail_loop_m=end - lane.lead_loop_m,
    )
    made = normal(replace(setting, lane=seen), vehicles)
    own = vars(made.loops)
    swapped = {
        name: own[name.replace("lead", "x").replace("trail", "lead").replace("x", "trail")] for name in own
    }
    truth = replace(
        made.truth,
        manoeuvre="wrong-way",
        usable=False,
        load_kg=made.truth.load_kg[..., ::-1],
        crossings=made.truth.crossings[..., ::-1],
    )
    samples = np.ascontiguousarray(made.samples[:, ::-1])
    return Recording(samples, LoopTimes(**swapped), lane, truth)
