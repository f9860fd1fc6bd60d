"""Waveforms through the sink: weighed, held back, refused, sealed; each with its reason."""

import asyncio
import json
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import pytest
from psycopg.types.json import Jsonb

from domain.events import WaveformMessage, Wire
from domain.ids import DeviceId, EventId, Sha256, StationId
from domain.refusals import RefusalCode
from domain.units import utc_text
from evidence import verify_package
from ingest.arrivals import Accepted, Settled
from ingest.decoders import Decoders, load_decoders
from service.pipeline import Workshop, complete, settle
from service.settings import Settings
from service.steps.drift import count_axles
from service.steps.replay import accept_again
from service.steps.screen import Screener
from service.steps.store import DatabaseSink
from service.steps.weigh import Weigher
from service.wiring import seals_of
from simulators.passages import Passage
from simulators.registry import registry_toml
from simulators.scenario import load_scenario
from simulators.score import equals_oracle
from simulators.waveforms import WaveformRoad, calibration_document
from simulators.wire import Draft, number, with_sent_at
from store.blobs import BlobStore
from store.calibrations import InstalledState, install_state
from store.connection import Pool, connect
from store.drift import SteerAxle, Watched, add_samples, keep_drift
from store.registry import load_registry, parse_registry
from tests.fixtures.bench import Bench, CountingEngine
from weigh.calibration.state import CalibrationState
from weigh.live import Weighed, weigh_waveforms
from weigh.signals import Signals

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SCENARIO = load_scenario("waveforms")
ROAD = WaveformRoad(SCENARIO, SCENARIO.stations[0], 1)
STATION, DEVICE = StationId("SIM-WAVE"), DeviceId("wim-1")
DECODERS = Decoders(load_decoders().values())


@dataclass
class Roadside:
    """A sink on a database that knows the simulated station, fed by hand."""

    pool: Pool
    sink: DatabaseSink
    blobs: BlobStore
    sequence: int = 0

    async def send(
        self, draft: Draft, *, framed: bool = False, received_at: datetime | None = None
    ) -> Settled:
        """Let one message arrive."""
        wire = self._wire(draft, framed=framed, received_at=received_at)
        (settled,) = await self.sink.store(DECODERS.arrivals(wire, now=draft.captured_at))
        return settled

    async def send_all(self, draft: Draft, *, devices: Sequence[str]) -> Sequence[Settled]:
        """Let one message from each device arrive in one batch."""
        wires = [self._wire(replace(draft, device=device)) for device in devices]
        return await self.sink.store(
            [one for wire in wires for one in DECODERS.arrivals(wire, now=draft.captured_at)]
        )

    def _wire(self, draft: Draft, *, framed: bool = False, received_at: datetime | None = None) -> Wire:
        self.sequence += 1
        message = number(draft, station=STATION, epoch="e0", sequence=self.sequence)
        header = with_sent_at(message, draft.captured_at)
        payload, properties = message.body, tuple(header.items())
        if framed:
            head = json.dumps(header | {"content_type": message.content_type}).encode()
            payload, properties = struct.pack(">I", len(head)) + head + message.body, ()
        return Wire(
            topic=message.topic,
            payload=payload,
            content_type=None if framed else message.content_type,
            properties=properties,
            received_at=received_at or draft.captured_at,
        )

    async def rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Return what a query gives."""
        async with self.pool.connection() as conn:
            return await (await conn.execute(statement, values)).fetchall()

    async def screening(self) -> dict[str, Any]:
        """Return the screening of the only passage."""
        ((screening,),) = await self.rows("SELECT screening FROM passage")
        found: dict[str, Any] = screening
        return found

    async def install(self, **changes: Any) -> CalibrationState:
        """Install the station's calibration."""
        state = CalibrationState.from_document(calibration_document(STATION, BEGIN) | changes)
        installed = InstalledState(
            state.station, state.device, state.lane, state.version, state.valid_from, state.digest,
            state.to_document(),
        )  # fmt: skip
        async with self.pool.connection() as conn:
            assert await install_state(conn, installed, not_before=state.valid_from)
        return state


