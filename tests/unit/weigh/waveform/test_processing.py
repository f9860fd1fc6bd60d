"""Strip loads against integration sample by sample, and every kind of input that must not make a number."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain.errors import ConfigurationError, InputRefused
from tests.counts import count
from tests.unit.weigh.waveform.oracle import (
    POSITION_M,
    Drive,
    layout,
    loads_by_integration,
    signal,
    silent_batch,
)
from weigh.waveform import Criteria, Layout, Loops, StripLoads, process, samples_from_buffer

DRIVE = Drive()
RATE_HZ = 5_000.0
EXAMPLES = settings(max_examples=count(600, reduced=40), deadline=None, derandomize=True)


def weighed(*signals: NDArray[np.float64], rate_hz: float = RATE_HZ) -> StripLoads:
    """Process signals without loops."""
    samples, loops = silent_batch(*signals)
    return process(samples, layout(rate_hz), loops)


def problem(samples: NDArray[Any], loops: Loops | None = None, **more: Any) -> str:
    """Return the problem of a batch of one."""
    found = process(samples, layout(), Loops.silent(1) if loops is None else loops, **more)
    if found.problem[0]:
        assert np.isnan(found.load).all()
        assert np.isnan(found.speed_m_s).all()
        assert not found.alive.any()
        assert found.axle_count[0] == 0
    return found.problem_of(0)


def noisy(rng: np.random.Generator, clean: NDArray[np.float64], sd: float = 20.0) -> NDArray[np.float64]:
    """Add a baseline that wanders and white noise."""
    time = np.arange(clean.shape[1]) / RATE_HZ
    offset = rng.normal(0, 400, (len(clean), 1)) + 20 * np.sin(2 * np.pi * 0.2 * time + rng.uniform(0, 6))
    return np.asarray(clean + offset + rng.normal(0, sd, clean.shape))


@pytest.mark.parametrize("rate_hz", [1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0])
@pytest.mark.parametrize("acceleration_m_s2", [0.0, 0.8, -0.8])
def test_loads_speed_and_spacings_are_those_of_the_vehicle(rate_hz: float, acceleration_m_s2: float) -> None:
    drive = replace(DRIVE, acceleration_m_s2=acceleration_m_s2)
    clean = signal(drive, rate_hz=rate_hz)
    found = weighed(clean, rate_hz=rate_hz)
    assert found.problem_of(0) == "ok"
    assert found.flags_of(0) == ()
    assert found.axle_count[0] == 3
    assert found.alive.all()
    expected = loads_by_integration(clean, drive, rate_hz)
    tolerance = 0.02 if rate_hz < 2_000 else 0.004
    assert found.load[0] == pytest.approx(expected, rel=tolerance)
    assert found.load[0] == pytest.approx(np.array(drive.load_n)[:, None].repeat(4, 1), rel=tolerance)
    assert found.spacing_m[0] == pytest.approx(drive.spacing_m, abs=0.005)
    assert found.acceleration_m_s2[0] == pytest.approx(acceleration_m_s2, abs=0.05)
    assert found.residual_m[0] < 0.003


def test_processing_adds_less_than_a_tenth_of_a_percent() -> None:
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(count(200, reduced=30)):
        drive = replace(DRIVE, speed_m_s=float(rng.uniform(12, 30)), first_s=float(rng.uniform(0.14, 0.2)))
        found = weighed(noisy(rng, signal(drive, seconds=2.5)))
        assert found.weighed.all()
        errors.append(found.load[0] / np.array(drive.load_n)[:, None] - 1)
    assert np.sqrt(np.mean(np.square(errors))) < 0.001


def test_a_batch_says_of_each_vehicle_what_a_batch_of_one_says() -> None:
    rng = np.random.default_rng(2)
    drives = [replace(DRIVE, speed_m_s=float(v)) for v in rng.uniform(15, 28, 9)]
    signals = [noisy(rng, signal(drive)) for drive in drives]
    together = weighed(*signals)
    samples, loops = silent_batch(*signals)
    shared = process(samples, layout(), loops, threads=3)
    assert (shared.load == together.load).all()
    for row, one in enumerate(signals):
        alone = weighed(one)
        assert (alone.load[0] == together.load[row]).all()
        assert alone.speed_m_s[0] == together.speed_m_s[row]


def test_whole_numbers_weigh_as_floats_do() -> None:
    rng = np.random.default_rng(3)
    scale = np.array([0.9, 1.0, 0.7, 1.3])
    counts = np.rint(noisy(rng, signal(DRIVE)) / scale[:, None]).astype(np.int16)[None]
    of_counts = process(counts, layout(), Loops.silent(1), scale)
    of_floats = weighed(counts[0] * scale[:, None])
    assert of_counts.problem_of(0) == "ok"
    assert of_counts.load == pytest.approx(of_floats.load, rel=1e-4)


def test_whole_numbers_near_the_end_of_their_type_do_not_overflow() -> None:
    drive = replace(DRIVE, load_n=(60_000.0, 61_000.0, 60_500.0))
    clean = signal(drive)
    scale = np.full(4, clean.max() / 60_000)
    counts = np.rint(clean / scale[0] - 30_000).astype(np.int16)[None]
    assert counts.max() > 29_000
    assert counts.min() == -30_000
    found = process(counts, layout(), Loops.silent(1), scale)
    assert found.problem_of(0) == "ok"
    assert found.load[0] == pytest.approx(np.array(drive.load_n)[:, None].repeat(4, 1), rel=0.004)


def test_a_baseline_ten_pulses_high_is_taken_off() -> None:
    found = weighed(signal(DRIVE) + 200_000.0)
    assert found.load[0] == pytest.approx(np.array(DRIVE.load_n)[:, None].repeat(4, 1), rel=0.003)


def test_a_wheel_that_stands_on_a_strip_is_not_its_baseline() -> None:
    standing = signal(DRIVE)
    standing[2, 2_500:] = 12_000.0
    rng = np.random.default_rng(4)
    found = weighed(noisy(rng, standing))
    assert not found.weighed[0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number(value: float) -> None:
    samples = silent_batch(signal(DRIVE))[0]
    samples[0, 1, 4_321] = value
    assert problem(samples) == "not-finite"


def test_a_strip_out_of_service_may_hold_anything() -> None:
    samples = silent_batch(signal(DRIVE))[0]
    samples[0, 1] = np.nan
    in_service = np.array([True, False, True, True])
    found = process(samples, layout(), Loops.silent(1), in_service=in_service)
    assert found.problem_of(0) == "ok"
    assert found.alive[0].tolist() == in_service.tolist()
    assert np.isnan(found.load[0, :, 1]).all()


def test_a_flat_strip_is_left_out_and_only_flat_strips_are_no_vehicle() -> None:
    samples = silent_batch(signal(DRIVE))[0]
    samples[0, 1] = 17.5
    found = process(samples, layout(), Loops.silent(1))
    assert found.problem_of(0) == "ok"
    assert found.alive[0].tolist() == [True, False, True, True]
    samples[:] = 17.5
    assert problem(samples) == "flat-strip"


def test_an_empty_road_is_no_vehicle() -> None:
    rng = np.random.default_rng(5)
    assert problem(rng.normal(0, 20, (1, 4, 7_500)).astype(np.float32)) == "no-vehicle"


def test_a_converter_at_its_end_is_left_out() -> None:
    rng = np.random.default_rng(6)
    samples = silent_batch(noisy(rng, signal(DRIVE)))[0]
    samples[0, 2] = np.minimum(samples[0, 2], 14_000.0)
    found = process(samples, layout(), Loops.silent(1))
    assert found.alive[0].tolist() == [True, True, False, True], "a flat top that noise would not leave"
    samples = np.minimum(samples, np.float32(14_000.0))
    assert problem(samples) == "clipped"
    counts = np.clip(np.rint(signal(DRIVE) * 2.5), -32_768, 32_767).astype(np.int16)[None]
    assert (counts == 32_767).any()
    assert problem(counts, scale=np.full(4, 0.4)) == "clipped"
    known = replace(layout(), full_scale=14_000.0)
    exact = np.minimum(silent_batch(signal(DRIVE))[0], np.float32(14_000.0))
    assert process(exact, known, Loops.silent(1)).problem_of(0) == "clipped"


def test_a_converter_at_its_lower_end_is_left_out() -> None:
    counts = np.clip(np.rint(signal(DRIVE)) - 40_000, -32_768, 32_767).astype(np.int16)[None]
    assert problem(counts, scale=np.ones(4)) == "clipped"


def test_a_baseline_that_runs_away_leaves_its_strip_out() -> None:
    rng = np.random.default_rng(7)
    clean = noisy(rng, signal(DRIVE))
    clean[1] += 9_000 * (1 - np.exp(-np.arange(7_500) / 4_000))
    found = weighed(clean)
    assert not found.alive[0, 1]
    others = found.load[0][:, [0, 2, 3]]
    assert others == pytest.approx(np.array(DRIVE.load_n)[:, None].repeat(3, 1), rel=0.005)


def test_too_few_samples() -> None:
    assert problem(silent_batch(signal(DRIVE))[0][:, :, :600]) == "too-few-samples"


@pytest.mark.parametrize(
    "times",
    [
        {"lead_on": 0.5, "lead_off": 0.4},
        {"trail_on": 0.5, "trail_off": 0.5},
        {"lead_on": np.inf},
        {"lead_off": 0.4},
        {"lead_on": 0.1, "lead_off": 0.5, "lead_detuning": -1.0},
    ],
)
def test_loops_that_contradict_time(times: dict[str, float]) -> None:
    loops = replace(Loops.silent(1), **{name: np.array([value]) for name, value in times.items()})
    assert problem(silent_batch(signal(DRIVE))[0], loops) == "loop-times"


def test_strips_hit_in_an_impossible_order() -> None:
    samples = silent_batch(signal(DRIVE))[0]
    assert problem(samples[:, [0, 2, 1, 3]].copy()) == "strip-order"


def test_strips_hit_all_at_once_have_no_speed() -> None:
    one = signal(DRIVE)[:1]
    found = weighed(np.repeat(one, 4, axis=0))
    assert not found.weighed[0]
    assert np.isnan(found.load).all()


def test_a_standing_vehicle_has_no_speed() -> None:
    still = signal(replace(DRIVE, speed_m_s=0.4, spacing_m=(1.2, 1.2)), seconds=30.0)
    found = weighed(still)
    assert not found.weighed[0]
    assert np.isnan(found.load).all()


def test_strips_that_disagree_by_more_than_a_few() -> None:
    three, two = signal(DRIVE), signal(replace(DRIVE, load_n=(60_000.0, 90_000.0), spacing_m=(3.6,)))
    assert problem(silent_batch(np.concatenate([three[:2], two[2:]]))[0]) == "strips-disagree"


def test_one_axle_is_no_vehicle_to_weigh() -> None:
    one = signal(replace(DRIVE, load_n=(60_000.0,), spacing_m=()))
    assert problem(silent_batch(one)[0]) == "too-few-axles"


def test_a_spark_is_no_axle() -> None:
    rng = np.random.default_rng(8)
    samples = silent_batch(noisy(rng, signal(DRIVE)))[0]
    samples[0, :, 6_000] += 15_000.0
    found = process(samples, layout(), Loops.silent(1))
    assert found.axle_count[0] == 3
    assert found.load[0] == pytest.approx(np.array(DRIVE.load_n)[:, None].repeat(4, 1), rel=0.006)


BATCH = np.zeros((2, 4, 7_500), dtype=np.float32)


@pytest.mark.parametrize(
    ("samples", "loops", "more"),
    [
        (BATCH.astype(np.float64), Loops.silent(2), {}),
        (BATCH.astype(">f4"), Loops.silent(2), {}),
        (BATCH[0], Loops.silent(4), {}),
        (BATCH[:, :3], Loops.silent(2), {}),
        (BATCH, Loops.silent(1), {}),
        (BATCH.astype(np.int16), Loops.silent(2), {}),
        (BATCH, Loops.silent(2), {"scale": np.ones(3)}),
        (BATCH, Loops.silent(2), {"scale": np.array([1.0, 0.0, 1.0, 1.0])}),
        (BATCH, Loops.silent(2), {"scale": np.array([1.0, np.nan, 1.0, 1.0])}),
        (BATCH, Loops.silent(2), {"in_service": np.ones(5, dtype=bool)}),
    ],
)
def test_a_malformed_batch_is_refused(samples: NDArray[Any], loops: Loops, more: dict[str, Any]) -> None:
    with pytest.raises(InputRefused):
        process(samples, layout(), loops, **more)


def test_an_empty_batch_is_no_error() -> None:
    found = process(BATCH[:0], layout(), Loops.silent(0))
    assert found.load.shape[0] == 0
    assert found.flags.shape == (0, 8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"position_m": np.array([0.0, 1.0, 1.0])},
        {"position_m": np.array([0.0])},
        {"position_m": np.array([0.0, np.nan])},
        {"position_m": np.array([0.0, 3_100.0])},
        {"width_m": 0.0},
        {"width_m": 2.0},
        {"sample_rate_hz": np.nan},
        {"lead_loop_m": 3.0, "trail_loop_m": -1.0},
        {"full_scale": -1.0},
    ],
)
def test_a_layout_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Layout(**{"position_m": np.array([0.0, 1.0]), **wrong})


def test_a_rate_too_low_for_the_speed_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="sample faster"):
        process(BATCH, layout(500.0), Loops.silent(2))


def test_samples_from_a_buffer_are_strip_after_strip() -> None:
    samples = np.arange(12, dtype="<i2").reshape(4, 3)
    read = samples_from_buffer(memoryview(samples.tobytes()), dtype="int16", strips=4, count=3)
    assert read.dtype == np.int16
    assert (read[0] == samples).all()
    for wrong in ({"dtype": "int32"}, {"strips": 3}, {"count": 4}, {"strips": 0}):
        with pytest.raises(InputRefused):
            samples_from_buffer(
                samples.tobytes(),
                **{"dtype": "int16", "strips": 4, "count": 3, **wrong},  # type: ignore[arg-type]
            )


@EXAMPLES
@given(
    speed=st.floats(6.0, 33.0),
    throttle=st.floats(-1.0, 1.0),
    loads=st.lists(st.floats(12_000.0, 120_000.0), min_size=2, max_size=6),
    data=st.data(),
)
def test_any_vehicle_at_any_usual_speed(
    speed: float, throttle: float, loads: list[float], data: st.DataObject
) -> None:
    gaps = st.floats(1.2, 7.0)
    spacings = data.draw(st.lists(gaps, min_size=len(loads) - 1, max_size=len(loads) - 1))
    way = sum(spacings) + POSITION_M[-1] + 14.0
    # The shorter the passage, the less its acceleration is known (by 0.1-0.2 m/s2 at 31 m/s over 6.6 m), and
    # beyond 1 m/s2 a passage is turned away, in doubt too: what drives faster is drawn the steadier. What
    # drives slowly leaves with 0.7 of its speed at least: a vehicle that stops is another test's.
    acceleration = throttle * min(0.7, 0.7 * (20.0 / speed) ** 2, 0.25 * speed**2 / way)
    drive = Drive(tuple(loads), tuple(spacings), speed, acceleration, first_s=0.25)
    seconds = 0.25 + way / (0.7 * speed)
    rng = np.random.default_rng(data.draw(st.integers(0, 1_000)))
    found = weighed(noisy(rng, signal(drive, seconds=seconds)))
    assert found.problem_of(0) == "ok"
    assert found.flags_of(0) == ()
    assert found.axle_count[0] == len(loads)
    assert found.load[0] == pytest.approx(np.array(loads)[:, None].repeat(4, 1), rel=0.03)
    assert found.spacing_m[0] == pytest.approx(spacings, abs=0.03)


GARBAGE = st.one_of(
    st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-38, 3e4]), st.floats(-1e6, 1e6, width=32)
)


@EXAMPLES
@given(
    st.integers(0, 2**32 - 1), st.lists(GARBAGE, max_size=6), st.sampled_from(["noise", "steps", "vehicle"])
)
def test_garbage_gives_loads_or_a_reason(seed: int, values: list[float], kind: str) -> None:
    """Whether they are right shows when strips are compared: `tests.unit.weigh.test_disturbed_signals`."""
    rng = np.random.default_rng(seed)
    clean = np.zeros((4, 3_000)) if kind != "vehicle" else signal(DRIVE)[:, : rng.integers(1_000, 7_500)]
    samples = noisy(rng, clean).astype(np.float32)[None]
    if kind == "steps":
        samples += (rng.random(samples.shape) < 0.002).cumsum(axis=2) * np.float32(rng.normal(0, 5_000))
    for value in values:
        strip, begin = rng.integers(0, 4), rng.integers(0, samples.shape[2])
        with np.errstate(over="ignore", invalid="ignore"):
            samples[0, strip, begin : begin + rng.integers(1, 400)] += np.float32(value)
    found = process(samples, layout(), Loops.silent(1), criteria=Criteria())
    if found.problem[0]:
        assert np.isnan(found.load).all()
    else:
        alive = found.load[0][:, found.alive[0]]
        assert np.isfinite(alive).all()
        assert (found.spacing_m[0] > 0).all()
