"""Jobs: what is to be done after a commit, kept in the same database and deferred in the same transaction.

Rules
-----
- A job is deferred on the connection that writes the fact it follows from: both are there, or neither.
- Jobs of one hit carry its lock, so that two workers do not work on one hit by plan. A stalled
  worker's job is given to another one while the first may still live, so every step is idempotent all
  the same.
- Procrastinate holds back a job while an older one of the same lock and priority waits, even one
  scheduled for later. A job at a deadline therefore has a lower priority: it delays nothing.
- What became of a job is written again until the database takes it: a job left "doing" by a worker that
  lives would never be given to anybody else.
- A job that fails is retried with growing pauses. After `MAX_ATTEMPTS` it stays, failed; where it is only
  that somebody does not answer (ServiceUnavailable: a time stamp authority away for a day) it goes on
  for ever. Either is shown with its last error (`failed_jobs`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from domain.errors import NotFound, ServiceUnavailable
from domain.ids import EventId
from store.connection import Connection, Pool

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
LONGEST_PAUSE_S = 300
HEARTBEAT_S = 2.0
STALLED_AFTER_S = 15.0
POLL_S = 1.0
_WRITE_ATTEMPTS = 60
AT_ONCE = 0
AT_DEADLINE = -10
AFTERWARDS = -20
QUEUE = "pipeline"


class Task(StrEnum):
    """The parts of a hit's way that run as jobs; each takes `event_id`."""

    SETTLE_HIT = "settle_hit"
    """Once its captures are there, or at its deadline: read it, build and stamp its package."""
    FINISH_PACKAGE = "finish_package"
    """Once its package is in the log: finish the seal, open the lead."""
    SUPPLEMENT_HIT = "supplement_hit"
    """Once something came after its package: build and stamp a supplement; finish it once it is logged."""


TaskBody = Callable[[EventId], Awaitable[None]]


class PendingJob(NamedTuple):
    """A job to defer: one step of one hit, at once or not before `at`."""

    task: Task
    event_id: EventId
    at: datetime | None = None
    priority: int = AT_ONCE


class FailedJob(NamedTuple):
    """A job that keeps failing, for the operator; `given_up` where it is not tried any more."""

    job_id: int
    task: str
    event_id: str
    attempts: int
    given_up: bool
    failed_at: datetime | None
    error: str | None


class _BackOff(BaseRetryStrategy):
    """Pauses of 2, 4, 8 ... seconds, at most `LONGEST_PAUSE_S`."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.attempts + 1 >= MAX_ATTEMPTS and not isinstance(exception, ServiceUnavailable):
            return None
        doublings = min(job.attempts + 1, MAX_ATTEMPTS)
        return RetryDecision(retry_in={"seconds": min(LONGEST_PAUSE_S, 2**doublings)})


class _PatientManager(JobManager):
    """A job manager whose word on a job's end outlasts a restart of the database."""

    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:
        await _until_taken(
            lambda: super(_PatientManager, self).finish_job_by_id_async(job_id, status, delete_job)
        )

    async def retry_job_by_id_async(self, job_id: int, *args: Any, **kwargs: Any) -> None:
        await _until_taken(
            lambda: super(_PatientManager, self).retry_job_by_id_async(job_id, *args, **kwargs)
        )


# Deferring always happens on the caller's connection, so this connector never opens one of its own.
_deferring = JobManager(PsycopgConnector())


async def defer(
    conn: Connection, task: Task, event_id: EventId, *, at: datetime | None = None, priority: int = AT_ONCE
) -> None:
    """Defer one job in the caller's transaction."""
    await defer_all(conn, [PendingJob(task, event_id, at, priority)])


async def defer_all(conn: Connection, jobs: Sequence[PendingJob]) -> None:
    """Defer jobs in the caller's transaction, in one statement."""
    if not jobs:
        return
    await _deferring.batch_defer_jobs_async(
        [
            Job(
                queue=QUEUE,
                task_name=job.task,
                priority=job.priority,
                lock=f"hit:{job.event_id}",
                queueing_lock=None,
                task_kwargs={"event_id": job.event_id},
                scheduled_at=job.at,
            )
            for job in jobs
        ],
        connection=conn,
    )


async def open_job_app(pool: Pool, tasks: Mapping[Task, TaskBody]) -> App:
    """Return an app that runs `tasks` with the pool's connections; the caller keeps the pool open."""
    app = App(connector=PsycopgConnector())
    app.job_manager = _PatientManager(app.connector)
    for task, body in tasks.items():
        app.task(name=task, queue=QUEUE, retry=_BackOff(), pass_context=True)(_recording_failure(pool, body))
    await app.open_async(pool)
    return app


async def run_worker(
    app: App, *, concurrency: int = 1, stop_grace_s: float = 10.0, wait: bool = True
) -> None:
    """Run jobs, and rescue those of killed workers, until cancelled; `wait=False` ends when none is due.

    A failing connection ends procrastinate's worker; it is started again while the pool reconnects.
    """
    rescue = asyncio.create_task(_rescue_for_ever(app))
    try:
        while True:
            try:
                await app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=concurrency,
                    wait=wait,
                    install_signal_handlers=False,
                    delete_jobs=DeleteJobCondition.SUCCESSFUL,
                    fetch_job_polling_interval=POLL_S,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=STALLED_AFTER_S,
                    shutdown_graceful_timeout=stop_grace_s,
                )
            except (ConnectorException, psycopg.OperationalError) as error:
                log.warning("the worker lost the database (%s) and starts again", error)
            if not wait:
                return
            _go_on_unless_cancelled()
            await asyncio.sleep(POLL_S)
    finally:
        rescue.cancel()
        await asyncio.gather(rescue, return_exceptions=True)


