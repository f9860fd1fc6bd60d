"""The ingester's sink against a real database: who is refused, and what is a duplicate."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from psycopg import sql

from domain.errors import ServiceUnavailable
from domain.events import Axle, CaptureMessage, StationState, StationStatus, StatusMessage, WeighMessage
from domain.ids import DeviceId, StationId
from domain.refusals import RefusalCode
from domain.units import utc_text
from ingest.arrivals import Accepted, Claims, Refusal, Refused, Settled
from ingest.decoders import Decoders, load_decoders
from service.settings import Settings
from service.steps.screen import Screener
from service.steps.store import DatabaseSink
from store.blobs import BlobStore
from store.connection import Pool
from store.drift import Watched, keep_drift, take_samples
from store.registry import LOCAL_TIME, load_registry, parse_registry
from store.transactions import transaction
from tests.integration.store.messages import REGISTRY, SCALE, STATION, T0, capture, passage, with_registry
from tests.unit.ingest.samples import framed, header

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sink(pool: Pool, tmp_path: Path) -> DatabaseSink:
    """Return a sink on a database that knows station S1."""
    async with pool.connection() as conn:
        await with_registry(conn)
    return DatabaseSink(pool, BlobStore(tmp_path), Screener(Settings()), capture_wait=timedelta(seconds=60))


async def _count(pool: Pool, table: str) -> int:
    async with pool.connection() as conn:
        cursor = await conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        row = await cursor.fetchone()
    return row[0] if row else 0


GATEWAY = """
[[devices]]
station_id = "S1"
device_id = "gw-1"
kind = "gateway"
decoder = "gateway-json"
valid_from = 2026-01-01
"""
ENDED = "valid_from = 2026-01-01\nvalid_to = 2026-11-22\n\n[[stations]]"

_Message = TypeVar("_Message", WeighMessage, CaptureMessage)


def _through(topic: str, message: _Message) -> _Message:
    return message.model_copy(update={"wire": message.wire.model_copy(update={"topic": topic})})


def _moved(message: _Message, **header: object) -> _Message:
    return message.model_copy(update={"header": message.header.model_copy(update=header)})


async def test_a_batch_is_screened_and_stored_in_one_go(sink: DatabaseSink, pool: Pool) -> None:
    settled = await sink.store([Accepted(passage(1).message), Accepted(capture(1).message)])
    assert [(one.device, one.sequence, one.refusal) for one in settled] == [
        ("wim-1", 1, None),
        ("cam-front", 1, None),
    ]
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT vehicle_code, screening ->> 'algorithm' FROM passage")
        assert await cursor.fetchall() == [("15", "zhichao-screen/1")]
        cursor = await conn.execute("SELECT count(*) FROM capture WHERE passage_event_id IS NOT NULL")
        assert await cursor.fetchall() == [(1,)]


async def test_strangers_are_refused_and_the_rest_is_stored(sink: DatabaseSink, pool: Pool) -> None:
    known = passage(1).message
    settled = await sink.store(
        [
            Accepted(_moved(known, station=StationId("S9"))),
            Accepted(_moved(known, device=DeviceId("wim-9"))),
            Accepted(_moved(passage(2).message, captured_at=T0.replace(year=2025))),
            Accepted(known),
        ]
    )
    assert [one.refusal.code if one.refusal else None for one in settled] == [
        RefusalCode.UNKNOWN_STATION,
        RefusalCode.UNKNOWN_DEVICE,
        RefusalCode.UNKNOWN_DEVICE,
        None,
    ]
    assert (await _count(pool, "passage"), await _count(pool, "quarantine")) == (1, 3)


def _shown(settled: Settled) -> tuple[RefusalCode, str] | None:
    return None if settled.refusal is None else (settled.refusal.code, settled.refusal.detail)


@pytest.mark.parametrize(
    ("captured_at", "stored"),
    [
        (datetime(2025, 12, 31, 15, 59, 59, tzinfo=UTC), False),
        (datetime(2025, 12, 31, 16, tzinfo=UTC), True),  # 1 January 2026 in China, the camera's first day
        (datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 31, 16, tzinfo=UTC), False),
    ],
)
async def test_a_device_counts_on_its_days_only(
    sink: DatabaseSink, captured_at: datetime, stored: bool
) -> None:
    (settled,) = await sink.store([Accepted(capture(1, at=captured_at).message)])
    day = captured_at.astimezone(LOCAL_TIME).date()
    refusal = (RefusalCode.UNKNOWN_DEVICE, f"S1/cam-front was not registered on the day of capture, {day}")
    assert _shown(settled) == (None if stored else refusal)


async def test_a_device_sends_only_what_its_kind_sends(sink: DatabaseSink, pool: Pool) -> None:
    weighing_camera = _moved(passage(1).message, device=DeviceId("cam-front"))
    settled = await sink.store([Accepted(weighing_camera), Accepted(capture(1, device="wim-1").message)])
    assert [_shown(one) for one in settled] == [
        (RefusalCode.UNKNOWN_DEVICE, "S1/cam-front is registered as a camera: no weigh records from it"),
        (RefusalCode.UNKNOWN_DEVICE, "S1/wim-1 is registered as a wim: no captures from it"),
    ]
    assert (await _count(pool, "passage"), await _count(pool, "capture")) == (0, 0)


async def test_a_gateway_sends_both_on_its_decoders_topics_only(sink: DatabaseSink, pool: Pool) -> None:
    async with pool.connection() as conn:
        await load_registry(conn, parse_registry(GATEWAY))
    frame = {"device": DeviceId("gw-1")}
    sent: list[WeighMessage | CaptureMessage] = [
        _through("gateway/v1/S1/gw-1/frame", _moved(passage(1).message, **frame)),
        _through("gateway/v1/S1/gw-1/frame", _moved(capture(2).message, **frame)),
        _moved(passage(3).message, **frame),
        _through("gateway/v1/S1/wim-1/frame", passage(4).message),
    ]
    settled = await sink.store([Accepted(one) for one in sent])
    assert [_shown(one) for one in settled] == [
        None,
        None,
        (
            RefusalCode.UNKNOWN_DEVICE,
            "S1/gw-1 is registered with decoder gateway-json; this topic is read by native",
        ),
        (
            RefusalCode.UNKNOWN_DEVICE,
            "S1/wim-1 is registered with decoder native; this topic is read by gateway-json",
        ),
    ]


async def test_a_day_the_registry_knows_nothing_of_the_site_is_refused(
    sink: DatabaseSink, pool: Pool
) -> None:
    async with pool.connection() as conn:
        ended = REGISTRY.replace("valid_from = 2026-01-01\n\n[[stations]]", ENDED)
        await load_registry(conn, parse_registry(ended))
    (settled,) = await sink.store([Accepted(passage(1).message)])
    assert _shown(settled) == (
        RefusalCode.UNKNOWN_STATION,
        "nothing is registered about the site of S1/wim-1 for the day of capture, 2026-11-23",
    )


async def test_a_stranger_leaves_no_trace_in_the_ledger(sink: DatabaseSink, pool: Pool) -> None:
    stranger = _moved(passage(1).message, station=StationId("S9"))
    await sink.store([Accepted(stranger)])
    await sink.store([Accepted(stranger)])
    assert (await _count(pool, "ledger"), await _count(pool, "quarantine")) == (0, 1)


async def test_other_content_under_a_used_number_is_refused(sink: DatabaseSink, pool: Pool) -> None:
    await sink.store([Accepted(passage(1).message)])
    (again,) = await sink.store([Accepted(passage(1, payload=b"{}").message)])
    assert again.refusal is not None
    assert again.refusal.code is RefusalCode.SEQUENCE_CONFLICT
    assert (await _count(pool, "passage"), await _count(pool, "quarantine")) == (1, 1)


def _framed(header: bytes, body: bytes) -> WeighMessage:
    message = passage(1).message
    payload = len(header).to_bytes(4, "big") + header + body
    wire = message.wire.model_copy(
        update={"properties": (), "payload": payload, "body_offset": len(payload) - len(body)}
    )
    return message.model_copy(update={"wire": wire})


async def test_a_framed_message_sent_again_is_a_duplicate(sink: DatabaseSink, pool: Pool) -> None:
    """Its frame holds the time of sending, which differs every time; the body is what counts."""
    await sink.store([Accepted(_framed(b'{"sent_at": "1"}', b"{}"))])
    (again,) = await sink.store([Accepted(_framed(b'{"sent_at": "2"}', b"{}"))])
    assert again.refusal is None
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT duplicates FROM ledger")
        assert await cursor.fetchall() == [(1,)]


async def test_a_refused_framed_message_sent_again_is_a_duplicate(sink: DatabaseSink, pool: Pool) -> None:
    decoders = Decoders(load_decoders().values())
    for second in (1, 2):
        sent_at = T0 + timedelta(seconds=second)
        message = framed(
            "zhichao/v1/S1/wim-1/weigh",
            header(seq="7", sent_at=utc_text(sent_at), captured_at=utc_text(T0)),
            b"{}",
        )
        (refused,) = decoders.arrivals(message, now=sent_at)
        (settled,) = await sink.store([refused])
        assert settled.refusal is not None
        assert settled.refusal.code is RefusalCode.FIELD_MISSING
    assert await _count(pool, "quarantine") == 1
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT duplicates FROM ledger")
        assert await cursor.fetchall() == [(1,)]


async def test_the_decoders_pairing_window_decides(sink: DatabaseSink, pool: Pool) -> None:
    """The capture is taken 30 s after the record, further than this maker allows."""
    narrow = timedelta(seconds=1)
    late = capture(1).message
    late = late.model_copy(
        update={"header": late.header.model_copy(update={"captured_at": T0 + timedelta(seconds=30)})}
    )
    await sink.store([Accepted(passage(1).message, narrow), Accepted(late, narrow)])
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT passage_event_id FROM capture")
        assert await cursor.fetchall() == [(None,)]


async def test_a_refusal_is_settled_with_its_reason(sink: DatabaseSink, pool: Pool) -> None:
    wire = passage(7).message.wire
    refused = Refused(wire, Claims(STATION, SCALE, "e0", 7), RefusalCode.BROKEN_JSON, "cut off")
    (settled,) = await sink.store([refused])
    assert settled.refusal == Refusal(RefusalCode.BROKEN_JSON, "cut off")
    assert settled.sequence == 7
    assert await _count(pool, "ledger") == 1


async def test_the_last_word_of_a_station_is_kept(sink: DatabaseSink, pool: Pool) -> None:
    wire = passage(1).message.wire
    said = [
        StatusMessage(
            status=StationStatus(
                station=STATION, device=SCALE, state=StationState.ONLINE, sent_at=T0, spool_messages=4
            ),
            wire=wire.model_copy(update={"received_at": T0 + timedelta(milliseconds=late_ms)}),
        )
        for late_ms in (900, 250, 400)
    ]
    await sink.store([Accepted(one) for one in said])
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT state, clock_delay_ms, spool_messages FROM station_status")
        assert await cursor.fetchall() == [("online", 250, 4)]


async def test_a_clock_set_right_is_noticed_within_the_hour(sink: DatabaseSink, pool: Pool) -> None:
    wire = passage(1).message.wire
    for minutes, delay_s in ((0, -40), (30, 2), (61, 3)):
        sent_at = T0 + timedelta(minutes=minutes)
        status = StationStatus(station=STATION, device=SCALE, state=StationState.ONLINE, sent_at=sent_at)
        received = wire.model_copy(update={"received_at": sent_at + timedelta(seconds=delay_s)})
        await sink.store([Accepted(StatusMessage(status=status, wire=received))])
        async with pool.connection() as conn:
            cursor = await conn.execute("SELECT clock_delay_ms FROM station_status")
            known = {0: -40_000, 30: -40_000, 61: 3_000}[minutes]
            assert await cursor.fetchall() == [(known,)]


async def test_a_lost_connection_is_told_from_bad_content(pool: Pool) -> None:
    with pytest.raises(ServiceUnavailable, match="again"):
        async with transaction(pool) as conn:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.parametrize(
    ("basis", "outcome"),
    [("certificate:C-2026-1", "statistics-only"), ("certificate:C-2025-1", "overloaded")],
)
async def test_while_a_weighing_stations_drift_alarm_is_on_there_is_no_case(
    sink: DatabaseSink, pool: Pool, basis: str, outcome: str
) -> None:
    """Of a station that sends records, not waveforms: its alarm ends with a new certificate."""
    async with pool.connection() as conn:
        await keep_drift(conn, Watched(STATION, SCALE, 1, basis), {}, alarm_since=T0)
    await sink.store([_accepted_passage(heavy=True)])
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT outcome, screening -> 'reasons' FROM passage")
        reasons = ["drift-alarm"] if outcome == "statistics-only" else []
        assert await cursor.fetchall() == [(outcome, reasons)]


async def test_a_loaded_trains_front_axle_waits_for_the_drift_test(sink: DatabaseSink, pool: Pool) -> None:
    await sink.store([_accepted_passage(heavy=True), _accepted_passage(heavy=False, sequence=2)])
    async with pool.connection() as conn:
        taken = await take_samples(conn)
    ((watched, (axle,)),) = taken.items()
    assert (watched, axle.steer_kg) == (Watched(STATION, SCALE, 1, "certificate:C-2026-1"), 7_000)


def _accepted_passage(*, heavy: bool, sequence: int = 1) -> Accepted:
    """A six-axle train's record: far over its limit, or too light for the drift test."""
    message = _through("zhichao/v1/S1/wim-1/weigh", passage(sequence).message)
    loads = [7_000, 11_000, 11_000, 12_000, 12_000, 12_000] if heavy else [4_000] * 6
    record = message.record.model_copy(
        update={
            "axles": tuple(Axle(load_kg=load) for load in loads),
            "spacings_mm": (3_300, 1_350, 6_800, 1_310, 1_310),
            "gross_kg": sum(loads),
        }
    )
    return Accepted(message.model_copy(update={"record": record}))
