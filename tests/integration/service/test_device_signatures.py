"""Messages that devices sign, from the wire into the database: what is taken, what is kept in quarantine."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.device_signatures import DeviceSignature
from domain.events import Wire
from domain.ids import DeviceId, Epoch, Sequence, StationId, event_id
from domain.plates import PlateClass, PlateColour, PlateReading
from domain.refusals import RefusalCode
from domain.units import utc_text
from evidence import KeySigner, Policy
from evidence.device import read_message, sign_message
from ingest.arrivals import Settled
from ingest.decoders import Decoders, load_decoders
from ingest.receipts import receipts
from service.checks.devices import check_devices
from service.settings import Settings
from service.steps.contents import contents_of
from service.steps.replay import accept_again
from service.steps.screen import Screener
from service.steps.store import DatabaseSink
from simulators.passages import Road
from simulators.registry import registry_toml
from simulators.scenario import load_scenario
from simulators.signing import signed as signed_by_station
from simulators.wire import number, with_sent_at
from store.blobs import BlobStore
from store.connection import Pool
from store.hits import lock_hit
from store.registry import load_registry, parse_registry
from tests.fixtures.evidence import Deployment
from tests.integration.store.messages import REGISTRY
from tests.unit.ingest.samples import NOW, capture, capture_header, framed, header, jpeg, weigh, weigh_body

pytestmark = pytest.mark.anyio

DECODERS = Decoders(load_decoders().values())
SIGNER = KeySigner("wim-1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = KeySigner("other", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
KEY = f"""
[[device_keys]]
station_id = "S1"
device_id = "wim-1"
key_id = "k1"
public_key = "{base64.b64encode(SIGNER.public_key).decode()}"
valid_from = 2026-01-01T00:00:00+08:00
"""
CAMERA = KeySigner("cam-front", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
CAMERA_KEY = KEY.replace('"wim-1"', '"cam-front"').replace(
    base64.b64encode(SIGNER.public_key).decode(), base64.b64encode(CAMERA.public_key).decode()
)


class Door:
    """The platform's door: wires in, what became of each out."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool = pool
        self.blobs = BlobStore(folder)
        self.sink = DatabaseSink(pool, self.blobs, Screener(Settings()), capture_wait=timedelta(seconds=60))

    async def register(self, *parts: str) -> None:
        async with self.pool.connection() as conn:
            await load_registry(conn, parse_registry("".join(parts)))

    async def send(self, *wires: Wire) -> list[RefusalCode | None]:
        return [one.refusal.code if one.refusal else None for one in await self.settle(*wires)]

    async def settle(self, *wires: Wire) -> list[Settled]:
        arrivals = [one for wire in wires for one in DECODERS.arrivals(wire, now=wire.received_at)]
        return list(await self.sink.store(arrivals))

    async def dropped(self, *wires: Wire) -> list[list[int]]:
        """The ranges of numbers that the receipts let the station drop."""
        made = receipts(await self.settle(*wires), at=NOW)
        return [each for receipt in made for each in json.loads(receipt.payload)["ranges"]]

    async def rows(self, table: str) -> int:
        return len(await self.column(f"SELECT 1 FROM {table}"))  # noqa: S608

    async def column(self, query: str) -> list[object]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(query.encode())
            return [row[0] for row in await cursor.fetchall()]

    async def found(self, table: str = "passage") -> list[DeviceSignature]:
        """What is stored of signatures."""
        stored = await self.column(f"SELECT device_signature FROM {table}")  # noqa: S608
        return [DeviceSignature.model_validate(one) for one in stored]


@pytest.fixture
async def door(pool: Pool, tmp_path: Path) -> Door:
    """A platform that knows station S1, its scale with a key and its camera without."""
    door = Door(pool, tmp_path)
    await door.register(REGISTRY, KEY)
    return door


def record(**changes: str | None) -> Wire:
    """An unsigned weigh record over MQTT 5."""
    return weigh(head=header(**changes))


def signed(wire: Wire, signer: KeySigner = SIGNER, key_id: str = "k1") -> Wire:
    """The message with its device's signature."""
    message = read_message(wire.topic, wire.properties, wire.payload)
    return _headed(wire, sign_message(message, key_id, signer))