async def rescue_stalled_jobs(app: App, *, stalled_after_s: float = STALLED_AFTER_S) -> int:
    """Put jobs of workers without a heartbeat back into the queue; return how many.

    A worker killed in the middle leaves its job "doing", which would hold the hit's lock for ever.
    """
    rescued = 0
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stalled_after_s):
        try:
            await app.job_manager.retry_job(job, retry_at=datetime.now(UTC))
        except ConnectorException as error:
            log.info("job %s was finished while being rescued (%s)", job.id, error)
            continue
        log.warning("job %s (%s) of a stalled worker goes back into the queue", job.id, job.task_name)
        rescued += 1
    return rescued


async def failed_jobs(conn: Connection, *, limit: int = 100) -> list[FailedJob]:
    """Return jobs that were given up or fail for the `MAX_ATTEMPTS`th time and more, the latest first."""
    cursor = await conn.execute(
        """
        SELECT job.id, job.task_name, job.args ->> 'event_id', job.attempts, job.status = 'failed',
            failure.failed_at, failure.error
        FROM procrastinate_jobs AS job LEFT JOIN job_failure AS failure ON failure.job_id = job.id
        WHERE job.status = 'failed' OR job.attempts >= %s
        ORDER BY job.id DESC LIMIT %s
        """,
        [MAX_ATTEMPTS, limit],
    )
    return [FailedJob(*row) for row in await cursor.fetchall()]


async def retry_jobs(conn: Connection, job_id: int | None = None) -> list[int]:
    """Give jobs that `failed_jobs` names a new set of attempts, at once; one of them, or all.

    Returns
    -------
    list[int]
        The jobs that will be tried again.

    Raises
    ------
    NotFound
        The job asked for is none of those (any more).
    """
    cursor = await conn.execute(
        """
        UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = NULL, worker_id = NULL
        WHERE (status = 'failed' OR (status = 'todo' AND attempts >= %(most)s))
            AND (%(job_id)s::bigint IS NULL OR id = %(job_id)s)
        RETURNING id
        """,
        {"most": MAX_ATTEMPTS, "job_id": job_id},
    )
    retried = sorted(row[0] for row in await cursor.fetchall())
    if job_id is not None and not retried:
        raise NotFound(
            f"job {job_id} has not failed, or is being worked on; `zhichao jobs list` shows which have"
        )
    return retried


async def count_jobs(conn: Connection) -> dict[str, int]:
    """Return how many jobs there are by state: todo (due now), doing, failed."""
    cursor = await conn.execute(
        """
        SELECT status::text, count(*) FROM procrastinate_jobs
        WHERE status <> 'todo' OR scheduled_at IS NULL OR scheduled_at <= now()
        GROUP BY status
        """
    )
    return {"todo": 0, "doing": 0, "failed": 0} | dict(await cursor.fetchall())


def _recording_failure(pool: Pool, body: TaskBody) -> Callable[..., Awaitable[None]]:
    """Wrap a task so that its error outlives the attempt: procrastinate itself keeps none."""

    async def run(context: JobContext, event_id: str) -> None:
        try:
            await body(EventId(event_id))
        except Exception as error:
            await _record_failure(pool, context.job, error)
            raise

    return run


async def _until_taken(write: Callable[[], Awaitable[None]]) -> None:
    """Write until the database answers; a write whose answer was lost is refused when repeated, and done."""
    attempts = 0
    while True:
        attempts += 1
        try:
            await write()
        except ConnectorException as error:
            away = isinstance(error.__cause__, psycopg.OperationalError | psycopg.InterfaceError)
            if away and attempts < _WRITE_ATTEMPTS:
                await asyncio.sleep(POLL_S)
            elif away or attempts == 1:
                raise
            else:
                return
        else:
            return


async def _record_failure(pool: Pool, job: Job, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}".replace("\0", "\N{REPLACEMENT CHARACTER}")[:2000]
    try:
        async with pool.connection() as conn:
            await conn.execute(
                """
                INSERT INTO job_failure (job_id, error) VALUES (%s, %s)
                ON CONFLICT (job_id) DO UPDATE SET error = excluded.error, failed_at = now()
                """,
                [job.id, text],
            )
    except psycopg.OperationalError:
        # The database is what failed: the attempt's own error matters more, and is raised by the caller.
        log.warning("cannot record why job %s failed: %s", job.id, text)


def _go_on_unless_cancelled() -> None:
    """Raise what procrastinate's worker held back: cancelled, it stops by itself, and may fail at that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _rescue_for_ever(app: App) -> None:
    while True:
        await asyncio.sleep(STALLED_AFTER_S / 3)
        try:
            await rescue_stalled_jobs(app)
        except (ConnectorException, psycopg.OperationalError) as error:
            log.warning("cannot look for stalled jobs (%s); trying again", error)
