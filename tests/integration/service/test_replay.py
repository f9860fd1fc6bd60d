"""Refused messages come again: what is accepted then, what stays, and what the ledger says."""

from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString

import pytest

from domain.errors import InputRefused, NotFound
from domain.events import Wire
from domain.refusals import RefusalCode
from ingest.decoders import Decoders, load_decoders
from service.settings import Settings
from service.steps.replay import accept_again
from service.steps.screen import Screener
from service.steps.store import DatabaseSink
from store.blobs import BlobStore
from store.connection import Pool
from store.quarantine import quarantine_page, unresolved
from store.registry import load_registry, parse_registry
from tests.integration.store.messages import REGISTRY
from tests.unit.ingest import samples

pytestmark = pytest.mark.anyio

LATE = REGISTRY.replace('kind = "wim"\nvalid_from = 2026-01-01', 'kind = "wim"\nvalid_from = 2026-12-01')
"""The strip was entered with the wrong first day."""

DECODERS = Decoders(load_decoders().values())


class Platform:
    """A sink on a fresh database, and the ingester's and operator's ways to it."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self._pool = pool
        self._blobs = BlobStore(folder)
        self._sink = DatabaseSink(pool, self._blobs, Screener(Settings()), capture_wait=timedelta(seconds=60))

    async def register(self, registry: str = REGISTRY) -> None:
        """Load a registry."""
        async with self._pool.connection() as conn:
            await load_registry(conn, parse_registry(registry))

    async def arrive(self, wire: Wire) -> RefusalCode | None:
        """Take one message in; return why it was refused."""
        (settled,) = await self._sink.store(DECODERS.arrivals(wire, now=wire.received_at))
        return settled.refusal.code if settled.refusal else None

    async def again(self, quarantine_id: int) -> None:
        """Replay one message."""
        await accept_again(self._pool, self._blobs, self._sink, DECODERS, quarantine_id)

    async def kept(self) -> list[int]:
        """Return what is in quarantine, as the operator and as the web see it."""
        async with self._pool.connection() as conn:
            ids = await unresolved(conn)
            assert [one.quarantine_id for one in await quarantine_page(conn, limit=100)] == ids[::-1]
        return ids

    async def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        """Return what a query gives."""
        async with self._pool.connection() as conn:
            return await (await conn.execute(query)).fetchall()


@pytest.fixture
def platform(pool: Pool, tmp_path: Path) -> Platform:
    """Return a platform that knows no station yet."""
    return Platform(pool, tmp_path)


async def test_messages_of_a_station_registered_late_are_not_lost(platform: Platform) -> None:
    image, record = samples.jpeg(900, 900), samples.weigh()
    sent = [record, samples.capture(image)]
    assert [await platform.arrive(one) for one in sent] == [RefusalCode.UNKNOWN_STATION] * 2
    await platform.register()
    for quarantine_id in await platform.kept():
        await platform.again(quarantine_id)
    assert await platform.kept() == []
    assert await platform.rows("SELECT wire_payload, received_at FROM passage") == [
        (record.payload, record.received_at)
    ]
    assert await platform.rows("SELECT blob_sha256, passage_event_id IS NOT NULL FROM capture") == [
        (samples.capture_header(image)["sha256"], True)
    ]
    assert await platform.rows("SELECT outcome FROM ledger ORDER BY 1") == [("capture",), ("passage",)]
    with pytest.raises(NotFound, match="accepted meanwhile"):
        await platform.again(1)


async def test_the_ledger_says_what_became_of_a_refusal_accepted_later(platform: Platform) -> None:
    await platform.register(LATE)
    for _ in range(2):
        assert await platform.arrive(samples.weigh()) is RefusalCode.UNKNOWN_DEVICE
    assert await platform.rows("SELECT outcome, duplicates FROM ledger") == [("quarantine", 1)]
    await platform.register()
    await platform.again(1)
    assert await platform.rows("SELECT outcome, duplicates FROM ledger") == [("passage", 1)]
    assert await platform.arrive(samples.weigh()) is None
    assert await platform.rows("SELECT outcome, duplicates FROM ledger") == [("passage", 2)]
    assert await platform.rows("SELECT count(*) FROM passage") == [(1,)]


async def test_what_is_refused_again_changes_nothing(platform: Platform) -> None:
    await platform.register(LATE)
    await platform.arrive(samples.weigh())
    everything: LiteralString = "SELECT ledger::text, quarantine::text FROM ledger, quarantine"
    before = await platform.rows(everything)
    with pytest.raises(InputRefused, match="not registered on the day"):
        await platform.again(1)
    assert await platform.rows(everything) == before
    assert await platform.kept() == [1]


async def test_a_refusal_does_not_take_the_number_of_another_message(platform: Platform) -> None:
    await platform.arrive(samples.weigh())
    await platform.register()
    other = samples.weigh(samples.weigh_body(lane=2))
    assert await platform.arrive(other) is None
    with pytest.raises(InputRefused, match="sequence-conflict"):
        await platform.again(1)
    assert await platform.rows("SELECT wire_payload FROM passage") == [(other.payload,)]
    assert await platform.kept() == [1]


async def test_a_broken_message_stays(platform: Platform) -> None:
    await platform.register()
    await platform.arrive(samples.weigh(b"{"))
    with pytest.raises(InputRefused, match="broken-json"):
        await platform.again(1)
    assert await platform.kept() == [1]
