"""Deduction, guard band and excess: the example of domain.md C6, and rounding to the party's favour."""

from typing import Any

import pytest

from domain.errors import ConfigurationError
from domain.law import limit_tables
from domain.screening import Adjudication, Formula, Outcome, Screening
from tests.unit.weigh.vehicles import DAY, context, vehicle
from weigh import DecisionRule, screen_records

SIX_AXLES = ("sddddd", (3_300, 1_350, 6_500, 1_310, 1_310))
TABLES = limit_tables(DAY)


def screened(gross_kg: int, rule: DecisionRule, **more: Any) -> Screening:
    """Screen a six-axle train (limit 49 t) at a class 5 device."""
    record = vehicle(*SIX_AXLES, gross_kg, **more)
    [screening] = screen_records([record], [context()], tables=TABLES, rule=rule)
    return screening


def adjudicated(gross_kg: int, rule: DecisionRule, **more: Any) -> Adjudication:
    """Return the masses of a six-axle train."""
    return screened(gross_kg, rule, **more).adjudication


@pytest.mark.parametrize(
    ("formula", "after_kg", "over_kg"),
    [(Formula.DEDUCT, 49_400, 400), (Formula.BOUND, 49_523, 523), (Formula.LIMIT, 49_550, 550)],
)
def test_the_example_of_52_t_against_49(formula: Formula, after_kg: int, over_kg: int) -> None:
    mass = adjudicated(52_000, DecisionRule(formula=formula, guard_k_milli=0))
    assert (mass.after_deduction_kg, mass.over_kg) == (after_kg, over_kg)
    assert mass.over_ppm == over_kg * 1_000_000 // 49_000
    assert (mass.formula, mass.mpe_ppm, mass.guard_k_milli) == (formula, 50_000, 0)


def test_the_smaller_of_deduction_and_guard_band_decides() -> None:
    guard_decides = adjudicated(60_000, DecisionRule(), u_gross_ppm=20_000)
    assert (guard_decides.after_deduction_kg, guard_decides.after_guard_kg) == (57_000, 56_400)
    assert guard_decides.adjudged_kg == 56_400
    deduction_decides = adjudicated(60_000, DecisionRule(), u_gross_ppm=10_000)
    assert deduction_decides.adjudged_kg == 57_000


def test_fractions_of_a_kilogram_go_to_the_party() -> None:
    mass = adjudicated(51_601, DecisionRule(guard_k_milli=3_333), u_gross_ppm=15_002)
    assert mass.after_deduction_kg == 49_020  # 49 020.95
    assert mass.after_guard_kg == 49_020  # 49 020.86


def test_an_undeclared_uncertainty_is_the_rules_and_a_doubt() -> None:
    rule = DecisionRule(default_u_gross_ppm=25_000)
    screening = screened(60_000, rule)
    assert screening.adjudication.u_gross_ppm == 25_000
    assert "uncertainty-undeclared" in screening.doubts
    assert "uncertainty-undeclared" not in screened(60_000, rule, u_gross_ppm=15_000).doubts


@pytest.mark.parametrize(
    ("gross_kg", "over_kg", "outcome"),
    [
        (51_578, 0, Outcome.WITHIN),  # 48 999.1
        (51_579, 0, Outcome.WITHIN),  # 49 000.05
        (51_580, 1, Outcome.OVERLOADED),  # 49 001.0
        (52_632, 1_000, Outcome.OVERLOADED),
        (52_633, 1_001, Outcome.OVERLOADED),
    ],
)
def test_edges_of_the_limit_and_of_the_warning(gross_kg: int, over_kg: int, outcome: Outcome) -> None:
    screening = screened(gross_kg, DecisionRule())
    assert screening.adjudication.over_kg == over_kg
    assert screening.outcome is outcome


def test_a_guard_band_of_everything_leaves_nothing() -> None:
    assert adjudicated(60_000, DecisionRule(guard_k_milli=90_000)).adjudged_kg == 0


def test_a_rule_that_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="guard factor"):
        DecisionRule(guard_k_milli=-1)
    with pytest.raises(ConfigurationError, match="ratios"):
        DecisionRule(default_u_gross_ppm=1_000_000)