@pytest.fixture
async def roadside(pool: Pool, tmp_path: Path) -> Roadside:
    """Return the simulated station's roadside."""
    async with pool.connection() as conn:
        await load_registry(conn, parse_registry(registry_toml(SCENARIO, 2026)))
    blobs = BlobStore(tmp_path)
    sink = DatabaseSink(pool, blobs, Screener(Settings()), capture_wait=timedelta(seconds=60))
    return Roadside(pool, sink, blobs)


def passage_of(drive: str, *, outcomes: list[str] | None = None) -> Passage:
    """Return the first passage of this drive (and these outcomes) on the simulated road."""
    for place in range(60):
        if ROAD._drive(place) != drive:
            continue
        passage = ROAD.passage(place, NOW, "e0")
        if outcomes in (None, passage.truth["oracle"]["outcomes"]):
            return passage
    raise AssertionError(f"no {drive} of {outcomes} among the first passages")


@pytest.fixture(scope="module")
def overloaded() -> Passage:
    """Return a passage that can only be found overloaded."""
    return passage_of("normal", outcomes=["overloaded"])


def without_loops(draft: Draft) -> Draft:
    """Return a waveform message of a station that has none."""
    (length,) = struct.unpack_from(">I", draft.body, 8)
    description = json.loads(draft.body[12 : 12 + length])
    del description["loops"]
    text = json.dumps(description).encode()
    body = draft.body[:8] + struct.pack(">I", len(text)) + text + draft.body[12 + length :]
    return replace(draft, body=body)


async def test_without_loops_an_overload_is_counted_and_makes_no_case(
    roadside: Roadside, overloaded: Passage
) -> None:
    await roadside.install()
    settled = await roadside.send(without_loops(overloaded.drafts[0]))
    assert settled.refusal is None
    screening = await roadside.screening()
    assert (screening["outcome"], screening["reasons"]) == (
        "statistics-only",
        ["no-loop", "straddling-open"],
    )
    assert await roadside.rows("SELECT count(*) FROM hit") == [(0,)]


@pytest.mark.parametrize("framed", [False, True])
async def test_a_waveform_is_weighed_screened_and_flagged(
    roadside: Roadside, overloaded: Passage, framed: bool
) -> None:
    state = await roadside.install()
    draft = overloaded.drafts[0]
    settled = await roadside.send(draft, framed=framed)
    assert settled.refusal is None
    screening = await roadside.screening()
    assert equals_oracle(screening, overloaded.truth["oracle"])
    ((weighing, record, blob, payload),) = await roadside.rows(
        "SELECT weighing, record, wire_blob, wire_payload FROM passage"
    )
    assert weighing["calibration"] == {"version": 1, "digest": state.digest}
    assert len(weighing["axles"]) == len(overloaded.truth["true_axle_loads_kg"])
    assert [one["load_kg"] for one in weighing["groups"]] == [one["load_kg"] for one in screening["groups"]]
    assert all(0 < one["u_ppm"] < 60_000 for one in (*weighing["axles"], *weighing["groups"]))
    assert record["u_gross_ppm"] == screening["adjudication"]["u_gross_ppm"] == weighing["u_gross_ppm"]
    assert roadside.blobs.get(blob) == draft.body
    assert (payload == b"") != framed
    assert await roadside.rows("SELECT state FROM hit") == [("waiting",)]


