"""Strings the steps of a supplement together: what came after a hit's package, in one that follows it.

    late capture, re-read, correction -> reading of all captures -> built -> stamped -> logged -> complete

One job does all of it, and takes up where the stored state says: it may run twice, at the same time
even. Supplements of one event follow each other, the next begun when the last is complete. None opens a
case or changes one: what was incomplete when it was sealed stays so.
"""

from domain.ids import EventId
from domain.plates import PlateReading
from service.pipeline import Workshop, read_when_stated
from service.steps.seal import Following, build_package, finish, stamp
from service.steps.supplement import adds_nothing, is_wanted
from store.hits import lock_hit
from store.packages import Package, PackageState, lock_latest_package
from store.readings import keep_reading, reading_of
from store.supplements import assign_requests, requests_of, requests_waiting
from store.transactions import transaction


async def supplement(shop: Workshop, event_id: EventId) -> None:
    """Go on with an event's supplement as far as it goes; nothing where nothing came after the last."""
    package = await _last(shop, event_id)
    if package is not None and package.state is PackageState.COMPLETE:
        package = await _next(shop, event_id, package)
    if package is not None:
        await stamp(shop.pool, package, shop.seals.authority)


async def _last(shop: Workshop, event_id: EventId) -> Package | None:
    """Return the last package, finished if the log has it; None where it is not this job's turn."""
    async with transaction(shop.pool) as conn:
        await lock_hit(conn, event_id)
        package = await lock_latest_package(conn, event_id)
        if package is None or package.state is PackageState.STAMPED:
            return None
        if package.supplement == 0:
            return package if package.state is PackageState.COMPLETE else None
        if package.state is PackageState.LOGGED:
            await finish(conn, package, evidence_root=shop.evidence_root, log_root=shop.log_root)
            package = await lock_latest_package(conn, event_id)
        return package


async def _next(shop: Workshop, event_id: EventId, last: Package) -> Package | None:
    """Return the package that follows the last one, built; None where nothing asks for it."""
    number = last.supplement + 1
    async with transaction(shop.pool) as conn:
        hit = await lock_hit(conn, event_id)
        reading = await reading_of(conn, event_id, supplement=number)
        if reading is None and not await is_wanted(conn, hit, last):
            return None
    if reading is None:
        reading = await _begin(shop, last, event_id, await read_when_stated(shop, hit))
    if reading is None:
        return None
    async with transaction(shop.pool) as conn:
        hit = await lock_hit(conn, event_id)
        if await lock_latest_package(conn, event_id) is None:
            return None  # deleted at the end of its retention, meanwhile
        requests = tuple(await requests_of(conn, event_id, number))
        return await build_package(
            conn,
            hit,
            reading,
            evidence_root=shop.evidence_root,
            blobs=shop.blobs,
            signer=shop.seals.keys.service,
            second=shop.seals.sm2,
            following=Following(number, last.tagmanifest, requests),
        )


async def _begin(shop: Workshop, last: Package, event_id: EventId, made: PlateReading) -> PlateReading | None:
    """Store the reading, and with it what the supplement answers: from here its content is settled.

    None where it would hold nothing new, and nobody asked for a reading made again.
    """
    number = last.supplement + 1
    async with transaction(shop.pool) as conn:
        await lock_hit(conn, event_id)
        if await lock_latest_package(conn, event_id) is None:
            return None  # deleted at the end of its retention, meanwhile
        stored = await reading_of(conn, event_id, supplement=number)
        if stored is not None:
            return stored
        earlier = await reading_of(conn, event_id, supplement=last.supplement)
        if adds_nothing(made, earlier) and not await requests_waiting(conn, event_id):
            return None
        await assign_requests(conn, event_id, number)
        return await keep_reading(conn, event_id, made, supplement=number)
