"""Jobs: deferred with the fact, retried, rescued from killed workers, visible when given up."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from domain.errors import ServiceUnavailable
from domain.ids import EventId
from service.embedded.postgres import EmbeddedPostgres
from store import jobs
from store.connection import Pool, open_pool
from store.jobs import (
    AT_DEADLINE,
    MAX_ATTEMPTS,
    PendingJob,
    Task,
    count_jobs,
    defer,
    defer_all,
    failed_jobs,
    open_job_app,
    rescue_stalled_jobs,
    run_worker,
)
from store.migrate import migrate

pytestmark = pytest.mark.anyio

EVENT = EventId("e" * 32)
OTHER = EventId("f" * 32)


@asynccontextmanager
async def working(app: App) -> AsyncIterator[None]:
    """A worker that runs until the block ends."""
    worker = asyncio.create_task(run_worker(app))
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110 - the database is asked; it sets no event
        await asyncio.sleep(0.01)


async def states(pool: Pool) -> dict[str, int]:
    async with pool.connection() as conn:
        return await count_jobs(conn)


async def test_a_job_runs_after_its_transaction_and_not_without_it(pool: Pool) -> None:
    ran: list[EventId] = []

    async def body(event_id: EventId) -> None:
        ran.append(event_id)

    app = await open_job_app(pool, {Task.SETTLE_HIT: body})
    async with pool.connection() as conn:
        await defer(conn, Task.SETTLE_HIT, OTHER)
        await conn.rollback()
        await defer(conn, Task.SETTLE_HIT, EVENT)
    await run_worker(app, wait=False)
    assert ran == [EVENT]
    assert await states(pool) == {"todo": 0, "doing": 0, "failed": 0}


async def test_a_job_at_a_deadline_does_not_hold_back_the_job_at_once(pool: Pool) -> None:
    """Procrastinate lets an older job of the same lock go first, even one scheduled for tomorrow."""
    ran: list[EventId] = []

    async def body(event_id: EventId) -> None:
        ran.append(event_id)

    app = await open_job_app(pool, {Task.SETTLE_HIT: body})
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    async with pool.connection() as conn:
        await defer_all(conn, [PendingJob(Task.SETTLE_HIT, EVENT, at=tomorrow, priority=AT_DEADLINE)])
        await defer_all(conn, [PendingJob(Task.SETTLE_HIT, EVENT)])
    await run_worker(app, wait=False)
    assert ran == [EVENT]


async def test_a_failing_job_is_retried_then_given_up_with_its_reason(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LONGEST_PAUSE_S", 0)
    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    attempts: list[EventId] = []

    async def body(event_id: EventId) -> None:
        attempts.append(event_id)
        raise RuntimeError(f"attempt {len(attempts)} failed\0")

    app = await open_job_app(pool, {Task.SETTLE_HIT: body})
    async with pool.connection() as conn:
        await defer(conn, Task.SETTLE_HIT, EVENT)

    async def given_up() -> bool:
        return (await states(pool))["failed"] == 1

    async with working(app):
        await until(given_up)
    assert len(attempts) == MAX_ATTEMPTS
    async with pool.connection() as conn:
        (failed,) = await failed_jobs(conn)
        assert (failed.task, failed.event_id, failed.given_up) == ("settle_hit", EVENT, True)
        assert failed.error == f"RuntimeError: attempt {MAX_ATTEMPTS} failed\N{REPLACEMENT CHARACTER}"


async def test_the_pauses_grow_and_have_an_end() -> None:
    strategy = jobs._BackOff()
    pauses = []
    for attempt in range(MAX_ATTEMPTS):
        job = Job(
            queue="q", lock=None, queueing_lock=None, task_name="t", attempts=attempt, scheduled_at=None
        )
        before = datetime.now(UTC)
        decision = strategy.get_retry_decision(exception=RuntimeError(), job=job)
        if decision is not None and decision.retry_at is not None:
            pauses.append(round((decision.retry_at - before).total_seconds()))
    assert pauses == [2, 4, 8, 16, 32, 64, 128]


async def test_who_waits_for_somebody_elses_service_is_never_given_up_but_shown(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LONGEST_PAUSE_S", 0)
    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    attempts: list[EventId] = []

    async def body(event_id: EventId) -> None:
        attempts.append(event_id)
        if len(attempts) < MAX_ATTEMPTS + 3:
            raise ServiceUnavailable("the authority does not answer")
        async with pool.connection() as conn:
            seen.update((job.given_up, job.error) for job in await failed_jobs(conn))

    app = await open_job_app(pool, {Task.SETTLE_HIT: body})
    async with pool.connection() as conn:
        await defer(conn, Task.SETTLE_HIT, EVENT)

    seen: set[tuple[bool, str | None]] = set()

    async def done() -> bool:
        async with pool.connection() as conn:
            cursor = await conn.execute("SELECT count(*) FROM procrastinate_jobs")
            return await cursor.fetchone() == (0,)

    async with working(app):
        await until(done)
    assert len(attempts) == MAX_ATTEMPTS + 3
    assert seen == {(False, "ServiceUnavailable: the authority does not answer")}
    async with pool.connection() as conn:
        assert await (await conn.execute("SELECT * FROM job_failure")).fetchall() == []


async def test_the_job_of_a_killed_worker_is_rescued(pool: Pool) -> None:
    ran: list[EventId] = []

    async def body(event_id: EventId) -> None:
        ran.append(event_id)

    app = await open_job_app(pool, {Task.SETTLE_HIT: body})
    async with pool.connection() as conn:
        await defer(conn, Task.SETTLE_HIT, EVENT)
        # A worker took the job and was killed: nobody sends its heartbeat any more.
        await conn.execute(
            """
            WITH worker AS (
                INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - INTERVAL '1 minute')
                RETURNING id
            )
            UPDATE procrastinate_jobs SET status = 'doing', worker_id = worker.id FROM worker
            """
        )
    assert await rescue_stalled_jobs(app, stalled_after_s=90) == 0
    await run_worker(app, wait=False)
    assert ran == []
    assert await rescue_stalled_jobs(app, stalled_after_s=30) == 1
    await run_worker(app, wait=False)
    assert ran == [EVENT]


async def test_a_worker_goes_on_after_its_connections_were_cut(pool: Pool) -> None:
    ran: list[EventId] = []

    async def body(event_id: EventId) -> None:
        ran.append(event_id)

    app = await open_job_app(pool, {Task.FINISH_PACKAGE: body})
    async with working(app):
        for event_id in (EVENT, OTHER):
            async with pool.connection() as conn:
                await defer(conn, Task.FINISH_PACKAGE, event_id)

            async def has_run(event_id: EventId = event_id) -> bool:
                return event_id in ran

            await until(has_run)
            async with pool.connection() as conn:
                await conn.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    """
                )
    assert ran == [EVENT, OTHER]


