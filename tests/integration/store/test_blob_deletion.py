"""Deleting blobs: never one that a row refers to, or is about to, and nothing is left behind by a kill."""

import asyncio
import os
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.ids import Sha256
from store.blob_deletion import (
    GRACE,
    delete_unnamed_files,
    delete_unreferenced,
    lock_for_writing,
    mark_unreferenced,
    settle_aside,
)
from store.blobs import PARTS, BlobStore
from store.connection import Connection, Pool
from store.intake import store_batch
from store.intake_batch import CaptureRow, PassageRow, RefusalRow
from store.transactions import transaction
from tests.counts import count
from tests.integration.store.messages import batch, capture, refusal, waveform_passage

pytestmark = pytest.mark.anyio

IMAGE = b"one image of two events"
NOW = datetime.now(UTC)
LATER = NOW + GRACE + timedelta(hours=1)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    """Return an empty store."""
    return BlobStore(tmp_path)


async def arrive(pool: Pool, blobs: BlobStore, *rows: PassageRow | CaptureRow | RefusalRow) -> None:
    """Store messages as the ingester does."""
    stored = batch(*rows)
    async with transaction(pool) as conn:
        await lock_for_writing(conn, stored.blob_digests())
        await blobs.put_all(list(stored.blobs()))
        await store_batch(conn, stored)


async def forget(conn: Connection, row: CaptureRow, at: datetime = NOW) -> None:
    """Delete a capture's row, as a rule does."""
    await conn.execute("DELETE FROM capture WHERE event_id = %s", [row.key.event_id])
    await mark_unreferenced(conn, [row.blob_sha256], at=at)


async def named(pool: Pool, digest: Sha256) -> bool:
    """Say whether a row names the blob."""
    async with transaction(pool) as conn:
        cursor = await conn.execute("SELECT FROM blob WHERE sha256 = %s", [digest])
        return await cursor.fetchone() is not None


async def delete(pool: Pool, blobs: BlobStore, now: datetime = LATER) -> list[Sha256]:
    """Delete what may go."""
    return await delete_unreferenced(pool, blobs, now=now, limit=100)


async def later(seconds: float, done: Awaitable[None]) -> None:
    """Wait, then do it."""
    await asyncio.sleep(seconds)
    await done


def everything(blobs: BlobStore) -> set[str]:
    """Return the names of all files of the store."""
    return {path.name for path in blobs.root.rglob("*") if path.is_file()}


async def test_an_image_of_two_events_goes_with_the_second(pool: Pool, blobs: BlobStore) -> None:
    first, second = capture(1, image=IMAGE), capture(2, image=IMAGE)
    await arrive(pool, blobs, first, second)
    async with transaction(pool) as conn:
        await forget(conn, first)
    assert await delete(pool, blobs) == []
    assert blobs.get(first.blob_sha256) == IMAGE
    async with transaction(pool) as conn:
        await forget(conn, second)
    assert await delete(pool, blobs) == [first.blob_sha256]
    assert (everything(blobs), await named(pool, first.blob_sha256)) == (set(), False)


async def test_a_blob_is_kept_for_its_grace(pool: Pool, blobs: BlobStore) -> None:
    row = capture(1)
    await arrive(pool, blobs, row)
    async with transaction(pool) as conn:
        await forget(conn, row)
    assert await delete(pool, blobs, NOW + GRACE - timedelta(seconds=1)) == []
    assert await delete(pool, blobs, NOW + GRACE + timedelta(seconds=1)) == [row.blob_sha256]


async def test_a_reference_of_any_kind_keeps_a_blob(pool: Pool, blobs: BlobStore) -> None:
    vendor = capture(1)
    wire = vendor.wire.model_copy(update={"payload": b'{"image": "..."}'})
    vendor = replace(vendor, message=vendor.message.model_copy(update={"wire": wire}))
    stored = batch(vendor, waveform_passage(2), refusal(3, payload=b"{" * 70_000))
    await arrive(pool, blobs, *stored.passages, *stored.captures, *stored.refusals)
    digests = list(stored.blob_digests())
    assert len(set(digests)) == 4
    async with transaction(pool) as conn:
        await mark_unreferenced(conn, digests, at=NOW)
    assert await delete(pool, blobs) == []
    assert everything(blobs) == set(digests)


