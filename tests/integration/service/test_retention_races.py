"""What crosses a deletion: two connections in an explicit order, and evidence that is wanted stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from domain.errors import NotFound
from domain.events import CaptureRole
from domain.retention import Rule
from service import holding
from service.retention import stating
from store import retention as rows
from store.holds import HoldKind
from store.supplements import SupplementRequest, request_supplement
from store.transactions import transaction
from tests.fixtures.bench import EVENT, ROLES, Bench
from tests.integration.service.test_retention import (
    DAYS,
    NOW,
    after,
    asked,
    count,
    decided,
    deleted,
    hold,
    keeper_of,
    officer_of,
    release,
    reviewed,
    sealed,
)
from tests.integration.store.messages import capture

pytestmark = pytest.mark.anyio

OTHER = "云B67890"
REREAD = SupplementRequest("re-read", "")
_HALT = 4711
"""Number of the lock at which a deletion halts, its look taken and no row locked."""

_HALTING = """
    CREATE FUNCTION halted() RETURNS SETOF text LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN; END $$;
    ALTER VIEW held_event RENAME TO held_event_as_it_was;
    CREATE VIEW held_event AS SELECT * FROM held_event_as_it_was UNION ALL SELECT halted();
"""


async def delete_one(bench: Bench, rule: Rule) -> int:
    """Run a rule once, as a round does, in a transaction of its own."""
    keeper = await keeper_of(bench)
    term = keeper.terms[rule]
    now = after(term.days)
    async with transaction(bench.shop.pool) as conn:
        return await rows.delete_due(conn, term, stating(keeper, term, now), now=now, limit=1)


@asynccontextmanager
async def a_deletion_that_has_looked(bench: Bench, rule: Rule) -> AsyncIterator["asyncio.Task[int]"]:
    """Give a deletion that has seen the hit due and locked nothing; it goes on when the block ends."""
    await keeper_of(bench)
    async with transaction(bench.shop.pool) as conn:
        await conn.execute(_HALTING.encode())
    async with transaction(bench.shop.pool) as halting:
        await halting.execute("SELECT pg_advisory_xact_lock(%s)", [_HALT])
        deleting = asyncio.create_task(delete_one(bench, rule))
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objid = %s"
        while not await asked(bench, waiting, _HALT) and not deleting.done():  # noqa: ASYNC110 - the server tells
            await asyncio.sleep(0)
        yield deleting


@pytest.mark.parametrize(
    "between",
    [
        "UPDATE case_file SET state = 'awaiting-third'",
        "UPDATE case_file SET updated_at = now() + interval '1000 years'",
        "INSERT INTO supplement_request (event_id, reason, note) SELECT event_id, 're-read', '' FROM hit",
        "UPDATE package SET state = 'logged'",
    ],
)
async def test_what_came_between_a_deletions_look_and_its_lock_keeps_the_evidence(
    bench: Bench, between: str
) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "rejected")
    async with a_deletion_that_has_looked(bench, Rule.REJECTED) as deleting:
        await asked(bench, between + " RETURNING 1")
    assert await deleting == 0
    assert (await count(bench, "capture"), await count(bench, "deletion")) == (3, 0)


async def test_a_supplement_is_not_asked_for_while_its_evidence_is_being_deleted(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "rejected")
    keeper = await keeper_of(bench)
    term = keeper.terms[Rule.REJECTED]
    now = after(term.days)
    async with transaction(bench.shop.pool) as deleting, transaction(bench.shop.pool) as asking:
        assert await rows.delete_due(deleting, term, stating(keeper, term, now), now=now, limit=1)
        await asking.execute("SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await request_supplement(asking, EVENT, REREAD)
        await asking.rollback()
    async with transaction(bench.shop.pool) as asking:
        with pytest.raises(NotFound):
            await request_supplement(asking, EVENT, REREAD)


async def test_evidence_is_not_deleted_while_a_supplement_is_being_asked_for(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "rejected")
    async with transaction(bench.shop.pool) as asking:
        await request_supplement(asking, EVENT, REREAD)
        assert await delete_one(bench, Rule.REJECTED) == 0
    assert await delete_one(bench, Rule.REJECTED) == 0


async def test_an_image_that_is_paired_during_a_deletion_is_not_deleted_unnamed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "rejected")
    keep_statement = rows._keep_statement

    async def stating_late(*given: Any) -> int:
        late = capture(9, device="cam-side", role=CaptureRole.SIDE, image=b"late", match_key="m-1")
        await bench.arrive(late)
        return await keep_statement(*given)

    with monkeypatch.context() as patched:
        patched.setattr(rows, "_keep_statement", stating_late)
        assert await deleted(bench, DAYS[Rule.REJECTED]) == {Rule.REJECTED: 1}
    paired = await asked(bench, "SELECT passage_event_id FROM capture")
    assert paired == [(EVENT,)]
    # It belongs to nothing any more, and goes by the shortest rule, named.
    assert await deleted(bench, DAYS[Rule.REJECTED]) == {Rule.UNFLAGGED: 1}


async def test_a_sealed_hit_whose_case_could_not_be_opened_yet_is_never_deleted(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await asked(bench, "UPDATE case_file SET event_id = 'another' RETURNING 1")
    await asked(bench, "UPDATE hit SET state = 'sealed' RETURNING 1")
    assert await deleted(bench, 36_000) == {}


async def test_a_passage_is_held_by_the_plate_of_the_trailer_it_drew(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "rejected")
    change = (
        """UPDATE reading SET reading = jsonb_set(reading, '{trailer_text}', '"云A5678挂"') RETURNING 1"""
    )
    await asked(bench, change)
    officer, service = await officer_of(bench), bench.shop.seals.keys.service
    async with transaction(bench.shop.pool) as conn:
        await holding.hold(
            conn, "云a·5678 挂", HoldKind.VEHICLE, reason="诉讼", officer=officer, service=service, now=NOW
        )
    assert await deleted(bench, 36_000) == {}


@pytest.mark.parametrize("where", ["a camera", "a candidate", "the trailer", "a review"])
async def test_a_vehicle_is_held_wherever_its_plate_was_read_or_typed(bench: Bench, where: str) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "rejected")
    path = {
        "a camera": "{captures,1,text}",
        "a candidate": "{captures,2,candidates}",
        "the trailer": "{trailer_text}",
    }
    if where == "a review":
        await reviewed(bench, OTHER)
    else:
        value = Jsonb([{"text": OTHER}] if where == "a candidate" else OTHER)
        change = "UPDATE reading SET reading = jsonb_set(reading, %s, %s) RETURNING 1"
        await asked(bench, change, path[where], value)
    number = await hold(bench, HoldKind.VEHICLE, OTHER)
    assert await deleted(bench, 36_000) == {}
    await release(bench, number)
    assert await deleted(bench, 36_000) == {Rule.REJECTED: 1}