def _headed(wire: Wire, head: dict[str, str]) -> Wire:
    return wire.model_copy(update={"properties": tuple(head.items())})


def changed(wire: Wire, **changes: str | None) -> Wire:
    """The message with header entries changed, None taken away, after it was signed."""
    head = {**dict(wire.properties), **changes}
    return _headed(wire, {name: value for name, value in head.items() if value is not None})


async def test_a_signed_record_is_stored_with_the_key_as_it_stood(door: Door) -> None:
    assert await door.send(signed(record())) == [None]
    await door.register(KEY, "valid_to = 2026-11-24T00:00:00+08:00")
    (found,) = await door.found()
    assert (found.state, found.key_id) == ("valid", "k1")
    assert found.key is not None
    assert found.key.public_key == SIGNER.public_key
    assert found.key.valid_to is None


async def test_a_signed_image_and_one_over_mqtt_311_are_valid(door: Door) -> None:
    await door.register(CAMERA_KEY)
    message = signed(record())
    old = framed(message.topic, dict(message.properties), message.payload)
    assert await door.send(signed(capture(), CAMERA), old) == [None, None]
    assert [one.state for one in [*await door.found("capture"), *await door.found()]] == ["valid", "valid"]


async def test_a_device_without_a_key_is_marked_as_unsigned(door: Door) -> None:
    assert await door.send(capture()) == [None]
    assert await door.found("capture") == [DeviceSignature(state="absent")]


async def test_a_signature_that_nobody_can_check_is_marked_so(door: Door) -> None:
    assert await door.send(signed(capture(), CAMERA)) == [None]
    assert await door.found("capture") == [DeviceSignature(state="unknown-key", key_id="k1")]


