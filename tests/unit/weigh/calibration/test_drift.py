"""The drift alarm: its run lengths, its direction, and that it stands until the next calibration."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, poisson

from domain.errors import ConfigurationError, InputRefused
from tests.counts import count
from weigh.calibration.drift import (
    BATCH,
    BLOCK,
    EARLY,
    Alarm,
    DriftState,
    watch,
)
from weigh.calibration.run_length import one_sided, threshold, two_sided

Floats = NDArray[np.float64]

STEER_KG, STEER_SD = 6_500.0, 0.062
"""A mean steer axle and its relative deviation at which a shift of 1 % is found after about 460 axles."""

BATCH_SD = STEER_SD / np.sqrt(BATCH)


def learnt(seed: int = 1) -> tuple[DriftState, np.random.Generator]:
    rng = np.random.default_rng(seed)
    state = DriftState(calibration_version=7)
    return watch(state, steer(rng, state.rule.learning_batches * BATCH)), rng


def steer(rng: np.random.Generator, axles: int, factor: float = 1.0) -> Floats:
    return np.asarray(STEER_KG * factor * (1 + STEER_SD * rng.standard_normal(axles)))


def oracle(means: list[float], reference: float, sd: float, slack: float, bound: float) -> tuple[int, str]:
    """Page's scheme, one batch at a time, as in the textbook."""
    high = low = 0.0
    for number, mean in enumerate(means, start=1):
        z = (mean - reference) / sd
        high, low = max(0.0, high + z - slack), max(0.0, low - z - slack)
        if high > bound or low > bound:
            return number, "high" if high >= low else "low"
    return 0, "quiet"


def run_lengths(standard: Floats, slack: float, bound: float) -> NDArray[np.int64]:
    """After how many batches each row of standardised means, (R, N), gives an alarm; 0 for none."""
    high = np.zeros(len(standard))
    low = np.zeros(len(standard))
    length = np.zeros(len(standard), dtype=np.int64)
    for batch, z in enumerate(standard.T, start=1):
        high = np.maximum(0.0, high + z - slack)
        low = np.maximum(0.0, low - z - slack)
        length[(length == 0) & (np.maximum(high, low) > bound)] = batch
    return length


@pytest.mark.parametrize(
    ("slack", "bound", "shift", "length"),
    # Montgomery, Introduction to Statistical Quality Control: k = 1/2, h = 4 and 5, two-sided.
    [
        (0.5, 4.0, 0.0, 168.0),
        (0.5, 4.0, 1.0, 8.38),
        (0.5, 5.0, 0.0, 465.0),
        (0.5, 5.0, 1.0, 10.4),
        (0.5, 5.0, 2.0, 4.01),
    ],
)
def test_run_lengths_are_those_of_the_textbook(
    slack: float, bound: float, shift: float, length: float
) -> None:
    assert two_sided(slack, bound, shift) == pytest.approx(length, rel=0.005)


def test_the_threshold_gives_the_run_length_it_was_asked_for() -> None:
    bound = threshold(0.5, 800.0)
    assert two_sided(0.5, bound) == pytest.approx(800.0, rel=1e-4)
    assert one_sided(0.5, bound) == pytest.approx(1_600.0, rel=1e-4)


def test_a_learnt_normal_is_allowed_for_in_the_threshold() -> None:
    # Over stations that each learnt their normal from 120 batches, one false alarm in 800 batches.
    bound = threshold(0.57, 800.0, 120)
    assert bound > threshold(0.57, 800.0) + 0.2
    off = np.random.default_rng(2).standard_normal(count(3_000, reduced=400)) / np.sqrt(120)
    rates = [1 / two_sided(0.57, bound, shift) for shift in off]
    assert 1 / np.mean(rates) == pytest.approx(800.0, rel=0.15)


def test_a_scheme_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        threshold(0.0, 800.0)


@pytest.mark.parametrize(
    ("shift", "least", "most"),
    [(0.0, 37_000, 43_000), (0.01, 420, 500), (-0.01, 420, 500), (0.02, 150, 195), (-0.02, 150, 195)],
)
def test_simulated_run_lengths_are_the_promised_ones(shift: float, least: float, most: float) -> None:
    # With what is normal known exactly: 40 000 axles between false alarms, 1 % after about 460.
    slack = 0.5 * 0.01 / BATCH_SD
    rng = np.random.default_rng(11)
    batches = 200 if shift else 6_000
    standard = rng.normal(shift / BATCH_SD, 1.0, (count(10_000, reduced=1_500), batches))
    lengths = run_lengths(standard, slack, threshold(slack, 40_000 / BATCH))
    found = np.where(lengths == 0, batches, lengths)
    assert least < BATCH * found.mean() < most


@pytest.mark.parametrize(("factor", "alarm"), [(1.02, Alarm.HIGH), (0.98, Alarm.LOW)])
def test_a_drift_is_named_by_its_direction(factor: float, alarm: Alarm) -> None:
    state, rng = learnt()
    assert state.alarm is Alarm.QUIET
    after = watch(state, steer(rng, 1_000, factor))
    assert after.alarm is alarm
    assert after.alarmed
    assert state.batches < after.alarm_batch <= after.batches


def test_the_stream_agrees_with_the_oracle() -> None:
    state, rng = learnt(5)
    loads = steer(rng, 30 * BATCH, 0.988)
    means = loads.reshape(-1, BATCH).mean(axis=1).tolist()
    bound = threshold(state.slack, 40_000 / BATCH, state.rule.learning_batches)
    number, alarm = oracle(means, state.reference_kg, state.sd_kg, state.slack, bound)
    after = watch(state, loads)
    assert (after.alarm_batch - state.batches, after.alarm.value) == (number, alarm)
    assert number > 0


