"""What web, API and doctor ask of the store."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from domain.errors import NotFound, ServiceUnavailable
from domain.events import StationState, StationStatus, StatusMessage, Wire
from domain.ids import DeviceId, StationId
from domain.screening import Outcome
from store.blobs import BlobStore
from store.connection import Connection, Pool, connect, open_pool
from store.inspect import DatabaseFacts, database_facts, objections
from store.intake import store_batch
from store.overview import device_lines, packages_by_state, totals
from store.partitions import ensure_partitions
from store.passages import Cursor, export_one, export_page
from store.quarantine import count_quarantine, quarantine_page, quarantined, quarantined_payload
from store.station_status import record_statuses
from store.transactions import transaction
from tests.integration.store.messages import T0, batch, capture, passage, refusal, with_registry

pytestmark = pytest.mark.anyio

GOOD = DatabaseFacts(18, "UTF8", "C.UTF-8", "c", True, True, "on", False, 100)


async def test_pages_of_passages_leave_nothing_out_and_repeat_nothing(connection: Connection) -> None:
    rows = [passage(number, at=T0 + timedelta(seconds=number // 3)) for number in range(10)]
    await store_batch(connection, batch(*rows))
    seen: list[str] = []
    page = await export_page(connection, after=None, limit=4)
    while page:
        seen += [one.event_id for one in page]
        page = await export_page(connection, after=Cursor(page[-1].captured_at, page[-1].event_id), limit=4)
    expected = sorted(rows, key=lambda row: (row.message.header.captured_at, row.key.event_id))
    assert seen == [row.key.event_id for row in expected]


async def test_one_passage_with_what_became_of_it(connection: Connection) -> None:
    sent = passage(1)
    await store_batch(connection, batch(sent, capture(1)))
    found = await export_one(connection, sent.key.event_id)
    assert found is not None
    assert found.screening == sent.screening.model_dump(mode="json")
    assert (found.hit_state, found.missing, found.case_id, found.plate) == ("waiting", [], None, None)
    assert await export_one(connection, "0" * 32) is None


@pytest.mark.usefixtures("native_partitions")
async def test_passages_outside_every_partition_are_kept_and_moved_into_theirs(
    connection: Connection,
) -> None:
    old = datetime(2019, 5, 31, 23, 59, 59, tzinfo=UTC)
    rows = [passage(1, at=old), passage(2, at=old + timedelta(seconds=1)), passage(3, at=T0)]
    await store_batch(connection, batch(*rows))
    made = await ensure_partitions(connection, date(2019, 5, 15), months_behind=0, months_ahead=0)
    assert made == ["passage_2019_05"]
    cursor = await connection.execute(
        "SELECT event_id, tableoid::regclass::text FROM passage ORDER BY sequence"
    )
    assert await cursor.fetchall() == [
        (rows[0].key.event_id, "passage_2019_05"),
        (rows[1].key.event_id, "passage_default"),
        (rows[2].key.event_id, "passage_2026_11"),
    ]


@pytest.mark.usefixtures("hypertable")
async def test_a_hypertable_keeps_passages_of_any_time(connection: Connection) -> None:
    rows = [passage(number, at=datetime(2019 + number, 5, 31, tzinfo=UTC)) for number in range(4)]
    await store_batch(connection, batch(*rows))
    assert await ensure_partitions(connection, date(2019, 5, 15)) == []
    cursor = await connection.execute("SELECT count(DISTINCT tableoid), count(*) FROM passage")
    assert await cursor.fetchone() == (4, 4)


async def test_quarantine_pages_and_payloads(connection: Connection, tmp_path: Path) -> None:
    large = bytes(100_000)
    blobs = BlobStore(tmp_path)
    stored = batch(refusal(1, payload=b"{"), refusal(None, payload=large, station="S9"))
    await blobs.put_all(list(stored.blobs()))
    await store_batch(connection, stored)
    first, second = await quarantine_page(connection, limit=10)
    assert {first.station_id, second.station_id} == {"S1", "S9"}
    payloads = {
        one.station_id: await quarantined_payload(connection, blobs, one.quarantine_id)
        for one in (first, second)
    }
    assert payloads == {"S1": b"{", "S9": large}
    assert await quarantine_page(connection, limit=10, before=first.quarantine_id) == [second]
    assert [one.station_id for one in await quarantine_page(connection, limit=9, station="S9")] == ["S9"]
    assert await quarantined(connection, second.quarantine_id) == second
    assert await count_quarantine(connection) == {"broken-json": 2}
    with pytest.raises(NotFound):
        await quarantined(connection, 999)


def status(seconds: int, *, delay_ms: int | None, state: StationState = StationState.ONLINE) -> StatusMessage:
    received_at = T0 + timedelta(seconds=seconds)
    return StatusMessage(
        status=StationStatus(
            station=StationId("S1"),
            device=DeviceId("wim-1"),
            state=state,
            sent_at=None if delay_ms is None else received_at - timedelta(milliseconds=delay_ms),
            spool_messages=seconds if delay_ms is not None else None,
        ),
        wire=Wire(topic="t", payload=b"", content_type=None, properties=(), received_at=received_at),
    )


async def test_the_newest_status_counts_and_the_smallest_delay_bounds_the_clock(
    connection: Connection,
) -> None:
    await with_registry(connection)
    await record_statuses(connection, [status(2, delay_ms=90), status(1, delay_ms=40)])
    await record_statuses(connection, [status(3, delay_ms=None, state=StationState.OFFLINE)])
    await record_statuses(connection, [status(0, delay_ms=1)])
    await store_batch(connection, batch(passage(1), passage(1), refusal(2)))
    camera, scale = await device_lines(connection)
    assert (scale.state, scale.received_at, scale.spool_messages) == ("offline", T0 + timedelta(seconds=3), 2)
    assert scale.clock_delay_ms == 40
    assert (scale.messages, scale.duplicates, scale.quarantined) == (2, 1, 1)
    assert (camera.device_id, camera.state, camera.messages) == ("cam-front", None, 0)


async def test_totals_account_for_everything(connection: Connection) -> None:
    await store_batch(
        connection,
        batch(passage(1), passage(1), passage(2, outcome=Outcome.WITHIN), capture(1), capture(9), refusal(4)),
    )
    found = await totals(connection)
    assert (found.messages, found.duplicates) == (5, 1)
    assert (found.passages, found.flagged, found.captures, found.captures_unpaired) == (2, 1, 2, 1)
    assert (found.quarantined, found.log_size) == (1, 0)
    assert await packages_by_state(connection) == {}


async def test_the_facts_of_a_database(connection: Connection) -> None:
    facts = await database_facts(connection)
    assert facts.version in range(15, 19)
    assert (facts.encoding, facts.ctype) == ("UTF8", "C.UTF-8")
    assert [objection for objection in objections(facts) if "fsync" not in objection] == []


@pytest.mark.parametrize(
    ("facts", "objection"),
    [
        (GOOD._replace(ctype="C"), "Chinese"),
        (GOOD._replace(encoding="SQL_ASCII"), "encoding"),
        (GOOD._replace(version=14), "not supported"),
        (GOOD._replace(fsync=False), "fsync"),
        (GOOD._replace(synchronous_commit="off"), "synchronous_commit"),
    ],
)
def test_a_database_unfit_for_evidence_is_objected_to(facts: DatabaseFacts, objection: str) -> None:
    assert objections(GOOD) == []
    (found,) = objections(facts)
    assert objection in found


async def test_a_database_that_is_away_is_worth_trying_again(pool: Pool) -> None:
    with pytest.raises(ServiceUnavailable, match="broke off"):
        async with transaction(pool) as conn:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with transaction(pool) as conn:
            await conn.execute("SELECT 1 / 0")
    # An index row too long is "operational" to psycopg, but trying it again for ever would help nobody.
    async with transaction(pool) as conn:
        await conn.execute("CREATE TABLE t (a text PRIMARY KEY)")
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        async with transaction(pool) as conn:
            await conn.execute(
                "INSERT INTO t SELECT string_agg(gen_random_uuid()::text, '') FROM generate_series(1, 300)"
            )


async def test_nobody_there_is_said_so(database_url: str) -> None:
    nowhere = psycopg.conninfo.make_conninfo(database_url, port="1")
    with pytest.raises(ServiceUnavailable, match="check that it runs"):
        await connect(nowhere)
    with pytest.raises(ServiceUnavailable, match="did not answer"):
        await open_pool(nowhere, timeout_s=0.2)
