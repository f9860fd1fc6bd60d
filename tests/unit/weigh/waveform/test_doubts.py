"""What no loop excludes: axles alone cannot tell one vehicle from two, nor a whole one from a part."""

from dataclasses import replace

import numpy as np
import pytest

from simulators.road.manoeuvres import make_set
from simulators.road.motion import Drive as Motion
from simulators.road.profile import Site
from simulators.road.recordings import Recording, with_follower
from simulators.road.signals import Lane
from simulators.road.trucks import draw_trucks
from tests.counts import count
from tests.unit.weigh.waveform.oracle import Drive, signal
from tests.unit.weigh.waveform.test_manoeuvres import LANE, WHOLE, lane_layout, loops
from weigh.waveform import Layout, Loops, StripLoads, process

VEHICLES = count(60, reduced=10)
BOTH = {"lead_detuning": 1.0, "trail_detuning": 1.0}
BESIDE = replace(LANE, left_loop=True, right_loop=True)
SAMPLES = signal(Drive()).astype(np.float32)[None]
NONE = float("nan")


@pytest.mark.parametrize(
    ("said", "lane", "open_points"),
    [
        (WHOLE | BOTH, LANE, ()),
        (WHOLE, BESIDE, ()),
        ({}, LANE, ("no-loop", "straddling-open")),
        (WHOLE | BOTH, replace(LANE, lead_loop_m=None, trail_loop_m=None), ("no-loop", "straddling-open")),
        # one loop with both its times is enough to tell one vehicle from two; half of two is not
        (WHOLE | BOTH | {"lead_on": NONE, "lead_off": NONE}, LANE, ()),
        (WHOLE | BOTH | {"trail_on": NONE, "trail_off": NONE}, LANE, ()),
        (WHOLE | BOTH | {"trail_off": NONE, "lead_on": NONE, "lead_off": NONE}, LANE, ("no-loop",)),
        # a loop that is stuck, or another vehicle's, tells nothing of this one
        (BOTH | {"lead_on": -30.0, "lead_off": 30.0}, LANE, ("no-loop",)),
        (BOTH | {"lead_on": WHOLE["lead_on"], "lead_off": 30.0}, LANE, ("no-loop",)),
        # no depth of the lane's own on one side, and no neighbours or only one
        (WHOLE, LANE, ("straddling-open",)),
        (WHOLE | {"lead_detuning": 1.0}, LANE, ("straddling-open",)),
        (WHOLE, replace(LANE, left_loop=True), ("straddling-open",)),
        (WHOLE, replace(LANE, right_loop=True), ("straddling-open",)),
        # a neighbour occupied while axles are on the strips is not quiet; before and after it is
        (WHOLE | {"left_on": 0.6, "left_off": 0.7}, BESIDE, ("straddling-open",)),
        (WHOLE | {"right_on": 0.6}, BESIDE, ("straddling-open",)),
        (WHOLE | {"left_on": -2.0, "left_off": -1.0, "right_on": 1.2}, BESIDE, ()),
    ],
)
def test_what_loops_leave_open(said: dict[str, float], lane: Layout, open_points: tuple[str, ...]) -> None:
    found = process(SAMPLES, lane, loops(**said))
    assert found.problem_of(0) == "ok"
    assert found.doubts_of(0) == open_points
    assert found.beyond_doubt[0] == (found.weighed[0] and not open_points)


@pytest.fixture(scope="module")
def alone() -> Recording:
    """Return vehicles on their own."""
    rng = np.random.default_rng(3)
    return make_set("normal", rng, Site.draw(rng, "A"), VEHICLES, lane=Lane.pairs_8(2_000.0, 8.0))


def followed(first: Recording, gap_m: float) -> Recording:
    """Return the recordings with another vehicle behind each, whose axles are on the strips in full."""
    rng = np.random.default_rng(round(gap_m))
    trucks = first.truth.trucks
    second = draw_trucks(rng, len(trucks))
    speed = first.truth.speed_m_s
    length = np.nansum(trucks.spacing_m, axis=1) + trucks.rear_m
    start = first.truth.drive.start_m - length - gap_m - second.front_m
    drive = Motion.steady(start, speed, 0.0)
    site = Site.draw(np.random.default_rng(4), "A")
    return with_follower(rng, site, first, second, drive)


def as_if(made: Recording, kept: str) -> StripLoads:
    """Process with those of the loops that are kept."""
    layout, said = lane_layout(made.lane, left_loop=True, right_loop=True), Loops(**vars(made.loops))
    nothing = np.full(said.vehicles, np.nan)
    for name in ("lead", "trail"):
        if kept not in ("both", name):
            said = replace(said, **{f"{name}_{what}": nothing for what in ("on", "off", "detuning")})
    if kept == "none":
        layout = replace(layout, left_loop=False, right_loop=False)
    return process(made.samples, layout, said)


@pytest.mark.parametrize("kept", ["both", "lead", "trail", "none"])
def test_two_vehicles_are_never_one_beyond_doubt(alone: Recording, kept: str) -> None:
    assert as_if(alone, kept).beyond_doubt.mean() >= (0.0 if kept == "none" else 0.95)
    for gap_m in (4.0, 8.0, 16.0, 30.0):
        found = as_if(followed(alone, gap_m), kept)
        assert not found.beyond_doubt.any(), gap_m


@pytest.mark.parametrize("kept", ["both", "lead", "none"])
@pytest.mark.parametrize("kind", ["straddling", "leaving-lane"])
def test_what_is_partly_beside_the_strips_is_never_whole_beyond_doubt(kind: str, kept: str) -> None:
    rng = np.random.default_rng(8)
    made = make_set(kind, rng, Site.draw(rng, "A"), VEHICLES)
    assert not as_if(made, kept).beyond_doubt.any()