async def test_a_deleter_leaves_what_a_writer_has_in_hand(pool: Pool, blobs: BlobStore) -> None:
    old = capture(1, image=IMAGE)
    await arrive(pool, blobs, old)
    async with transaction(pool) as conn:
        await forget(conn, old)
    new = batch(capture(2, image=IMAGE))
    async with transaction(pool) as conn:
        await lock_for_writing(conn, new.blob_digests())
        await blobs.put_all(list(new.blobs()))
        # The file was there already, and no committed row names it yet.
        assert await delete(pool, blobs) == []
        await store_batch(conn, new)
    assert await delete(pool, blobs) == []
    assert blobs.get(old.blob_sha256) == IMAGE


async def test_writers_and_deleters_in_any_order_lose_nothing_that_is_named(
    pool: Pool, blobs: BlobStore
) -> None:
    digest = capture(1, image=IMAGE).blob_sha256
    deleted = 0
    for sequence in range(1, count(full=500, reduced=40) + 1):
        row = capture(sequence, image=IMAGE)
        found = await asyncio.gather(
            later(sequence % 5 * 0.004, arrive(pool, blobs, row)),
            delete(pool, blobs),
            delete(pool, blobs),
            settle_aside(pool, blobs),
        )
        deleted += len(found[1] or []) + len(found[2] or [])
        assert blobs.get(digest) == IMAGE
        async with transaction(pool) as conn:
            await forget(conn, row)
    assert deleted > 0


async def test_a_kill_between_row_and_file_leaves_a_file_that_is_found(
    pool: Pool, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = capture(1)
    await arrive(pool, blobs, row)
    async with transaction(pool) as conn:
        await forget(conn, row)
    with monkeypatch.context() as killed:
        killed.setattr(BlobStore, "drop_aside", _killed)
        with pytest.raises(KeyError, match="killed"):
            await delete(pool, blobs)
    assert not await named(pool, row.blob_sha256)
    assert everything(blobs) == {row.blob_sha256}
    assert await settle_aside(pool, blobs) == [row.blob_sha256]
    assert everything(blobs) == set()


async def test_a_kill_before_the_row_is_gone_loses_nothing(pool: Pool, blobs: BlobStore) -> None:
    row = capture(1)
    await arrive(pool, blobs, row)
    async with transaction(pool) as conn:
        await forget(conn, row)
    # Set aside by a process that was killed then: its transaction is rolled back, the row stands.
    blobs.set_aside(row.blob_sha256)
    assert await settle_aside(pool, blobs) == [row.blob_sha256]
    assert blobs.get(row.blob_sha256) == row.message.image
    blobs.set_aside(row.blob_sha256)
    await arrive(pool, blobs, capture(2, image=row.message.image))
    assert blobs.get(row.blob_sha256) == row.message.image


async def test_a_file_is_put_back_where_its_row_could_not_be_deleted(
    pool: Pool, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = capture(1)
    await arrive(pool, blobs, row)
    async with transaction(pool) as conn:
        await forget(conn, row)
    real = BlobStore.set_aside

    def set_aside_and_fail(self: BlobStore, digest: Sha256) -> None:
        real(self, digest)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(BlobStore, "set_aside", set_aside_and_fail)
        with pytest.raises(OSError, match="Input/output"):
            await delete(pool, blobs)
    assert await named(pool, row.blob_sha256)
    assert blobs.get(row.blob_sha256) == row.message.image


async def test_files_that_no_row_names_are_found_once_they_are_old(pool: Pool, blobs: BlobStore) -> None:
    named_row = capture(1)
    await arrive(pool, blobs, named_row)
    stray, young = blobs.put(b"its row was rolled back"), blobs.put(b"its row is about to come")
    for digest in (stray, named_row.blob_sha256):
        os.utime(blobs.path(digest), (0, 0))
    gone = [
        digest
        for part in range(PARTS)
        for digest in await delete_unnamed_files(pool, blobs, part=part, now=datetime.now(UTC), limit=10)
    ]
    assert gone == [stray]
    assert everything(blobs) == {named_row.blob_sha256, young}


def _killed(self: BlobStore, digest: Sha256) -> None:
    raise KeyError("killed")