ATTACKS: dict[str, tuple[RefusalCode, Callable[[Wire], Wire]]] = {
    "swapped payload": (
        RefusalCode.SIGNATURE_INVALID,
        lambda wire: wire.model_copy(update={"payload": weigh(weigh_body(speed_kmh=10)).payload}),
    ),
    "replay under another sequence": (RefusalCode.SIGNATURE_INVALID, lambda wire: changed(wire, seq="8")),
    "replay in another epoch": (RefusalCode.SIGNATURE_INVALID, lambda wire: changed(wire, epoch="e1")),
    "another time of capture": (
        RefusalCode.SIGNATURE_INVALID,
        lambda wire: changed(wire, captured_at="2026-11-23T08:00:01Z"),
    ),
    "signed by another key": (RefusalCode.SIGNATURE_INVALID, lambda wire: signed(wire, OTHER)),
    "a key of the attacker's own": (
        RefusalCode.SIGNATURE_UNKNOWN_KEY,
        lambda wire: signed(changed(wire, key_id=None), OTHER, "k2"),
    ),
    "signature stripped": (RefusalCode.SIGNATURE_MISSING, lambda wire: changed(wire, signature=None)),
    "downgrade to a header without a key": (
        RefusalCode.SIGNATURE_MISSING,
        lambda wire: changed(wire, signature=None, key_id=None),
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_message_its_device_did_not_send_becomes_nothing_and_is_kept(door: Door, attack: str) -> None:
    """Nor does it keep the device's own message of that number out, though it came first."""
    code, forge = ATTACKS[attack]
    genuine = signed(record())
    assert await door.send(forge(genuine)) == [code]
    assert (await door.rows("passage"), await door.rows("ledger")) == (0, 0)
    assert await door.column("SELECT code FROM quarantine") == [code.value]
    assert await door.send(genuine, forge(genuine)) == [None, code]
    assert [one.state for one in await door.found()] == ["valid"]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_number_does_not_make_the_station_drop_its_own_message(
    door: Door, attack: str
) -> None:
    genuine = signed(record())
    forged = ATTACKS[attack][1](genuine)
    claimed = int(dict(forged.properties)["seq"])
    assert await door.dropped(forged) == []
    assert await door.dropped(genuine, forged, genuine) == [[7, 7]]
    assert [one.sequence for one in await door.settle(forged)] == [claimed]


SPOILT: dict[str, Callable[[Wire], Wire]] = {
    "sent_at of another day": lambda wire: changed(wire, sent_at="2026-11-20T08:00:04Z"),
    "sent_at before the capture": lambda wire: changed(wire, sent_at="2026-11-23T07:00:00Z"),
    "no sent_at": lambda wire: changed(wire, sent_at=None),
    "sent_at no time": lambda wire: changed(wire, sent_at="soon"),
    "another content type": lambda wire: wire.model_copy(update={"content_type": "text/plain"}),
    "another content type in the frame": lambda wire: framed(
        wire.topic, {**dict(wire.properties), "content_type": "text/plain"}, wire.payload
    ),
}


@pytest.mark.parametrize("attack", SPOILT)
async def test_a_genuine_message_spoilt_on_its_way_does_not_keep_itself_out(door: Door, attack: str) -> None:
    """What a signature is not over, anybody can change: neither number nor spool may be lost by it."""
    genuine = signed(record())
    assert await door.dropped(SPOILT[attack](genuine)) == []
    assert (await door.rows("ledger"), await door.rows("quarantine")) == (0, 1)
    assert await door.dropped(genuine) == [[7, 7]]
    assert [one.state for one in await door.found()] == ["valid"]


@pytest.mark.parametrize(
    "message",
    [weigh().payload, b"{" + bytes(100_000)],
    ids=["in its row", "a blob"],
)
async def test_an_unsigned_message_resent_in_a_fresh_frame_stays_one_row_of_quarantine(
    door: Door, message: bytes
) -> None:
    """MQTT 3.1.1: nothing tells the station why no receipt comes, and every sending has its own `sent_at`."""
    sendings = [
        framed(
            record().topic, {**dict(record().properties), "sent_at": f"2026-11-23T08:00:0{second}Z"}, message
        )
        for second in (4, 5, 6)
    ]
    first, *later = await door.send(*sendings[:2]) + await door.send(sendings[2])
    assert first is not None
    assert later == [first, first]
    assert await door.rows("quarantine") == 1
    assert await door.rows("blob") <= 1
    other = framed(record().topic, dict(record().properties), message + b" ")
    await door.send(other)
    assert await door.rows("quarantine") == 2


async def test_refused_messages_that_do_not_say_which_they_are_are_each_kept(door: Door) -> None:
    """Two of the same content in frames of their own may be two passages."""
    nameless = {name: value for name, value in record().properties if name != "epoch"}
    for second in (4, 5):
        sent_at = {"sent_at": f"2026-11-23T08:00:0{second}Z"}
        await door.send(framed(record().topic, nameless | sent_at, weigh().payload))
    assert await door.rows("quarantine") == 2


async def test_what_the_device_itself_sent_wrongly_is_dropped_from_its_spool(door: Door) -> None:
    assert await door.dropped(signed(weigh(b"{", header()))) == [[7, 7]]
    elsewhere = signed(record(seq="8", captured_at="2026-09-23T08:00:00Z"))
    assert await door.dropped(elsewhere) == [[8, 8]]


async def test_messages_of_an_earlier_epoch_do_not_come_back(door: Door) -> None:
    """A count begun anew frees no number of the old one: what was kept of it is still a duplicate."""
    old = signed(record(seq="7"))
    new = signed(record(epoch="e1", seq="0", captured_at="2026-11-23T08:00:01Z"))
    assert await door.send(old, new, old) == [None] * 3
    assert await door.rows("passage") == 2
    assert await door.column("SELECT duplicates FROM ledger ORDER BY epoch") == [1, 0]


async def test_an_unsigned_message_dated_before_the_key_becomes_nothing(door: Door) -> None:
    """Its time of capture is the forger's to write; when it was received is not."""
    await door.register(KEY.replace("2026-01-01T00:00:00+08:00", "2026-11-23T08:00:00Z"))
    back_dated = record(captured_at="2026-11-22T08:00:00Z")
    assert await door.dropped(back_dated) == []
    assert await door.column("SELECT code FROM quarantine") == ["signature-missing"]


async def test_unsigned_messages_do_not_count_again_once_the_key_has_ended(door: Door) -> None:
    await door.register(KEY, "valid_to = 2026-11-23T08:00:00Z")
    assert await door.send(record()) == [RefusalCode.SIGNATURE_MISSING]


def with_grace(until: str) -> str:
    return REGISTRY.replace('kind = "wim"', f'kind = "wim"\nunsigned_until = {until}')


async def test_what_a_spool_held_before_the_key_is_let_in_unsigned_as_long_as_the_operator_says(
    door: Door,
) -> None:
    """And what was refused meanwhile is taken from quarantine, by when it was received."""
    await door.register(KEY.replace("2026-01-01T00:00:00+08:00", "2026-11-23T08:00:00Z"))
    before, since = "2026-11-22T08:00:00Z", "2026-11-23T08:00:00Z"
    waited = record(seq="1", captured_at=before)
    assert await door.send(waited) == [RefusalCode.SIGNATURE_MISSING]
    await door.register(with_grace("2026-11-23T08:00:06Z"))
    assert await door.send(record(seq="2", captured_at=before)) == [None]
    assert await door.send(record(seq="3", captured_at=since)) == [RefusalCode.SIGNATURE_MISSING]
    late = record(seq="4", captured_at=before).model_copy(update={"received_at": NOW + timedelta(seconds=1)})
    assert await door.send(late) == [RefusalCode.SIGNATURE_MISSING]
    first = await door.column("SELECT min(quarantine_id) FROM quarantine")
    await accept_again(door.pool, door.blobs, door.sink, DECODERS, int(str(first[0])))
    assert [one.state for one in await door.found()] == ["absent", "absent"]


STATUS = Wire(
    topic="zhichao/v1/S1/wim-1/status",
    content_type="application/json",
    payload=b'{"state":"online","sent_at":"2026-11-23T08:00:04Z","spool_messages":3}',
    properties=(("schema", "1"), ("station", "S1"), ("device", "wim-1")),
    received_at=NOW,
)
SIGNED_STATUS = signed(STATUS)
FALSE_STATUSES: dict[str, tuple[RefusalCode, Wire]] = {
    "signature stripped": (
        RefusalCode.SIGNATURE_MISSING,
        SIGNED_STATUS.model_copy(update={"properties": ()}),
    ),
    "a better clock": (
        RefusalCode.SIGNATURE_INVALID,
        SIGNED_STATUS.model_copy(update={"payload": STATUS.payload.replace(b"04Z", b"05Z")}),
    ),
    "signed by another key": (RefusalCode.SIGNATURE_INVALID, signed(STATUS, OTHER)),
    "a key of the attacker's own": (RefusalCode.SIGNATURE_UNKNOWN_KEY, signed(STATUS, OTHER, "k2")),
    "another device's": (
        RefusalCode.SIGNATURE_INVALID,
        changed(
            signed(STATUS.model_copy(update={"topic": STATUS.topic.replace("wim-1", "cam-front")}), SIGNER),
            key_id="k1",
        ).model_copy(update={"topic": STATUS.topic}),
    ),
}


@pytest.mark.parametrize("attack", FALSE_STATUSES)
async def test_a_status_its_device_did_not_send_says_nothing_and_is_kept(door: Door, attack: str) -> None:
    code, forged = FALSE_STATUSES[attack]
    assert await door.send(forged) == [code]
    assert (await door.rows("station_status"), await door.rows("quarantine")) == (0, 1)


async def test_a_signed_status_counts_in_both_protocols(door: Door) -> None:
    old = framed(STATUS.topic, dict(SIGNED_STATUS.properties), STATUS.payload)
    assert await door.send(SIGNED_STATUS) == [None]
    assert await door.send(old.model_copy(update={"content_type": None})) == [None]
    assert await door.column("SELECT spool_messages FROM station_status") == [3]


async def test_a_status_under_a_revoked_key_says_nothing(door: Door) -> None:
    await door.register(KEY, f"revoked_at = {NOW.isoformat()}")
    assert await door.send(SIGNED_STATUS) == [RefusalCode.SIGNATURE_UNKNOWN_KEY]


async def test_doctor_tells_of_refused_signatures(door: Door) -> None:
    now = datetime.now(UTC)
    recent = {"captured_at": utc_text(now), "sent_at": utc_text(now)}
    forged = changed(signed(record(seq="1", **recent)), seq="2")
    wires = [record(seq="3", **recent), forged]
    await door.send(*(wire.model_copy(update={"received_at": now}) for wire in wires))
    async with door.pool.connection() as conn:
        (found,) = await check_devices(Settings(), conn)
    assert found.verdict == "warning"
    assert "signature-invalid 1 x, signature-missing 1 x" in found.detail


async def test_a_capture_replayed_for_another_vehicle_becomes_nothing(door: Door) -> None:
    await door.register(CAMERA_KEY)
    forged = changed(signed(capture(), CAMERA), match_key="20261123-000018")
    assert await door.send(forged) == [RefusalCode.SIGNATURE_INVALID]
    assert await door.rows("capture") == 0


async def test_a_replay_on_another_devices_topic_becomes_nothing(door: Door) -> None:
    """The second scale has no key: only the signature taken over tells that the record is not its own."""
    second = REGISTRY.replace("wim-1", "wim-2")
    await door.register(second)
    genuine = signed(record())
    moved = changed(genuine, device="wim-2").model_copy(update={"topic": genuine.topic.replace("-1/", "-2/")})
    await door.send(moved)
    assert [one.state for one in await door.found()] == ["unknown-key"]


async def test_an_expired_key_signs_nothing_captured_since(door: Door) -> None:
    await door.register(KEY, "valid_to = 2026-11-23T08:00:00Z")
    assert await door.send(signed(record())) == [RefusalCode.SIGNATURE_UNKNOWN_KEY]
    earlier = record(seq="6", captured_at="2026-11-23T07:59:59Z")
    assert await door.send(signed(earlier)) == [None]


async def test_a_revoked_key_signs_nothing_received_since_however_it_is_dated(door: Door) -> None:
    await door.register(KEY, f"revoked_at = {NOW.isoformat()}")
    back_dated = record(seq="6", captured_at="2026-11-01T00:00:00Z")
    assert await door.send(signed(record()), signed(back_dated)) == [RefusalCode.SIGNATURE_UNKNOWN_KEY] * 2
    assert await door.send(record(seq="9")) == [RefusalCode.SIGNATURE_MISSING]


async def test_before_its_first_key_a_device_sends_unsigned(door: Door) -> None:
    assert await door.send(capture()) == [None]
    later = CAMERA_KEY.replace("2026-01-01", "2026-11-24")
    await door.register(later)
    assert await door.send(capture(head=capture_header(jpeg(), seq="8"))) == [None]


@pytest.mark.parametrize(
    ("policy", "unsigned", "forged"),
    [
        ("required", RefusalCode.SIGNATURE_MISSING, RefusalCode.SIGNATURE_INVALID),
        ("if-keyed", RefusalCode.SIGNATURE_MISSING, RefusalCode.SIGNATURE_INVALID),
        ("optional", None, RefusalCode.SIGNATURE_INVALID),
    ],
)
async def test_the_operator_says_what_a_device_must_carry(
    door: Door, policy: str, unsigned: RefusalCode | None, forged: RefusalCode
) -> None:
    await door.register(REGISTRY.replace('kind = "wim"', f'kind = "wim"\nsignature = "{policy}"'))
    assert await door.send(record(seq="1"), changed(signed(record(seq="2")), seq="3")) == [unsigned, forged]


async def test_required_holds_without_any_key_in_force(door: Door) -> None:
    await door.register(REGISTRY.replace('kind = "camera"', 'kind = "camera"\nsignature = "required"'))
    other = capture(head=capture_header(jpeg(), seq="8"))
    codes = [RefusalCode.SIGNATURE_MISSING, RefusalCode.SIGNATURE_UNKNOWN_KEY]
    assert await door.send(capture(), signed(other)) == codes


async def test_a_forged_unreadable_message_does_not_take_the_genuine_ones_number(door: Door) -> None:
    assert await door.send(weigh(b"{", header())) == [RefusalCode.BROKEN_JSON]
    assert await door.rows("ledger") == 0
    assert await door.send(signed(record())) == [None]


async def test_an_unreadable_message_of_the_device_itself_keeps_its_number(door: Door) -> None:
    broken = signed(weigh(b"{", header()))
    assert await door.send(broken, broken) == [RefusalCode.BROKEN_JSON] * 2
    assert await door.column("SELECT duplicates FROM ledger") == [1]


async def test_what_was_refused_for_a_key_registered_late_is_taken_again(door: Door) -> None:
    rotated = signed(record(), OTHER, "k2")
    assert await door.send(rotated) == [RefusalCode.SIGNATURE_UNKNOWN_KEY]
    public = base64.b64encode(OTHER.public_key).decode()
    await door.register(
        KEY.replace('"k1"', '"k2"').replace(base64.b64encode(SIGNER.public_key).decode(), public)
    )
    (number,) = await door.column("SELECT quarantine_id FROM quarantine")
    assert isinstance(number, int)
    await accept_again(door.pool, door.blobs, door.sink, DECODERS, number)
    assert [one.state for one in await door.found()] == ["valid"]


OVERLOADED = weigh_body(
    gross_kg=61_400,
    axles=[{"load_kg": load, "tyres": "dual"} for load in (6_400, 11_000, 11_000, 11_000, 11_000, 11_000)],
    flags=[],
)
NOT_READ = PlateReading(
    text=None,
    confidence_ppm=0,
    plate_class=PlateClass.UNKNOWN,
    colour=PlateColour.UNKNOWN,
    trailer_text=None,
    captures=(),
    engine="none",
    models={},
)


async def test_a_signature_goes_from_the_wire_into_the_package_and_is_checked_there(
    door: Door, deployment: Deployment
) -> None:
    """The record over MQTT 3.1.1, its image over MQTT 5."""
    await door.register(CAMERA_KEY)
    message = signed(weigh(OVERLOADED, header()))
    old = framed(message.topic, dict(message.properties), message.payload)
    assert await door.send(old, signed(capture(), CAMERA)) == [None, None]
    async with door.pool.connection() as conn:
        hit = await lock_hit(conn, event_id(StationId("S1"), DeviceId("wim-1"), Epoch("e0"), Sequence(7)))
    made = contents_of(hit, hit.captures, NOT_READ, door.blobs)
    deployment.now = NOW
    package = deployment.seal(made)
    report = deployment.verify(package, policy=Policy(require_device_signature=True))
    assert {layer.name: layer.detail for layer in report.layers}[
        "device"
    ] == "signed by S1/cam-front, S1/wim-1"
    assert report.broken == ()
    entries = json.loads((package / "data/event.json").read_bytes())["originals"]["wire"]
    assert [entry["device_signature"] for entry in entries] == [{"state": "valid", "key_id": "k1"}] * 2


async def test_the_demos_stations_are_taken_signed_or_not(door: Door) -> None:
    """Two of them sign, one of these over MQTT 3.1.1; the keys are those of the scenario's own registry."""
    demo = load_scenario("three-stations")
    await door.register(registry_toml(demo, 2026))
    wires = []
    for station in demo.stations:
        for place, draft in enumerate(
            Road(demo, station, 1).passage(0, NOW - timedelta(seconds=3), "e").drafts
        ):
            plain = number(draft, station=station.station, epoch="e", sequence=place)
            made = signed_by_station(plain) if station.signs else plain
            head = with_sent_at(made, NOW - timedelta(seconds=1))
            five = Wire(
                topic=made.topic,
                payload=made.body,
                content_type=made.content_type,
                properties=tuple(head.items()),
                received_at=NOW,
            )
            old = framed(made.topic, head | {"content_type": made.content_type}, made.body)
            wires.append(old if station is demo.stations[-1] else five)
    assert set(await door.send(*wires)) == {None}
    states = "SELECT station_id || ' ' || (device_signature ->> 'state') FROM {} GROUP BY 1 ORDER BY 1"
    expected = ["SIM-K0019 valid", "SIM-K0087 absent", "SIM-K2310 valid"]
    assert await door.column(states.format("passage")) == expected
    assert await door.column(states.format("capture")) == expected
