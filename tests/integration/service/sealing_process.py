"""Seals whatever is to be sealed until it is killed: the victim of test_sealing_kill.

Usage: python -m tests.integration.service.sealing_process DATABASE_URL DATA

For a line on standard input a victim is forked, so that a kill costs no start of Python; the next line,
"kill" or "wait", says how it ends, and its exit status is written to standard output. A victim runs two
sequencers and four workers that do every job of every hit, so that each runs four times at once; it ends
when nothing is left to do.
"""

import asyncio
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn
from unittest import mock

from pydantic import SecretStr

from domain.errors import RuleViolation, ServiceUnavailable
from domain.ids import EventId
from service import pipeline, sequencer
from service.pipeline import Workshop, complete, settle
from service.settings import Settings
from service.supplementing import supplement
from service.wiring import seals_of
from store.blobs import BlobStore
from store.connection import Pool, open_pool
from store.transactions import transaction
from tests.fixtures.bench import CountingEngine

WORKERS = 4

_LEFT = """
SELECT event_id FROM hit WHERE state NOT IN ('open', 'incomplete')
UNION SELECT event_id FROM package WHERE state <> 'complete'
UNION SELECT passage_event_id FROM shown_capture WHERE NOT in_evidence AND passage_event_id IS NOT NULL
"""


async def seal_everything(settings: Settings) -> None:
    """Work until nothing is left to do."""
    pool = await open_pool(settings.require_database_url(), max_size=2 * WORKERS)
    shop = Workshop(
        pool=pool,
        blobs=BlobStore(settings.blob_root),
        engine=CountingEngine(),
        reading_slots=asyncio.Semaphore(2),
        seals=seals_of(settings),
        evidence_root=settings.evidence_root,
        log_root=settings.log_root,
        test_profiles=True,
    )
    logs = [asyncio.create_task(sequencer.run_sequencer(settings, shop.seals.keys)) for _ in range(2)]
    await asyncio.gather(*(_work(shop) for _ in range(WORKERS)))
    for log in logs:
        log.cancel()
    await asyncio.gather(*logs, return_exceptions=True)
    await pool.close()


async def _work(shop: Workshop) -> None:
    while left := await _left(shop.pool):
        for event_id in left:
            for job in (settle, complete, supplement):
                with suppress(RuleViolation, ServiceUnavailable):
                    await job(shop, event_id)
        await asyncio.sleep(0.01)


async def _left(pool: Pool) -> list[EventId]:
    async with transaction(pool) as conn:
        return [EventId(row[0]) for row in await (await conn.execute(_LEFT)).fetchall()]


def _be_victim(settings: Settings) -> NoReturn:
    status = 1
    try:
        with (
            mock.patch.multiple(sequencer, ROUND_S=0.01, TRY_AGAIN_S=0.02),
            mock.patch.object(pipeline, "LOOK_FOR_STATEMENT_EVERY_S", 0.01),
        ):
            asyncio.run(seal_everything(settings))
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the parent's code must not run here
        traceback.print_exc()
    finally:
        os._exit(status)


def main(url: str, data: Path) -> None:
    """Fork a victim for every two lines read."""
    settings = Settings(data=data, database_url=SecretStr(url))
    while sys.stdin.readline():
        child = os.fork()
        if child == 0:
            _be_victim(settings)
        # It is not reaped before this line, so that its id cannot have become another process's.
        if sys.stdin.readline() == "kill\n":
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
