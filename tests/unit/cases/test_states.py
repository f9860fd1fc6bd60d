"""The state machine against its own words: two people, who typed the same plate, or nothing."""

from itertools import product

import pytest

from cases.states import NAMES, ROUNDS, TRANSITIONS, Opinion, next_step, round_of
from domain.casework import CaseState, Verdict
from domain.errors import RuleViolation

OPINIONS = [
    Opinion(Verdict.REJECT, None),
    Opinion(Verdict.CONFIRM, "云A12345"),
    Opinion(Verdict.CONFIRM, "云A12346"),
]


def majority(opinions: tuple[Opinion, ...]) -> CaseState:
    """Say where a case must be, from the counts alone: the slow, obvious oracle."""
    rejections = sum(one.verdict is Verdict.REJECT for one in opinions)
    agreed = any(opinions.count(one) >= 2 for one in opinions if one.verdict is Verdict.CONFIRM)
    if agreed:
        return CaseState.CONFIRMED
    if rejections >= 2 or len(opinions) == 3:
        return CaseState.REJECTED
    return CaseState.AWAITING_SECOND if len(opinions) == 1 else CaseState.AWAITING_THIRD


def test_every_sequence_of_opinions_ends_where_two_people_agree() -> None:
    for first, second, third in product(OPINIONS, repeat=3):
        state, given = CaseState.AWAITING_FIRST, list[Opinion]()
        for opinion in (first, second, third):
            given.append(opinion)
            step = next_step(state, given)
            assert step.state is majority(tuple(given)), given
            assert step.state in TRANSITIONS[state]
            assert (step.plate is not None) == (step.state is CaseState.CONFIRMED)
            if step.state not in ROUNDS:
                break
            state = step.state


def test_a_first_verdict_leads_to_the_same_state_either_way() -> None:
    assert {next_step(CaseState.AWAITING_FIRST, [one]).state for one in OPINIONS} == {
        CaseState.AWAITING_SECOND
    }


@pytest.mark.parametrize("state", [CaseState.CONFIRMED, CaseState.REJECTED])
def test_a_decided_case_takes_no_further_review(state: CaseState) -> None:
    assert TRANSITIONS[state] == frozenset()
    with pytest.raises(RuleViolation, match="decided"):
        round_of(state)


def test_opinions_must_number_the_round() -> None:
    with pytest.raises(RuleViolation, match="round 2"):
        next_step(CaseState.AWAITING_SECOND, OPINIONS[:1])


def test_every_state_has_a_name_in_both_languages() -> None:
    assert set(NAMES) == set(CaseState) == set(TRANSITIONS)
    assert all(name.zh and name.en for name in NAMES.values())
