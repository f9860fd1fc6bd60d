"""What involves another lane, another vehicle or the window's end: straddling, following, a lost tail."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulators.road.driving import normal
from simulators.road.motion import Drive
from simulators.road.passes import SPEED_RANGE_M_S
from simulators.road.recordings import Recording, with_follower
from simulators.road.setting import Setting, fitting_speed, steady
from simulators.road.signals import LoopTimes

Floats = NDArray[np.float64]


def straddling(setting: Setting, vehicles: int) -> Recording:
    """Drive between two lanes: 0.35 to 0.7 of each axle on the strips, own loop weak, the next occupied."""
    trucks = setting.trucks(vehicles)
    speed = fitting_speed(setting, trucks, SPEED_RANGE_M_S, 1.0)
    on = setting.uniform(0.35, 0.7, vehicles)[:, None, None]
    shape = (*trucks.static_kg.shape, len(setting.lane.strip_position_m))
    share = np.clip(on * setting.rng.normal(1, 0.05, shape), 0.0, 1.0)
    made = setting.record(trucks, steady(setting, trucks, speed), "straddling", share=share)
    weak = setting.uniform(0.25, 0.65, vehicles)
    loops = replace(made.loops, lead_detuning=weak, trail_detuning=weak * setting.uniform(0.9, 1.1, vehicles))
    jitter = setting.uniform(-0.02, 0.02, vehicles)
    return replace(made, loops=_beside(setting, loops, loops.lead_on + jitter, loops.lead_off - jitter))


def side_by_side(setting: Setting, vehicles: int) -> Recording:
    """Drive through beside another vehicle in the next lane, overlapping by at least a third."""
    made = normal(setting, vehicles)
    loops = made.loops
    length = loops.lead_off - loops.lead_on
    shift = length * setting.uniform(-0.6, 0.6, vehicles)
    whole = setting.uniform(0.9, 1.1, vehicles)
    loops = replace(loops, lead_detuning=whole, trail_detuning=whole)
    other = setting.uniform(0.9, 1.4, vehicles) * length
    on = np.maximum(loops.lead_on + shift, 0)
    loops = _beside(setting, loops, on, np.maximum(on + other, loops.lead_on + length / 3))
    return replace(made, loops=loops, truth=replace(made.truth, manoeuvre="side-by-side", usable=False))


def _beside(setting: Setting, loops: LoopTimes, on: Floats, off: Floats) -> LoopTimes:
    """Return the loops with a neighbour's occupied, on either side."""
    left = setting.rng.random(len(on)) < 0.5
    nothing = np.full_like(on, np.nan)
    return replace(
        loops,
        left_on=np.where(left, on, nothing),
        left_off=np.where(left, off, nothing),
        right_on=np.where(left, nothing, on),
        right_off=np.where(left, nothing, off),
    )


def close_following(
    setting: Setting, vehicles: int, *, gaps_m: tuple[float, float] = (1.0, 10.0)
) -> Recording:
    """Drive through with another vehicle so far behind, whose first axles come into the same window."""
    trucks, follower = setting.trucks(vehicles), setting.trucks(vehicles)
    gap = setting.uniform(*gaps_m, vehicles)
    speed = fitting_speed(setting, trucks, SPEED_RANGE_M_S, gap + 4.0)
    drive = steady(setting, trucks, speed)
    length = np.nansum(trucks.spacing_m, axis=1) + trucks.rear_m
    second = Drive.steady(drive.start_m - length - gap - follower.front_m, speed)
    made = setting.record(trucks, drive, "close-following")
    made = with_follower(setting.rng, setting.site, made, follower, second, sensors=setting.sensors)
    # A loop longer than the gap never becomes free between the two.
    merged = gap <= setting.lane.loop_length_m
    still = np.where(merged, np.nan, made.loops.lead_off), np.where(merged, np.nan, made.loops.trail_off)
    return replace(made, loops=replace(made.loops, lead_off=still[0], trail_off=still[1]))


def leaving_lane(setting: Setting, vehicles: int) -> Recording:
    """Swing out of the lane on the strips: within 0.4 s from some moment on no wheel touches one."""
    trucks = setting.trucks(vehicles)
    speed = fitting_speed(setting, trucks, SPEED_RANGE_M_S, 1.0)
    last, length = float(setting.lane.strip_position_m[-1]), np.nansum(trucks.spacing_m, axis=1)
    place = setting.uniform(2.0, last + length - 1.0 - 0.4 * speed, vehicles)
    beyond = trucks.offset_m[..., None] + setting.lane.strip_position_m - place[:, None, None]
    share = np.clip(1 - beyond / speed[:, None, None] / 0.4, 0.0, 1.0)
    made = setting.record(trucks, steady(setting, trucks, speed), "leaving-lane", share=share)
    weak = setting.uniform(0.2, 0.7, vehicles)
    loops = replace(made.loops, trail_detuning=weak)
    moment = made.loops.lead_on + (place - setting.lane.lead_loop_m) / speed
    return replace(made, loops=_beside(setting, loops, moment, np.full(vehicles, np.nan)))


def tail_lost(setting: Setting, vehicles: int) -> Recording:
    """Let the recording, cut to 1.3 s, end before the last axle has crossed the last strip."""
    lane = replace(setting.lane, window_s=min(setting.lane.window_s, 1.3))
    trucks = setting.trucks(vehicles)
    last, length = float(lane.strip_position_m[-1]), np.nansum(trucks.spacing_m, axis=1)
    end = setting.uniform(last * 0.5 + 1.0, last + length - 0.3, vehicles)
    begin = lane.lead_loop_m - lane.loop_length_m / 2 - trucks.front_m
    speed = (end - begin) / (lane.window_s - lane.lead_in_s)
    cut = replace(setting, lane=lane)
    return cut.record(trucks, steady(cut, trucks, speed), "tail-lost")
