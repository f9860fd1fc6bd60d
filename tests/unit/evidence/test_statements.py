"""Statements about captures and decisions, and their log entries."""

import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import EvidenceBroken
from domain.ids import sha256_of
from evidence import (
    CAPTURES,
    DECISION,
    KeySigner,
    check_statement,
    entry_leaf,
    sign_capture_statement,
    sign_decision,
    statement_leaf,
)
from evidence.parsing import canonical_json
from tests.fixtures.evidence import event_number

SERVICE = KeySigner("test.invalid/service", Ed25519PrivateKey.from_private_bytes(bytes([5] * 32)))
STRANGER = KeySigner("test.invalid/service", Ed25519PrivateKey.from_private_bytes(bytes([6] * 32)))
AT = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
ITEMS = [(event_number(number), sha256_of(b"%d" % number)) for number in range(3)]


def test_a_capture_statement_names_every_original() -> None:
    envelope = sign_capture_statement(ITEMS, SERVICE, AT)
    statement = check_statement(envelope, [SERVICE.public_key], CAPTURES)
    assert [(subject["name"], subject["digest"]["sha256"]) for subject in statement["subject"]] == ITEMS
    assert statement["predicate"] == {"made_at": "2026-03-20T08:30:00.000000Z"}


def test_the_same_statement_has_the_same_bytes() -> None:
    assert sign_capture_statement(ITEMS, SERVICE, AT) == sign_capture_statement(ITEMS, SERVICE, AT)


def test_an_empty_capture_statement_is_refused() -> None:
    with pytest.raises(EvidenceBroken, match="at least one"):
        sign_capture_statement([], SERVICE, AT)


def test_a_decision_is_its_own_subject() -> None:
    decision = {"case": "C-1", "officer": "o-7", "verdict": "confirmed"}
    statement = check_statement(sign_decision(decision, SERVICE), [SERVICE.public_key], DECISION)
    assert statement["predicate"] == decision
    digest = hashlib.sha256(canonical_json(decision)).hexdigest()
    assert statement["subject"] == [{"name": "decision", "digest": {"sha256": digest}}]


def test_a_statement_by_a_stranger_or_of_another_type_is_refused() -> None:
    envelope = sign_decision({"case": "C-1"}, STRANGER)
    with pytest.raises(EvidenceBroken, match="not trusted"):
        check_statement(envelope, [SERVICE.public_key], DECISION)
    with pytest.raises(EvidenceBroken, match="not of the type"):
        check_statement(sign_decision({"case": "C-1"}, SERVICE), [SERVICE.public_key], CAPTURES)


def test_log_entries_are_sha256sum_lines() -> None:
    tagmanifest = sha256_of(b"tags")
    lines = entry_leaf(tagmanifest, b"envelope", b"token").decode().split("\n")
    assert lines == [
        f"{tagmanifest}  tagmanifest-sha256.txt",
        f"{sha256_of(b'envelope')}  seal/statement.dsse.json",
        f"{sha256_of(b'token')}  seal/statement.tsr",
        "",
    ]
    assert statement_leaf(b"envelope") == f"{sha256_of(b'envelope')}  statement.dsse.json\n".encode()
