"""What a station is told of a signal that was not weighed: a code for every problem, and what was seen."""

import pytest

from domain.events import DrivingFlag
from domain.refusals import RefusalCode
from service.steps.weigh import refusal_of
from weigh.live import Unweighed
from weigh.waveform import PROBLEMS


@pytest.mark.parametrize("problem", [*PROBLEMS[1:], "layout", "out-of-range"])
def test_every_problem_has_a_code_and_is_named(problem: str) -> None:
    refusal = refusal_of(Unweighed(problem, ()))
    assert refusal.code is not RefusalCode.DRIVE_UNUSABLE
    assert problem in refusal.detail


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ("motion-unclear", RefusalCode.DRIVE_UNUSABLE),
        ("strips-disagree", RefusalCode.DRIVE_UNUSABLE),
        ("clipped", RefusalCode.SIGNAL_CLIPPED),
        ("not-finite", RefusalCode.SIGNAL_NOT_FINITE),
    ],
)
def test_a_bad_drive_is_told_from_a_bad_signal(problem: str, code: RefusalCode) -> None:
    refusal = refusal_of(Unweighed(problem, (DrivingFlag.STOP_AND_GO, DrivingFlag.TAIL_LOST)))
    assert refusal.code is code
    assert "stop-and-go, tail-lost" in refusal.detail
