"""Intake: each message once, paired whichever way round it comes, its job in its own transaction."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from domain.events import CaptureRole
from domain.ids import Epoch
from domain.screening import Outcome
from store.connection import Connection, Pool, connect
from store.intake import IntakeBatch, StoreOutcome, store_batch
from store.jobs import AT_DEADLINE, AT_ONCE
from tests.counts import count
from tests.integration.store.messages import T0, batch, capture, passage, refusal, waveform_passage

pytestmark = pytest.mark.anyio

NEW, DUPLICATE, CONFLICT = StoreOutcome.NEW, StoreOutcome.DUPLICATE, StoreOutcome.CONFLICT


async def rows(conn: Connection, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query, arguments)).fetchall()


async def size(conn: Connection, table: str) -> int:
    cursor = await conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
    found = await cursor.fetchone()
    return found[0] if found else 0


async def outcomes(conn: Connection, stored: IntakeBatch) -> list[StoreOutcome]:
    return [item.outcome for item in await store_batch(conn, stored)]


async def immediate_jobs(conn: Connection) -> list[str]:
    found = await rows(
        conn,
        """
        SELECT args ->> 'event_id' FROM procrastinate_jobs
        WHERE priority = %s AND scheduled_at IS NULL ORDER BY id
        """,
        AT_ONCE,
    )
    return [row[0] for row in found]


async def test_what_was_sent_is_what_lies_in_the_rows(connection: Connection) -> None:
    sent = passage(1)
    await store_batch(connection, batch(sent, capture(1, framing=b"\0\0\0\2{}")))
    found = await rows(
        connection,
        """
        SELECT wire_payload, wire_properties, header, record, context, screening, axle_loads_kg, limit_kg
        FROM passage
        """,
    )
    payload, properties, header, record, context, screening, loads, limit = found[0]
    assert payload == sent.message.wire.payload
    assert properties == [["schema", "1"], ["station", "S1"]]
    assert header == sent.message.header.model_dump(mode="json")
    assert record == sent.message.record.model_dump(mode="json")
    assert context == sent.context.model_dump(mode="json")
    assert screening == sent.screening.model_dump(mode="json")
    assert (loads, limit) == ([7_000, 9_500, 9_500], 18_000)
    assert await rows(connection, "SELECT wire_prefix FROM capture") == [(b"\0\0\0\2{}",)]


async def test_a_resend_is_a_duplicate_and_counted(connection: Connection) -> None:
    first = batch(passage(1), capture(1), refusal(9))
    assert await outcomes(connection, first) == [NEW, NEW, NEW]
    assert await outcomes(connection, first) == [DUPLICATE] * 3
    assert await outcomes(connection, first) == [DUPLICATE] * 3
    assert await rows(connection, "SELECT outcome, duplicates FROM ledger ORDER BY outcome") == [
        ("capture", 2),
        ("passage", 2),
        ("quarantine", 2),
    ]
    for table in ("passage", "capture", "quarantine", "hit"):
        assert await size(connection, table) == 1


async def test_a_resend_in_another_frame_is_a_duplicate(connection: Connection) -> None:
    assert await outcomes(connection, batch(capture(1, framing=b"first"))) == [NEW]
    assert await outcomes(connection, batch(capture(1, framing=b"second"))) == [DUPLICATE]


async def test_other_content_under_a_used_key_is_a_conflict_kept_once(connection: Connection) -> None:
    await store_batch(connection, batch(passage(1), capture(1)))
    other = batch(passage(1, payload=b"other"), capture(1, image=b"other image"))
    assert await outcomes(connection, other) == [CONFLICT, CONFLICT]
    assert await outcomes(connection, other) == [CONFLICT, CONFLICT]
    found = await rows(
        connection, "SELECT code, sequence, payload FROM quarantine ORDER BY payload NULLS LAST"
    )
    # The image lies in the blob store under its digest; the record lies in the row.
    assert found == [("sequence-conflict", 1, b"other"), ("sequence-conflict", 1, None)]
    assert await rows(connection, "SELECT wire_payload FROM passage") == [(passage(1).message.wire.payload,)]


async def test_a_conflict_in_another_frame_is_kept_once(connection: Connection) -> None:
    await store_batch(connection, batch(waveform_passage(1)))
    other = [waveform_passage(1, samples=bytes(9), framing=framing) for framing in (b"first", b"second")]
    assert await outcomes(connection, batch(*other)) == [CONFLICT, CONFLICT]
    assert await size(connection, "quarantine") == 1


async def test_repeats_within_one_batch(connection: Connection) -> None:
    stored = batch(passage(1), passage(1), passage(1, payload=b"other"), passage(2))
    assert await outcomes(connection, stored) == [NEW, DUPLICATE, CONFLICT, NEW]
    assert await rows(connection, "SELECT sequence FROM passage ORDER BY sequence") == [(1,), (2,)]


async def test_a_new_epoch_is_new(connection: Connection) -> None:
    stored = batch(passage(1), passage(1, epoch=Epoch("e1")))
    assert await outcomes(connection, stored) == [NEW, NEW]


async def test_refusals_without_a_key_are_known_again_by_their_content(connection: Connection) -> None:
    stranger = refusal(None, station="nobody-knows")
    assert await outcomes(connection, batch(stranger, stranger)) == [NEW, DUPLICATE]
    assert await outcomes(connection, batch(stranger, refusal(None, payload=b"["))) == [DUPLICATE, NEW]
    assert await rows(connection, "SELECT count(*) FROM quarantine") == [(2,)]
    assert await rows(connection, "SELECT count(*) FROM ledger") == [(0,)]


async def test_quarantine_holds_what_text_columns_cannot(connection: Connection) -> None:
    hostile = refusal(None, payload=b"\0\xff", station="\0\ud800" + "x" * 10_000)
    assert await outcomes(connection, batch(hostile)) == [NEW]
    found = await rows(connection, "SELECT payload, left(station_id, 3) FROM quarantine")
    assert found == [(b"\0\xff", "\N{REPLACEMENT CHARACTER}?x")]


async def test_a_large_refused_payload_is_left_to_the_blob_store(connection: Connection) -> None:
    large = refusal(None, payload=bytes(100_000))
    assert list(batch(large).blobs()) == [large.wire.payload]
    await store_batch(connection, batch(large))
    assert await rows(connection, "SELECT payload, payload_size FROM quarantine") == [(None, 100_000)]


async def test_a_waveform_sent_again_in_another_frame_is_a_duplicate(connection: Connection) -> None:
    assert await outcomes(connection, batch(waveform_passage(1, framing=b"first"))) == [NEW]
    assert await outcomes(connection, batch(waveform_passage(1, framing=b"second"))) == [DUPLICATE]
    other = waveform_passage(1, samples=bytes(100_001))
    assert await outcomes(connection, batch(other)) == [CONFLICT]
    assert await rows(connection, "SELECT payload, payload_sha256 FROM quarantine") == [(None, other.digest)]
    assert await rows(connection, "SELECT count(*) FROM blob") == [(2,)]


@pytest.mark.parametrize("captures_first", [True, False])
async def test_pairing_either_way_round(connection: Connection, captures_first: bool) -> None:
    record, image = batch(passage(1)), batch(capture(1))
    for part in (image, record) if captures_first else (record, image):
        assert await immediate_jobs(connection) == []
        await store_batch(connection, part)
    event_id = passage(1).key.event_id
    assert await rows(connection, "SELECT passage_event_id FROM capture") == [(event_id,)]
    assert await immediate_jobs(connection) == [event_id]


async def test_pairing_respects_window_and_takes_the_nearest(connection: Connection) -> None:
    early, late = passage(1, match_key="m"), passage(2, match_key="m", at=T0 + timedelta(seconds=50))
    near_late = capture(1, match_key="m", at=T0 + timedelta(seconds=40))
    outside = capture(2, match_key="m", at=T0 + timedelta(seconds=50 + 61))
    other_key = capture(3, match_key="n", at=T0)
    await store_batch(connection, batch(early, late, near_late, outside, other_key))
    assert await rows(connection, "SELECT passage_event_id FROM capture ORDER BY sequence") == [
        (late.key.event_id,),
        (None,),
        (None,),
    ]


async def test_a_capture_of_another_lane_does_not_pair(connection: Connection) -> None:
    record = passage(1)
    lane = record.message.record.lane
    there, elsewhere = capture(1, lane=lane), capture(2, match_key="m-1", lane=lane + 1)
    await store_batch(connection, batch(record, there, elsewhere))
    assert await rows(connection, "SELECT passage_event_id FROM capture ORDER BY sequence") == [
        (record.key.event_id,),
        (None,),
    ]


async def test_only_a_flagged_passage_waits_and_is_logged_before_it_is_read(connection: Connection) -> None:
    fine, flagged = passage(1, outcome=Outcome.WITHIN), passage(2)
    await store_batch(connection, batch(fine, flagged, capture(1)))
    assert await rows(connection, "SELECT event_id FROM hit") == [(flagged.key.event_id,)]
    named = await rows(connection, "SELECT event_id FROM capture_statement_subject")
    assert {row[0] for row in named} == {flagged.key.event_id, capture(1).key.event_id}


async def test_a_hit_is_settled_at_once_only_with_all_it_expects(connection: Connection) -> None:
    expected = (("cam-front", CaptureRole.FRONT), ("cam-rear", CaptureRole.REAR))
    hit = passage(1, expected=expected)
    await store_batch(connection, batch(hit, capture(1)))
    # A second front image, and a rear one of another camera, are not what was announced.
    await store_batch(connection, batch(capture(2, match_key="m-1")))
    await store_batch(connection, batch(capture(3, match_key="m-1", device="cam-x", role=CaptureRole.REAR)))
    assert await immediate_jobs(connection) == []
    await store_batch(
        connection, batch(capture(4, match_key="m-1", device="cam-rear", role=CaptureRole.REAR))
    )
    assert await immediate_jobs(connection) == [hit.key.event_id]


async def test_without_an_announcement_the_site_profile_says_what_to_expect(connection: Connection) -> None:
    hit = passage(1, expected=(), profile="standard")
    await store_batch(connection, batch(hit, capture(1)))
    await store_batch(connection, batch(capture(1, device="cam-rear", role=CaptureRole.REAR)))
    assert await immediate_jobs(connection) == []
    await store_batch(connection, batch(capture(1, device="cam-side", role=CaptureRole.SIDE)))
    assert await immediate_jobs(connection) == [hit.key.event_id]


async def test_an_announcement_does_not_shut_out_what_the_profile_wants(connection: Connection) -> None:
    """Announcing the front camera alone must not settle the hit before rear and side have come."""
    hit = passage(1, profile="standard")
    await store_batch(connection, batch(hit, capture(1)))
    await store_batch(connection, batch(capture(1, device="cam-rear", role=CaptureRole.REAR)))
    assert await immediate_jobs(connection) == []
    await store_batch(connection, batch(capture(1, device="cam-side", role=CaptureRole.SIDE)))
    assert await immediate_jobs(connection) == [hit.key.event_id]


async def test_the_deadline_job_lies_at_the_deadline_and_delays_nothing(connection: Connection) -> None:
    await store_batch(connection, batch(passage(1), capture(1)))
    found = await rows(
        connection,
        """
        SELECT job.priority, job.scheduled_at = hit.deadline, hit.deadline - now(), job.lock
        FROM procrastinate_jobs AS job JOIN hit ON hit.event_id = job.args ->> 'event_id' ORDER BY job.id
        """,
    )
    lock = f"hit:{passage(1).key.event_id}"
    assert found == [
        (AT_DEADLINE, True, timedelta(seconds=60), lock),
        (AT_ONCE, None, timedelta(seconds=60), lock),
    ]


async def test_what_fails_leaves_neither_row_nor_job(database_url: str) -> None:
    conn = await connect(database_url)
    async with conn:
        await store_batch(conn, batch(passage(1), capture(1), refusal(3)))
        await conn.rollback()
        for table in ("ledger", "passage", "capture", "hit", "quarantine", "procrastinate_jobs", "blob"):
            assert await size(conn, table) == 0


async def test_an_unstorable_message_fails_its_batch_only(connection: Connection) -> None:
    await connection.commit()
    bad = passage(2, match_key="nul\0byte")
    with pytest.raises(psycopg.Error):
        await store_batch(connection, batch(passage(1), bad))
    await connection.rollback()
    assert await outcomes(connection, batch(passage(1))) == [NEW]


async def test_a_record_and_its_image_committed_at_the_same_time_pair(pool: Pool) -> None:
    """Neither transaction sees the other's rows before it looks for partners, unless one waits."""
    for number in range(count(200, reduced=25)):
        start = asyncio.Barrier(2)

        async def ingest(part: IntakeBatch, start: asyncio.Barrier = start) -> None:
            async with pool.connection() as conn:
                await conn.execute("SELECT 1")
                await start.wait()
                await store_batch(conn, part)
                await asyncio.sleep(0.005)  # both are still uncommitted here, unless one waits for the other

        await asyncio.gather(ingest(batch(passage(number))), ingest(batch(capture(number))))
    async with pool.connection() as conn:
        assert await rows(conn, "SELECT count(*) FROM capture WHERE passage_event_id IS NULL") == [(0,)]
        assert len(await immediate_jobs(conn)) == count(200, reduced=25)


async def test_ingesters_with_overlapping_batches_do_not_deadlock(pool: Pool) -> None:
    """A redelivery hands the same messages to two ingesters, in any order: each is stored once."""
    total = 60
    everything = [
        row for number in range(total) for row in (passage(number), capture(number), refusal(1000 + number))
    ]

    async def ingest(step: int) -> int:
        async with pool.connection() as conn:
            mine = everything[::step] if step > 0 else everything[step::-1]
            return sum(item.outcome is NEW for item in await store_batch(conn, batch(*mine, *everything)))

    new = await asyncio.gather(*(ingest(step) for step in (1, -1, 2, -2, 3)))
    assert sum(new) == 3 * total
    async with pool.connection() as conn:
        assert await rows(conn, "SELECT count(*) FROM ledger") == [(3 * total,)]
        assert await rows(conn, "SELECT count(*) FROM capture WHERE passage_event_id IS NULL") == [(0,)]
