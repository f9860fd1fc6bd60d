"""Devices' signatures in a sealed package: who seals anything at all still cannot sign for a station.

Every attack here is sealed anew with the deployment's own keys, so that no other layer notices.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.device_signatures import DeviceKey, DeviceSignature, SignatureState
from domain.errors import ConfigurationError
from domain.events import CaptureMessage, CaptureRole, WeighMessage
from domain.ids import DeviceId, StationId, sha256_of
from domain.units import utc_text
from evidence import (
    ClipItem,
    ImageItem,
    KeySigner,
    PackageContents,
    Policy,
    Report,
    Trust,
    WireItem,
    verify_package,
)
from evidence.device import DeviceMessage, check_message, read_message, sign_message
from evidence.parsing import base64_text, canonical_json
from evidence.trust import trust_bytes, trust_file
from ingest.decoders.gateway_json import make_decoder
from ingest.limits import Limits
from tests.fixtures.evidence import CAPTURED_AT, Deployment, contents, event_number, image
from tests.unit.ingest.samples import NOW, framed, picture_frame, weigh_frame
from tests.unit.ingest.samples import wire as sent

pytestmark = pytest.mark.usefixtures("second_opinion")

SCALE = KeySigner("wim-1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
CAMERA = KeySigner("cam-front", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
THIEF = KeySigner("thief", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
MATCH_KEY = "m-1"
ASKED = Policy(require_device_signature=True)


def key_of(device: str, signer: KeySigner) -> DeviceKey:
    """A device's key as registered."""
    return DeviceKey(
        station=StationId("S1"),
        device=DeviceId(device),
        key_id="k1",
        ed25519=base64_text(signer.public_key),
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
    )


KEYS = (key_of("wim-1", SCALE), key_of("cam-front", CAMERA))


def head(device: str, number: str = "1", **extra: str) -> dict[str, str]:
    """A message's header."""
    return {
        "schema": "1",
        "station": "S1",
        "device": device,
        "epoch": "e0",
        "seq": number,
        "captured_at": utc_text(CAPTURED_AT),
        "sent_at": utc_text(CAPTURED_AT + timedelta(seconds=1)),
        "clock_source": "gnss",
        **extra,
    }


def item(
    name: str, topic: str, header: dict[str, str], payload: bytes, keys: tuple[DeviceKey, ...] = KEYS
) -> WireItem:
    """A message as it was found on arrival."""
    found = check_message(DeviceMessage(topic, header, sha256_of(payload)), keys)
    return WireItem(name, payload, topic, tuple(header.items()), "application/json", found)


def record(
    number: int = 1, *, signer: KeySigner | None = SCALE, match_key: str = MATCH_KEY, **changes: str
) -> WireItem:
    """The weigh record of an event, signed."""
    topic, payload = "zhichao/v1/S1/wim-1/weigh", canonical_json({"gross_kg": 52_340, "match_key": match_key})
    header = head("wim-1", str(number), **changes)
    if signer is not None:
        header = sign_message(DeviceMessage(topic, header, sha256_of(payload)), "k1", signer)
    return item("weigh.json", topic, header, payload)


def capture(
    image: ImageItem | ClipItem,
    *,
    signer: KeySigner | None = CAMERA,
    match_key: str = MATCH_KEY,
    after_s: float = 0.0,
) -> WireItem:
    """The message an image came in, signed; taken so long after the record."""
    topic = f"zhichao/v1/S1/{image.device}/capture"
    extra = {"match_key": match_key, "role": image.role.value, "sha256": image.sha256}
    extra["captured_at"] = utc_text(CAPTURED_AT + timedelta(seconds=after_s))
    header = head(image.device, **extra)
    if signer is not None:
        header = sign_message(DeviceMessage(topic, header, image.sha256), "k1", signer)
    return item(f"capture-{image.role.value}.bin", topic, header, image.data)


def parts(*wire: WireItem) -> PackageContents:
    """A package of a record and its front image, both signed; or of other messages."""
    made = contents()
    front = made.images[1]
    event = {**made.event, "record": {"match_key": MATCH_KEY}}
    return replace(made, event=event, images=(front,), wire=wire or (record(), capture(front)))


FRONT = contents().images[1]


def sealed(deployment: Deployment, made: PackageContents, **options: Any) -> Report:
    """What verifying says of a package sealed by the deployment itself."""
    return deployment.verify(deployment.seal(made), **options)


def told(report: Report) -> str:
    """What the layer says; it holds."""
    assert report.broken == ()
    return next(layer.detail for layer in report.layers if layer.name == "device")


