"""Statements signed with the right keys and shaped wrongly: an insider's. They are read or refused.

The signatures hold, so that what refuses is the reader itself; each test counts the ends that its examples
came to, and fails where one was never met.
"""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given

from domain.acts import Act, ActKind
from domain.device_signatures import DeviceKey, SignatureState
from domain.errors import EvidenceBroken
from domain.ids import DeviceId, EventId, OfficerId, Sha256, StationId, sha256_of
from evidence.acts import (
    KeyEntry,
    check_act,
    officer_keys_of,
    sign_act,
    sign_officer_key,
    sign_officer_key_end,
)
from evidence.capture_claims import claims_of, compare_originals
from evidence.device import (
    KEYS_FORMAT,
    LENGTH_BYTES,
    DeviceMessage,
    check_message,
    keys_of,
    read_message,
    sign_message,
    signed_bytes,
)
from evidence.dsse import Envelope, sign_envelope
from evidence.masked_copies import LIST, MaskedCopy, read_copies, write_copies
from evidence.officer_keys import OfficerKey
from evidence.package import DerivedItem
from evidence.parsing import base64_text, canonical_json
from evidence.signing import KeySigner
from evidence.statements import sign_capture_statement
from tests.unit.evidence.shapes import FUZZ, json_bytes, signable, variants

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SERVICE = KeySigner("test.invalid/service", Ed25519PrivateKey.from_private_bytes(bytes([5] * 32)))
DEVICE = KeySigner("wim-1", Ed25519PrivateKey.from_private_bytes(bytes([7] * 32)))
SERVICES = [SERVICE.public_key]
LI, WANG = (OfficerKey.generate(OfficerId(one)) for one in ("YN-001", "YN-002"))
REGISTERED = [KeyEntry(at, sign_officer_key(key, SERVICE, at=NOW)) for at, key in ((3, LI), (4, WANG))]
EVENT = EventId("e" * 32)
REVIEW = Act(
    act_id="limei-1",
    kind=ActKind.REVIEW,
    officer=LI.officer,
    licence="YN5301-001",
    event=EVENT,
    subject="ZC-20261120-0123456789AB",
    reason="confirmed",
    digests=(("EV-1/tagmanifest-sha256.txt", Sha256("a" * 64)),),
    made_at=NOW,
    corrects=Sha256("b" * 64),
    detail={"verdict": "confirmed", "round": 1},
)


def words_of(envelope: bytes) -> dict[str, Any]:
    """What an envelope says."""
    return Envelope.parse(envelope).statement


def kind_of(error: EvidenceBroken) -> str:
    """An error without the figures in it."""
    return " ".join(word for word in str(error).split() if word.isalpha())[:60]


@pytest.mark.parametrize("alone", [False, True])
def test_an_act_of_any_shape_with_right_signatures_is_read_or_refused(alone: bool) -> None:
    made = replace(REVIEW, kind=ActKind.ACCESS) if alone else REVIEW
    officers = officer_keys_of(REGISTERED, SERVICES)
    good = words_of(sign_act(made, None if alone else LI, SERVICE).envelope)
    ends: Counter[str] = Counter()

    @FUZZ
    @given(statement=signable(good))
    def fuzz(statement: dict[str, Any]) -> None:
        envelope = sign_envelope(statement, SERVICE) if alone else sign_envelope(statement, LI, SERVICE)
        try:
            act = check_act(envelope, 9, officers=officers, services=SERVICES)
        except EvidenceBroken as error:
            ends[kind_of(error)] += 1
            return
        ends["read"] += 1
        assert alone or act.officer == LI.officer
        with suppress(EvidenceBroken):  # what it says is what was signed, word for word
            signed = sign_act(act, None if alone else LI, SERVICE)
            assert signed.envelope == envelope or words_of(envelope)["subject"] != good["subject"]

    fuzz()
    assert ends["read"]
    assert ends["the statement has other members than an act"]
    assert len(ends) > 6, ends


@pytest.mark.parametrize("ending", [False, True])
def test_statements_on_officers_keys_of_any_shape_give_no_key_to_anyone_else(ending: bool) -> None:
    """The service signs whatever it likes, and the key of LI itself signs second."""
    end = sign_officer_key_end(LI.key_id, LI.officer, SERVICE, at=NOW, reason="lost")
    good = words_of(end if ending else REGISTERED[0].envelope)
    ends: Counter[str] = Counter()

    @FUZZ
    @given(statement=signable(good))
    def fuzz(statement: dict[str, Any]) -> None:
        signed = sign_envelope(statement, SERVICE) if ending else sign_envelope(statement, SERVICE, LI)
        before = REGISTERED if ending else REGISTERED[1:]
        try:
            keys = officer_keys_of([*before, KeyEntry(7, signed)], SERVICES)
        except EvidenceBroken as error:
            ends[kind_of(error)] += 1
            return
        ends["read"] += 1
        assert keys.keys() == {LI.key_id, WANG.key_id}
        assert {name: key.public_key for name, key in keys.items()} == {
            LI.key_id: LI.public_key,
            WANG.key_id: WANG.public_key,
        }
        assert keys[WANG.key_id].officer == WANG.officer
        assert keys[LI.key_id].ended_at == (7 if ending else None)

    fuzz()
    assert ends["read"]
    assert ends["a statement on an key names not exactly one key"]
    assert len(ends) > 4, ends


