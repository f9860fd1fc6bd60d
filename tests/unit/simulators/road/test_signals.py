"""Waveforms: pulses by brute force, areas that weigh, loops by arithmetic, a converter that clips."""

from dataclasses import replace

import numpy as np
import pytest

from domain.errors import ConfigurationError
from simulators.road.motion import Drive, ride
from simulators.road.passes import PAIRS_8_M, strip_passes
from simulators.road.profile import Site
from simulators.road.signals import (
    Electronics,
    Lane,
    approach_m,
    baselines,
    loop_times,
    pulses,
    to_counts,
    waveforms,
    whole_passage_m,
    with_crosstalk,
)
from simulators.road.trucks import draw_trucks

GRAVITY_M_S2 = 9.80665


@pytest.mark.parametrize("rate_hz", [1_000.0, 5_000.0, 20_000.0])
def test_the_area_under_a_pulse_is_the_load(rate_hz: float) -> None:
    rng = np.random.default_rng(3)
    lane, trucks = Lane.pairs_8(rate_hz, 2.5), draw_trucks(rng, 6)
    speed = rng.uniform(17, 25, 6)
    drive = Drive.steady(approach_m(lane, trucks, speed), speed)
    load = strip_passes(rng, Site.draw(rng), trucks, speed, PAIRS_8_M)
    signal = pulses(lane, trucks, drive, np.nan_to_num(load)).astype(np.float64)
    weighed = speed[:, None] / lane.width_m * signal.sum(axis=-1) / rate_hz / GRAVITY_M_S2
    assert weighed == pytest.approx(np.nansum(load, axis=1), rel=2e-3 if rate_hz > 1_000 else 2e-2)


def test_a_pulse_is_the_pressure_that_lies_on_the_strip() -> None:
    """By brute force: the contact as 4,000 points of equal force, those on the strip counted each time."""
    rng = np.random.default_rng(3)
    lane = Lane(np.array([0.0, 2.0]), sample_rate_hz=500.0, window_s=2.0)
    trucks = draw_trucks(rng, 1, codes=["12"])
    drive = Drive(np.array([[0.0, 0.6, 1.5]]), np.array([[8.0, 8.0, 3.0]]), np.array([-2.0]))
    felt = ride(Site.draw(rng), trucks, drive, 2.0)
    signal = pulses(lane, trucks, drive, felt)[0]
    points = (np.arange(4_000) + 0.5) / 4_000 - 0.5
    for number, time in enumerate(lane.time_s):
        head = drive.position_m(np.array([time]))[0, 0]
        for strip in range(2):
            force = 0.0
            for axle in range(2):
                rolled = head - trucks.offset_m[0, axle] + points * trucks.contact_m[0, axle]
                part = (np.abs(rolled - lane.strip_position_m[strip]) < lane.width_m / 2).mean()
                load = np.interp(time, felt.time_s, felt.load_kg[0, axle])
                force += GRAVITY_M_S2 * load * part
            assert signal[strip, number] == pytest.approx(force, abs=60)
    assert signal.max() > 5_000


def test_what_strips_make_of_a_load_multiplies_its_pulse() -> None:
    rng = np.random.default_rng(3)
    lane, trucks = Lane.pairs_8(window_s=3.0), draw_trucks(rng, 2, codes=["11"])
    drive = Drive.steady(np.full(2, -6.0), np.full(2, 15.0))
    load = np.nan_to_num(strip_passes(rng, Site.draw(rng), trucks, np.full(2, 15.0), PAIRS_8_M))
    factor = rng.uniform(0.5, 1.5, load.shape)
    assert np.allclose(
        pulses(lane, trucks, drive, load, factor), pulses(lane, trucks, drive, load * factor), rtol=1e-5
    )