async def test_without_a_calibration_a_waveform_is_counted_and_makes_no_case(
    roadside: Roadside, overloaded: Passage
) -> None:
    assert (await roadside.send(overloaded.drafts[0])).refusal is None
    screening = await roadside.screening()
    assert (screening["outcome"], screening["reasons"]) == ("statistics-only", ["no-calibration"])
    ((weighing,),) = await roadside.rows("SELECT weighing FROM passage")
    assert (weighing["calibration"], weighing["u_gross_ppm"]) == (None, None)
    assert await roadside.rows("SELECT count(*) FROM hit") == [(0,)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"strip_position_mm": [0, 3_100, 4_000, 6_600, 7_400, 10_100, 11_000, 14_201]},
            "calibration-mismatch",
        ),
        ({"strip_width_um": 50_000}, "calibration-mismatch"),
        ({"sample_type": "i2", "strip_scale_un": [1_000_000] * 8}, "calibration-mismatch"),
        ({"passes": 9}, "calibration-too-few-passes"),
        ({"valid_from": "2025-10-19T07:59:59.000000Z"}, "calibration-too-old"),
        (
            {
                "u_gain_temperature_mk": [303_150, 313_150],
                "u_gain_ppm": [2_000, 2_000],
            },
            "temperature-not-covered",
        ),
        ({"valid_from": "2026-11-24T00:00:00.000000Z"}, "no-calibration"),
        ({"lane": 2}, "no-calibration"),
    ],
)
async def test_a_calibration_that_does_not_fit_is_not_used(
    roadside: Roadside, overloaded: Passage, changes: dict[str, Any], reason: str
) -> None:
    await roadside.install(**changes)
    await roadside.send(overloaded.drafts[0])
    screening = await roadside.screening()
    assert (screening["outcome"], screening["reasons"]) == ("statistics-only", [reason])


@pytest.mark.parametrize("drive", ["straddling", "side-by-side", "wrong-way"])
async def test_a_bad_drive_is_an_unusable_passage_with_its_reason(roadside: Roadside, drive: str) -> None:
    await roadside.install()
    assert (await roadside.send(passage_of(drive).drafts[0])).refusal is None
    screening = await roadside.screening()
    assert screening["outcome"] == "unusable"
    assert drive in screening["reasons"]


def _description(draft: Draft) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(draft.body[8:12], "big")
    return json.loads(draft.body[12 : 12 + length]), draft.body[12 + length :]


def _body(description: Mapping[str, Any], samples: bytes) -> bytes:
    text = json.dumps(description).encode()
    return b"ZCWF" + struct.pack(">II", 1, len(text)) + text + samples


async def test_axles_that_nobody_can_agree_on_make_the_weighing_fail(
    roadside: Roadside, overloaded: Passage
) -> None:
    await roadside.install()
    description, samples = _description(overloaded.drafts[0])
    description["tyres"].append("dual")
    await roadside.send(replace(overloaded.drafts[0], body=_body(description, samples)))
    screening = await roadside.screening()
    assert (screening["outcome"], screening["reasons"]) == ("unusable", ["weighing-failed"])


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda samples: bytes(len(samples)), RefusalCode.SIGNAL_FLAT),
        (lambda samples: struct.pack("<f", float("nan")) + samples[4:], RefusalCode.SIGNAL_NOT_FINITE),
        (lambda samples: struct.pack("<f", float("inf")) + samples[4:], RefusalCode.SIGNAL_NOT_FINITE),
    ],
)
async def test_a_signal_that_says_nothing_is_kept_in_quarantine(
    roadside: Roadside, overloaded: Passage, spoil: Any, code: RefusalCode
) -> None:
    await roadside.install()
    description, samples = _description(overloaded.drafts[0])
    draft = replace(overloaded.drafts[0], body=_body(description, spoil(samples)))
    settled = await roadside.send(draft)
    assert settled.refusal is not None
    assert settled.refusal.code is code
    ((digest, payload),) = await roadside.rows("SELECT payload_sha256, payload FROM quarantine")
    assert payload is None
    assert roadside.blobs.get(Sha256(digest)) == draft.body
    assert await roadside.rows("SELECT count(*) FROM passage") == [(0,)]


async def test_a_waveform_sent_again_is_a_duplicate(roadside: Roadside, overloaded: Passage) -> None:
    await roadside.install()
    for _ in range(2):
        roadside.sequence = 0
        assert (await roadside.send(overloaded.drafts[0])).refusal is None
    assert await roadside.rows("SELECT duplicates FROM ledger") == [(1,)]


ALARMED = Watched(STATION, DEVICE, 1, "calibration:1")


async def _raise_alarm(pool: Pool, watched: Watched) -> None:
    async with pool.connection() as conn:
        await keep_drift(conn, watched, {}, alarm_since=BEGIN)


