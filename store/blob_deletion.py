"""Deleting blobs that no row refers to, beside writers who may be about to name the same bytes again.

Rules
-----
1. Whoever stores a blob takes its digest's lock, shared, before the file is looked at, and keeps it until the
   row that names it is committed (`lock_for_writing`).
2. A deleter takes the lock alone, or leaves the blob for another time; only then it asks whether a row refers
   to it. So neither can come between the other's look and the other's deed.
3. The row of the blob goes first, the file is only set aside; once the row's end is committed, the file goes
   for good. Where that commit fails, it is put back: also if this process was frozen, lost its lock
   without noticing, and a writer has relied on the file since.
4. A kill between any two of these leaves a file that no row names, or a blob that no row refers to: the next
   round finds both.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import LiteralString

from domain.ids import Sha256
from store.blobs import BlobStore
from store.connection import Connection, Pool
from store.transactions import transaction

GRACE = timedelta(hours=24)
"""How long a blob is kept after the last row that referred to it, and a file that no row names."""


async def lock_for_writing(conn: Connection, digests: Iterable[Sha256]) -> None:
    """Keep blobs from being deleted until the caller's transaction ends; to be called before they are put."""
    locks = sorted({_lock_of(digest) for digest in digests})
    if locks:
        await conn.execute(
            "SELECT pg_advisory_xact_lock_shared(lock) FROM unnest(%s::bigint[]) AS lock", [locks]
        )


async def mark_unreferenced(conn: Connection, digests: Iterable[Sha256], *, at: datetime) -> None:
    """Begin the grace of blobs that lost a reference; whether another is left is asked when it ends."""
    await conn.execute(
        "UPDATE blob SET unreferenced_at = %s WHERE sha256 = ANY(%s)", [at, sorted(set(digests))]
    )


async def delete_unreferenced(pool: Pool, blobs: BlobStore, *, now: datetime, limit: int) -> list[Sha256]:
    """Delete up to so many blobs whose grace has ended, and return their digests.

    Raises
    ------
    ServiceUnavailable
        The database is away; what was set aside is put back.
    """
    async with transaction(pool) as conn:
        cursor = await conn.execute(
            "SELECT sha256 FROM blob WHERE unreferenced_at < %s ORDER BY unreferenced_at LIMIT %s",
            [now - GRACE, limit],
        )
        waiting = [Sha256(row[0]) for row in await cursor.fetchall()]
    return [digest for digest in waiting if await _delete(pool, blobs, digest, now - GRACE)]


async def delete_unnamed_files(
    pool: Pool, blobs: BlobStore, *, part: int, now: datetime, limit: int
) -> list[Sha256]:
    """Delete files older than the grace that no row names, of one of the store's 256 parts.

    They are left by a kill between a file and its row, in either order.
    """
    old = await asyncio.to_thread(blobs.files_before, now - GRACE, part)
    deleted: list[Sha256] = []
    for start in range(0, len(old), limit):
        async with transaction(pool) as conn:
            cursor = await conn.execute(
                """
                SELECT digest FROM unnest(%s::text[]) AS file (digest)
                WHERE NOT EXISTS (SELECT FROM blob WHERE sha256 = digest)
                """,
                [old[start : start + limit]],
            )
            unnamed = [Sha256(row[0]) for row in await cursor.fetchall()]
        deleted += [digest for digest in unnamed if await _delete(pool, blobs, digest, None)]
    return deleted


async def settle_aside(pool: Pool, blobs: BlobStore) -> list[Sha256]:
    """End what killed deleters began: a file set aside goes for good, or back where a row names it."""
    settled = []
    for digest in await asyncio.to_thread(blobs.lying_aside):
        async with transaction(pool) as conn:
            if not await _locked_alone(conn, digest):
                continue
            named = await _asked(conn, "SELECT EXISTS (SELECT FROM blob WHERE sha256 = %s)", digest)
            await asyncio.to_thread(blobs.put_back if named else blobs.drop_aside, digest)
        settled.append(digest)
    return settled


async def _delete(pool: Pool, blobs: BlobStore, digest: Sha256, due: datetime | None) -> bool:
    """Delete one blob, its row first; False where it is being written, referred to, or not due any more.

    `due` is before when its grace must have begun; None for a file that has no row.
    """
    aside = False
    try:
        async with transaction(pool) as conn:
            if not await _locked_alone(conn, digest) or not await _row_gone(conn, digest, due):
                return False
            aside = True
            await asyncio.to_thread(blobs.set_aside, digest)
    except BaseException:
        if aside:
            await asyncio.shield(asyncio.to_thread(blobs.put_back, digest))
        raise
    await asyncio.to_thread(blobs.drop_aside, digest)
    return True


async def _row_gone(conn: Connection, digest: Sha256, due: datetime | None) -> bool:
    """Delete the blob's row, whose lock the caller has; False where it has to stay."""
    if await _asked(conn, "SELECT EXISTS (SELECT FROM blob_reference WHERE sha256 = %s)", digest):
        await conn.execute("UPDATE blob SET unreferenced_at = NULL WHERE sha256 = %s", [digest])
        return False
    if due is None:
        return not await _asked(conn, "SELECT EXISTS (SELECT FROM blob WHERE sha256 = %s)", digest)
    cursor = await conn.execute("DELETE FROM blob WHERE sha256 = %s AND unreferenced_at < %s", [digest, due])
    return cursor.rowcount == 1


async def _locked_alone(conn: Connection, digest: Sha256) -> bool:
    cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock_of(digest)])
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _asked(conn: Connection, question: LiteralString, digest: Sha256) -> bool:
    row = await (await conn.execute(question, [digest])).fetchone()
    return row is not None and bool(row[0])


def _lock_of(digest: Sha256) -> int:
    material = hashlib.sha256(f"zhichao blob\0{digest}".encode()).digest()
    return int.from_bytes(material[:8], signed=True)
