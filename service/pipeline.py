"""Strings the steps of a hit's way together: read, seal, open. What a step does is in `service.steps`.

    settle   as soon as a hit's captures are there, or at its deadline:
             waiting -> reading -> sealing, its package built, stamped and queued for the log
    finish   once the log has the package: sealing -> sealed -> open, or -> incomplete

What comes later goes its own way (`service.supplementing`).

Both are jobs and may run twice, at the same time even; each takes up where the stored state says. A
hit's row is held while its state is changed, never while a plate is read or an authority is asked.
"""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from domain.errors import ServiceUnavailable
from domain.ids import EventId
from domain.plates import PlateReading
from plate_recognition import PlateEngine
from service.steps.drift import DRIFT_ALARM, is_drifting
from service.steps.open import PolicyNotMet, open_case
from service.steps.read import is_due, read_plates
from service.steps.seal import build_package, finish, stamp
from service.steps.supplement import is_wanted
from service.wiring import Seals
from store.blobs import BlobStore
from store.connection import Connection, Pool
from store.hits import Hit, HitState, lock_hit, set_state
from store.jobs import AFTERWARDS, Task, defer
from store.originals import originals_logged
from store.packages import Package, lock_package
from store.readings import keep_reading, reading_of
from store.transactions import transaction

LOOK_FOR_STATEMENT_EVERY_S = 0.1
STATEMENT_WITHIN_S = 10.0

_UNSETTLED = (HitState.WAITING, HitState.READING)

log = logging.getLogger(__name__)


class Workshop(NamedTuple):
    """What a worker works with."""

    pool: Pool
    blobs: BlobStore
    engine: PlateEngine
    reading_slots: asyncio.Semaphore
    """Bounds how many passages are read at a time: more than there are processors only slows all."""
    seals: Seals
    evidence_root: Path
    log_root: Path
    test_profiles: bool = False
    """Whether sites with a completeness profile for tests only may make cases; never in a deployment."""


async def settle(shop: Workshop, event_id: EventId) -> None:
    """Read and seal a hit that need not wait any longer; one that must, or is further, is left alone."""
    async with transaction(shop.pool) as conn:
        hit = await lock_hit(conn, event_id)
        if hit.state in _UNSETTLED:
            if not is_due(hit, datetime.now(UTC)):
                return
            await set_state(conn, event_id, HitState.READING)
        reading = await reading_of(conn, event_id)
    if hit.state not in (*_UNSETTLED, HitState.SEALING):
        return
    if reading is None:
        made = await read_when_stated(shop, hit)
        async with transaction(shop.pool) as conn:
            reading = await keep_reading(conn, event_id, made)
    async with transaction(shop.pool) as conn:
        hit = await lock_hit(conn, event_id)
        package = await build_package(
            conn,
            hit,
            reading,
            evidence_root=shop.evidence_root,
            blobs=shop.blobs,
            signer=shop.seals.keys.service,
            second=shop.seals.sm2,
        )
        if hit.state in _UNSETTLED:
            await set_state(conn, event_id, HitState.SEALING, missing=tuple(package.missing))
    await stamp(shop.pool, package, shop.seals.authority)


async def complete(shop: Workshop, event_id: EventId) -> None:
    """Finish the seal of a logged package and open its lead; an incomplete one is kept, never a case.

    Nor does a hit make one whose lane was found to drift while it was on its way, or whose package is not
    what the deployment's policy asks for.
    """
    async with transaction(shop.pool) as conn:
        hit = await lock_hit(conn, event_id)
        package = await lock_package(conn, event_id)
        if package is None or hit.state in (HitState.OPEN, HitState.INCOMPLETE):
            return
        await finish(conn, package, evidence_root=shop.evidence_root, log_root=shop.log_root)
        missing = tuple(package.missing)
        await set_state(conn, event_id, HitState.INCOMPLETE if missing else HitState.SEALED, missing=missing)
        if await is_wanted(conn, hit, package):
            await defer(conn, Task.SUPPLEMENT_HIT, event_id, priority=AFTERWARDS)
    if missing:
        log.info("the evidence of %s is incomplete (%s); it opens no case", event_id, ", ".join(missing))
        return
    async with transaction(shop.pool) as conn:
        hit = await lock_hit(conn, event_id)
        if hit.state is not HitState.SEALED:
            return
        if await is_drifting(conn, hit.passage):
            await set_state(conn, event_id, HitState.INCOMPLETE, missing=(DRIFT_ALARM,))
            log.warning("the drift alarm of %s's lane went on; it opens no case", event_id)
        else:
            await _open(shop, conn, hit, package)


async def _open(shop: Workshop, conn: Connection, hit: Hit, package: Package) -> None:
    try:
        await open_case(
            conn,
            hit,
            package,
            evidence_root=shop.evidence_root,
            trust=shop.seals.trust,
            policy=shop.seals.policy,
            allow_test_profile=shop.test_profiles,
        )
    except PolicyNotMet as reason:
        await set_state(conn, hit.event_id, HitState.INCOMPLETE, missing=reason.codes)
        log.warning("%s", reason)
    else:
        await set_state(conn, hit.event_id, HitState.OPEN)


async def read_when_stated(shop: Workshop, hit: Hit) -> PlateReading:
    """Read the plates in a hit's captures, once the log has the digests of all of them."""
    await _until_stated(shop.pool, hit.event_id)
    async with shop.reading_slots:
        return await asyncio.to_thread(read_plates, shop.engine, shop.blobs, hit.captures)


async def _until_stated(pool: Pool, event_id: EventId) -> None:
    """Wait until the digests of the originals are in the log: only then may anything be read from them."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + STATEMENT_WITHIN_S
    while True:
        async with transaction(pool) as conn:
            if await originals_logged(conn, event_id):
                return
        if loop.time() > give_up_at:
            raise ServiceUnavailable(
                f"the originals of {event_id} are not in the log after {STATEMENT_WITHIN_S:.0f} s; "
                "is a sequencer running?"
            )
        await asyncio.sleep(LOOK_FOR_STATEMENT_EVERY_S)
