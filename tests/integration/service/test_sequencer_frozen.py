"""A sequencer frozen with indices in its hands, replaced, and waking up: each entry once, in one history."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evidence.checkpoint import SignedCheckpoint
from service.keys import ensure_keys
from service.settings import Settings
from service.wiring import log_of
from store.connection import Connection, connect
from store.outbox import enqueue
from tests.counts import count
from tests.unit.evidence.test_merkle import oracle_root

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

FROZEN_AFTER_S = 0.5


@asynccontextmanager
async def sequencer(url: str, data: Path, *, pause_s: float) -> AsyncIterator[Process]:
    """Run a sequencer in a process of its own."""
    arguments = (url, str(data), str(FROZEN_AFTER_S), str(pause_s))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.service.sequencer_process", *arguments, stdout=PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def _until(conn: Connection, query: str, *values: object) -> None:
    while True:
        row = await (await conn.execute(query.encode(), values)).fetchone()
        if row is not None and row[0]:
            return
        await asyncio.sleep(0.02)


async def _put(conn: Connection, *leaves: str) -> None:
    for leaf in leaves:
        await enqueue(conn, kind="decision", subject="test", leaf=leaf.encode())


async def test_a_frozen_sequencer_is_replaced_and_does_no_harm_when_it_wakes(
    database_url: str, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path)
    keys = ensure_keys(settings)
    conn = await connect(database_url, autocommit=True)
    all_logged = "SELECT bool_and(logged_at IS NOT NULL) FROM log_outbox"
    for number in range(count(20, reduced=1)):
        async with sequencer(database_url, tmp_path, pause_s=0.3) as frozen:
            assert frozen.stdout is not None
            await _put(conn, f"{number} a", f"{number} b")
            assert (await frozen.stdout.readline()).startswith(b"assigned")
            frozen.send_signal(signal.SIGSTOP)
            await _put(conn, f"{number} c")
            token = (await (await conn.execute("SELECT fencing_token FROM log_head")).fetchone() or (0,))[0]
            async with sequencer(database_url, tmp_path, pause_s=0.0):
                await _until(conn, all_logged)
                await _until(conn, "SELECT fencing_token > %s FROM log_head", token)
                frozen.send_signal(signal.SIGCONT)
                await _put(conn, f"{number} d")
                await asyncio.sleep(0.5)
                await _until(conn, all_logged)
                assert frozen.returncode is None, "it goes on looking for its turn"
    cursor = await conn.execute("SELECT leaf_index, leaf_hash FROM log_outbox ORDER BY leaf_index")
    entries = await cursor.fetchall()
    await conn.close()
    log = log_of(settings, keys)
    assert [index for index, _ in entries] == list(range(log.size)) == list(range(len(entries)))
    leaves = log.leaf_hashes(0, log.size)
    assert [digest for _, digest in entries] == leaves
    assert SignedCheckpoint.parse(log.checkpoint_note).checkpoint.root == oracle_root(leaves)