def objection(report: Report) -> str:
    """What the layer says, which alone does not hold."""
    assert report.broken == ("device",)
    return next(layer.detail for layer in report.layers if layer.name == "device")


def with_devices(deployment: Deployment, *entries: dict[str, str]) -> Trust:
    """The deployment's trust file with devices' keys listed."""
    return Trust.parse(trust_bytes(trust_file(deployment.keys) | {"devices": list(entries)}))


def listed(device: str, signer: KeySigner, **life: str) -> dict[str, str]:
    """A trust file's entry of a device's key."""
    return {"station": "S1", "device": device, "ed25519": base64_text(signer.public_key), **life}


BOTH = (listed("wim-1", SCALE), listed("cam-front", CAMERA))


def test_messages_signed_by_their_devices_hold_under_every_demand(deployment: Deployment) -> None:
    package = deployment.seal(parts())
    assert told(deployment.verify(package, policy=ASKED)) == "signed by S1/cam-front, S1/wim-1"
    assert verify_package(package, with_devices(deployment, *BOTH), policy=ASKED).ok
    event = json.loads((package / "data/event.json").read_bytes())
    states = [one["device_signature"] for one in event["originals"]["wire"]]
    assert states == [{"state": "valid", "key_id": "k1"}] * 2
    keys = json.loads((package / "data/station/device-keys.json").read_bytes())["keys"]
    assert {one["device"]: one["ed25519"] for one in keys} == {one.device: one.ed25519 for one in KEYS}


def test_a_package_without_device_signatures_says_so_and_holds_unless_they_are_asked_for(
    deployment: Deployment,
) -> None:
    package = deployment.seal(parts(record(signer=None), capture(FRONT, signer=None)))
    assert told(deployment.verify(package)) == "no device signature: S1/cam-front, S1/wim-1"
    assert "the policy asks for it" in objection(deployment.verify(package, policy=ASKED))
    assert not (package / "data/station/device-keys.json").exists()


def test_one_unsigned_message_is_enough_to_fail_the_demand(deployment: Deployment) -> None:
    package = deployment.seal(parts(record(), capture(FRONT, signer=None)))
    assert told(deployment.verify(package)) == "signed by S1/wim-1; no device signature: S1/cam-front"
    assert "not signed by their devices: S1/cam-front" in objection(deployment.verify(package, policy=ASKED))


def test_a_message_over_mqtt_311_is_checked_behind_its_frame(deployment: Deployment) -> None:
    five = record()
    payload = framed(
        five.topic, dict(five.properties) | {"content_type": "application/json"}, five.payload
    ).payload
    old = replace(five, payload=payload, properties=())
    assert told(sealed(deployment, parts(old, capture(FRONT)))) == "signed by S1/cam-front, S1/wim-1"


def swapped(one: WireItem) -> WireItem:
    """Another weight under the same signature."""
    return replace(one, payload=b'{"gross_kg":99340}')


def headed(one: WireItem, **changes: str | None) -> WireItem:
    """A header changed after it was signed, None taking a name away."""
    header = {**dict(one.properties), **changes}
    return replace(
        one, properties=tuple((name, value) for name, value in header.items() if value is not None)
    )


def foreign(one: WireItem) -> WireItem:
    """Signed by somebody else under the device's key id."""
    header = dict(one.properties)
    message = DeviceMessage(one.topic, header, sha256_of(one.payload))
    return replace(one, properties=tuple(sign_message(message, "k1", THIEF).items()))


UNDER_THE_SEAL: dict[str, tuple[str, Callable[[WireItem], WireItem]]] = {
    "swapped payload": ("does not hold", swapped),
    "replayed under another sequence": ("does not hold", lambda one: headed(one, seq="2")),
    "replayed in another epoch": ("does not hold", lambda one: headed(one, epoch="e1")),
    "replayed on another topic": (
        "does not hold",
        lambda one: replace(one, topic="zhichao/v1/S1/wim-1/waveform"),
    ),
    "back-dated": ("does not hold", lambda one: headed(one, captured_at="2026-03-20T08:29:00Z")),
    "signed by a thief": ("does not hold", foreign),
    "signature stripped": ("not as the event says", lambda one: headed(one, signature=None)),
    "said to be unsigned": (
        "not as the event says",
        lambda one: replace(one, signature=DeviceSignature(state=SignatureState.ABSENT)),
    ),
}


@pytest.mark.parametrize("attack", UNDER_THE_SEAL)
def test_an_insider_cannot_change_what_a_device_signed(deployment: Deployment, attack: str) -> None:
    words, change = UNDER_THE_SEAL[attack]
    assert words in objection(sealed(deployment, parts(change(record()), capture(FRONT))))