async def test_while_the_drift_alarm_is_on_there_is_no_case(roadside: Roadside, overloaded: Passage) -> None:
    await roadside.install()
    await _raise_alarm(roadside.pool, ALARMED)
    await roadside.send(overloaded.drafts[0])
    screening = await roadside.screening()
    assert (screening["outcome"], screening["reasons"]) == ("statistics-only", ["drift-alarm"])
    assert await roadside.rows("SELECT count(*) FROM hit") == [(0,)]


async def test_a_new_calibration_ends_the_alarm(roadside: Roadside, overloaded: Passage) -> None:
    await roadside.install()
    await _raise_alarm(roadside.pool, ALARMED)
    await roadside.install(version=2, valid_from="2026-11-01T00:00:00.000000Z")
    await roadside.send(overloaded.drafts[0])
    assert (await roadside.screening())["outcome"] == "overloaded"


async def test_when_the_certificate_has_ended_there_is_no_case(
    roadside: Roadside, overloaded: Passage
) -> None:
    await roadside.install(valid_from="2028-01-01T00:00:00.000000Z")
    late = datetime(2028, 3, 1, tzinfo=UTC)
    await roadside.send(replace(overloaded.drafts[0], captured_at=late))
    screening = await roadside.screening()
    assert (screening["outcome"], screening["reasons"]) == ("statistics-only", ["no-certificate"])


@pytest.mark.parametrize(("offset_ms", "outcome"), [(1_000, "overloaded"), (1_001, "statistics-only")])
async def test_when_the_clock_is_off_by_more_than_a_second_there_is_no_case(
    roadside: Roadside, overloaded: Passage, offset_ms: int, outcome: str
) -> None:
    await roadside.install()
    draft = replace(overloaded.drafts[0], extra={"clock_offset_ms": str(offset_ms)})
    await roadside.send(draft)
    screening = await roadside.screening()
    assert screening["outcome"] == outcome
    assert screening["reasons"] == ([] if outcome == "overloaded" else ["clock-unreliable"])


async def _count(pool: Pool, watched: Watched, loads_kg: list[int]) -> int:
    """Let steer axles of these loads be counted."""
    async with pool.connection() as conn:
        await add_samples(conn, _axles(watched, loads_kg))
    return await count_axles(pool)


def _axles(watched: Watched, loads_kg: list[int], first: int = 0) -> list[SteerAxle]:
    return [
        SteerAxle(EventId(f"{first:016x}{place:016x}"), watched, NOW + timedelta(seconds=place), load)
        for place, load in enumerate(loads_kg)
    ]