def test_an_alarm_stands_when_the_loads_come_back() -> None:
    state, rng = learnt()
    alarmed = watch(state, steer(rng, 2_000, 1.03))
    calm = watch(alarmed, steer(rng, 50_000, 1.0))
    assert calm.alarm is Alarm.HIGH
    assert calm.alarm_batch == alarmed.alarm_batch


def test_how_the_stream_is_split_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    loads = np.concatenate([steer(rng, 7_111), steer(rng, 1_234, 1.02)])
    whole = watch(DriftState(calibration_version=1), loads)
    parts = DriftState(calibration_version=1)
    for piece in np.split(loads, np.sort(rng.integers(0, len(loads), 300))):
        parts = DriftState.from_document(json.loads(json.dumps(watch(parts, piece).to_document())))
    assert parts == whole


@pytest.mark.parametrize(("factor", "alarm"), [(1.05, Alarm.HIGH), (0.95, Alarm.LOW)])
@pytest.mark.parametrize("after", [1_000, 1_510, 3_000, 4_990])
def test_a_large_shift_is_found_while_what_is_normal_is_learnt(
    after: int, factor: float, alarm: Alarm
) -> None:
    rng = np.random.default_rng(4)
    state = watch(DriftState(calibration_version=1), steer(rng, after))
    assert state.alarm is Alarm.LEARNING
    shifted = watch(state, steer(rng, 2 * BLOCK * BATCH, factor))
    assert (shifted.alarm, shifted.alarmed) == (alarm, True)
    assert after / BATCH < shifted.alarm_batch <= shifted.batches
    assert watch(shifted, steer(rng, 20_000, factor)).alarm is alarm


@pytest.mark.parametrize("shift_after", [250, 500, 750])
def test_a_shift_among_the_first_batches_teaches_nothing(shift_after: int) -> None:
    rng = np.random.default_rng(4)
    loads = np.concatenate([steer(rng, shift_after), steer(rng, 6_000 - shift_after, 1.10)])
    state = watch(DriftState(calibration_version=1), loads)
    assert state.alarmed


@pytest.mark.parametrize("factor", [1.10, 0.90])
def test_a_creeping_drift_is_not_learnt_as_normal(factor: float) -> None:
    rng = np.random.default_rng(4)
    state = watch(DriftState(calibration_version=1), steer(rng, 6_000) * np.linspace(1.0, factor, 6_000))
    assert state.alarm is (Alarm.HIGH if factor > 1 else Alarm.LOW)


def test_axles_that_scatter_like_no_traffic_teach_nothing() -> None:
    """Up and down by 8 % from batch to batch: every block's mean is right, and nothing is known."""
    loads = STEER_KG * np.repeat(np.where(np.arange(120) % 2, 1.04, 0.96), BATCH)
    state = watch(DriftState(calibration_version=1), loads)
    assert (state.alarm, state.alarm_batch) == (Alarm.UNSTEADY, EARLY)


@pytest.mark.parametrize("trend", [0.0, 0.01, 0.015])
def test_learning_raises_false_alarms_as_rarely_as_the_normal_distribution_says(trend: float) -> None:
    """Front axles that vary by 11 %, and a trend over what is learnt: one alarm in 2,000 where it is 1 %."""
    runs, axles, spread = count(2_000, reduced=200), 6_000, 0.11
    rng = np.random.default_rng(6)
    factor = np.linspace(1.0, 1.0 + trend, axles)
    alarms = 0
    for _ in range(runs):
        loads = STEER_KG * (1 + spread * rng.standard_normal(axles)) * factor
        alarms += watch(DriftState(calibration_version=1), loads).alarmed
    expected = runs * false_alarm_rate(factor, spread)
    assert poisson.ppf(1e-4, expected) <= alarms <= poisson.ppf(1 - 1e-4, expected)


def false_alarm_rate(factor: Floats, spread: float) -> float:
    """Sum of the blocks' chances, one by one, to lie 3 % off the first 20 batches."""
    means = factor.reshape(-1, BATCH).mean(axis=1)
    early = means[:EARLY].mean()
    shift = means[EARLY:].reshape(-1, BLOCK).mean(axis=1) / early - 1
    sd = spread * np.sqrt(1 / (EARLY * BATCH) + 1 / (BLOCK * BATCH))
    return float(np.sum(norm.sf((0.03 - shift) / sd) + norm.sf((0.03 + shift) / sd)))


def test_a_load_that_never_changes_raises_no_alarm_and_then_the_least_shift_does() -> None:
    state = watch(DriftState(calibration_version=1), np.full(130 * BATCH, 6_000.0))
    assert state.alarm is Alarm.QUIET
    assert watch(state, np.full(BATCH * 3, 6_061.0)).alarm is Alarm.HIGH


def test_what_was_learnt_is_the_mean_and_deviation_of_the_batches() -> None:
    rng = np.random.default_rng(8)
    loads = steer(rng, 120 * BATCH)
    means = loads.reshape(-1, BATCH).mean(axis=1)
    state = watch(DriftState(calibration_version=1), loads)
    assert state.reference_kg == pytest.approx(means.mean(), rel=1e-12)
    assert state.sd_kg == pytest.approx(means.std(ddof=1), rel=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_a_load_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(InputRefused):
        watch(DriftState(calibration_version=1), np.array([6_000.0, bad]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("high", float("nan")),
        ("high", -1.0),
        ("alarm", "maybe"),
        ("pending", [1.0] * BATCH),
        ("colour", 1),
        ("rule", {"shift_ppm": 0}),
    ],
)
def test_an_unfit_state_is_refused_by_name(field: str, value: object) -> None:
    document = {**DriftState(calibration_version=1).to_document(), field: value}
    with pytest.raises(ConfigurationError, match=field):
        DriftState.from_document(document)