def test_a_signed_record_of_another_event_is_no_record_of_this_one(deployment: Deployment) -> None:
    assert "the record of another event" in objection(sealed(deployment, parts(record(2), capture(FRONT))))


def test_a_signed_image_of_another_passage_is_noticed(deployment: Deployment) -> None:
    other = capture(FRONT, match_key="m-2")
    assert "an image of another passage" in objection(sealed(deployment, parts(record(), other)))


@pytest.mark.parametrize("after_s", [-60.001, 60.001])
def test_a_signed_image_of_a_later_passage_does_not_join_by_a_match_key_used_again(
    deployment: Deployment, after_s: float
) -> None:
    other = capture(FRONT, after_s=after_s)
    assert "taken more than 60 s from the record" in objection(sealed(deployment, parts(record(), other)))
    unsigned = parts(record(2), capture(FRONT, signer=None, after_s=after_s))
    package = deployment.seal(replace(unsigned, event_id=event_number(2)))
    assert "no message carries" in told(deployment.verify(package))
    report = verify_package(package, with_devices(deployment, BOTH[0]))
    assert "taken more than 60 s from the record" in objection(report)


@pytest.mark.parametrize("after_s", [-60.0, 60.0])
def test_an_image_that_intake_would_pair_belongs_to_the_passage(
    deployment: Deployment, after_s: float
) -> None:
    report = sealed(deployment, parts(record(), capture(FRONT, after_s=after_s)))
    assert told(report) == "signed by S1/cam-front, S1/wim-1"


def test_a_signed_image_shown_as_another_side_is_noticed(deployment: Deployment) -> None:
    made = parts()
    rear = replace(FRONT, role=contents().images[0].role)
    assert "another image than the event lists" in objection(
        sealed(deployment, replace(made, images=(rear,)))
    )


def test_a_stripped_signature_fails_where_the_trust_file_lists_the_device(deployment: Deployment) -> None:
    """The downgrade: stripped, said to be absent, and sealed so; the trust file knows that it signs."""
    package = deployment.seal(parts(record(signer=None), capture(FRONT)))
    trust = with_devices(deployment, *BOTH)
    assert "signs by the trust file" in objection(verify_package(package, trust))
    later = with_devices(deployment, listed("wim-1", SCALE, valid_from="2026-04-01T00:00:00Z"), BOTH[1])
    assert verify_package(package, later).ok


def test_a_key_the_operator_registered_himself_is_not_the_devices_own(deployment: Deployment) -> None:
    """He signs as the station, and seals his key as the registered one; only the trust file knows better."""
    theirs = (key_of("wim-1", THIEF), KEYS[1])
    forged = foreign(record(signer=None))
    found = check_message(read_message(forged.topic, forged.properties, forged.payload), theirs)
    package = deployment.seal(parts(replace(forged, signature=found), capture(FRONT)))
    assert told(deployment.verify(package)) == "signed by S1/cam-front, S1/wim-1"
    report = verify_package(package, with_devices(deployment, *BOTH))
    assert "is not in the trust file" in objection(report)


@pytest.mark.parametrize(
    ("life", "words"),
    [
        ({"valid_to": "2026-03-20T08:30:00.25Z"}, "was not valid at the time of capture"),
        ({"valid_from": "2026-03-20T08:30:00.26Z"}, "was not valid at the time of capture"),
        ({"valid_to": "2026-03-20T08:30:00.26Z"}, None),  # it had ended when the package was sealed
        ({"revoked_at": "2026-03-20T08:30:10Z"}, "was revoked"),  # after capture, before it was witnessed
        ({"revoked_at": "2026-03-21T00:00:00Z"}, None),
    ],
)
def test_key_expired_or_revoked_in_the_trust_file(
    deployment: Deployment, life: dict[str, str], words: str | None
) -> None:
    package = deployment.seal(parts())
    report = verify_package(package, with_devices(deployment, listed("wim-1", SCALE, **life), BOTH[1]))
    if words is not None:
        assert words in objection(report)
    else:
        assert ("was revoked later" in told(report)) is ("revoked_at" in life)


def test_keys_nobody_signed_with_do_not_belong_in_the_package(deployment: Deployment) -> None:
    unused = key_of("wim-1", THIEF).model_copy(update={"key_id": "k2"})
    absent = record(signer=None)
    listing = replace(absent, signature=absent.signature.model_copy(update={"key": unused}))
    assert "no message here is signed" in objection(sealed(deployment, parts(listing, capture(FRONT))))