async def test_a_worker_cancelled_while_its_connections_are_cut_ends(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await open_job_app(pool, {})
    at_work = asyncio.Event()

    async def stop_fails(**_options: object) -> None:
        at_work.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectorException from None

    monkeypatch.setattr(app, "run_worker_async", stop_fails)
    worker = asyncio.create_task(run_worker(app))
    await at_work.wait()
    worker.cancel()
    ended, _ = await asyncio.wait([worker], timeout=20)
    assert ended == {worker}
    assert worker.cancelled()


async def test_kill_9_of_the_database_loses_no_job(server_folder: Path) -> None:
    server = EmbeddedPostgres(server_folder / "postgres")
    url = server.start()
    await migrate(url)
    pool = await open_pool(url)
    ran: set[EventId] = set()
    total = 12

    async def body(event_id: EventId) -> None:
        await asyncio.sleep(0.05)
        ran.add(event_id)

    async def some_ran() -> bool:
        return len(ran) >= 3

    async def has_ended() -> bool:
        return not server.running

    async def none_left() -> bool:
        async with pool.connection() as conn:
            cursor = await conn.execute("SELECT count(*) FROM procrastinate_jobs")
            return await cursor.fetchone() == (0,)

    try:
        app = await open_job_app(pool, {Task.SETTLE_HIT: body})
        async with pool.connection() as conn:
            await defer_all(conn, [PendingJob(Task.SETTLE_HIT, EventId(str(n))) for n in range(total)])
        async with working(app):
            await until(some_ran)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await until(has_ended)
            assert await asyncio.to_thread(server.start) == url
            await until(none_left)
        assert len(ran) == total
    finally:
        await pool.close()
        server.stop()