IDS = (EVENT, EventId("f" * 32), EventId("d" * 32))
NAMED = list(zip(IDS, map(sha256_of, (b"record", b"image", b"clip")), strict=True))
DOCUMENTS: dict[str, Any] = {
    "statement": words_of(sign_capture_statement(NAMED, SERVICE, NOW)),
    "event": {
        "event_id": EVENT,
        "originals": {
            "images": [{"path": "data/images/01.jpg", "sha256": sha256_of(b"image")}],
            "video": [{"path": "data/video/01.mp4", "sha256": sha256_of(b"clip")}],
            "wire": [{"path": "data/wire/weigh.json", "sha256": sha256_of(b"record")}],
        },
    },
    "arrival": {"captures": [{"event_id": one} for one in IDS[1:]]},
}


def test_originals_named_by_documents_of_any_shape_are_compared_or_refused() -> None:
    ends: Counter[str] = Counter()

    @FUZZ
    @given(made=signable(DOCUMENTS))
    def fuzz(made: dict[str, Any]) -> None:
        if not all(isinstance(made.get(name), dict) for name in DOCUMENTS):
            return  # nobody hands anything but an object over
        event, arrival, statement = made["event"], made["arrival"], made["statement"]
        try:
            claims = claims_of(sign_envelope(statement, SERVICE), 3, SERVICES)
            compared = compare_originals(event, arrival, claims, package_index=5)
        except EvidenceBroken as error:
            ends[kind_of(error)] += 1
            return
        ends["contradicted" if compared.contradicted else "unnamed" if compared.unnamed else "named"] += 1
        assert compared.named <= len(claims)

    fuzz()
    assert {"contradicted", "unnamed", "named"} <= set(ends)
    assert len(ends) > 4, ends


COPIES = [
    MaskedCopy(DerivedItem(f"0{at}-masked.jpg", b"%d" % at, (sha256_of(b"original"),), "zhichao-mask/1"))
    for at in range(2)
]


def test_a_list_of_masked_copies_of_any_shape_is_read_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    write_copies(folder, f"EV-{EVENT}", sha256_of(b"manifest"), COPIES)
    good, untouched = json.loads((folder / LIST).read_bytes()), read_copies(folder)
    ends: Counter[str] = Counter()

    @FUZZ
    @given(listed=signable(good).map(canonical_json))
    def fuzz(listed: bytes) -> None:
        (folder / LIST).write_bytes(listed)
        try:
            copies = read_copies(folder)
        except EvidenceBroken as error:
            ends[kind_of(error)] += 1
            return
        ends["read"] += 1
        assert copies.digests == untouched.digests, "the copies are those that lie there"

    fuzz()
    assert ends["read"]
    assert len(ends) > 4, ends


def test_masked_copies_with_any_byte_flipped_are_refused_or_say_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    write_copies(folder, f"EV-{EVENT}", sha256_of(b"manifest"), COPIES)
    for file in (one for one in folder.rglob("*") if one.is_file() and one.name != LIST):
        good = file.read_bytes()
        for at in range(len(good)):
            file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            with pytest.raises(EvidenceBroken):
                read_copies(folder)
        file.write_bytes(good)
    assert read_copies(folder)


HEADER = {
    "schema": "1",
    "station": "S1",
    "device": "wim-1",
    "epoch": "e0",
    "seq": "1",
    "captured_at": "2026-11-23T04:00:00Z",
}
KEY = DeviceKey(
    station=StationId("S1"),
    device=DeviceId("wim-1"),
    key_id="k1",
    ed25519=base64_text(DEVICE.public_key),
    valid_from=NOW,
)
TOPIC = "zhichao/v1/S1/wim-1/weigh"


def test_a_framed_message_of_any_header_is_read_or_refused_and_holds_only_as_signed() -> None:
    """What the device signs is taken as it stands; what anybody changes afterwards does not hold."""
    sent = HEADER | {"sent_at": "2026-11-23T04:00:01Z", "x-maker": "1"}
    signed = sign_message(DeviceMessage(TOPIC, sent, sha256_of(b"body")), "k1", DEVICE)
    over = signed_bytes(DeviceMessage(TOPIC, signed, sha256_of(b"body")))
    ends: Counter[str] = Counter()

    @FUZZ
    @given(header=variants({"header": signed}).map(lambda made: made.get("header")))
    def fuzz(header: Any) -> None:
        frame = json_bytes(header)
        try:
            message = read_message(TOPIC, (), len(frame).to_bytes(LENGTH_BYTES, "big") + frame + b"body")
        except EvidenceBroken as error:
            ends[kind_of(error)] += 1
            return
        state = check_message(message, [KEY]).state
        ends[state.value] += 1
        assert state is not SignatureState.VALID or signed_bytes(message) == over

    fuzz()
    assert set(SignatureState) <= set(ends)
    assert len(ends) > len(SignatureState) + 1, ends


def test_a_list_of_device_keys_of_any_shape_is_read_or_refused() -> None:
    good = {"format": KEYS_FORMAT, "keys": [KEY.model_dump(mode="json")]}
    message = DeviceMessage(TOPIC, HEADER, sha256_of(b"body"))
    signed = message._replace(header=sign_message(message, "k1", DEVICE))
    ends: Counter[str] = Counter()

    @FUZZ
    @given(document=variants(good))
    def fuzz(document: dict[str, Any]) -> None:
        try:
            keys = keys_of(document)
        except EvidenceBroken as error:
            ends[kind_of(error)] += 1
            return
        found = check_message(signed, keys)
        ends[found.state.value] += 1
        assert found.key is None or found.key.public_key == DEVICE.public_key

    fuzz()
    assert ends["valid"]
    assert len(ends) > 3, ends
