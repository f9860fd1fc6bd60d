"""Batches close in time, a bad message is found among good ones, and an outage loses nothing."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigurationError, ServiceUnavailable
from domain.refusals import RefusalCode
from ingest.arrivals import Arrival, Refusal, Refused, Settled
from ingest.batching import BackOff, BatchBounds, Message, Storer, collect
from ingest.decoders import Decoders, load_decoders
from tests.counts import count
from tests.unit.ingest.samples import NOW, header, weigh

DECODERS = Decoders(load_decoders().values())


@dataclass(frozen=True)
class Item:
    """Something of a size."""

    size_bytes: int


@dataclass
class Shelf:
    """A sink that takes all of a batch or none, and fails as told."""

    poison: frozenset[int] = frozenset()
    """Sequences that cannot be stored as records."""
    venom: frozenset[int] = frozenset()
    """Sequences of which not even the refusal can be stored."""
    outages: list[bool] = field(default_factory=list)
    """Whether the next calls find the database away."""
    stored: list[tuple[int, RefusalCode | None]] = field(default_factory=list)

    async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
        """Commit."""
        await asyncio.sleep(0)
        if self.outages and self.outages.pop(0):
            raise ServiceUnavailable("the database is restarting")
        rows = [(_sequence(a), a.code if isinstance(a, Refused) else None) for a in arrivals]
        if any(s in self.venom or (s in self.poison and code is None) for s, code in rows):
            raise ZeroDivisionError("a row nobody can store")
        self.stored.extend(rows)
        return [
            Settled("S1", "wim-1", "e0", sequence, Refusal(code, "refused") if code else None)
            for sequence, code in rows
        ]


def _sequence(arrival: Arrival) -> int:
    return int(dict(arrival.wire.properties)["seq"])


def _messages(size: int) -> list[Message]:
    return [
        Message(DECODERS.arrivals(weigh(head=header(seq=str(number))), now=NOW)) for number in range(size)
    ]


def _store(shelf: Shelf, size: int, pauses: list[float] | None = None) -> list[tuple[Settled, ...] | None]:
    async def sleep(pause_s: float) -> None:
        if pauses is not None:
            pauses.append(pause_s)

    storer = Storer(shelf, DECODERS, back_off=BackOff(0.1, 1.0), sleep=sleep)
    return asyncio.run(storer.store(_messages(size)))


@settings(max_examples=count(2_000, reduced=200), deadline=None, derandomize=True)
@given(st.data())
def test_bisection_finds_every_bad_message_and_keeps_the_order(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    numbers = st.frozensets(st.integers(0, size - 1))
    poison, venom = data.draw(numbers), data.draw(numbers)
    shelf = Shelf(poison=poison, venom=venom, outages=data.draw(st.lists(st.booleans(), max_size=8)))
    outcomes = _store(shelf, size)
    assert [number for number, _ in shelf.stored] == [n for n in range(size) if n not in venom]
    for number, outcome in enumerate(outcomes):
        if number in venom:
            assert outcome is None
        else:
            assert outcome is not None
            (settled,) = outcome
            refused = settled.refusal.code if settled.refusal else None
            assert settled.sequence == number
            assert refused is (RefusalCode.STORAGE_FAILED if number in poison else None)


def test_an_outage_is_waited_out_with_growing_pauses() -> None:
    pauses: list[float] = []
    shelf = Shelf(outages=[True] * 6)
    outcomes = _store(shelf, 3, pauses)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert [number for number, _ in shelf.stored] == [0, 1, 2]
    assert None not in outcomes


def test_a_fault_of_the_installation_is_no_fault_of_the_messages() -> None:
    class Misconfigured(Shelf):
        calls = 0

        async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
            self.calls += 1
            if self.calls < 4:
                raise ConfigurationError("a table of the law is missing")
            return await super().store(arrivals)

    shelf = Misconfigured()
    outcomes = _store(shelf, 3)
    assert shelf.stored == [(0, None), (1, None), (2, None)]
    assert [one.refusal for outcome in outcomes for one in outcome or ()] == [None] * 3


def test_a_fault_that_lasts_is_told_at_once_and_then_seldom_and_loses_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Misconfigured(Shelf):
        faults = (*["the database is away"] * 100, *["a law table cannot be used"] * 400)
        calls = 0

        async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
            self.calls += 1
            if self.calls > len(self.faults):
                return await super().store(arrivals)
            fault = self.faults[self.calls - 1]
            raise (ConfigurationError if "law" in fault else ServiceUnavailable)(fault)

    caplog.set_level(logging.INFO)
    shelf = Misconfigured()
    assert None not in _store(shelf, 3, [])
    assert shelf.stored == [(0, None), (1, None), (2, None)]
    assert [record.levelname for record in caplog.records] == ["WARNING", *["ERROR"] * 5, "INFO"]


def test_cancelled_is_cancelled_and_not_taken_for_a_bad_message() -> None:
    async def cancel() -> None:
        shelf = Shelf(outages=[True] * 1000)
        task = asyncio.create_task(Storer(shelf, DECODERS, back_off=BackOff(60, 60)).store(_messages(2)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert shelf.stored == []

    asyncio.run(cancel())


def _collect(sizes: list[int], bounds: BatchBounds) -> list[list[int]]:
    async def drain() -> list[list[int]]:
        inbox: asyncio.Queue[Item] = asyncio.Queue()
        for size in sizes:
            inbox.put_nowait(Item(size))
        batches = []
        while not inbox.empty():
            batches.append([item.size_bytes for item in await collect(inbox, bounds)])
        return batches

    return asyncio.run(drain())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 100), max_size=50), st.integers(1, 10), st.integers(1, 300))
def test_batches_keep_the_order_and_their_bounds(sizes: list[int], messages: int, size_bytes: int) -> None:
    batches = _collect(sizes, BatchBounds(max_messages=messages, max_bytes=size_bytes, max_wait_s=0.0))
    assert [size for batch in batches for size in batch] == sizes
    for batch in batches:
        assert len(batch) <= messages
        assert sum(batch[:-1]) < size_bytes


def test_a_batch_waits_for_what_follows_within_its_time() -> None:
    """Fed by a second task, a generous bound gathers all three; nobody waits for a fourth."""

    async def gather() -> list[Item]:
        inbox: asyncio.Queue[Item] = asyncio.Queue()

        async def feed() -> None:
            for size in (1, 2, 3):
                inbox.put_nowait(Item(size))
                await asyncio.sleep(0)

        feeding = asyncio.create_task(feed())
        batch = await collect(inbox, BatchBounds(max_messages=3, max_wait_s=30.0))
        await feeding
        return batch

    assert asyncio.run(gather()) == [Item(1), Item(2), Item(3)]
