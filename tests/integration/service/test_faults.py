"""kill -9 of ingester, worker, PostgreSQL and broker in a run: nothing is lost, nothing sealed twice."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from evidence import Trust, verify_package
from tests.counts import count
from tests.integration.service.running import RunningSystem, running_system

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(3000)]

PASSAGES = count(2000, reduced=60)
RATE = count(20, reduced=6)


AT_WORK = (
    "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing') OR count(*) >= %s FROM passage"
)
"""A job is in hand; or none ever will be again, because the run is over."""


async def _kill_on_the_way(system: RunningSystem) -> None:
    """Kill each part at its share of the run, the worker when it has a job in hand."""
    plan: list[tuple[float, Callable[[], Awaitable[None]]]] = [
        (0.15, partial(system.kill, "ingest")),
        (0.35, partial(system.kill, "work")),
        (0.55, system.kill_postgres),
        (0.75, partial(system.kill, "work")),
        (0.85, partial(system.kill, "broker")),
    ]
    for share, kill in plan:
        await system.until("SELECT count(*) >= %s FROM passage", round(PASSAGES * share))
        await system.until(AT_WORK, PASSAGES)
        await kill()


async def test_killed_parts_lose_no_passage_and_seal_none_twice(server_folder: Path) -> None:
    async with running_system(server_folder) as system:
        await system.load_scenario("ten-percent")
        stations = await system.play("ten-percent", passages=PASSAGES, rate=RATE)
        await _kill_on_the_way(system)
        assert await stations.wait() == 0, "a station holds messages that no receipt has named"
        await system.until("SELECT bool_and(state IN ('open', 'incomplete')) FROM hit")

        assert system.supervisor.children["ingest"].restarts >= 1
        assert system.supervisor.children["work"].restarts >= 2
        assert system.supervisor.children["broker"].restarts >= 1
        await _check_passages(system)
        await _check_evidence(system)


async def _check_passages(system: RunningSystem) -> None:
    sent = system.true_passages()
    stored = [row[0] for row in await system.rows("SELECT event_id FROM passage")]
    assert len(sent) == PASSAGES
    assert sorted(stored) == sorted(sent)
    images = sum(len(passage["captures"]) for passage in sent.values())
    assert await system.value("SELECT count(*) FROM capture WHERE passage_event_id IS NOT NULL") == images
    assert await system.value("SELECT count(*) FROM quarantine") == 0
    flagged = {event for event, passage in sent.items() if passage["oracle"]["outcome"] == "overloaded"}
    assert flagged
    hits = dict(await system.rows("SELECT event_id, state FROM hit"))
    assert hits == dict.fromkeys(flagged, "open")


async def _check_evidence(system: RunningSystem) -> None:
    """Exactly one package and one lead a hit, each package whole, each entry of the log there once."""
    hits = {row[0] for row in await system.rows("SELECT event_id FROM hit")}
    packages = await system.rows("SELECT event_id, folder FROM package WHERE state = 'complete'")
    assert sorted(event for event, _ in packages) == sorted(hits)
    assert sorted(row[0] for row in await system.rows("SELECT event_id FROM case_file")) == sorted(hits)

    root = system.settings.evidence_root
    assert {path.name for path in root.glob("EV-*")} == {folder for _, folder in packages}
    trust = Trust.load(system.settings.trust_path)
    for _, folder in packages:
        report = await asyncio.to_thread(verify_package, root / folder, trust)
        assert report.ok, report

    entries = await system.rows("SELECT leaf_index FROM log_outbox ORDER BY leaf_index")
    assert [row[0] for row in entries] == list(range(len(entries)))
    assert await system.value("SELECT tree_size FROM log_head") == len(entries)
    assert await system.value("SELECT count(*) FROM log_outbox WHERE kind = 'package'") == len(hits)
