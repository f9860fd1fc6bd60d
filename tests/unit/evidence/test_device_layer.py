"""Devices' signatures in a sealed package: who seals anything at all still cannot sign for a station.

Every attack here is sealed anew with the deployment's own keys, so that no other layer notices.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.device_signatures import DeviceKey, DeviceSignature, SignatureState
from domain.errors import ConfigurationError
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
from evidence.parsing import base64_text
from evidence.trust import trust_bytes, trust_file
from tests.fixtures.evidence import CAPTURED_AT, Deployment, contents
from tests.unit.ingest.samples import framed

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


def record(number: int = 1, *, signer: KeySigner | None = SCALE, **changes: str) -> WireItem:
    """The weigh record of an event, signed."""
    topic, payload = "zhichao/v1/S1/wim-1/weigh", b'{"gross_kg":52340}'
    header = head("wim-1", str(number), **changes)
    if signer is not None:
        header = sign_message(DeviceMessage(topic, header, sha256_of(payload)), "k1", signer)
    return item("weigh.json", topic, header, payload)


def capture(
    image: ImageItem | ClipItem, *, signer: KeySigner | None = CAMERA, match_key: str = MATCH_KEY
) -> WireItem:
    """The message an image came in, signed."""
    topic = f"zhichao/v1/S1/{image.device}/capture"
    extra = {"match_key": match_key, "role": image.role.value, "sha256": image.sha256}
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
    assert told(sealed(deployment, parts(old))) == "signed by S1/wim-1"


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


def test_a_gateways_frame_has_no_header_and_is_told_as_unsigned(deployment: Deployment) -> None:
    frame = WireItem("weigh.json", b'{"frameType":1}', "gateway/v1/G1/gw-1/frame", ())
    assert told(sealed(deployment, parts(frame))) == "no device signature: G1/gw-1"


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