def test_packages_of_before_signatures_were_checked_still_verify(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.package.signature_entry", lambda _: None)
    unregistered = replace(record(), signature=DeviceSignature(state=SignatureState.UNKNOWN_KEY))
    words = "no device signature: S1/cam-front; signed under a key that was not registered: S1/wim-1"
    assert told(sealed(deployment, parts(unregistered, capture(FRONT, signer=None)))) == words


def of_gateway(deployment: Deployment, *, frames: int = 2) -> Path:
    """The package of a gateway's event: a weigh frame, and one that packs two images."""
    wires = [sent("gateway/v1/G1/gw-1/frame", frame) for frame in (weigh_frame(), picture_frame())]
    decoder = make_decoder(Limits())
    weighed, *captures = [one for wire in wires for one in decoder.decode(wire, now=NOW)]
    assert isinstance(weighed, WeighMessage)
    images = [one for one in captures if isinstance(one, CaptureMessage)]
    deployment.now = weighed.header.captured_at + timedelta(seconds=40)
    made = contents(captured_at=weighed.header.captured_at)
    return deployment.seal(
        replace(
            made,
            event_id=weighed.header.event_id,
            wire=tuple(
                WireItem(f"{n}.json", one.payload, one.topic, ()) for n, one in enumerate(wires[:frames])
            ),
            images=tuple(
                ImageItem(one.meta.role, one.header.device, one.meta.sha256, one.image) for one in images
            ),
        )
    )


def test_a_gateways_frame_has_no_header_and_is_told_as_unsigned(deployment: Deployment) -> None:
    report = deployment.verify(of_gateway(deployment))
    assert told(report) == "no device signature: G1/gw-1"


def test_what_a_gateway_packs_into_one_frame_is_carried_by_it(deployment: Deployment) -> None:
    """Its station need not sign where the trust file lists devices of others."""
    package, trust = of_gateway(deployment), with_devices(deployment, *BOTH)
    assert told(verify_package(package, trust)) == "no device signature: G1/gw-1"
    assert "not signed by their devices" in objection(verify_package(package, trust, policy=ASKED))
    gateway = listed("gw-1", SCALE) | {"station": "G1"}
    assert "signs by the trust file" in objection(verify_package(package, with_devices(deployment, gateway)))


def test_pictures_whose_gateways_frame_was_left_out_are_missed(deployment: Deployment) -> None:
    package = of_gateway(deployment, frames=1)
    words = "no message carries data/images/01-front.jpg, data/images/02-plate.jpg"
    assert told(deployment.verify(package)) == f"no device signature: G1/gw-1; {words}"
    assert words in objection(verify_package(package, with_devices(deployment, *BOTH)))


ADDED = image(CaptureRole.FRONT, "cam-front", b"\xfe no device sent this")

LEFT_OUT: dict[str, tuple[str, Callable[[PackageContents], PackageContents]]] = {
    "the image's message": (
        "no message carries data/images/01-front.jpg",
        lambda made: replace(made, wire=made.wire[:1]),
    ),
    "the record's message": (
        "0 messages give the event's record",
        lambda made: replace(made, wire=made.wire[1:]),
    ),
    "every message": ("0 messages give the event's record", lambda made: replace(made, wire=())),
    "none, but an image that no device sent was added": (
        "no message carries data/images/0",
        lambda made: replace(made, images=(*made.images, ADDED)),
    ),
    "none, but another device's name was given to the image": (
        "is another image than the event lists",
        lambda made: replace(made, images=(replace(FRONT, device=DeviceId("cam-rear")),)),
    ),
    "none, but the record was given twice": (
        "2 messages give the event's record",
        lambda made: replace(made, wire=(*made.wire, replace(record(), name="again.json"))),
    ),
}


@pytest.mark.parametrize("attack", LEFT_OUT)
def test_a_deleted_message_is_missed_as_a_stripped_one_is(deployment: Deployment, attack: str) -> None:
    words, change = LEFT_OUT[attack]
    package = deployment.seal(change(parts()))
    assert words in objection(deployment.verify(package, policy=ASKED))
    assert words in objection(verify_package(package, with_devices(deployment, *BOTH)))


def test_originals_that_no_message_carries_are_told_where_nobody_asks(deployment: Deployment) -> None:
    words = "0 messages give the event's record, not one; no message carries data/images/01-front.jpg"
    assert told(sealed(deployment, replace(parts(), wire=()))) == words


def test_a_supplement_brings_the_messages_of_its_late_images(deployment: Deployment) -> None:
    rear = replace(contents().images[0], device=FRONT.device)
    whole = parts(record(), capture(FRONT), capture(rear))
    first = deployment.seal(parts())
    named = sha256_of((first / "tagmanifest-sha256.txt").read_bytes())
    late = replace(whole, images=(FRONT, rear), supplement=1, predecessor_tagmanifest=named)
    assert verify_package(deployment.seal(late), with_devices(deployment, *BOTH), policy=ASKED).ok


def test_a_stripped_message_cannot_be_dated_before_its_devices_key(deployment: Deployment) -> None:
    """The header of a message that is not signed is its sealer's to write; the event's time is not."""
    since = {"valid_from": "2026-03-01T00:00:00Z"}
    trust = with_devices(deployment, listed("wim-1", SCALE, **since), listed("cam-front", CAMERA, **since))
    dated: dict[str, Any] = {"captured_at": "2026-02-28T00:00:00Z"}
    package = deployment.seal(parts(record(signer=None, **dated), capture(FRONT)))
    assert "signs by the trust file" in objection(verify_package(package, trust))
    undated = headed(capture(FRONT, signer=None), **dated)
    pictured = replace(parts(record(), undated), event_id=event_number(2))
    other = deployment.seal(replace(pictured, wire=(record(2), undated)))
    assert "signs by the trust file" in objection(verify_package(other, trust))


@pytest.mark.parametrize(
    "changes",
    [{"number": 2}, {"captured_at": "2026-03-20T08:29:00Z"}],
    ids=["another number", "another time"],
)
def test_an_unsigned_record_of_another_event_is_no_record_of_this_one(
    deployment: Deployment, changes: dict[str, Any]
) -> None:
    package = deployment.seal(parts(record(signer=None, **changes), capture(FRONT)))
    assert "0 messages give the event's record" in told(deployment.verify(package))
    trust = with_devices(deployment, BOTH[1])
    assert "is the record of another event" in objection(verify_package(package, trust))
    genuine = parts(record(3, signer=None), capture(FRONT))
    assert verify_package(deployment.seal(replace(genuine, event_id=event_number(3))), trust).ok


def test_another_devices_topic_lends_an_unsigned_image_no_name(deployment: Deployment) -> None:
    """Sent by nobody the trust file lists, shown as the camera's."""
    lent = replace(capture(FRONT, signer=None), topic="zhichao/v1/S1/cam-9/capture")
    report = verify_package(deployment.seal(parts(record(), lent)), with_devices(deployment, *BOTH))
    assert "no message carries data/images/01-front.jpg" in objection(report)


def waveform() -> WireItem:
    """The signals of an event, signed; the description is all that is looked at."""
    description = canonical_json({"match_key": MATCH_KEY})
    payload = b"ZCWF" + struct.pack(">II", 1, len(description)) + description + bytes(64)
    topic = "zhichao/v1/S1/wim-1/waveform"
    header = sign_message(DeviceMessage(topic, head("wim-1"), sha256_of(payload)), "k1", SCALE)
    return item("waveform.zcwf", topic, header, payload)


@pytest.mark.parametrize("weighed", [record, waveform])
def test_signed_images_of_another_vehicle_do_not_join_by_what_the_sealer_writes(
    deployment: Deployment, weighed: Callable[[], WireItem]
) -> None:
    made = parts(weighed(), capture(FRONT, match_key="m-2"))
    rewritten = replace(made, event={**made.event, "record": {"match_key": "m-2"}})
    assert "is an image of another passage" in objection(sealed(deployment, rewritten))
    genuine = replace(parts(weighed(), capture(FRONT)), event_id=event_number(1))
    other = Deployment(deployment.folder / "other")
    assert told(sealed(other, genuine)) == "signed by S1/cam-front, S1/wim-1"


@pytest.mark.parametrize(
    "entry",
    [
        {"station": "S1", "device": "wim-1", "ed25519": "AAAA"},
        {"station": "S1", "device": "wim-1"},
        listed("wim-1", SCALE, revoked="2026-01-01T00:00:00Z"),
        listed("wim-1", SCALE, revoked_at="yesterday"),
        "S1/wim-1",
    ],
)
def test_a_trust_file_with_a_device_nobody_can_read_is_refused(deployment: Deployment, entry: Any) -> None:
    with pytest.raises(ConfigurationError):
        with_devices(deployment, entry)


def test_a_signed_clip_is_one_that_the_event_lists(deployment: Deployment) -> None:
    data = b"\x00\x00\x00\x18ftypisom" + bytes(40)
    clip = ClipItem(DeviceId("cam-front"), sha256_of(data), data)
    made = parts(record(), capture(FRONT), capture(clip))
    assert told(sealed(deployment, replace(made, clips=(clip,)))) == "signed by S1/cam-front, S1/wim-1"
