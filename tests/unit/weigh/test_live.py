"""Waveforms one by one and together: the figures are the vehicle's own, rounded for the party."""

import math
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from domain.events import DrivingFlag, SampleType, Strip, Waveform
from ingest.limits import Limits
from ingest.waveforms import read
from simulators.scenario import load_scenario
from simulators.waveforms import WaveformRoad, calibration_document
from tests.components import ROOT
from tests.counts import count
from weigh.calibration.state import CalibrationState
from weigh.estimate import table
from weigh.live import Unweighed, Weighed, weigh_waveforms
from weigh.signals import Signals, layout_of, loops_of, samples_of, temperature_of
from weigh.waveform import process
from weigh.weighing import weigh_strips

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SCENARIO = load_scenario("waveforms")
ROAD = WaveformRoad(SCENARIO, SCENARIO.stations[0], 3)
STATE = CalibrationState.from_document(calibration_document("SIM-WAVE", NOW, 3))
VEHICLES = count(60, reduced=8)


def _signals(place: int, state: CalibrationState | None = STATE) -> tuple[Signals, dict[str, Any]]:
    passage = ROAD.passage(place, NOW, "e")
    body = passage.drafts[0].body
    waveform, offset = read(body, limits=Limits())
    return Signals(waveform, body[offset:], state), passage.truth


@pytest.fixture(scope="module")
def traffic() -> list[tuple[Signals, dict[str, Any]]]:
    """Return vehicles with their truth."""
    return [_signals(place) for place in range(VEHICLES)]


@pytest.fixture(scope="module")
def good(traffic: list[tuple[Signals, dict[str, Any]]]) -> Signals:
    """Return a vehicle driving as it should."""
    return next(signals for signals, truth in traffic if truth["drive"] == "normal")


def _only(signals: Signals) -> Weighed:
    (result,) = weigh_waveforms([signals])
    assert isinstance(result, Weighed)
    return result


def test_a_vehicle_weighs_the_same_alone_and_in_any_company(
    traffic: list[tuple[Signals, dict[str, Any]]],
) -> None:
    mixed = [
        signals._replace(state=None) if place % 3 == 1 else signals
        for place, (signals, _) in enumerate(traffic)
    ]
    alone = [weigh_waveforms([signals])[0] for signals in mixed]
    together = weigh_waveforms(list(reversed(mixed)))[::-1]
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, Weighed):
            assert isinstance(other, Weighed)
            assert (one.record, one.weighing, one.held) == (other.record, other.weighing, other.held)
        else:
            assert one == other


def test_true_masses_lie_within_four_uncertainties(traffic: list[tuple[Signals, dict[str, Any]]]) -> None:
    weighed = 0
    for signals, truth in traffic:
        result = weigh_waveforms([signals])[0]
        if truth["drive"] != "normal" or not isinstance(result, Weighed):
            continue
        weighed += 1
        record = result.record
        assert record.u_gross_ppm is not None
        assert abs(record.gross_kg - truth["true_gross_kg"]) <= 4 * record.gross_kg * record.u_gross_ppm / 1e6
        for axle, true in zip(result.weighing.axles, truth["true_axle_loads_kg"], strict=True):
            assert axle.u_ppm is not None
            assert abs(axle.load_kg - true) <= 5 * axle.load_kg * axle.u_ppm / 1e6
    assert weighed >= VEHICLES // 2


def test_figures_are_rounded_for_the_party(good: Signals) -> None:
    layout = layout_of(good.waveform)
    strips = process(samples_of([good]), layout, loops_of([good.waveform]))
    exact = weigh_strips(strips, STATE, layout, temperature_of([good.waveform]))
    weighing = _only(good).weighing
    for axle, load, u in zip(weighing.axles, exact.axle_kg[0], exact.u_axle_kg[0], strict=False):
        assert 0 <= load - axle.load_kg < 1
        assert axle.u_ppm == math.ceil(u / load * 1e6)
    assert 0 <= exact.gross_kg[0] - weighing.gross_kg < 1
    assert weighing.u_gross_ppm == math.ceil(exact.u_gross_kg[0] / exact.gross_kg[0] * 1e6)


