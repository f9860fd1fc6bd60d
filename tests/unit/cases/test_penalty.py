"""The proposed penalty against golden cases of Order 62 Art. 43(2) (domain.md B1)."""

from datetime import date

import pytest

from cases.penalty import PenaltyKind, propose
from domain.errors import RuleViolation
from domain.law import tariff
from domain.screening import Formula, Outcome
from tests.unit.cases.screenings import ITEM, SIGN, screening

ON = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("over_kg", "kind", "amount_yuan"),
    [
        (1, PenaltyKind.WARNING, 0),
        (999, PenaltyKind.WARNING, 0),
        (1_000, PenaltyKind.WARNING, 0),
        (1_001, PenaltyKind.FINE, 500),
        (1_999, PenaltyKind.FINE, 500),
        (2_000, PenaltyKind.FINE, 1_000),
        (21_000, PenaltyKind.FINE, 10_500),  # the published case: 21 t over, 10 500 yuan
        (59_999, PenaltyKind.FINE, 29_500),
        (60_000, PenaltyKind.FINE, 30_000),
        (61_000, PenaltyKind.FINE, 30_000),
        (151_000, PenaltyKind.FINE, 30_000),
    ],
)
def test_golden_amounts(over_kg: int, kind: PenaltyKind, amount_yuan: int) -> None:
    proposal = propose(screening(over_kg), tariff(ON))
    assert (proposal.kind, proposal.amount_yuan) == (kind, amount_yuan)
    assert str(over_kg) in proposal.summary.zh
    assert str(over_kg) in proposal.summary.en


def test_a_remainder_counts_where_the_table_says_so() -> None:
    strict = tariff(ON).model_copy(update={"remainder": "ceil"})
    assert propose(screening(1_001), strict).amount_yuan == 1_000
    assert propose(screening(2_000), strict).amount_yuan == 1_000


def test_the_cap_is_a_step_of_its_own() -> None:
    below, above = propose(screening(60_000), tariff(ON)), propose(screening(61_000), tariff(ON))
    assert len(above.steps) == len(below.steps) + 1
    assert "30000" in above.steps[-1].words.zh


def test_no_penalty_on_an_axle_flag_alone() -> None:
    within = screening(0, outcome=Outcome.WITHIN, axle_over_kg=2_500)
    assert within.axle_flags == (1,)
    with pytest.raises(RuleViolation, match="axle flag alone"):
        propose(within, tariff(ON))


@pytest.mark.parametrize("outcome", [Outcome.UNUSABLE, Outcome.STATISTICS_ONLY, Outcome.WITHIN])
def test_no_penalty_without_the_finding(outcome: Outcome) -> None:
    with pytest.raises(RuleViolation):
        propose(screening(5_000, outcome=outcome), tariff(ON))


def test_every_step_has_words_and_clause_and_the_discretion_is_named() -> None:
    proposal = propose(screening(12_330), tariff(ON))
    assert all(step.clause and step.words.zh and step.words.en for step in proposal.steps)
    assert "第三十三条" in proposal.reservation.zh
    assert "Art. 32, 33" in proposal.reservation.en
    assert proposal.tariff_row == tariff(ON).id
    assert proposal.tariff_digest == tariff(ON).digest


@pytest.mark.parametrize(
    ("over_kg", "kind", "amount_yuan", "counted_kg"),
    [
        (-9_000, PenaltyKind.UNDETERMINED, None, 0),  # over the bridge's sign only
        (0, PenaltyKind.UNDETERMINED, None, 0),  # at the limit of Art. 3, not over it
        (1, PenaltyKind.WARNING, 0, 1),
        (1_500, PenaltyKind.FINE, 500, 1_500),  # 11 500 kg over the sign: still counted from Art. 3
        (21_000, PenaltyKind.FINE, 10_500, 21_000),
    ],
)
def test_a_sites_own_limit_is_no_measure_of_the_fine(
    over_kg: int, kind: PenaltyKind, amount_yuan: int | None, counted_kg: int
) -> None:
    proposal = propose(screening(over_kg, site_limit_kg=39_000), tariff(ON))
    assert (proposal.kind, proposal.amount_yuan, proposal.over_kg) == (kind, amount_yuan, counted_kg)
    assert [step.clause for step in proposal.steps[:3]] == [SIGN, ITEM, tariff(ON).clause]
    assert "39000" in proposal.steps[0].words.en
    assert "39000" in proposal.steps[0].words.zh


def test_without_a_tariff_the_authority_decides_and_no_sum_is_named() -> None:
    proposal = propose(screening(-4_000, site_limit_kg=39_000), tariff(ON))
    assert "执法机关" in proposal.reservation.zh
    assert "authority" in proposal.reservation.en
    said = [proposal.summary, proposal.reservation, *(step.words for step in proposal.steps)]
    assert not any(" 元" in words.zh or "yuan" in words.en for words in said)


def test_the_excess_cites_the_item_the_limit_stands_in() -> None:
    assert propose(screening(5_000), tariff(ON)).steps[0].clause == ITEM


def test_a_share_of_the_limit_is_taken_off_the_limit_the_tariff_counts_from() -> None:
    """Under the formula `limit` 5 % of 49 t are the vehicle's own, however low the sign stands."""
    by_sign = screening(2_000, site_limit_kg=39_000)
    deducted = by_sign.adjudication.model_copy(
        update={
            "formula": Formula.LIMIT,
            "mpe_ppm": 50_000,
            "measured_gross_kg": 52_950,
            "after_deduction_kg": 51_000,
            "after_guard_kg": 52_950,
            "adjudged_kg": 51_000,
        }
    )
    proposal = propose(by_sign.model_copy(update={"adjudication": deducted}), tariff(ON))
    assert proposal.over_kg == 52_950 - 2_450 - 49_000
    assert proposal.amount_yuan == 500


def test_a_screening_without_a_limit_of_article_3_is_not_priced() -> None:
    with pytest.raises(RuleViolation, match=r"Art\. 3"):
        propose(screening(2_000).model_copy(update={"limit_steps": ()}), tariff(ON))
