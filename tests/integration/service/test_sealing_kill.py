"""kill -9 at random moments of sealing: no package half-sealed, none lost, none doubled."""

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from domain.events import CaptureRole
from evidence import Trust, verify_package
from service.keys import ensure_keys
from service.settings import Settings
from service.wiring import log_of
from store.blobs import BlobStore
from store.connection import Pool
from store.intake import store_batch
from store.intake_batch import CaptureRow, PassageRow
from store.transactions import transaction
from tests.counts import count
from tests.fixtures.bench import EXPECTED, ROLES, overdue
from tests.integration.store.messages import batch, capture, passage, with_registry

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(3000)]

KILLS = count(200, reduced=10)
LONGEST_S = 0.4
"""About as long as a victim takes for what a round gives it."""


class Victims:
    """Processes that seal, one at a time, each forked in an instant."""

    def __init__(self, nursery: Process) -> None:
        self._nursery = nursery

    def start(self) -> None:
        """Fork a victim."""
        self._say(b"start\n")

    async def kill(self) -> bool:
        """Kill it; return False where it had ended before, with nothing left to do."""
        self._say(b"kill\n")
        status = await self._status()
        assert status in (-signal.SIGKILL, 0)
        return status != 0

    async def wait(self) -> int:
        """Wait until it has ended; return its exit status."""
        self._say(b"wait\n")
        return await self._status()

    def _say(self, line: bytes) -> None:
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(line)

    async def _status(self) -> int:
        assert self._nursery.stdout is not None
        return int(await self._nursery.stdout.readline())


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Return the settings of the installation under attack."""
    return Settings(data=tmp_path, database_url=SecretStr(database_url))


@pytest.fixture
async def victims(settings: Settings) -> AsyncIterator[Victims]:
    """Return what forks victims."""
    ensure_keys(settings)
    nursery = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.service.sealing_process"),
        *(settings.require_database_url(), str(settings.data)),
        stdin=PIPE,
        stdout=PIPE,
    )
    yield Victims(nursery)
    assert nursery.stdin is not None
    nursery.stdin.close()
    await nursery.wait()


async def _arrive(pool: Pool, blobs: BlobStore, *rows: PassageRow | CaptureRow) -> None:
    stored = batch(*rows)
    await blobs.put_all(list(stored.blobs()))
    async with transaction(pool) as conn:
        await store_batch(conn, stored)


def _images(number: int, *roles: CaptureRole) -> list[CaptureRow]:
    return [capture(number, device=f"cam-{role.value}", role=role) for role in roles]


async def test_kill_9_during_sealing(pool: Pool, settings: Settings, victims: Victims) -> None:
    rng, killed, number = random.Random(5), 0, 0
    verified: set[Path] = set()
    blobs = BlobStore(settings.blob_root)
    async with pool.connection() as conn:
        await with_registry(conn)
    while killed < KILLS:
        number += 1
        whole = passage(number, expected=EXPECTED, profile="standard")
        if number % 3:
            await _arrive(pool, blobs, whole, *_images(number, *ROLES))
        else:
            await _arrive(pool, blobs, overdue(whole), *_images(number, CaptureRole.FRONT))
        if number % 3 == 1 and number > 1:
            await _arrive(pool, blobs, *_images(number - 1, CaptureRole.PLATE, CaptureRole.SIDE))
        victims.start()
        await asyncio.sleep(rng.uniform(0, LONGEST_S))
        killed += await victims.kill()
        await _nothing_half_sealed(settings, verified)
    victims.start()
    assert await victims.wait() == 0
    await _nothing_half_sealed(settings, set())
    await _nothing_lost_or_doubled(pool, settings, passages=number)


async def _nothing_half_sealed(settings: Settings, verified: set[Path]) -> None:
    """Whatever carries a seal verifies, however far the database had come when the kill came."""
    trust = Trust.load(settings.trust_path)
    for seal in set(settings.evidence_root.glob("EV-*/seal")) - verified:
        report = await asyncio.to_thread(verify_package, seal.parent, trust)
        assert report.ok, report
        verified.add(seal)


async def _nothing_lost_or_doubled(pool: Pool, settings: Settings, *, passages: int) -> None:
    async with transaction(pool) as conn:
        cursor = await conn.execute("SELECT event_id, supplement, folder, state, leaf_sha256 FROM package")
        packages = await cursor.fetchall()
        hits = await (await conn.execute("SELECT event_id, state FROM hit")).fetchall()
        cursor = await conn.execute("SELECT kind, leaf_index, leaf_hash FROM log_outbox ORDER BY leaf_index")
        entries = await cursor.fetchall()
        cases = await (await conn.execute("SELECT event_id FROM case_file")).fetchall()
    assert {row[3] for row in packages} == {"complete"}
    first = sorted(row[0] for row in packages if row[1] == 0)
    assert first == sorted(event for event, _ in hits)
    assert len(first) == passages
    assert any(row[1] for row in packages), "no supplement was made"
    assert sorted(path.name for path in settings.evidence_root.glob("EV-*")) == sorted(
        row[2] for row in packages
    )
    assert all(path.name.startswith((".building-", "EV-")) for path in settings.evidence_root.iterdir())
    assert sorted(event for (event,) in cases) == sorted(event for event, state in hits if state == "open")
    assert [index for _, index, _ in entries] == list(range(len(entries)))
    log = log_of(settings, ensure_keys(settings))
    assert log.leaf_hashes(0, log.size) == [digest for _, _, digest in entries]
    leaves = [row[4] for row in packages]
    assert sorted(leaves) == sorted(digest for kind, _, digest in entries if kind == "package")
