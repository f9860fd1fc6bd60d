"""A worker erases what is due by itself, hourly, beginning when it starts."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.screening import Outcome
from service.housekeeping import keep_house
from service.retention import Keeper
from service.settings import Settings
from service.wiring import seals_of
from store.blobs import BlobStore
from store.connection import Pool
from store.intake import store_batch
from store.transactions import transaction
from tests.integration.store.messages import batch, capture, passage

pytestmark = pytest.mark.anyio


async def test_captures_of_a_passage_never_flagged_go_without_anybody(pool: Pool, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    blobs = BlobStore(settings.blob_root)
    stored = batch(passage(1, outcome=Outcome.WITHIN), capture(1))
    await blobs.put_all(list(stored.blobs()))
    async with transaction(pool) as conn:
        await store_batch(conn, stored)
        await conn.execute("UPDATE capture SET stored_at = %s", [datetime.now(UTC) - timedelta(days=8)])
    service = seals_of(settings).keys.service
    keeper = Keeper(pool, blobs, settings.evidence_root, settings.retention, service)
    house = asyncio.create_task(keep_house(keeper))
    while await _captures(pool):
        assert not house.done()
        await asyncio.sleep(0.02)
    house.cancel()


async def _captures(pool: Pool) -> int:
    async with transaction(pool) as conn:
        return len(await (await conn.execute("SELECT FROM capture")).fetchall())