def test_a_group_is_known_better_than_its_axles(good: Signals) -> None:
    result = _only(good)
    axles = len(result.weighing.axles)
    pair = result.with_groups([(1, 1), *([(2, 2)] if axles > 2 else [(2, 1)])])
    loads = [axle.load_kg for axle in pair.axles]
    assert [group.load_kg for group in pair.groups] == [loads[0], sum(loads[1:3])]
    assert pair.groups[0].u_ppm == pytest.approx(pair.axles[0].u_ppm, abs=1)
    if axles > 2:
        members = [axle.u_ppm or 0 for axle in pair.axles[1:3]]
        assert (pair.groups[1].u_ppm or 0) <= max(members)


def test_counts_and_newtons_give_the_same_masses(good: Signals) -> None:
    """The station's converter may send either; counts are rounded to two newtons here."""
    newtons = np.frombuffer(good.samples, dtype="<f4")
    counts = np.rint(newtons / 4).astype("<i2").tobytes()
    strips = tuple(Strip(position_mm=one.position_mm, scale_un=4_000_000) for one in good.waveform.strips)
    wave = good.waveform.model_copy(update={"sample_type": SampleType.INT16, "strips": strips})
    state = CalibrationState.from_document(
        STATE.to_document() | {"sample_type": "i2", "strip_scale_un": [4_000_000] * len(strips)}
    )
    one, other = _only(good), _only(Signals(wave, counts, state))
    assert (one.held, other.held) == ((), ())
    assert other.record.gross_kg == pytest.approx(one.record.gross_kg, rel=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"sample_type": "i2", "strip_scale_un": [4_000_000] * 8},
        {"strip_width_um": 52_999},
        {"strip_position_mm": [0, 3_100, 4_000, 6_600, 7_400, 10_100, 11_000, 14_199]},
    ],
)
def test_a_calibration_of_another_signal_is_not_used(good: Signals, changes: dict[str, Any]) -> None:
    other = CalibrationState.from_document(STATE.to_document() | changes)
    result = _only(good._replace(state=other))
    assert result.held == ("calibration-mismatch",)
    assert result.weighing.calibration is None


def test_counts_of_another_scale_than_calibrated_make_no_case(good: Signals) -> None:
    """A station that doubles its scale would weigh double: one strip's is enough to see it."""
    document = STATE.to_document() | {"sample_type": "i2", "strip_scale_un": [4_000_000] * 8}
    state = CalibrationState.from_document(document)
    counts = np.rint(np.frombuffer(good.samples, dtype="<f4") / 4).astype("<i2").tobytes()
    scales = [4_000_000] * 7 + [5_000_000]
    strips = tuple(
        Strip(position_mm=one.position_mm, scale_un=scale)
        for one, scale in zip(good.waveform.strips, scales, strict=True)
    )
    wave = good.waveform.model_copy(update={"sample_type": SampleType.INT16, "strips": strips})
    assert _only(Signals(wave, counts, state)).held == ("calibration-mismatch",)


@pytest.mark.parametrize(("passes", "held"), [(0, True), (9, True), (10, False)])
def test_a_calibration_on_few_weighed_passes_weighs_and_makes_no_case(
    good: Signals, passes: int, held: bool
) -> None:
    state = CalibrationState.from_document(STATE.to_document() | {"passes": passes})
    result = _only(good._replace(state=state))
    assert result.held == (("calibration-too-few-passes",) if held else ())
    assert result.weighing.calibration is not None
    assert result.record.gross_kg == _only(good).record.gross_kg


def test_at_nominal_gain_there_is_no_uncertainty_and_no_case(good: Signals) -> None:
    result = _only(good._replace(state=None))
    assert result.held == ("no-calibration",)
    assert (result.record.u_gross_ppm, result.record.u_axle_ppm, result.weighing.calibration) == (None,) * 3
    assert {group.u_ppm for group in result.with_groups([(1, 1)]).groups} == {None}
    assert result.record.gross_kg == pytest.approx(_only(good).record.gross_kg, rel=0.03)


