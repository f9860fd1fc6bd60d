"""The sequencer while its witness, a process elsewhere, is away: all waits, nothing is lost or doubled."""

import asyncio
from pathlib import Path

import pytest

from evidence import VerifierKey
from evidence.audit import Auditor
from evidence.log_copy import FolderCopy
from evidence.trust import Trust
from evidence.witness_keys import create_witness_key, published_witness_key
from service.keys import ensure_keys
from service.sequencer import run_sequencer
from service.settings import Settings
from service.wiring import log_of
from service.witness_process import WitnessOptions
from store.connection import Connection, connect
from store.outbox import enqueue
from tests.fixtures.witness import listening
from tests.integration.service.running import free_port

pytestmark = pytest.mark.anyio


async def _put(conn: Connection, *leaves: bytes) -> None:
    for leaf in leaves:
        await enqueue(conn, kind="decision", subject="test", leaf=leaf)


async def _waits(conn: Connection) -> int:
    cursor = await conn.execute("SELECT count(*) FROM log_outbox WHERE logged_at IS NULL")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _until_logged(conn: Connection) -> None:
    for _ in range(300):
        if not await _waits(conn):
            return
        await asyncio.sleep(0.1)
    pytest.fail("the log does not go on")


async def test_the_log_waits_for_its_witness(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    published = published_witness_key(create_witness_key(tmp_path / "keys", "example.net/witness"))
    settings = Settings.model_validate(
        {
            "data": tmp_path / "data",
            "database_url": database_url,
            "witness_url": f"http://127.0.0.1:{port}",
            "witness_key": published,
        }
    )
    keys = ensure_keys(settings)
    trust = Trust.load(settings.trust_path)
    options = WitnessOptions(tmp_path / "keys", tmp_path / "state", trust.logs, port=port)
    conn = await connect(database_url, autocommit=True)
    sequencer = asyncio.create_task(run_sequencer(settings, keys))
    try:
        with listening(options):
            await _put(conn, b"a", b"b")
            await _until_logged(conn)
        await _put(conn, b"c", b"d")
        await asyncio.sleep(2.5)  # twice at least the sequencer has tried
        assert await _waits(conn) == 2
        assert not sequencer.done()
        with listening(options):
            await _until_logged(conn)
            await _put(conn, b"e")
            await _until_logged(conn)
            sequencer.cancel()
            await asyncio.wait([sequencer])
            log = log_of(settings, keys)
    finally:
        sequencer.cancel()
        await conn.close()
    assert log.size == 5
    assert [VerifierKey.parse(published)] == list(trust.witnesses)
    report = Auditor(FolderCopy(settings.log_root), trust).audit(full=True)
    assert report.status == 0, report
