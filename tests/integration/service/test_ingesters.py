"""Several ingesters on one host: with a share group they divide the work, without one there is one."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from domain.errors import ConfigurationError
from ingest.arrivals import Arrival, Settled
from service import ingest_process
from service.ingest_process import ingest_forever, ingest_slot
from service.settings import BrokerKind, Settings, environment_of
from service.steps.store import DatabaseSink
from store.connection import Pool, connect
from tests.components import ROOT
from tests.counts import count
from tests.fixtures.brokers import RunningBroker
from tests.integration.ingest.stations import Station
from tests.integration.store.messages import with_registry

pytestmark = pytest.mark.anyio

WAIT_S = 60.0


def _settings(folder: Path, database_url: str, broker: RunningBroker, share_group: str | None) -> Settings:
    return Settings(
        data=folder / "data",
        database_url=SecretStr(database_url),
        broker_kind=BrokerKind.MOSQUITTO,
        broker_host=broker.host,
        broker_port=broker.port,
        broker_share_group=share_group,
    )


async def test_an_ingester_waits_for_the_one_that_compiles(
    tmp_path: Path, database_url: str, mosquitto: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(tmp_path, database_url, mosquitto, "group")
    settings.data.mkdir(parents=True)
    compiled, ready = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(ingest_process, "warm_up_weighing", compiled.set)
    async with ingest_process._turn(settings.data / "compile.lock"):
        task = asyncio.create_task(ingest_forever(settings, ready.set))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await ready.wait()
        assert (settings.data / "ingest-0.lock").exists()
        assert not compiled.is_set()
    async with asyncio.timeout(WAIT_S):
        await ready.wait()
    assert compiled.is_set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_two_ingesters_of_a_group_divide_the_work_and_lose_nothing(
    tmp_path: Path,
    database_url: str,
    pool: Pool,
    mosquitto: RunningBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares: dict[int, int] = {}

    class CountingSink(DatabaseSink):
        async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
            shares[id(self)] = shares.get(id(self), 0) + len(arrivals)
            return await super().store(arrivals)

    monkeypatch.setattr(ingest_process, "DatabaseSink", CountingSink)
    async with pool.connection() as conn:
        await with_registry(conn)
    settings = _settings(tmp_path, database_url, mosquitto, "group")
    ready = [asyncio.Event(), asyncio.Event()]
    tasks = [asyncio.create_task(ingest_forever(settings, one.set)) for one in ready]
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*(one.wait() for one in ready))
    numbers = range(count(4_000, reduced=400))
    with Station(mosquitto) as station:
        station.send(numbers)
        await asyncio.to_thread(station.wait_for_receipts, numbers)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert station.refused == {}
    assert len(shares) == 2
    assert sum(shares.values()) == len(numbers)
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*), sum(duplicates) FROM ledger")
        assert await cursor.fetchall() == [(len(numbers), 0)]


async def test_a_second_ingester_without_a_group_is_refused_in_words(
    tmp_path: Path, database_url: str, mosquitto: RunningBroker
) -> None:
    settings = _settings(tmp_path, database_url, mosquitto, None)
    async with ingest_slot(settings):
        second = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", "from service.cli import main; main()", "ingest"],
            cwd=ROOT,
            env=environment_of(settings),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
    assert second.returncode == 78
    assert f"an ingester (pid {os.getpid()}) runs in {settings.data} already" in second.stderr
    assert "ZHICHAO_BROKER_SHARE_GROUP" in second.stderr
    assert "Traceback" not in second.stderr


async def test_a_database_that_cannot_be_written_for_a_while_loses_and_quarantines_nothing(  # noqa: PLR0917
    tmp_path: Path,
    postgres_server: str,
    database_url: str,
    pool: Pool,
    mosquitto: RunningBroker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As after a failover to a standby, and as before a migration: first read-only, then a table away."""
    async with pool.connection() as conn:
        await with_registry(conn)
    ready = asyncio.Event()
    settings = _settings(tmp_path, database_url, mosquitto, None)
    ingesting = asyncio.create_task(ingest_forever(settings, ready.set))
    await asyncio.wait_for(ready.wait(), WAIT_S)
    database = conninfo_to_dict(database_url)["dbname"]
    assert isinstance(database, str)
    cut = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}").format(
        database
    )
    name = sql.Identifier(database)
    with Station(mosquitto) as station:
        async with await connect(postgres_server, autocommit=True) as server:
            await server.execute(
                sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name)
            )
            await server.execute(cut)
            station.send(range(100))
            await _tried_in_vain(caplog)
            await server.execute(
                sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name)
            )
            await server.execute(cut)
        await asyncio.to_thread(station.wait_for_receipts, range(100))
        async with await connect(database_url, autocommit=True) as conn:
            await conn.execute("ALTER TABLE passage RENAME TO passage_away")
            station.send(range(100, 200))
            await _tried_in_vain(caplog)
            await conn.execute("ALTER TABLE passage_away RENAME TO passage")
        await asyncio.to_thread(station.wait_for_receipts, range(200))
    ingesting.cancel()
    await asyncio.gather(ingesting, return_exceptions=True)
    assert station.refused == {}
    async with await connect(database_url) as conn:
        cursor = await conn.execute("SELECT count(*), (SELECT count(*) FROM quarantine) FROM passage")
        assert await cursor.fetchall() == [(200, 0)]


async def test_a_slot_is_free_again_once_its_ingester_has_ended(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, broker_kind=BrokerKind.MOSQUITTO, broker_share_group="g")
    async with ingest_slot(settings) as first, ingest_slot(settings) as second:
        assert (first, second) == (0, 1)
    async with ingest_slot(settings) as again:
        assert again == 0


async def test_the_successor_of_a_killed_supervisor_waits_for_the_slot(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    async with ingest_slot(settings):
        waiting = asyncio.create_task(_take(settings))
        await asyncio.sleep(0)
        assert not waiting.done()
        with pytest.raises(ConfigurationError, match="already"):
            async with ingest_slot(settings):
                pass
    assert await waiting == 0


async def _tried_in_vain(caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    async with asyncio.timeout(WAIT_S):
        while "nothing can be stored" not in caplog.text:  # noqa: ASYNC110 (a log raises no event)
            await asyncio.sleep(0.02)


async def _take(settings: Settings) -> int:
    async with ingest_slot(settings, patience_s=WAIT_S) as slot:
        return slot
