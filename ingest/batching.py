"""Batches: how many messages are stored together, and what happens when a batch cannot be.

Rules

1. A batch is closed by count, by bytes (images!) or 10 ms after its first message, whichever is first.
2. `ServiceUnavailable` and `ConfigurationError` from the sink say nothing about the content: the same batch
   is tried again, with growing pauses, for as long as it takes. Nothing is acknowledged meanwhile. The log
   says so at once and then seldom, of what a person has to mend as an error; `zhichao doctor` finds it too.
3. Any other failure lies in the content: the batch is halved until the offender stands alone; the offender
   is then stored as refused (STORAGE_FAILED), and everything else as if it had never been there.
4. An offender of which not even the refusal can be stored stays unacknowledged: the broker and the
   station's spool keep it, the log names it, the link has it delivered again, and nothing else stops.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from domain.errors import ConfigurationError, ServiceUnavailable
from domain.refusals import RefusalCode
from ingest.arrivals import Arrival, Refused, Settled, Sink
from ingest.decoders import Decoders

logger = logging.getLogger(__name__)

_TELL_EVERY = 120
"""Tries between two lines of the log on one failure: ten minutes at the longest pause."""


class InMemory(Protocol):
    """Anything that knows how many bytes it keeps in memory."""

    @property
    def size_bytes(self) -> int:
        """Bytes held."""


Held = TypeVar("Held", bound=InMemory)


@dataclass(frozen=True)
class BatchBounds:
    """When a batch is closed."""

    max_messages: int = 500
    max_bytes: int = 32 * 1024 * 1024
    max_wait_s: float = 0.010


@dataclass(frozen=True)
class BackOff:
    """Pauses between tries: `first_s`, doubled each time up to `longest_s`."""

    first_s: float = 0.1
    longest_s: float = 5.0

    def pause_s(self, failures: int) -> float:
        """Return the pause after this many failures in a row.

        >>> [BackOff(0.1, 1.0).pause_s(n) for n in (1, 2, 3, 9)]
        [0.1, 0.2, 0.4, 1.0]
        """
        return float(min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 30)))


async def collect(inbox: "asyncio.Queue[Held]", bounds: BatchBounds) -> list[Held]:
    """Wait for a message, then return it with those that follow until the batch is closed."""
    batch = [await inbox.get()]
    size_bytes = batch[0].size_bytes
    closes_at = asyncio.get_running_loop().time() + bounds.max_wait_s
    while len(batch) < bounds.max_messages and size_bytes < bounds.max_bytes:
        if inbox.empty():
            try:
                async with asyncio.timeout_at(closes_at):
                    item = await inbox.get()
            except TimeoutError:
                break
        else:
            item = inbox.get_nowait()
        batch.append(item)
        size_bytes += item.size_bytes
    return batch


@dataclass(frozen=True)
class Message:
    """What one MQTT message became; a gateway's picture frame becomes several arrivals."""

    arrivals: tuple[Arrival, ...]


class Storer:
    """Settles batches with a sink under the rules above."""

    def __init__(
        self,
        sink: Sink,
        decoders: Decoders,
        *,
        back_off: BackOff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sink = sink
        self._decoders = decoders
        self._back_off = back_off or BackOff()
        self._sleep = sleep

    async def store(self, batch: Sequence[Message]) -> list[tuple[Settled, ...] | None]:
        """Return what became of each message, in order; None for one that must stay unacknowledged."""
        try:
            return list(await self._tried(batch))
        except Exception:  # rule 3: whatever it is, it must not stop the other messages
            if len(batch) == 1:
                return [await self._refused(batch[0])]
            logger.warning(
                "a batch of %d messages could not be stored; halving it", len(batch), exc_info=True
            )
        middle = len(batch) // 2
        return [*await self.store(batch[:middle]), *await self.store(batch[middle:])]

    async def _refused(self, message: Message) -> tuple[Settled, ...] | None:
        wire = message.arrivals[0].wire
        logger.exception("a message on %s could not be stored; it goes to quarantine", wire.topic)
        arrival = message.arrivals[0]
        refusal: Refused = self._decoders.refused(
            wire,
            RefusalCode.STORAGE_FAILED,
            f"refused already ({arrival.code.value}: {arrival.detail}), and could not be stored as such"
            if isinstance(arrival, Refused)
            else "the database did not take this message as a record; the operator sees why in the log",
        )
        try:
            settled = await self._tried([Message((refusal,))])
        except Exception:
            logger.exception(
                "a message on %s cannot even be kept in quarantine; it stays with the broker, unacknowledged",
                wire.topic,
            )
            return None
        return settled[0]

    async def _tried(self, batch: Sequence[Message]) -> list[tuple[Settled, ...]]:
        arrivals = [arrival for message in batch for arrival in message.arrivals]
        failures, told = 0, ""
        while True:
            try:
                settled = iter(await self._sink.store(arrivals))
            except (ServiceUnavailable, ConfigurationError) as error:
                if str(error) != told or failures % _TELL_EVERY == 0:
                    level = logging.ERROR if isinstance(error, ConfigurationError) else logging.WARNING
                    logger.log(level, "nothing can be stored, and is tried again until it is: %s", error)
                    told = str(error)
                failures += 1
                await self._sleep(self._back_off.pause_s(failures))
            else:
                if failures:
                    logger.info("storing goes on; it was tried %d times", failures + 1)
                return [tuple(next(settled) for _ in message.arrivals) for message in batch]
