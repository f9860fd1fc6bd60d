"""Officers' keys and acts: who can sign, and what a verifier believes."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.acts import Act, ActKind
from domain.errors import EvidenceBroken, NotPermitted
from domain.ids import EventId, OfficerId, Sha256
from evidence.acts import (
    KeyEntry,
    RegisteredKey,
    check_act,
    envelope_digest,
    officer_keys_of,
    sign_act,
    sign_officer_key,
    sign_officer_key_end,
)
from evidence.dsse import Envelope, sign_envelope
from evidence.officer_keys import Cost, OfficerKey, unlock_with_password, unlock_with_token
from evidence.parsing import canonical_json
from evidence.signing import KeySigner, key_id

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SERVICE = KeySigner("test.invalid/service", Ed25519PrivateKey.from_private_bytes(bytes([5] * 32)))
STRANGER = KeySigner("evil.invalid/service", Ed25519PrivateKey.from_private_bytes(bytes([6] * 32)))
SERVICES = [SERVICE.public_key]
LI, WANG = (OfficerKey.generate(OfficerId(one)) for one in ("YN-001", "YN-002"))
CHEAP = Cost(iterations=1, lanes=1, memory_kib=64)

ENTRIES = [
    KeyEntry(3, sign_officer_key(LI, SERVICE, at=NOW)),
    KeyEntry(4, sign_officer_key(WANG, SERVICE, at=NOW)),
]
OFFICERS = officer_keys_of(ENTRIES, SERVICES)

REVIEW = Act(
    act_id="limei-1",
    kind=ActKind.REVIEW,
    officer=LI.officer,
    licence="YN5301-001",
    event=EventId("e" * 32),
    subject="ZC-20261120-0123456789AB",
    reason="confirmed",
    digests=(("EV-1/tagmanifest-sha256.txt", Sha256("a" * 64)),),
    made_at=NOW,
    detail={"round": 1},
)


def believed(
    envelope: bytes, leaf_index: int | None = 9, officers: dict[str, RegisteredKey] | None = None
) -> Act:
    """Check an act as a verifier does."""
    return check_act(
        envelope, leaf_index, officers=OFFICERS if officers is None else officers, services=SERVICES
    )


def resigned(envelope: bytes, change: dict[str, Any]) -> bytes:
    """Change the predicate and keep the signatures, as somebody would who holds no key."""
    parsed = json.loads(envelope)
    statement = json.loads(base64.b64decode(parsed["payload"]))
    statement["predicate"] |= change
    parsed["payload"] = base64.b64encode(canonical_json(statement)).decode()
    return canonical_json(parsed)


def test_an_act_is_believed_with_both_signatures() -> None:
    signed = sign_act(REVIEW, LI, SERVICE)
    assert believed(signed.envelope) == REVIEW
    signers = [one.key_id for one in Envelope.parse(signed.envelope).signatures]
    assert signers == [LI.key_id, key_id(SERVICE.public_key)]
    assert signed.leaf == f"{envelope_digest(signed.envelope)}  statement.dsse.json\n".encode()


def test_the_service_alone_forges_no_officers_act() -> None:
    with pytest.raises(EvidenceBroken, match="the service alone cannot"):
        sign_act(REVIEW, None, SERVICE)
    statement = Envelope.parse(sign_act(REVIEW, LI, SERVICE).envelope).statement
    with pytest.raises(EvidenceBroken, match="an officer's signature is missing"):
        believed(sign_envelope(statement, SERVICE))
    with pytest.raises(EvidenceBroken, match="no logged statement gives the key"):
        believed(sign_envelope(statement, SERVICE, STRANGER))
    with pytest.raises(EvidenceBroken, match="no logged statement gives the key"):
        believed(sign_envelope(statement, STRANGER, SERVICE))
    # Naming the officer's key beside a signature of its own does not help either.
    forged = json.loads(sign_envelope(statement, STRANGER, SERVICE))
    forged["signatures"][0]["keyid"] = LI.key_id
    with pytest.raises(EvidenceBroken, match="does not hold"):
        believed(canonical_json(forged))


def test_an_officer_alone_makes_no_act_of_this_service() -> None:
    statement = Envelope.parse(sign_act(REVIEW, LI, SERVICE).envelope).statement
    with pytest.raises(EvidenceBroken, match="an officer's signature is missing"):
        believed(sign_envelope(statement, LI))
    with pytest.raises(EvidenceBroken, match="countersignature is not by a trusted"):
        believed(sign_envelope(statement, LI, STRANGER))


def test_another_officers_key_signs_nobody_elses_act() -> None:
    with pytest.raises(EvidenceBroken, match="cannot sign an act of officer YN-001"):
        sign_act(REVIEW, WANG, SERVICE)
    statement = Envelope.parse(sign_act(REVIEW, LI, SERVICE).envelope).statement
    with pytest.raises(EvidenceBroken, match="signed by the key of officer YN-002"):
        believed(sign_envelope(statement, WANG, SERVICE))


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "weighing-unreliable"},
        {"officer": "YN-002"},
        {"licence": "YN5301-002"},
        {"subject": "ZC-20261120-FFFFFFFFFFFF"},
        {"made_at": "2020-01-01T00:00:00.000000Z"},
        {"detail": {"round": 2}},
    ],
)
def test_a_tampered_reason_or_any_other_word_is_seen(change: dict[str, Any]) -> None:
    with pytest.raises(EvidenceBroken):
        believed(resigned(sign_act(REVIEW, LI, SERVICE).envelope, change))


def test_every_flipped_byte_of_an_act_is_seen() -> None:
    envelope = sign_act(REVIEW, LI, SERVICE).envelope
    for at in range(len(envelope)):
        flipped = bytearray(envelope)
        flipped[at] ^= 1
        with pytest.raises(EvidenceBroken):
            believed(bytes(flipped))


def test_an_act_before_its_key_or_after_its_end_is_not_believed() -> None:
    envelope = sign_act(REVIEW, LI, SERVICE).envelope
    with pytest.raises(EvidenceBroken, match="before the statement that gives its key"):
        believed(envelope, leaf_index=3)
    end = sign_officer_key_end(LI.key_id, LI.officer, SERVICE, at=NOW, reason="password reset")
    ended = officer_keys_of([*ENTRIES, KeyEntry(12, end)], SERVICES)
    assert believed(envelope, 11, ended) == REVIEW
    for late in (12, 13):
        with pytest.raises(EvidenceBroken, match="had ended, at entry 12"):
            believed(envelope, late, ended)


def test_a_key_is_not_ended_as_another_officers() -> None:
    end = sign_officer_key_end(LI.key_id, WANG.officer, SERVICE, at=NOW, reason="password reset")
    with pytest.raises(EvidenceBroken, match="as another officer's"):
        officer_keys_of([*ENTRIES, KeyEntry(12, end)], SERVICES)


def test_the_list_of_officers_is_only_what_the_service_and_the_key_itself_signed() -> None:
    given = Envelope.parse(ENTRIES[0].envelope).statement
    for envelope, reason in (
        (sign_officer_key(LI, STRANGER, at=NOW), "not trusted"),
        (sign_envelope(given, SERVICE), "no second signature"),
        (sign_envelope(given, SERVICE, WANG), "no second signature"),
    ):
        with pytest.raises(EvidenceBroken, match=reason):
            officer_keys_of([KeyEntry(3, envelope)], SERVICES)
    with pytest.raises(EvidenceBroken, match="does not follow"):
        officer_keys_of([*ENTRIES, KeyEntry(7, ENTRIES[0].envelope)], SERVICES)
    end = sign_officer_key_end(LI.key_id, LI.officer, SERVICE, at=NOW, reason="password reset")
    with pytest.raises(EvidenceBroken, match="does not follow"):
        officer_keys_of([KeyEntry(1, end), *ENTRIES], SERVICES)


def test_who_looks_is_noted_by_the_service_alone() -> None:
    looked = replace(REVIEW, kind=ActKind.ACCESS, officer=None, licence=None, digests=())
    signed = sign_act(looked, None, SERVICE)
    assert believed(signed.envelope).kind is ActKind.ACCESS
    with pytest.raises(EvidenceBroken, match="not trusted"):
        believed(sign_act(looked, None, STRANGER).envelope)


def test_a_key_opens_with_its_password_and_its_sessions_token_only() -> None:
    locked = LI.lock_with_password("correct horse battery", cost=CHEAP)
    assert (
        unlock_with_password(
            locked, "correct horse battery", officer=LI.officer, public_key=LI.public_key
        ).key_id
        == LI.key_id
    )
    for_session = LI.lock_with_token("token-of-li")
    assert (
        unlock_with_token(for_session, "token-of-li", officer=LI.officer, public_key=LI.public_key).key_id
        == LI.key_id
    )
    with pytest.raises(NotPermitted):
        unlock_with_password(locked, "wrong", officer=LI.officer, public_key=LI.public_key)
    with pytest.raises(NotPermitted):
        unlock_with_token(for_session, "token-of-wang", officer=LI.officer, public_key=LI.public_key)


def test_a_locked_key_moved_into_another_officers_row_opens_to_nothing() -> None:
    locked, for_session = LI.lock_with_password("p" * 12, cost=CHEAP), LI.lock_with_token("token")
    for officer, public_key in ((WANG.officer, LI.public_key), (LI.officer, WANG.public_key)):
        with pytest.raises(NotPermitted):
            unlock_with_password(locked, "p" * 12, officer=officer, public_key=public_key)
        with pytest.raises(NotPermitted):
            unlock_with_token(for_session, "token", officer=officer, public_key=public_key)


def test_every_flipped_byte_of_a_locked_key_opens_nothing_and_raises_nothing_else() -> None:
    locked, for_session = LI.lock_with_password("p" * 12, cost=CHEAP), LI.lock_with_token("token")
    for at in range(len(locked)):
        flipped = bytearray(locked)
        flipped[at] ^= 1
        with pytest.raises(NotPermitted):
            unlock_with_password(bytes(flipped), "p" * 12, officer=LI.officer, public_key=LI.public_key)
    for at in range(len(for_session)):
        flipped = bytearray(for_session)
        flipped[at] ^= 1
        with pytest.raises(NotPermitted):
            unlock_with_token(bytes(flipped), "token", officer=LI.officer, public_key=LI.public_key)


def test_a_key_prints_nothing_of_itself_and_no_secret_lies_in_what_is_stored() -> None:
    private = LI._pkcs8()
    locked = LI.lock_with_password("p" * 12, cost=CHEAP)
    assert "private" not in repr(LI).lower()
    assert private[-32:] not in locked + LI.lock_with_token("token")
    assert LI.lock_with_password("p" * 12, cost=CHEAP) != locked
