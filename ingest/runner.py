"""The ingester: from the broker, through decoding, to the sink; then acknowledgement and receipts."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.errors import ConfigurationError
from domain.events import Wire
from ingest.arrivals import Settled, Sink
from ingest.batching import BackOff, BatchBounds, Message, Storer, collect
from ingest.decoders import Decoders, load_decoders
from ingest.limits import Limits
from ingest.mqtt import BrokerLink, BrokerSettings, Delivery
from ingest.receipts import receipts

logger = logging.getLogger(__name__)


@dataclass
class Counters:
    """What this process has done since it started."""

    messages: int = 0
    refused: int = 0
    batches: int = 0
    kept_back: int = 0
    """Messages left unacknowledged because not even their refusal could be stored."""
    lost_receipts: int = 0
    """Receipts that could not be handed to the broker; the stations' resending repeats them."""


def choose(names: Iterable[str] | None, limits: Limits | None = None) -> Decoders:
    """Return the decoders of these names, or all there are.

    Raises
    ------
    ConfigurationError
        A name no decoder has.
    """
    there = load_decoders(limits)
    wanted = list(there if names is None else names)
    for name in wanted:
        if name not in there:
            raise ConfigurationError(f"there is no decoder {name!r}; choose from: {', '.join(sorted(there))}")
    return Decoders(there[name] for name in wanted)


async def run(
    settings: BrokerSettings,
    sink: Sink,
    *,
    decoders: Decoders | None = None,
    bounds: BatchBounds | None = None,
    storage_back_off: BackOff | None = None,
    ready: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
    counters: Counters | None = None,
) -> None:
    """Ingest until `stop` is set or the task is cancelled.

    `ready` is called once, when the first subscription stands. On `stop` the batch in hand is stored,
    acknowledged and receipted; what has not been begun stays with the broker.

    Raises
    ------
    ConfigurationError
        TLS files cannot work. A broker that is away is waited for.
    """
    chosen = decoders or choose(None)
    link = BrokerLink(settings, chosen.topic_filters, ready=ready)
    storer = Storer(sink, chosen, back_off=storage_back_off)
    pump = _Pump(link, chosen, storer, bounds or BatchBounds(), counters or Counters())
    async with asyncio.TaskGroup() as tasks:
        receiving = tasks.create_task(link.run(), name="mqtt")
        await pump.run(stop or asyncio.Event())
        receiving.cancel()


class _Pump:
    """Takes batches out of the link's inbox and sees each through to its receipts."""

    def __init__(
        self, link: BrokerLink, decoders: Decoders, storer: Storer, bounds: BatchBounds, counters: Counters
    ) -> None:
        self._link = link
        self._decoders = decoders
        self._storer = storer
        self._bounds = bounds
        self._counters = counters

    async def run(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                collecting = asyncio.create_task(collect(self._link.inbox, self._bounds))
                await asyncio.wait({collecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not collecting.done():
                    collecting.cancel()
                    return
                await self._see_through(collecting.result())
        finally:
            stopping.cancel()

    async def _see_through(self, deliveries: Sequence[Delivery]) -> None:
        # In a thread, because a batch of large images takes longer than the loop may be blocked.
        messages = await asyncio.to_thread(self._decode, [delivery.wire for delivery in deliveries])
        outcomes = await self._storer.store(messages)
        to_receipt: list[Settled] = []
        for delivery, outcome in zip(deliveries, outcomes, strict=True):
            self._count(outcome)
            if outcome is None:
                self._link.keep_back(delivery)
                continue
            self._link.acknowledge(delivery)
            decoder = self._decoders.for_topic(delivery.wire.topic)
            if decoder is not None and decoder.receipts:
                to_receipt.extend(outcome)
        self._counters.batches += 1
        for receipt in receipts(to_receipt, at=datetime.now(UTC)):
            if not self._link.publish(receipt.topic, receipt.payload):
                self._counters.lost_receipts += 1

    def _decode(self, wires: Sequence[Wire]) -> list[Message]:
        return [Message(self._decoders.arrivals(wire, now=wire.received_at)) for wire in wires]

    def _count(self, outcome: tuple[Settled, ...] | None) -> None:
        self._counters.messages += 1
        if outcome is None:
            self._counters.kept_back += 1
        else:
            self._counters.refused += any(one.refusal is not None for one in outcome)