def test_a_calibration_without_weights_holds_its_own_vehicles_only(
    good: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = _only(good)
    monkeypatch.setattr(table, "_MOST_CONDITION", 1.0)
    other = CalibrationState.from_document(STATE.to_document() | {"road_roughness_mm3": 15_999})
    unusable = good._replace(state=other)
    first, second, third, last = weigh_waveforms(
        [good, unusable, unusable, good._replace(state=None, unreadable=True)]
    )
    assert isinstance(first, Weighed)
    assert (first.weighing, first.held) == (known.weighing, ())
    for result in (second, third, last):
        assert isinstance(result, Weighed)
        assert result.held == ("calibration-unreadable",)
        assert (result.weighing.calibration, result.record.u_gross_ppm) == (None, None)


def test_strips_the_calibration_does_not_trust_are_not_used(good: Signals) -> None:
    dead = STATE.to_document() | {"strip_alive": [0, 1, 1, 1, 1, 1, 1, 1]}
    result = _only(good._replace(state=CalibrationState.from_document(dead)))
    assert {axle.strip_loads_n[0] for axle in result.weighing.axles} == {None}
    assert all(axle.strip_loads_n[1] is not None for axle in result.weighing.axles)


def test_a_vehicle_beyond_all_measure_is_no_record(good: Signals) -> None:
    heavy = (np.frombuffer(good.samples, dtype="<f4") * 100).astype("<f4").tobytes()
    (result,) = weigh_waveforms([Signals(good.waveform, heavy, STATE)])
    assert result == Unweighed("out-of-range", ())


def test_an_uncertainty_beyond_measure_makes_the_weighing_fail(good: Signals) -> None:
    unsure = STATE.to_document() | {"u_site_gross_ppm": [600_000]}
    result = _only(good._replace(state=CalibrationState.from_document(unsure)))
    assert DrivingFlag.WEIGHING_FAILED in result.record.flags
    assert result.record.u_gross_ppm == 500_000


def test_what_a_station_knows_of_more_axles_makes_the_weighing_fail(good: Signals) -> None:
    assert good.waveform.tyres is not None
    axles = len(good.waveform.tyres)
    more = good.waveform.model_copy(update={"tyres": (*good.waveform.tyres, good.waveform.tyres[-1])})
    far = good.waveform.model_copy(update={"drive_axles": (axles + 1,)})
    for waveform in (more, far):
        record = _only(Signals(waveform, good.samples, STATE)).record
        assert record.flags == (DrivingFlag.WEIGHING_FAILED,)
        assert record.drive_axles in (None, good.waveform.drive_axles)


def test_the_stations_own_flags_stay(good: Signals) -> None:
    flagged = good.waveform.model_copy(update={"flags": (DrivingFlag.SCALE_JUMPING,)})
    assert _only(Signals(flagged, good.samples, STATE)).record.flags == (DrivingFlag.SCALE_JUMPING,)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sample_count": 64}, "too-few-samples"),
        ({}, "flat-strip"),
    ],
)
def test_what_says_nothing_is_not_weighed(good: Signals, change: dict[str, Any], problem: str) -> None:
    wave: Waveform = good.waveform.model_copy(update=change)
    silence = bytes(4 * wave.sample_count * len(wave.strips))
    (result,) = weigh_waveforms([Signals(wave, silence, STATE)])
    assert isinstance(result, Unweighed)
    assert result.problem == problem


_COUNT_COMPILATIONS = """
from weigh.warm_up import warm_up_weighing
warm_up_weighing()
from numba.core import event
from weigh.live import weigh_waveforms
from tests.unit.weigh.test_live import _signals
with event.install_recorder("numba:compile") as recorder:
    weigh_waveforms([_signals(0)[0]])
print(len(recorder.buffer))
"""


def test_no_vehicle_waits_for_a_compiler() -> None:
    """In a process of its own, where nothing but the warm-up has been compiled."""
    ran = subprocess.run(
        [sys.executable, "-c", _COUNT_COMPILATIONS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "0\n"
