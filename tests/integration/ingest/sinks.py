"""Sinks that remember what they stored, and fail as told."""

import asyncio
from collections.abc import Callable, Sequence

from domain.errors import ServiceUnavailable
from domain.events import CaptureMessage, StatusMessage, WeighMessage
from ingest import Accepted, Arrival, Refusal, Settled

WAIT_S = 60.0


def settled(arrival: Arrival) -> Settled:
    """Return the arrival as committed."""
    if not isinstance(arrival, Accepted):
        return Settled(*arrival.claims, Refusal(arrival.code, arrival.detail))
    event = arrival.decoded
    if isinstance(event, StatusMessage):
        return Settled(event.status.station, event.status.device, None, None)
    head = event.header
    return Settled(head.station, head.device, head.epoch, head.sequence)


class MemorySink:
    """Keeps everything; may be told to be away, or to wait at its gate before each commit."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.calls = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self._changed = asyncio.Condition()

    @property
    def sequences(self) -> list[int]:
        """Numbers stored, in order, repeats included."""
        events = [a.decoded for a in self.arrivals if isinstance(a, Accepted)]
        return [e.header.sequence for e in events if isinstance(e, WeighMessage | CaptureMessage)]

    async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
        """Commit, once the gate is open and the database there."""
        async with self._changed:
            self.calls += 1
            self._changed.notify_all()
        await self.gate.wait()
        if self.away:
            raise ServiceUnavailable("the database is away")
        async with self._changed:
            self.arrivals.extend(arrivals)
            self._changed.notify_all()
        return [settled(arrival) for arrival in arrivals]

    async def wait_until(self, holds: Callable[["MemorySink"], bool]) -> None:
        """Wait until `holds` of this sink."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: holds(self))
