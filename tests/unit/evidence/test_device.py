"""A device's own signature: what it is over, and that no other message takes it over."""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.device_signatures import DeviceKey, DeviceSignature, SignatureState
from domain.errors import EvidenceBroken
from domain.ids import DeviceId, Sha256, StationId, sha256_of
from evidence import KeySigner
from evidence.device import DeviceMessage, check_message, read_message, sign_message, signed_bytes
from tests.components import ROOT
from tests.counts import count
from tests.unit.ingest.samples import capture_header, framed, header, jpeg

PROSE = (ROOT / "docs" / "reference" / "mqtt.md").read_text(encoding="utf-8")
TOPIC = "zhichao/v1/S1/wim-1/weigh"
SIGNER = KeySigner("wim-1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = KeySigner("cam-front", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
KEY = DeviceKey(
    station=StationId("S1"),
    device=DeviceId("wim-1"),
    key_id="k1",
    ed25519=base64.b64encode(SIGNER.public_key).decode(),
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
)
CAPTURED_AT = datetime(2026, 11, 23, 8, 0, 0, 250_000, tzinfo=UTC)
DAY = timedelta(days=1)


def message(
    body: bytes = b"{}", *, topic: str = TOPIC, head: Mapping[str, str] | None = None
) -> DeviceMessage:
    """A signed message of wim-1."""
    plain = DeviceMessage(topic, header() if head is None else head, sha256_of(body))
    return plain._replace(header=sign_message(plain, "k1", SIGNER))


def state(one: DeviceMessage, *keys: DeviceKey, received_at: datetime | None = None) -> SignatureState:
    """What a check under these keys says; under the registered one by default."""
    return check_message(one, keys or (KEY,), received_at=received_at).state


def changed(one: DeviceMessage, **changes: str) -> DeviceMessage:
    """The message with header entries changed after it was signed."""
    return one._replace(header={**one.header, **changes})


def test_a_signed_message_is_valid_and_names_its_key() -> None:
    assert check_message(message(), (KEY,)) == DeviceSignature(
        state=SignatureState.VALID, key_id="k1", key=KEY
    )


def test_a_message_without_a_signature_is_said_to_have_none() -> None:
    one = DeviceMessage(TOPIC, header(key_id="k1"), sha256_of(b"{}"))
    assert check_message(one, (KEY,)) == DeviceSignature(state=SignatureState.ABSENT)


def test_sending_again_needs_no_new_signature() -> None:
    assert state(changed(message(), sent_at="2026-12-01T00:00:00Z")) is SignatureState.VALID


def test_both_protocols_sign_the_same_bytes() -> None:
    body = b'{"gross_kg":1}'
    head = message(body).header
    over_311 = framed(TOPIC, {**head, "content_type": "application/json"}, body)
    five = read_message(TOPIC, head.items(), body)
    assert five == read_message(TOPIC, (), over_311.payload)
    assert state(five) is SignatureState.VALID


SWAPS: dict[str, Callable[[DeviceMessage], DeviceMessage]] = {
    "swapped payload": lambda one: one._replace(body_sha256=sha256_of(b'{"gross_kg":99000}')),
    "replayed under another sequence": lambda one: changed(one, seq="8"),
    "replayed in another epoch": lambda one: changed(one, epoch="e1"),
    "replayed on another topic": lambda one: one._replace(topic="zhichao/v1/S1/wim-1/waveform"),
    "another time of capture": lambda one: changed(one, captured_at="2026-11-23T08:00:00.251Z"),
    "the same time in other letters": lambda one: changed(one, captured_at="2026-11-23T08:00:00.250000Z"),
    "a better clock": lambda one: changed(one, clock_source="ptp"),
    "a name added": lambda one: changed(one, clock_offset_ms="0"),
    "a name removed": lambda one: one._replace(
        header={name: value for name, value in one.header.items() if name != "clock_source"}
    ),
}


@pytest.mark.parametrize("attack", SWAPS, ids=str)
def test_no_signed_part_can_be_exchanged(attack: str) -> None:
    assert state(SWAPS[attack](message())) is SignatureState.INVALID


@pytest.mark.parametrize("name", ["match_key", "role", "lane", "sha256"])
def test_an_image_cannot_be_given_to_another_vehicle_or_side(name: str) -> None:
    other = {"match_key": "18", "role": "rear", "lane": "2", "sha256": "0" * 64}
    one = message(jpeg(), topic="zhichao/v1/S1/wim-1/capture", head=capture_header(jpeg(), device="wim-1"))
    assert state(one) is SignatureState.VALID
    assert state(changed(one, **{name: other[name]})) is SignatureState.INVALID


def test_another_devices_key_does_not_sign_for_this_one() -> None:
    one = message()
    by_other = sign_message(one, "k1", OTHER)
    assert state(one._replace(header=by_other)) is SignatureState.INVALID
    there = changed(one, station="S2")._replace(topic=TOPIC.replace("S1", "S2"))
    assert state(there, KEY.model_copy(update={"station": StationId("S2")})) is SignatureState.INVALID
    elsewhere = KEY.model_copy(update={"device": DeviceId("wim-2")})
    assert state(one, elsewhere) is SignatureState.UNKNOWN_KEY
    assert state(one, KEY.model_copy(update={"station": StationId("S2")})) is SignatureState.UNKNOWN_KEY


def test_an_unknown_key_is_told_from_a_broken_signature() -> None:
    assert check_message(message(), ()) == DeviceSignature(state=SignatureState.UNKNOWN_KEY, key_id="k1")
    anonymous = {name: value for name, value in message().header.items() if name != "key_id"}
    assert state(message()._replace(header=anonymous)) is SignatureState.UNKNOWN_KEY


def test_a_key_signs_from_its_first_moment_until_before_its_last() -> None:
    moment = timedelta(microseconds=1)
    for valid_from, valid_to, expected in (
        (CAPTURED_AT, None, SignatureState.VALID),
        (CAPTURED_AT + moment, None, SignatureState.UNKNOWN_KEY),
        (CAPTURED_AT - DAY, CAPTURED_AT + moment, SignatureState.VALID),
        (CAPTURED_AT - DAY, CAPTURED_AT, SignatureState.UNKNOWN_KEY),
    ):
        key = KEY.model_copy(update={"valid_from": valid_from, "valid_to": valid_to})
        assert state(message(), key) is expected


def test_a_revoked_key_cannot_be_used_by_back_dating() -> None:
    """Who has stolen a key can write any time of capture; when the message came, he cannot."""
    key = KEY.model_copy(update={"revoked_at": CAPTURED_AT + DAY})
    assert state(message(), key, received_at=CAPTURED_AT + DAY) is SignatureState.UNKNOWN_KEY
    assert state(message(), key, received_at=CAPTURED_AT + DAY / 2) is SignatureState.VALID


def test_a_signature_has_one_spelling() -> None:
    one = message()
    signature = one.header["signature"]
    twin = signature[:-3] + chr(ord(signature[-3]) + 1) + "=="
    assert base64.b64decode(twin) == base64.b64decode(signature)
    assert state(changed(one, signature=twin)) is SignatureState.INVALID


def test_no_line_can_be_smuggled_into_another() -> None:
    for value in ("7\nstation=S2", "7\x85", "7\u2028", "\ud800"):
        with pytest.raises(EvidenceBroken):
            signed_bytes(DeviceMessage(TOPIC, header(seq=value), Sha256("0" * 64)))
    with pytest.raises(EvidenceBroken):
        signed_bytes(DeviceMessage(TOPIC, header(**{"seq=7": ""}), Sha256("0" * 64)))


def test_the_example_in_the_reference_is_signed_as_it_says() -> None:
    """The example's signature was made with `openssl pkeyutl` over the lines as they stand there."""
    (lines,) = re.findall(r"^```signed\n(.*?)^```", PROSE, re.DOTALL | re.MULTILINE)
    (payload,) = re.findall(r"^```hex\n(.*?)^```", PROSE, re.DOTALL | re.MULTILINE)
    table = dict(
        re.findall(r"^\| (public key|`signature`).* \| `([A-Za-z0-9+/=]+)` \|$", PROSE, re.MULTILINE)
    )
    sent = read_message(TOPIC, (), bytes.fromhex(payload))
    one = changed(sent, key_id="wim-1.2026", signature=table["`signature`"])
    key = KEY.model_copy(update={"key_id": "wim-1.2026", "ed25519": table["public key"]})
    assert signed_bytes(one).decode() == lines
    assert state(one, key) is SignatureState.VALID
    assert f"The lines are {len(lines)} bytes; their SHA-256 is `{sha256_of(lines.encode())}`" in PROSE
    private = re.findall(r"^\| private key, 32 bytes \| `(.+)` \|$", PROSE, re.MULTILINE)[0]
    signer = KeySigner("", Ed25519PrivateKey.from_private_bytes(base64.b64decode(private)))
    assert sign_message(sent, "wim-1.2026", signer)["signature"] == table["`signature`"]


def test_the_signed_status_in_the_reference_is_signed_as_it_says() -> None:
    ((body, size, lines, signature),) = re.findall(
        r"^The status `(.+?)` of the same device signs (\d+) bytes:\n\n"
        r"```signed-status\n(.*?)^```\n\nIts `signature`:\n`(.+?)`$",
        PROSE,
        re.DOTALL | re.MULTILINE,
    )
    head = {"schema": "1", "station": "S1", "device": "wim-1", "key_id": "wim-1.2026", "signature": signature}
    one = read_message(TOPIC.replace("weigh", "status"), head.items(), body.encode())
    public = re.findall(r"^\| public key.* \| `(.+)` \|$", PROSE, re.MULTILINE)[0]
    key = KEY.model_copy(update={"key_id": "wim-1.2026", "ed25519": public})
    assert (signed_bytes(one).decode(), len(lines)) == (lines, int(size))
    assert check_message(one, (key,), captured_at=CAPTURED_AT).state is SignatureState.VALID


names = st.sampled_from(
    ["schema", "signature", "key_id", "captured_at", "station", "device", "x-a", "seq", "q q"]
)
values = st.text(max_size=8) | st.sampled_from(
    [
        "1",
        "S1",
        "wim-1",
        "k1",
        "2026-11-23T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "A" * 86 + "==",
        "0000-01-01T00:00:00Z",
    ]
)


@settings(max_examples=count(20_000, reduced=500), deadline=None, derandomize=True)
@given(
    st.text(max_size=20),
    st.lists(st.tuples(names, values), max_size=9),
    st.binary(max_size=60),
    st.booleans(),
)
def test_whatever_arrives_gets_a_state_or_a_plain_error(
    topic: str, pairs: list[tuple[str, str]], payload: bytes, in_frame: bool
) -> None:
    sent = framed(topic, dict(pairs), payload).payload if in_frame else payload
    try:
        one = read_message(topic, () if in_frame else pairs, sent)
    except EvidenceBroken:
        return
    assert state(one) is not SignatureState.VALID


@settings(max_examples=count(20_000, reduced=500), deadline=None, derandomize=True)
@given(st.data())
def test_no_byte_of_a_signed_message_can_be_flipped(data: st.DataObject) -> None:
    body = b'{"gross_kg":48950}'
    signed = message(body)
    sent = framed(TOPIC, dict(signed.header), body).payload
    place, bit = data.draw(st.integers(0, len(sent) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(sent)
    flipped[place] ^= 1 << bit
    try:
        one = read_message(TOPIC, (), bytes(flipped))
    except EvidenceBroken:
        return
    assert state(one) is not SignatureState.VALID or signed_bytes(one) == signed_bytes(signed)
