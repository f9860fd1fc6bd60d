"""Spoilt passages are turned away, good ones are not: the physical simulator's drives and sensor faults."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.events import DrivingFlag
from simulators.road.manoeuvres import DRIVES, make_set
from simulators.road.passes import STANDARD_GRAVITY_M_S2
from simulators.road.profile import Site
from simulators.road.recordings import Recording
from simulators.road.sensor_faults import FAULTS
from simulators.road.signals import Lane
from tests.counts import count
from tests.unit.weigh.waveform.oracle import Drive, layout, signal
from weigh.waveform import Layout, Loops, StripLoads, process

GOOD = ("normal", "lifted-axle", "mild-acceleration")
VEHICLES = count(100, reduced=6)


def recording(kind: str, vehicles: int = VEHICLES, seed: int = 11) -> Recording:
    """Return a seeded set on a class A road."""
    rng = np.random.default_rng([seed, sorted(DRIVES).index(kind)])
    return make_set(kind, rng, Site.draw(rng, road_class="A"), vehicles)


def processed(made: Recording, **more: Any) -> StripLoads:
    """Process a recording with its own lane and loops."""
    return process(made.samples, lane_layout(made.lane, **more), Loops(**vars(made.loops)))


def lane_layout(lane: Lane, **more: Any) -> Layout:
    """Return the lane's layout."""
    return Layout(
        lane.strip_position_m,
        lane.width_m,
        lane.sample_rate_hz,
        lane.lead_loop_m,
        lane.trail_loop_m,
        lane.loop_length_m,
        **more,
    )


@pytest.mark.parametrize("kind", GOOD)
def test_good_passages_are_weighed(kind: str) -> None:
    made = recording(kind)
    found = processed(made)
    turned_away = ~found.weighed
    assert turned_away.mean() <= 0.005
    assert (found.axle_count == made.truth.axle_count)[~turned_away].all()
    width = found.load.shape[1]
    true = STANDARD_GRAVITY_M_S2 * made.truth.load_kg[:, :width]
    error = (found.load / true - 1)[~turned_away]
    heavy = (true > 10_000.0)[~turned_away]
    assert np.sqrt(np.nanmean(error[heavy] ** 2)) < 0.002


@pytest.mark.parametrize("kind", sorted(set(DRIVES) - set(GOOD)))
def test_spoilt_passages_are_turned_away(kind: str) -> None:
    found = processed(recording(kind))
    assert (~found.weighed).mean() >= 0.99


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_sensor_at_fault_is_left_out_or_does_no_harm(fault: str) -> None:
    rng = np.random.default_rng(5)
    sound = recording("normal")
    made = FAULTS[fault](rng, sound)
    found = processed(made, full_scale=made.truth.full_scale_n if fault == "clipped" else None)
    width = found.load.shape[1]
    true = STANDARD_GRAVITY_M_S2 * made.truth.load_kg[:, :width]
    error = np.abs(found.load / true - 1)
    assert not np.any(error[true > 10_000.0] > 0.03)
    kept = found.alive & made.truth.spoilt
    if fault == "drifting":  # a baseline that runs away slowly is followed: its strip may stay
        change = np.abs(found.load / processed(sound).load - 1).transpose(0, 2, 1)[kept]
        assert not np.any(change > 0.002)
        assert kept.sum() < 0.2 * len(kept)
    else:
        assert not kept.any()
    if fault in {"dead", "flat", "drifting"}:
        assert found.weighed.mean() > 0.9, "one strip of eight is missed, no vehicle"


def loops(**times: float) -> Loops:
    """Return the loops of one vehicle."""
    return replace(Loops.silent(1), **{name: np.array([value]) for name, value in times.items()})


LANE = replace(layout(), lead_loop_m=-1.5, trail_loop_m=8.1)
# A truck of 3.6 + 1.35 m, 1.3 m before and 1 m behind its axles, first axle at 0 m at 0.15 s, at 20 m/s.
WHOLE = {"lead_on": -0.015 + 0.025, "lead_off": 0.4225, "trail_on": 0.44, "trail_off": 0.9025}


@pytest.mark.parametrize(
    ("said", "flag"),
    [
        ({}, None),
        ({"lead_detuning": 0.97, "trail_detuning": 1.04}, None),
        ({"lead_detuning": 0.5, "trail_detuning": 0.5}, DrivingFlag.STRADDLING),
        (
            {"lead_detuning": 0.5, "trail_detuning": 0.5, "left_on": 0.0, "left_off": 0.4},
            DrivingFlag.STRADDLING,
        ),
        ({"lead_detuning": 1.0, "right_on": 0.3, "right_off": 0.7}, DrivingFlag.SIDE_BY_SIDE),
        ({"right_on": 0.3}, DrivingFlag.SIDE_BY_SIDE),
        ({"right_on": 1.1, "right_off": 1.3}, None),
        ({"lead_off": 0.2}, DrivingFlag.CLOSE_FOLLOWING),
        ({"lead_on": 0.2}, DrivingFlag.CLOSE_FOLLOWING),
        ({"lead_off": np.nan, "trail_off": np.nan}, DrivingFlag.TAIL_LOST),
        ({"trail_off": np.nan}, DrivingFlag.TAIL_LOST),
    ],
)
def test_what_loops_say(said: dict[str, float], flag: DrivingFlag | None) -> None:
    samples = signal(Drive()).astype(np.float32)[None]
    found = process(samples, LANE, loops(**{**WHOLE, **said}))
    assert found.flags_of(0) == (() if flag is None else (flag,))
    assert found.weighed[0] == (flag is None)


def test_a_vehicle_the_wrong_way_is_flagged_and_its_speed_negative() -> None:
    samples: NDArray[np.float32] = signal(Drive()).astype(np.float32)[None, :, ::-1].copy()
    found = process(samples, layout(), Loops.silent(1))
    assert DrivingFlag.WRONG_WAY in found.flags_of(0)
    assert found.speed_m_s[0] < 0
    assert not found.weighed[0]


def test_without_loops_a_record_that_ends_too_early_is_flagged() -> None:
    whole = signal(Drive()).astype(np.float32)[None]
    cut = whole[:, :, : int(0.9 * 5_000)]
    assert process(whole, layout(), Loops.silent(1)).weighed[0]
    found = process(cut.copy(), layout(), Loops.silent(1))
    assert found.flags_of(0) == (DrivingFlag.TAIL_LOST,)
