"""The states of a case, and the only ways between them.

    state              Chinese      verdict of the round          goes to
    awaiting-first     线索待初审   confirm or reject             awaiting-second
    awaiting-second    待复审       both confirm, plates agree    confirmed
                                    both reject                   rejected
                                    anything else                 awaiting-third
    awaiting-third     待三审       confirms, plate agrees with
                                    an earlier confirmation       confirmed
                                    confirms another plate        rejected (行政处罚法 Art. 40)
                                    rejects                       rejected
    confirmed          已确认       -                             -
    rejected           已驳回       -                             -

Rules

1. Every verdict, also a rejection, is given by two people: a lone reviewer can neither confirm nor
   make a detection disappear. That the first verdict leads to the same state either way also keeps
   the second review blind.
2. Confirmation takes two people who typed the same plate, each on their own. Where no two agree the
   facts are unclear, and unclear facts are not punished (行政处罚法 Art. 40).
3. Nothing leads out of `confirmed` and `rejected`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from domain.casework import CaseState, Verdict
from domain.errors import RuleViolation


class StateName(NamedTuple):
    """A state in the words of the web."""

    zh: str
    en: str


NAMES: dict[CaseState, StateName] = {
    CaseState.AWAITING_FIRST: StateName("线索待初审", "Lead awaiting first review"),
    CaseState.AWAITING_SECOND: StateName("待复审", "Awaiting second review"),
    CaseState.AWAITING_THIRD: StateName("待三审", "Awaiting third review"),
    CaseState.CONFIRMED: StateName("已确认", "Confirmed"),
    CaseState.REJECTED: StateName("已驳回", "Rejected"),
}

ROUNDS: dict[CaseState, int] = {
    CaseState.AWAITING_FIRST: 1,
    CaseState.AWAITING_SECOND: 2,
    CaseState.AWAITING_THIRD: 3,
}
"""States in which a review is awaited, and which round of review it is."""

TRANSITIONS: dict[CaseState, frozenset[CaseState]] = {
    CaseState.AWAITING_FIRST: frozenset({CaseState.AWAITING_SECOND}),
    CaseState.AWAITING_SECOND: frozenset({CaseState.CONFIRMED, CaseState.REJECTED, CaseState.AWAITING_THIRD}),
    CaseState.AWAITING_THIRD: frozenset({CaseState.CONFIRMED, CaseState.REJECTED}),
    CaseState.CONFIRMED: frozenset(),
    CaseState.REJECTED: frozenset(),
}


class Opinion(NamedTuple):
    """What of a review bears on the state: the verdict and the plate as typed (None in a rejection)."""

    verdict: Verdict
    plate: str | None


class Step(NamedTuple):
    """Where a case goes, and the plate two reviewers agree on when it is confirmed."""

    state: CaseState
    plate: str | None


def round_of(state: CaseState) -> int:
    """Return the round of review (1-3) a case in this state awaits.

    Raises
    ------
    RuleViolation
        The case is already decided.
    """
    if state not in ROUNDS:
        raise RuleViolation(
            f"the case is already {NAMES[state].en.lower()}; a decided case takes no further review"
        )
    return ROUNDS[state]


def next_step(state: CaseState, opinions: Sequence[Opinion]) -> Step:
    """Return where a case in `state` goes once the last of `opinions` is in.

    Parameters
    ----------
    opinions
        All opinions given, oldest first, the one of the present round included.

    Raises
    ------
    RuleViolation
        The case is decided, or the opinions do not number the round.
    """
    awaited = round_of(state)
    if len(opinions) != awaited:
        raise RuleViolation(f"round {awaited} of review needs {awaited} opinions, not {len(opinions)}")
    if awaited == 1:
        return Step(CaseState.AWAITING_SECOND, None)
    last = opinions[-1]
    earlier_plates = {one.plate for one in opinions[:-1] if one.verdict is Verdict.CONFIRM}
    if last.verdict is Verdict.CONFIRM and last.plate in earlier_plates:
        return Step(CaseState.CONFIRMED, last.plate)
    if awaited == 3 or all(one.verdict is Verdict.REJECT for one in opinions):
        return Step(CaseState.REJECTED, None)
    return Step(CaseState.AWAITING_THIRD, None)
