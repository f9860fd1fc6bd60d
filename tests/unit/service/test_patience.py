"""A loop that cannot work: it waits longer each time, says so once, and goes on as soon as it can."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from domain.errors import ServiceUnavailable
from evidence import create_keys
from service import sequencer
from service.patience import TELL_AGAIN_AFTER_S, Patience
from service.settings import Settings

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that goes on while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds


def test_pauses_grow_to_a_bound_and_begin_anew_after_success() -> None:
    patience = Patience(1, 5, Clock())
    pauses = []
    for _ in range(5):
        patience.failed("away")
        pauses.append(patience.pause_s)
    assert pauses == [1, 2, 4, 5, 5]
    assert [patience.succeeded(), patience.succeeded()] == [True, False]
    assert patience.pause_s == 1


def test_a_reason_is_told_once_then_seldom_and_another_one_at_once() -> None:
    clock = Clock()
    patience = Patience(1, 5, clock)
    assert [patience.failed("away") for _ in range(3)] == [True, False, False]
    assert patience.failed("refuses")
    clock.now += TELL_AGAIN_AFTER_S
    assert [patience.failed("refuses"), patience.failed("refuses")] == [True, False]


async def test_a_witness_away_for_an_hour_is_told_a_few_times_and_its_return_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, back_at = Clock(), 3600.0

    async def hold(_settings: object, _keys: object, patience: Patience) -> None:
        if clock.now < back_at:
            raise ServiceUnavailable("the witness is away")
        if patience.succeeded():
            raise asyncio.CancelledError

    monkeypatch.setattr(sequencer, "_hold", hold)
    monkeypatch.setattr(sequencer, "asyncio", SimpleNamespace(sleep=clock.sleep))
    monkeypatch.setattr(sequencer, "time", SimpleNamespace(monotonic=clock))
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        await sequencer.run_sequencer(Settings(data=tmp_path), create_keys(tmp_path / "keys"))
    assert clock.now - back_at <= sequencer.LONGEST_PAUSE_S
    assert len(caplog.records) == pytest.approx(back_at / TELL_AGAIN_AFTER_S, abs=1)
    assert clock.slept[:4] == [1, 2, 4, 5]