def test_loops_are_occupied_from_bumper_to_bumper() -> None:
    rng = np.random.default_rng(3)
    lane, trucks = Lane.pairs_8(5_000.0, 3.0), draw_trucks(rng, 8)
    speed = rng.uniform(15, 25, 8)
    loops = loop_times(lane, trucks, Drive.steady(approach_m(lane, trucks, speed), speed))
    length = trucks.front_m + np.nansum(trucks.spacing_m, axis=1) + trucks.rear_m
    assert loops.lead_on == pytest.approx(lane.lead_in_s, abs=3e-4)
    assert loops.lead_off - loops.lead_on == pytest.approx((length + 2) / speed, abs=5e-4)
    between = (lane.trail_loop_m - lane.lead_loop_m) / speed
    assert loops.trail_on - loops.lead_on == pytest.approx(between, abs=5e-4)
    assert loops.trail_off - loops.lead_on == pytest.approx(whole_passage_m(lane, trucks) / speed, abs=1e-3)
    assert (loops.lead_detuning == 1).all()
    assert np.isnan(loops.left_on).all()


def test_a_loop_not_reached_or_not_left_says_nothing() -> None:
    trucks, lane = draw_trucks(np.random.default_rng(3), 2), Lane.pairs_8(window_s=2.0)
    loops = loop_times(lane, trucks, Drive.steady(np.array([-30.0, -4.0]), np.array([1.0, 2.0])))
    assert np.isnan(loops.lead_on[0])
    assert np.isfinite(loops.lead_on[1])
    assert np.isnan(loops.lead_off).all()
    assert np.isnan(loops.trail_on).all()


def test_an_empty_road_shows_offset_drift_and_noise() -> None:
    lane = Lane.pairs_8(1_000.0, 20.0)
    rng = np.random.default_rng(3)
    quiet = baselines(rng, lane, 40, Electronics(noise_n=30, offset_n=500, drift_n=0))
    assert quiet.dtype == np.float32
    assert quiet.std(axis=-1) == pytest.approx(30, rel=0.05)
    assert quiet.mean(axis=-1).std() == pytest.approx(500, rel=0.15)
    drifting = baselines(rng, lane, 40, Electronics(noise_n=0, offset_n=0, drift_n=50))
    assert 45 < np.abs(drifting).max() <= 50


def test_crosstalk_is_heard_by_neighbours_only() -> None:
    signal = np.zeros((1, 4, 3), dtype=np.float32)
    signal[0, 1] = [0, 100, 0]
    assert with_crosstalk(signal, 0.02)[0, :, 1].tolist() == [2, 100, 2, 0]


def test_a_recording_is_its_pulses_upon_its_baselines() -> None:
    rng = np.random.default_rng(3)
    lane, trucks, speed = Lane.pairs_8(window_s=3.0), draw_trucks(rng, 3), np.full(3, 20.0)
    drive = Drive.steady(approach_m(lane, trucks, speed), speed)
    load = strip_passes(rng, Site.draw(rng), trucks, speed, PAIRS_8_M)
    silent = Electronics(noise_n=0, offset_n=0, drift_n=0)
    samples, _ = waveforms(rng, lane, trucks, drive, load, electronics=silent)
    assert samples.shape == (3, 8, 6_000)
    assert np.allclose(samples, pulses(lane, trucks, drive, np.nan_to_num(load)))


def test_a_converter_rounds_and_clips_and_never_wraps() -> None:
    samples = np.array([[[0.0, 1.4, -1.6, 40_000, -40_000]], [[1, 2, 3, 65_534, 1e9]]], dtype=np.float32)
    assert to_counts(samples, 1.0)[0, 0].tolist() == [0, 1, -2, 32_767, -32_768]
    assert to_counts(samples, np.array([2.0]))[1, 0, 3:].tolist() == [32_767, 32_767]
    assert to_counts(samples, 1.0).dtype == np.int16
    with pytest.raises(ConfigurationError, match="positive"):
        to_counts(samples, 0.0)


def test_a_lane_without_order_or_time_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="behind"):
        Lane(np.array([0.0, 3.0, 2.0]))
    with pytest.raises(ConfigurationError, match="window"):
        Lane.pairs_8(window_s=0.0)


def test_strips_too_near_to_tell_their_pulses_apart_are_refused() -> None:
    rng = np.random.default_rng(3)
    lane, trucks = replace(Lane.pairs_8(), strip_position_m=np.array([0.0, 0.2])), draw_trucks(rng, 1)
    with pytest.raises(ConfigurationError, match="nearer"):
        pulses(lane, trucks, Drive.steady(np.zeros(1), np.ones(1)), np.ones((1, 6, 2)))
