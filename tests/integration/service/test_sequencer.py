"""The log's one writer, killed at any point, ousted, or facing an old copy: each entry once or not at all."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.errors import ConflictingChange, EvidenceBroken
from evidence import KeySet
from service.keys import ensure_keys
from service.sequencer import sequence
from service.settings import Settings
from service.wiring import log_of
from store.connection import Connection, connect
from store.outbox import assign_indices, enqueue, take_log
from store.transactions import transaction_on

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings of an installation in a folder of the test's own."""
    return Settings(data=tmp_path)


@pytest.fixture
def keys(settings: Settings) -> KeySet:
    """Return the installation's keys."""
    return ensure_keys(settings)


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[Connection]:
    """Return the connection of a sequencer."""
    conn = await connect(database_url, autocommit=True)
    yield conn
    await conn.close()


async def _token(conn: Connection) -> int:
    async with transaction_on(conn):
        token = await take_log(conn)
    assert token is not None
    return token


async def _put(conn: Connection, *leaves: bytes) -> None:
    for leaf in leaves:
        await enqueue(conn, kind="decision", subject="test", leaf=leaf)


async def _logged(conn: Connection) -> list[tuple[int, bytes]]:
    cursor = await conn.execute(
        "SELECT leaf_index, leaf_hash FROM log_outbox WHERE logged_at IS NOT NULL ORDER BY leaf_index"
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def test_what_waits_is_logged_once_and_in_order(
    settings: Settings, keys: KeySet, writer: Connection
) -> None:
    token, log = await _token(writer), log_of(settings, keys)
    await _put(writer, b"a", b"b", b"a")
    assert await sequence(writer, token, log, keys) == 2
    assert await sequence(writer, token, log, keys) == 0
    await _put(writer, b"c")
    assert await sequence(writer, token, log, keys) == 1
    logged = await _logged(writer)
    assert [index for index, _ in logged] == [0, 1, 2]
    assert [digest for _, digest in logged] == log.leaf_hashes(0, 3)


async def test_a_kill_between_indices_and_log_leaves_nothing_out(
    settings: Settings, keys: KeySet, writer: Connection
) -> None:
    token = await _token(writer)
    await _put(writer, b"a", b"b")
    async with transaction_on(writer):
        await assign_indices(writer, token)
    await _put(writer, b"c")
    assert await sequence(writer, token, log_of(settings, keys), keys) == 2
    assert await sequence(writer, token, log_of(settings, keys), keys) == 1
    assert [index for index, _ in await _logged(writer)] == [0, 1, 2]


@pytest.mark.parametrize("written", [1, 2])
async def test_a_kill_between_log_and_database_writes_nothing_twice(
    settings: Settings, keys: KeySet, writer: Connection, written: int
) -> None:
    token = await _token(writer)
    await _put(writer, b"a", b"b")
    async with transaction_on(writer):
        entries = await assign_indices(writer, token)
    log_of(settings, keys).append([entry.leaf_hash for entry in entries[:written]])
    assert await sequence(writer, token, log_of(settings, keys), keys) == 2
    log = log_of(settings, keys)
    assert log.size == 2
    assert [digest for _, digest in await _logged(writer)] == log.leaf_hashes(0, 2)


async def test_an_ousted_sequencer_writes_nothing_more(
    settings: Settings, keys: KeySet, writer: Connection, database_url: str
) -> None:
    old = await _token(writer)
    successor = await connect(database_url, autocommit=True)
    assert await take_log(successor) is None
    await writer.execute("SELECT pg_advisory_unlock_all()")  # as where its session was lost unnoticed
    new = await _token(successor)
    await _put(writer, b"a")
    with pytest.raises(ConflictingChange):
        await sequence(writer, old, log_of(settings, keys), keys)
    assert await sequence(successor, new, log_of(settings, keys), keys) == 1
    await successor.close()


async def test_a_log_restored_from_an_old_copy_is_not_written_on(
    settings: Settings, keys: KeySet, writer: Connection, tmp_path: Path
) -> None:
    token = await _token(writer)
    await _put(writer, b"a")
    await sequence(writer, token, log_of(settings, keys), keys)
    await asyncio.to_thread(shutil.copytree, settings.log_root, tmp_path / "old")
    await _put(writer, b"b")
    await sequence(writer, token, log_of(settings, keys), keys)
    await asyncio.to_thread(shutil.rmtree, settings.log_root)
    await asyncio.to_thread(shutil.copytree, tmp_path / "old", settings.log_root)
    await _put(writer, b"c")
    with pytest.raises(EvidenceBroken, match="old copy"):
        await sequence(writer, token, log_of(settings, keys), keys)
