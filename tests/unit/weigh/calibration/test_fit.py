"""A whole calibration from weighed passes, on roads it has not seen weighed; and what it refuses."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from domain.errors import ConfigurationError, InputRefused
from domain.ids import Sha256
from tests.counts import count
from tests.unit.weigh.calibration.weighed import INSTALLATION, STRIPS, weighed
from weigh.calibration.fit import Installation, fit_calibration
from weigh.calibration.passes import WeighedAxle, WeighedPasses, weighed_passes
from weigh.calibration.remeasure import remeasured
from weigh.calibration.report import accuracy_report
from weigh.calibration.state import CalibrationState
from weigh.weighing import weigh_loads

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DIGEST = Sha256("cd" * 32)


def fit(passes: WeighedPasses, installation: Installation = INSTALLATION) -> CalibrationState:
    return fit_calibration(passes, installation, version=2, valid_from=AT, passes_sha256=DIGEST)


def split(passes: WeighedPasses, first: int) -> tuple[WeighedPasses, WeighedPasses]:
    places = np.arange(len(passes))
    return passes.take(places[:first]), passes.take(places[first:])


def test_a_fitted_calibration_says_where_it_comes_from() -> None:
    state = fit(weighed(1, 40))
    assert (state.version, state.valid_from, state.passes, state.passes_sha256) == (2, AT, 40, DIGEST)
    assert CalibrationState.from_document(state.to_document()) == state


@pytest.mark.parametrize(
    ("gain", "gain_sd", "per_k", "warmer_sd_k"), [(9.80665, 0.0, 0.0, 3.0), (9.80665, 0.05, 0.008, 8.0)]
)
def test_forty_passes_bring_unseen_trucks_within_their_uncertainty(
    gain: float, gain_sd: float, per_k: float, warmer_sd_k: float
) -> None:
    wrong, within = [], []
    for seed in range(count(60, reduced=6)):
        passes = weighed(500 + seed, 240, gain=gain, gain_sd=gain_sd, per_k=per_k, warmer_sd_k=warmer_sd_k)
        known, unseen = split(passes, 40)
        weighing = weigh_loads(
            unseen.strip_load, unseen.axle_type, unseen.speed_m_s, fit(known), unseen.temperature_k
        )
        told = weighing.problem == 0
        error = (weighing.gross_kg - np.nansum(unseen.reference_kg, axis=1))[told]
        assert told.mean() > 0.97
        wrong.append(error / weighing.gross_kg[told])
        within.append(np.abs(error) <= 1.96 * weighing.u_gross_kg[told])
    assert np.sqrt(np.mean(np.concatenate(wrong) ** 2)) < 0.011
    assert np.mean(np.concatenate(within)) > 0.90


def test_a_strip_dead_throughout_is_left_out() -> None:
    state = fit(weighed(2, 40, dead=(5,)))
    assert state.strip_alive == tuple(int(strip != 5) for strip in range(STRIPS))


@pytest.mark.parametrize(("silent_on", "alive"), [(2, 1), (12, 0)])
def test_a_strip_that_is_often_silent_is_left_out(silent_on: int, alive: int) -> None:
    passes = weighed(13, 40)
    passes.strip_load[:silent_on, :, 6] = np.nan
    assert fit(passes).strip_alive == tuple(alive if strip == 6 else 1 for strip in range(STRIPS))


def test_a_strip_that_says_the_same_of_every_axle_is_left_out() -> None:
    passes = weighed(12, 40)
    passes.strip_load[:, :, 4] = 5_000.0
    assert fit(passes).strip_alive == tuple(int(strip != 4) for strip in range(STRIPS))


def test_a_noisy_strip_is_told_to_be_noisy() -> None:
    passes = weighed(3, 60)
    noise = 1 + 0.4 * np.random.default_rng(1).standard_normal(passes.strip_load.shape[:2])
    passes.strip_load[:, :, 2] *= noise
    state = fit(passes)
    assert state.strip_noise_ppm[2] > 60_000
    assert {state.strip_noise_ppm[strip] for strip in range(STRIPS) if strip != 2} == {15_000}


def test_one_temperature_leaves_other_temperatures_uncertain() -> None:
    known, _ = split(weighed(4, 60), 40)
    state = fit(known)
    there, colder = (
        weigh_loads(known.strip_load, known.axle_type, known.speed_m_s, state, known.temperature_k + apart)
        for apart in (0.0, -10.0)
    )
    far = weigh_loads(known.strip_load, known.axle_type, known.speed_m_s, state, known.temperature_k - 16.0)
    assert np.median(colder.u_gross_kg / colder.gross_kg) > 0.09
    assert np.median(there.u_gross_kg / there.gross_kg) < 0.02
    assert np.isnan(far.gross_kg).all()


def test_without_a_thermometer_only_strips_that_need_none_are_calibrated() -> None:
    passes = replace(weighed(5, 40), temperature_k=np.full(40, np.nan))
    with pytest.raises(InputRefused, match="temperature"):
        fit(passes)
    quartz = replace(INSTALLATION, follows_temperature=False)
    assert remeasured(passes, fit(passes, quartz)).measured_kg[0, 0] > 0


def test_a_calibration_begins_no_earlier_than_the_last_pass_it_rests_on() -> None:
    passes = weighed(1, 40)
    assert fit(replace(passes, last_day=AT.date())).valid_from == AT
    with pytest.raises(InputRefused, match="weighed on 2026-11-24"):
        fit(replace(passes, last_day=AT.date() + timedelta(days=1)))


def test_too_few_passes_are_refused() -> None:
    with pytest.raises(InputRefused, match="at least 10"):
        fit(weighed(6, 9))


def test_strips_that_never_spoke_are_refused() -> None:
    with pytest.raises(InputRefused, match="no strip"):
        fit(weighed(7, 40, dead=tuple(range(STRIPS))))


def test_another_number_of_strips_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="strips"):
        fit(weighed(8, 40), replace(INSTALLATION, strip_position_mm=(0, 3_100)))


def test_what_a_calibration_makes_of_unseen_passes_is_reported() -> None:
    known, unseen = split(weighed(9, 160, gain=9.8, per_k=0.006, warmer_sd_k=6.0), 60)
    report = accuracy_report(remeasured(unseen, fit(known)))
    assert report.cost_class == "A(5)"
    assert report.criteria[0].sd < 1.5


def row(**changes: object) -> WeighedAxle:
    base = WeighedAxle("p1", 0, 1, 6_000.0, np.nan, 20.0, 293.15, (1.0, 2.0))
    return base._replace(**changes)  # type: ignore[arg-type]


def test_rows_become_passes_in_their_order() -> None:
    passes = weighed_passes([row(), row(group=2, axle_type=1, reference_kg=9_000.0), row(pass_id="p2")])
    assert passes.reference_kg[0].tolist() == [6_000.0, 9_000.0]
    assert passes.axle.tolist() == [[True, True], [True, False]]
    assert passes.strip_load.shape == (2, 2, 2)
    assert passes.last_day is None


def test_the_last_day_is_that_of_the_latest_pass() -> None:
    days = [date(2026, 11, 2), date(2026, 11, 3), None]
    rows = [row(pass_id=f"p{number}", day=day) for number, day in enumerate(days)]
    assert weighed_passes(rows).last_day == date(2026, 11, 3)
    assert weighed_passes(rows).take(np.array([0])).last_day == date(2026, 11, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"reference_kg": 0.0},
        {"reference_kg": np.nan},
        {"reference_kg": -5.0},
        {"reference_kg": 1e6},
        {"measured_kg": -1.0},
        {"speed_m_s": 0.0},
        {"speed_m_s": np.nan},
        {"speed_m_s": np.inf},
        {"temperature_k": 20.0},
        {"strip_load": (np.inf, 1.0)},
        {"strip_load": (1.0,)},
        {"axle_type": 3},
        {"axle_type": -1},
        {"group": 0},
    ],
)
def test_a_row_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputRefused):
        weighed_passes([row(pass_id="p0"), row(**changes), row(pass_id="p2")])


def test_no_row_is_refused() -> None:
    with pytest.raises(InputRefused):
        weighed_passes([])


def test_rows_of_a_pass_that_differ_in_speed_are_refused() -> None:
    with pytest.raises(InputRefused, match="speed"):
        weighed_passes([row(), row(group=2, speed_m_s=21.0)])
