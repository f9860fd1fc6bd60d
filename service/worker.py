"""The worker as a process: runs the pipeline's jobs, and, if no other worker does, writes the log."""

import asyncio
import sys
from functools import partial

from plate_recognition import load_engine
from service.head_stamping import keep_heads_stamped
from service.housekeeping import keep_house
from service.lifeline import Announce, configure_logging, run_child
from service.pipeline import Workshop, complete, settle
from service.retention import Keeper
from service.sequencer import run_sequencer
from service.settings import Settings, load_settings
from service.steps.drift import watch_drift
from service.supplementing import supplement
from service.wiring import seals_of
from store.blobs import BlobStore
from store.connection import open_pool
from store.jobs import Task, open_job_app, run_worker


async def work_forever(settings: Settings, announce: Announce) -> None:
    """Work until cancelled; jobs in hand get some seconds to end.

    Raises
    ------
    ConfigurationError
        Keys, trust file or plate engine cannot be used.
    EvidenceBroken
        Log and database contradict each other; nothing may be sealed until a person has looked.
    """
    engine = await asyncio.to_thread(load_engine, settings.ocr_engine, threads=settings.ocr_threads)
    seals = seals_of(settings)
    pool = await open_pool(
        settings.require_database_url(),
        max_size=settings.worker_jobs + 4,
        application_name="zhichao work",
    )
    try:
        shop = Workshop(
            pool=pool,
            blobs=BlobStore(settings.blob_root),
            engine=engine,
            reading_slots=asyncio.Semaphore(settings.ocr_parallel),
            seals=seals,
            evidence_root=settings.evidence_root,
            log_root=settings.log_root,
            test_profiles=settings.test_profiles,
        )
        tasks = {
            Task.SETTLE_HIT: partial(settle, shop),
            Task.FINISH_PACKAGE: partial(complete, shop),
            Task.SUPPLEMENT_HIT: partial(supplement, shop),
        }
        keeper = Keeper(pool, shop.blobs, settings.evidence_root, settings.retention, seals.keys.service)
        app = await open_job_app(pool, tasks)
        announce()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_worker(app, concurrency=settings.worker_jobs))
            group.create_task(run_sequencer(settings, seals.keys))
            group.create_task(watch_drift(pool))
            group.create_task(keep_house(keeper))
            group.create_task(keep_heads_stamped(settings.log_root, seals.authority))
    finally:
        await pool.close()


def main() -> int:
    """Run the worker until the supervisor ends it."""
    settings = load_settings()
    configure_logging(settings.log_level)
    return run_child(lambda announce: work_forever(settings, announce), supervised=True)


if __name__ == "__main__":
    sys.exit(main())
