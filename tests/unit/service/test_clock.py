"""A clock that may be wrong makes no case, and a spool is no wrong clock."""

from datetime import timedelta

import pytest

from domain.events import ClockState, WeighMessage
from domain.screening import Outcome
from service.settings import Settings
from service.steps.screen import CLOCK_UNRELIABLE, Screener
from tests.integration.store.messages import CONTEXT, passage


def _message(
    *, offset_ms: int | None = None, ahead_ms: int = -1_000, captured_ahead_ms: int = -2_000
) -> WeighMessage:
    message = passage(1).message
    arrival = message.wire.received_at
    header = message.header.model_copy(
        update={
            "captured_at": arrival + timedelta(milliseconds=captured_ahead_ms),
            "sent_at": arrival + timedelta(milliseconds=ahead_ms),
            "clock": ClockState(offset_ms=offset_ms),
        }
    )
    return message.model_copy(update={"header": header})


def _screen(message: WeighMessage) -> tuple[Outcome, bool]:
    (screening,) = Screener(Settings()).screen([message], [CONTEXT])
    return screening.outcome, CLOCK_UNRELIABLE in screening.reasons


@pytest.mark.parametrize(
    "fault",
    [
        {"offset_ms": 1_001},
        {"offset_ms": -1_001},
        {"ahead_ms": 1_001},
        {"ahead_ms": 20 * 3_600_000},
        {"captured_ahead_ms": 1_001},
    ],
)
def test_a_clock_beyond_the_bound_makes_the_passage_statistics_only(fault: dict[str, int]) -> None:
    assert _screen(_message(**fault)) == (Outcome.STATISTICS_ONLY, True)


@pytest.mark.parametrize(
    "sound", [{}, {"offset_ms": 1_000}, {"offset_ms": -1_000}, {"ahead_ms": 1_000}, {"ahead_ms": -86_000_000}]
)
def test_a_clock_within_the_bound_or_a_message_long_under_way_changes_nothing(sound: dict[str, int]) -> None:
    outcome, marked = _screen(_message(**sound))
    assert outcome is not Outcome.STATISTICS_ONLY
    assert not marked
