"""Sets of recordings: each kind does what its name says, seen in the samples by other means than its own."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.signal import find_peaks

from domain.errors import ConfigurationError
from simulators.road.manoeuvres import DRIVES, make_set
from simulators.road.passes import STANDARD_GRAVITY_M_S2
from simulators.road.profile import Site
from simulators.road.recordings import Recording, Sensors
from simulators.road.sensor_faults import FAULTS
from simulators.road.signals import Electronics, Lane
from tests.counts import count

VEHICLES = count(60, reduced=8)
LANES = {"24 s": None, "1.8 s": Lane.pairs_8(5_000.0, 1.8)}
QUIET = Sensors(electronics=Electronics(noise_n=0, offset_n=0, drift_n=0))


@lru_cache
def made(kind: str, lane: str = "24 s") -> Recording:
    """Return a set on a road of its own, its sensors without noise; made once for all tests."""
    return fresh(kind, lane)


def fresh(kind: str, lane: str = "24 s") -> Recording:
    """Return the same set made again."""
    rng = np.random.default_rng(1)
    return make_set(kind, rng, Site.draw(rng), VEHICLES, lane=LANES[lane], sensors=QUIET)


def peaks(recording: Recording) -> np.ndarray:
    """Count the pulses of quiet recordings as an independent eye would, shape (B, S)."""
    high = 0.05 * float(recording.samples.max())
    counts = [
        [len(find_peaks(strip, height=high, prominence=high)[0]) for strip in each]
        for each in recording.samples
    ]
    return np.array(counts)


def speeds_at(recording: Recording, place_m: float) -> np.ndarray:
    """Return the speed at which each first axle reached a place, shape (B,)."""
    time = recording.lane.time_s
    reached = recording.truth.drive.position_m(time) >= place_m
    speed = recording.truth.drive.speed_m_s(time)
    return np.asarray(np.take_along_axis(speed, reached.argmax(axis=1)[:, None], axis=1)[:, 0])


@pytest.mark.parametrize("kind", sorted(DRIVES))
def test_a_seed_is_a_set_and_every_set_is_whole(kind: str) -> None:
    one, again = made(kind), fresh(kind)
    assert np.array_equal(one.samples, again.samples)
    assert one.samples.dtype == np.float32
    assert one.samples.shape == (VEHICLES, 8, one.lane.samples)
    assert np.isfinite(one.samples).all()
    assert one.truth.manoeuvre == kind
    assert one.truth.usable == (kind in {"normal", "lifted-axle", "mild-acceleration"})
    for said in vars(one.loops).values():
        assert said.shape == (VEHICLES,)
    there = (one.truth.trucks.axle_type >= 0)[..., None]
    assert (np.isfinite(one.truth.load_kg) == (one.truth.crossings > 0)).all()
    assert (one.truth.crossings[~np.broadcast_to(there, one.truth.crossings.shape)] == 0).all()


@pytest.mark.parametrize("lane", sorted(LANES))
@pytest.mark.parametrize("kind", ["normal", "lifted-axle", "mild-acceleration", "straddling", "wrong-way"])
def test_every_axle_crosses_every_strip_once_and_leaves_one_pulse(kind: str, lane: str) -> None:
    recording = made(kind, lane)
    truth = recording.truth
    there = np.broadcast_to((truth.trucks.axle_type >= 0)[..., None], truth.crossings.shape)
    assert (truth.crossings == there).all()
    assert (peaks(recording) == truth.axle_count[:, None]).all()
    assert np.isfinite(recording.loops.trail_off).all()


@pytest.mark.parametrize("kind", ["normal", "mild-acceleration", "hard-braking", "hard-accelerating"])
def test_the_samples_hold_the_loads_the_truth_says(kind: str) -> None:
    """Each pulse integrated over the way instead of time: independent of how the speed changes."""
    recording = made(kind)
    truth, lane = recording.truth, recording.lane
    way = np.gradient(truth.drive.position_m(lane.time_s), axis=1)
    felt_kg = np.einsum("bsn,bn->bs", recording.samples, way) / lane.width_m / STANDARD_GRAVITY_M_S2
    assert felt_kg == pytest.approx(np.nansum(truth.load_kg, axis=1), rel=5e-3)


def test_loads_of_normal_passages_scatter_about_the_static_ones() -> None:
    truth = made("normal").truth
    error = truth.load_kg / truth.trucks.static_kg[..., None] - 1
    assert 0.05 < np.nanstd(error) < 0.15
    assert abs(np.nanmean(error)) < 0.03


def test_mild_changes_of_speed_are_mild_and_hard_ones_hard() -> None:
    mild, braking, speeding = (
        made(kind) for kind in ("mild-acceleration", "hard-braking", "hard-accelerating")
    )
    assert (np.abs(mild.truth.acceleration_m_s2) <= 0.8).all()
    assert (np.abs(mild.truth.acceleration_m_s2) >= 0.2).all()
    for recording, low, high in ((braking, -5.5, -2.0), (speeding, 1.2, 2.0)):
        time = recording.lane.time_s
        rate = recording.truth.drive.acceleration_m_s2(time)
        strongest = np.take_along_axis(rate, np.abs(rate).argmax(axis=1)[:, None], axis=1)
        assert ((strongest >= low) & (strongest <= high)).all()
        tail = 14.2 + np.nanmax(recording.truth.trucks.offset_m, axis=1)
        change = np.array([speeds_at(recording, place)[row] for row, place in enumerate(tail)])
        assert (np.abs(change - recording.truth.speed_m_s) > 0.3).all(), "while axles are on the strips"


def test_braking_weighs_the_front_heavier() -> None:
    truth = made("hard-braking").truth
    last = truth.axle_count - 1
    rows = np.arange(VEHICLES)
    ratio = truth.load_kg[..., -1] / truth.trucks.static_kg
    assert np.mean(ratio[:, 0]) > 1
    assert np.mean(ratio[rows, last]) < np.mean(ratio[:, 0])


def test_who_stops_stands_on_the_strips_when_the_recording_ends() -> None:
    recording = made("stopping")
    end = recording.lane.time_s[-1:]
    assert (recording.truth.drive.speed_m_s(end) == 0).all()
    assert (recording.truth.crossings[:, 0, 0] == 1).all()
    there = recording.truth.trucks.axle_type >= 0
    assert ((recording.truth.crossings == 0) & there[..., None]).any(axis=(1, 2)).all(), "its tail is missing"


def test_who_stops_and_goes_stood_with_axles_before_and_behind_a_strip() -> None:
    recording = made("stop-and-go")
    time = recording.lane.time_s
    still = recording.truth.drive.speed_m_s(time) == 0
    assert (still.sum(axis=1) / recording.lane.sample_rate_hz > 0.29).all()
    place = recording.truth.drive.position_m(time)[np.arange(VEHICLES), still.argmax(axis=1)]
    length = np.nansum(recording.truth.trucks.spacing_m, axis=1)
    assert ((place > 0) & (place - length < 14.2)).all()
    assert np.isfinite(recording.loops.trail_off).all(), "and goes"


def test_who_reverses_has_an_axle_weighed_again() -> None:
    recording = made("reversing")
    assert (recording.truth.crossings.max(axis=(1, 2)) >= 2).all()
    assert (peaks(recording) > recording.truth.axle_count[:, None]).any(axis=1).mean() > 0.9
    assert np.isfinite(recording.loops.trail_off).all()


@pytest.mark.parametrize("kind", ["stop-and-go", "reversing"])
def test_a_window_too_short_for_a_manoeuvre_is_refused(kind: str) -> None:
    with pytest.raises(ConfigurationError, match="too short"):
        fresh(kind, "1.8 s")


def test_the_wrong_way_reaches_the_last_strip_and_the_trail_loop_first() -> None:
    recording = made("wrong-way")
    first = (recording.samples > 1_000).argmax(axis=2)
    assert (np.diff(first, axis=1) < 0).all()
    assert (recording.loops.trail_on < recording.loops.lead_on).all()


def test_straddling_weighs_too_little_and_wakes_the_neighbours_loop() -> None:
    recording = made("straddling")
    ratio = np.nansum(recording.truth.load_kg, axis=1) / recording.truth.trucks.gross_kg[:, None]
    assert (ratio < 0.9).all()
    assert (recording.loops.lead_detuning < 0.7).all()
    beside = np.fmax(recording.loops.left_on, recording.loops.right_on)
    assert np.abs(beside - recording.loops.lead_on).max() <= 0.021


def test_side_by_side_both_loops_are_whole_and_occupied_together() -> None:
    loops = made("side-by-side").loops
    on, off = np.fmax(loops.left_on, loops.right_on), np.fmax(loops.left_off, loops.right_off)
    together = np.minimum(off, loops.lead_off) - np.maximum(on, loops.lead_on)
    assert (together > 0.3 * (loops.lead_off - loops.lead_on)).all()
    assert (np.isnan(loops.left_on) != np.isnan(loops.right_on)).all()
    assert (loops.lead_detuning >= 0.9).all()


@pytest.mark.parametrize("lane", sorted(LANES))
def test_a_close_follower_leaves_pulses_too(lane: str) -> None:
    recording = made("close-following", lane)
    assert (peaks(recording)[:, 0] > recording.truth.axle_count).all()
    assert (recording.truth.crossings.sum(axis=1)[:, 0] == recording.truth.axle_count).all()


def test_a_lost_tail_and_a_left_lane_miss_axles_on_the_last_strips() -> None:
    cut = made("tail-lost")
    assert cut.lane.window_s == 1.3
    assert (cut.truth.crossings[..., -1].sum(axis=1) < cut.truth.axle_count).all()
    assert np.isnan(cut.loops.trail_off).all()
    left = made("leaving-lane")
    assert (peaks(left)[:, -1] < left.truth.axle_count).all()
    assert (peaks(left)[:, 0] >= 1).all()


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_a_fault_spoils_the_strips_it_names_and_no_other(kind: str) -> None:
    rng = np.random.default_rng(1)
    whole = make_set("normal", rng, Site.draw(rng), VEHICLES, lane=LANES["1.8 s"])
    spoilt = FAULTS[kind](np.random.default_rng(2), whole)
    changed = ~(spoilt.samples == whole.samples).all(axis=2)
    assert (changed == spoilt.truth.spoilt).all()
    assert spoilt.truth.manoeuvre == kind
    assert spoilt.truth.spoilt.any(axis=1).all()
    those = spoilt.samples[spoilt.truth.spoilt]
    match kind:
        case "dead":
            assert (np.ptp(those, axis=1) < 400).all()
            assert (np.ptp(those, axis=1) > 50).all(), "noise goes on"
        case "flat":
            assert (np.ptp(those, axis=1) == 0).all()
        case "missing":
            assert np.isnan(those).any(axis=1).all()
        case "drifting":
            assert (np.abs(those[:, -200:].mean(axis=1) - those[:, :200].mean(axis=1)) > 900).all()
        case "clipped":
            assert not spoilt.truth.usable
            assert np.abs(spoilt.samples).max() == pytest.approx(spoilt.truth.full_scale_n)


def test_a_strips_gain_by_passage_multiplies_what_it_records() -> None:
    gain = np.random.default_rng(3).uniform(0.8, 1.2, (VEHICLES, 8))
    rng = np.random.default_rng(1)
    sensors = replace(QUIET, gain=gain)
    louder = make_set("normal", rng, Site.draw(rng), VEHICLES, lane=LANES["1.8 s"], sensors=sensors)
    assert np.allclose(
        louder.samples, made("normal", "1.8 s").samples * gain[..., None], rtol=1e-4, atol=0.01
    )


def test_an_unknown_manoeuvre_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'flying'"):
        made("flying")