async def test_axles_that_grow_heavier_raise_the_alarm_and_those_that_do_not_do_not(
    roadside: Roadside,
) -> None:
    calm = [6_500 + (place * 7_919) % 601 - 300 for place in range(9_000)]
    drifted = [load * 103 // 100 for load in calm]
    other = ALARMED._replace(lane=2)
    assert await _count(roadside.pool, ALARMED, calm) == 9_000
    assert await _count(roadside.pool, other, calm) == 9_000
    assert await roadside.rows("SELECT count(*) FROM drift WHERE alarm_since IS NOT NULL") == [(0,)]
    await _count(roadside.pool, ALARMED, drifted)
    await _count(roadside.pool, other, calm)
    assert await roadside.rows("SELECT lane FROM drift WHERE alarm_since IS NOT NULL") == [(1,)]


async def test_counting_in_parts_is_counting_at_once(roadside: Roadside) -> None:
    loads = [6_500 + (place * 7_919) % 601 - 300 for place in range(400)]
    other = ALARMED._replace(lane=2)
    for part in (loads[:33], loads[33:260], loads[260:]):
        await _count(roadside.pool, ALARMED, part)
    await _count(roadside.pool, other, loads)
    (one, two) = await roadside.rows("SELECT state FROM drift ORDER BY lane")
    assert one == two


async def test_weighing_leaves_the_event_loop_free(
    roadside: Roadside, overloaded: Passage, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed_on = []

    def weigh(self: Weigher, *arguments: Any) -> list[Any]:
        weighed_on.append(threading.current_thread())
        return own(self, *arguments)

    own = Weigher.weigh
    monkeypatch.setattr(Weigher, "weigh", weigh)
    await roadside.send(overloaded.drafts[0])
    assert weighed_on
    assert threading.main_thread() not in weighed_on


async def test_a_waveform_becomes_a_case_and_its_package_holds_what_weighed_it(
    roadside: Roadside, overloaded: Passage, database_url: str, tmp_path: Path
) -> None:
    state = await roadside.install()
    for draft in overloaded.drafts:
        assert (await roadside.send(draft)).refusal is None
    ((event,),) = await roadside.rows("SELECT event_id FROM hit")
    settings = Settings(data=tmp_path / "data")
    shop = Workshop(
        pool=roadside.pool,
        blobs=roadside.blobs,
        engine=CountingEngine(),
        reading_slots=asyncio.Semaphore(1),
        seals=seals_of(settings),
        evidence_root=settings.evidence_root,
        log_root=settings.log_root,
    )
    async with await connect(database_url, autocommit=True) as writer:
        bench = Bench(shop, CountingEngine(), settings, writer)
        await bench.log()
        await settle(shop, event)
        await bench.log()
        await complete(shop, event)
    assert await roadside.rows("SELECT count(*) FROM case_file") == [(1,)]
    folder = settings.evidence_root / f"EV-{event}"
    assert verify_package(folder, shop.seals.trust).ok
    assert (folder / "data/wire/waveform.zcwf").read_bytes() == overloaded.drafts[0].body
    assert (folder / "data/station/calibration.json").read_bytes() == state.canonical()
    ((installed_at,),) = await roadside.rows("SELECT installed_at FROM calibration_state")
    arrival = json.loads((folder / "data/arrival.json").read_bytes())
    assert arrival["calibration_installed_at"] == utc_text(installed_at)
    sealed = json.loads((folder / "data/event.json").read_bytes())
    assert sealed["weighing"]["calibration"]["digest"] == state.digest
    assert sealed["weighing"]["gross_kg"] == sealed["record"]["gross_kg"]
    assert weighed_again(folder) == sealed["weighing"]


def weighed_again(folder: Path) -> dict[str, Any]:
    """Return how a sealed vehicle weighs by what lies in its package, and nothing else."""
    payload = (folder / "data/wire/waveform.zcwf").read_bytes()
    headers = json.loads((folder / "data/wire/waveform.zcwf.headers.json").read_bytes())
    arrival = json.loads((folder / "data/arrival.json").read_bytes())
    sent_at = arrival["station_sent_at"].get("waveform.zcwf")
    received_at = datetime.fromisoformat(arrival["record"]["received_at"])
    properties = [(key, value) for key, value in headers["properties"]]
    wire = Wire(
        topic=headers["topic"],
        payload=payload,
        content_type=headers["content_type"],
        properties=tuple(properties + ([("sent_at", sent_at)] if sent_at else [])),
        received_at=received_at,
    )
    (arrived,) = DECODERS.arrivals(wire, now=received_at)
    assert isinstance(arrived, Accepted)
    message = arrived.decoded
    assert isinstance(message, WaveformMessage)
    state = CalibrationState.from_document(
        json.loads((folder / "data/station/calibration.json").read_bytes())
    )
    (result,) = weigh_waveforms([Signals(message.waveform, message.samples, state)])
    assert isinstance(result, Weighed)
    groups = json.loads((folder / "data/event.json").read_bytes())["screening"]["groups"]
    weighing = result.with_groups([(one["first_axle"], one["axle_count"]) for one in groups])
    return weighing.model_dump(mode="json")


async def test_a_calibration_altered_in_the_database_is_not_used(
    roadside: Roadside, overloaded: Passage
) -> None:
    await roadside.install()
    async with roadside.pool.connection() as conn:
        await conn.execute("UPDATE calibration_state SET document = document || '{\"passes\": 7}'")
    await roadside.send(overloaded.drafts[0])
    screening = await roadside.screening()
    assert (screening["outcome"], screening["reasons"]) == ("statistics-only", ["calibration-unreadable"])


_SECOND_SCALE: tuple[LiteralString, ...] = (
    "INSERT INTO device SELECT station_id, 'wim-2', kind, decoder, valid_from, valid_to FROM device "
    "WHERE device_id = 'wim-1'",
    "INSERT INTO certificate SELECT station_id, 'wim-2', number || '-2', issued_by, accuracy_class, "
    "mpe_in_service_ppm, min_speed_m_h, max_speed_m_h, lanes, valid_from, valid_to FROM certificate "
    "WHERE device_id = 'wim-1'",
)


@pytest.mark.parametrize("change", [{"algorithm": "zhichao-calibration/0"}, {"of_a_later_schema": 1}])
async def test_a_calibration_of_another_version_stops_nobody(
    roadside: Roadside, overloaded: Passage, change: dict[str, Any]
) -> None:
    async with roadside.pool.connection() as conn:
        for statement in _SECOND_SCALE:
            await conn.execute(statement)
    await roadside.install()
    await roadside.install(device="wim-2")
    async with roadside.pool.connection() as conn:
        await conn.execute(
            "UPDATE calibration_state SET document = document || %s WHERE device_id = %s",
            [Jsonb(change), DEVICE],
        )
    fates = await roadside.send_all(overloaded.drafts[0], devices=(DEVICE, "wim-2", DEVICE))
    assert [one.refusal for one in fates] == [None] * 3
    rows = await roadside.rows("SELECT device_id, screening, weighing FROM passage ORDER BY sequence")
    assert [(device, screening["outcome"], screening["reasons"]) for device, screening, _ in rows] == [
        (DEVICE, "statistics-only", ["calibration-unreadable"]),
        ("wim-2", "overloaded", []),
        (DEVICE, "statistics-only", ["calibration-unreadable"]),
    ]
    assert [weighing["calibration"] is None for _, _, weighing in rows] == [True, False, True]


async def test_a_drift_test_that_cannot_go_on_is_an_alarm_and_stops_no_other(roadside: Roadside) -> None:
    calm = [6_500 + (place * 7_919) % 601 - 300 for place in range(60)]
    foreign, stuck, other = ALARMED, ALARMED._replace(lane=2), ALARMED._replace(lane=3)
    for watched in (foreign, stuck, other):
        await _count(roadside.pool, watched, calm)
    async with roadside.pool.connection() as conn:
        await conn.execute("UPDATE drift SET state = '{\"later\": 1}' WHERE lane = 1")
        await conn.execute("UPDATE drift SET state = state || '{\"batches\": 500}' WHERE lane = 2")
        await add_samples(conn, _axles(foreign, calm, 0) + _axles(stuck, calm, 1) + _axles(other, calm, 2))
    assert await count_axles(roadside.pool) == 3 * len(calm)
    rows = await roadside.rows("SELECT lane, alarm_since IS NOT NULL, state FROM drift ORDER BY lane")
    assert [row[:2] for row in rows] == [(1, True), (2, True), (3, False)]
    assert rows[0][2] == {"later": 1}
    assert rows[2][2]["batches"] == 2
    assert await roadside.rows("SELECT count(*) FROM drift_sample") == [(0,)]


async def test_a_waveform_refused_is_weighed_once_its_device_is_known(
    roadside: Roadside, overloaded: Passage
) -> None:
    await roadside.install()
    async with roadside.pool.connection() as conn:
        await conn.execute("UPDATE device SET valid_from = '2026-12-01' WHERE device_id = 'wim-1'")
    settled = await roadside.send(overloaded.drafts[0])
    assert settled.refusal is not None
    assert settled.refusal.code is RefusalCode.UNKNOWN_DEVICE
    async with roadside.pool.connection() as conn:
        await conn.execute("UPDATE device SET valid_from = '2026-01-01' WHERE device_id = 'wim-1'")
    ((kept,),) = await roadside.rows("SELECT quarantine_id FROM quarantine")
    await accept_again(roadside.pool, roadside.blobs, roadside.sink, DECODERS, kept)
    assert equals_oracle(await roadside.screening(), overloaded.truth["oracle"])
