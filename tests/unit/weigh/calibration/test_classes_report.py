"""Classes against the standards' figures; the report against errors made by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from domain.errors import InputRefused
from tests.unit.weigh.calibration.weighed import weighed
from weigh.calibration.classes import (
    AXLE_CLASSES,
    COST_CLASSES,
    GROSS_CLASSES,
    RIGID_AXLE_CLASSES,
    Criterion,
    Environment,
    Mark,
    Repetition,
    Stage,
    cost_confidence_reached,
    cost_confidence_required,
    cost_tolerance,
)
from weigh.calibration.passes import WeighedPasses
from weigh.calibration.report import NONE, NOT_DETERMINED, accuracy_report, errors_by_criterion

COST_TABLE = {
    "A(5)": (5, 7, 8, 10),
    "B+(7)": (7, 10, 11, 14),
    "B(10)": (10, 13, 15, 20),
    "C(15)": (15, 18, 20, 25),
    "D+(20)": (20, 23, 25, 30),
    "D(25)": (25, 28, 30, 35),
    "E(30)": (30, 33, 36, 41),
}
"""COST 323, in service, as printed: gross, group, single axle, axle of a group."""

COST_CONFIDENCE = {
    Repetition.R1: (95.0, 97.2, 97.9, 98.4, 98.7),
    Repetition.R2: (90.0, 94.1, 95.3, 96.4, 97.1),
    Repetition.RR1: (85.0, 90.8, 92.5, 94.2, 95.2),
    Repetition.RR2: (80.0, 87.4, 89.6, 91.8, 93.1),
}
"""COST 323, environment I, least confidence of 10, 20, 30, 60 and 120 measurements."""


@pytest.mark.parametrize("name", COST_TABLE)
def test_tolerances_are_those_of_cost_323(name: str) -> None:
    found = [cost_tolerance(dict(COST_CLASSES)[name], criterion) for criterion in Criterion]
    assert [round(each) for each in found] == list(COST_TABLE[name])


def test_exact_tolerances_by_hand() -> None:
    assert cost_tolerance(5.0, Criterion.GROUP) == pytest.approx(5 / 0.7)
    assert cost_tolerance(7.0, Criterion.SINGLE) == pytest.approx(7 * 78 / 50)
    assert cost_tolerance(5.0, Criterion.GROSS, Stage.INITIAL) == pytest.approx(4.0)
    assert cost_tolerance(30.0, Criterion.GROUP) == pytest.approx(33.0)


@pytest.mark.parametrize("repetition", Repetition)
def test_the_confidence_asked_for_is_that_of_cost_323(repetition: Repetition) -> None:
    found = [cost_confidence_required(n, repetition, Environment.I) for n in (10, 20, 30, 60, 120)]
    assert found == pytest.approx(COST_CONFIDENCE[repetition], abs=0.11)


def test_the_confidence_asked_for_by_hand() -> None:
    # n = 10: t = 2.2622, t / sqrt(10) = 0.71536; u = 2.675 / 1.05 = 2.54762; Phi(1.83226) = 0.966544.
    assert cost_confidence_required(10, Repetition.R1, Environment.II) == pytest.approx(93.309, abs=0.002)


def test_the_confidence_reached_by_hand() -> None:
    # n = 2, one degree of freedom: Psi(x) = 1/2 + atan(x) / pi; t = tan(pi 0.475) = 12.7062.
    margin = math.tan(math.pi * 0.475) / math.sqrt(2)
    upper = 0.5 + math.atan((20 - 1) / 2 - margin) / math.pi
    lower = 0.5 + math.atan((-20 - 1) / 2 + margin) / math.pi
    assert cost_confidence_reached(1.0, 2.0, 2, 20.0) == pytest.approx(100 * (upper - lower), rel=1e-9)


def test_errors_without_scatter_are_inside_or_outside() -> None:
    assert cost_confidence_reached(4.9, 0.0, 20, 5.0) == 100.0
    assert cost_confidence_reached(5.1, 0.0, 20, 5.0) == 0.0


def test_one_measurement_makes_no_class() -> None:
    with pytest.raises(InputRefused):
        cost_confidence_required(1, Repetition.R1, Environment.I)


def test_every_figure_of_a_class_says_how_sure_it_is() -> None:
    sure = {each.name: each.mark for each in GROSS_CLASSES}
    assert sure["5"] is sure["10"] is Mark.SECONDARY
    assert {each.mark for each in (*AXLE_CLASSES, *RIGID_AXLE_CLASSES)} == {Mark.MEMORY}
    assert not {"7", "15"} & sure.keys()


@pytest.mark.parametrize("classes", [GROSS_CLASSES, AXLE_CLASSES, RIGID_AXLE_CLASSES])
def test_in_service_twice_the_error_of_verification_is_allowed(classes) -> None:  # type: ignore[no-untyped-def]
    assert all(each.in_service == pytest.approx(2 * each.initial) for each in classes)


def measured(percent: float, *, count: int = 40) -> WeighedPasses:
    """Passes whose every axle is off by + or - `percent`, in turns."""
    passes = weighed(2, count)
    sign = np.where(np.arange(count) % 2, 1.0, -1.0)[:, None]
    return replace(passes, measured_kg=passes.reference_kg * (1 + sign * percent / 100))


def test_the_errors_are_told_as_they_are() -> None:
    report = accuracy_report(measured(1.5))
    gross = report.criteria[0]
    assert gross.count == 40
    assert gross.mean == pytest.approx(0.0, abs=1e-9)
    assert gross.worst == pytest.approx(1.5)
    assert gross.sd == pytest.approx(1.5 * math.sqrt(40 / 39))


@pytest.mark.parametrize(
    ("percent", "cost", "gross", "axle"),
    [
        (0.15, "A(5)", "0.2", "A"),
        (0.9, "A(5)", "1", "A"),
        (1.1, "A(5)", "2", "B"),
        (4.9, "C(15)", "5", "E"),
        (9.9, "E(30)", "10", "F"),
        (17.0, NONE, NONE, NONE),
    ],
)
def test_the_class_is_the_best_whose_limits_hold(percent: float, cost: str, gross: str, axle: str) -> None:
    report = accuracy_report(measured(percent))
    single = next(each for each in report.criteria if each.criterion is Criterion.SINGLE)
    assert (report.cost_class, report.r134_gross, single.r134) == (cost, gross, axle)


def test_verification_allows_half() -> None:
    assert accuracy_report(measured(0.9), stage=Stage.INITIAL).r134_gross == "2"


def test_axles_of_a_rigid_reference_vehicle_are_judged_more_strictly() -> None:
    strict, others = (accuracy_report(measured(1.4), rigid=rigid).criteria[2].r134 for rigid in (True, False))
    assert (strict, others) == ("C", "B")


def test_few_measurements_make_no_class_however_good() -> None:
    report = accuracy_report(measured(0.1, count=9))
    assert report.cost_class == report.r134_gross == NOT_DETERMINED


def test_one_bad_criterion_makes_the_class() -> None:
    passes = measured(0.5)
    steer = passes.axle_type == 0
    report = accuracy_report(
        replace(passes, measured_kg=np.where(steer, passes.measured_kg * 1.2, passes.measured_kg))
    )
    by_criterion = {each.criterion: each.cost and each.cost.name for each in report.criteria}
    assert by_criterion[Criterion.IN_GROUP] == "A(5)"
    assert report.cost_class == by_criterion[Criterion.SINGLE] != "A(5)"


def test_groups_and_axles_are_told_apart_as_in_a_loop() -> None:
    passes = measured(2.0, count=25)
    found = dict.fromkeys(Criterion, 0)
    sums = []
    for row in range(len(passes)):
        numbers = passes.group[row][passes.axle[row]].tolist()
        found[Criterion.GROSS] += 1
        for number in set(numbers):
            size = numbers.count(number)
            found[Criterion.SINGLE] += size == 1
            found[Criterion.GROUP] += size > 1
            found[Criterion.IN_GROUP] += size if size > 1 else 0
            if size > 1:
                sums.append(passes.reference_kg[row][passes.group[row] == number].sum())
    errors = errors_by_criterion(passes)
    assert {criterion: len(each.percent) for criterion, each in errors.items()} == found
    assert np.sort(errors[Criterion.GROUP].reference_kg) == pytest.approx(np.sort(sums))


def test_an_axle_that_was_not_measured_is_refused() -> None:
    passes = measured(1.0)
    passes.measured_kg[3, 0] = np.nan
    with pytest.raises(InputRefused, match="measured"):
        accuracy_report(passes)


def test_e1318_keeps_95_percent_within() -> None:
    passes = measured(5.0, count=100)
    assert accuracy_report(passes).criteria[0].astm == ("I", "II", "III")
    for share, types in ((5, ("I", "II", "III")), (6, ("I", "II"))):
        spoilt = replace(passes, measured_kg=passes.measured_kg.copy())
        spoilt.measured_kg[:share] = 1.07 * spoilt.reference_kg[:share]
        assert accuracy_report(spoilt).criteria[0].astm == types
