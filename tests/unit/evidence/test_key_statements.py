"""What logged statements say of keys, held against trust files that say less, more, or otherwise."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import EvidenceBroken
from domain.ids import Sha256
from evidence import KeySet, Trust, create_keys, trust_bytes, trust_file
from evidence.key_life import KeyLife
from evidence.key_statements import KeyReader, KeyStatement, disagreements, remarks
from evidence.keys_folder import BoundedKey
from evidence.signing import KeySigner, key_id
from evidence.statements import sign_revocation, sign_rotation, sign_trust_file
from evidence.trust import entry_of, service_entry

NOW = datetime(2026, 3, 20, 8, tzinfo=UTC)
END, REVOKED = NOW + timedelta(days=35), NOW - timedelta(hours=1)

Document = dict[str, Any]


@pytest.fixture
def keys(tmp_path: Path) -> KeySet:
    """The keys that were in use before."""
    return create_keys(tmp_path / "keys", name="example.org")


@pytest.fixture
def new() -> KeySigner:
    """The service's key that followed."""
    return KeySigner("example.org/service", Ed25519PrivateKey.generate())


@pytest.fixture
def logged(keys: KeySet, new: KeySigner) -> list[bytes]:
    """The service's key followed by another, and then revoked."""
    old = Sha256(key_id(keys.service.public_key))
    return [
        sign_rotation("service", keys.service, new, at=NOW, valid_to=END),
        sign_revocation("service", old, new, at=NOW, revoked_at=REVOKED, reason="stolen"),
    ]


@pytest.fixture
def document(keys: KeySet, new: KeySigner) -> Document:
    """The trust file that says the same as the log."""
    ended = BoundedKey("service", service_entry(keys.service), KeyLife(valid_to=END, revoked_at=REVOKED))
    made = trust_file(keys, bounded=[ended])
    made["services"].append(service_entry(new))
    return made


def _read(envelopes: list[bytes], trust: Trust) -> list[KeyStatement]:
    reader = KeyReader(trust)
    return [reader.read(one) for one in envelopes]


def _told(envelopes: list[bytes], document: Document) -> str:
    trust = Trust.parse(trust_bytes(document))
    return "; ".join(disagreements(_read(envelopes, trust), trust))


def test_a_trust_file_that_says_what_the_log_says(logged: list[bytes], document: Document) -> None:
    assert _told(logged, document) == ""


def _drop(name: str) -> Callable[[Document], None]:
    return lambda document: document["services"][0].pop(name)


def _set(name: str, value: str) -> Callable[[Document], None]:
    return lambda document: document["services"][0].update({name: value})


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_drop("revoked_at"), "the trust file does not"),
        (_set("revoked_at", "2026-03-20T09:00:00Z"), "the trust file from 2026-03-20T09"),
        (_set("revoked_at", "2026-03-19T09:00:00Z"), "the trust file from 2026-03-19T09"),
        (_set("valid_to", "2026-03-21T00:00:00Z"), "the log ends the service key"),
        (lambda document: document["services"].pop(1), "which the trust file does not name"),
        (lambda document: document["services"].pop(0), "is signed by the key"),
    ],
)
def test_what_the_log_says_of_a_key_left_out_of_the_trust_file_or_told_otherwise(
    logged: list[bytes], document: Document, tamper: Callable[[Document], None], told: str
) -> None:
    tamper(document)
    try:
        found = _told(logged, document)
    except EvidenceBroken as error:
        found = str(error)
    assert told in found


def test_an_end_left_out_of_the_trust_file(logged: list[bytes], document: Document) -> None:
    del document["services"][0]["valid_to"], document["services"][0]["revoked_at"]
    assert "gives it no end" in _told(logged[:1], document)


def test_the_trust_file_from_before_is_told_what_it_lacks(logged: list[bytes], keys: KeySet) -> None:
    """The revocation is signed by a key that this file does not know, and the log introduced."""
    told = _told(logged, trust_file(keys))
    assert "revokes" in told
    assert "gives it no end" in told


def test_a_key_that_nobody_stated_in_a_trust_file(logged: list[bytes], document: Document) -> None:
    document["services"].append(service_entry(KeySigner("example.org/service", Ed25519PrivateKey.generate())))
    trust = Trust.parse(trust_bytes(document))
    assert any("no logged statement introduced" in one for one in remarks(_read(logged, trust), trust))


def test_a_trust_file_that_was_never_published(keys: KeySet) -> None:
    first, second = (Trust.parse(trust_bytes(trust_file(keys)) + end) for end in (b"", b"\n"))
    stated = [sign_trust_file(first.digest, keys.service, at=NOW)]
    assert remarks(_read(stated, first), first) == []
    told = remarks(_read(stated, second), second)
    assert "no logged statement names this trust file" in told
    assert any(first.digest in one for one in told)


def test_a_stranger_who_revokes_follows_or_publishes(keys: KeySet, new: KeySigner, tmp_path: Path) -> None:
    """The log, the witness or a key of nobody may not sign what the service has to."""
    trust = Trust.parse(trust_bytes(trust_file(keys)))
    own, thief = Sha256(key_id(keys.service.public_key)), create_keys(tmp_path / "thief")
    for signer in (keys.log, keys.witness, thief.service):
        forged = [
            sign_revocation("service", own, signer, at=NOW, revoked_at=NOW, reason="x"),
            sign_trust_file(trust.digest, signer, at=NOW),
            sign_rotation("service", signer, new, at=NOW, valid_to=END),
        ]
        for envelope in forged:
            with pytest.raises(EvidenceBroken):
                KeyReader(trust).read(envelope)


def test_a_witness_key_that_was_followed_signs_nothing_of_the_service(keys: KeySet, new: KeySigner) -> None:
    document = trust_file(keys)
    document["witnesses"].append(entry_of("witness", new))
    trust = Trust.parse(trust_bytes(document))
    stated = sign_rotation("witness", keys.witness, new, at=NOW, valid_to=END)
    reader = KeyReader(trust)
    assert reader.read(stated).follower == key_id(new.public_key)
    with pytest.raises(EvidenceBroken, match="signed by the service"):
        reader.read(sign_trust_file(trust.digest, new, at=NOW))
