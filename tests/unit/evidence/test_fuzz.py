"""Every reader of what others wrote, given anything at all: it reads or refuses, and never fails otherwise.

Notes, checkpoints, proofs, manifests, envelopes, tokens and devices' messages are fuzzed beside their own
tests; here are the rest, and whole packages whose event is of any shape.
"""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.errors import ConfigurationError, EvidenceBroken
from evidence import Policy, Trust, check_statement, trust_bytes, trust_file
from evidence.cosigning import AddCheckpoint, WitnessRefuses
from evidence.dsse import sign_envelope
from evidence.key_life import KeyLife
from evidence.keys_folder import BoundedKey, bounded_keys, write_down
from evidence.note import VerifierKey
from evidence.parsing import canonical_json
from evidence.signing import KeySigner
from evidence.statements import PACKAGE, STATEMENT_TYPE
from evidence.trust import entry_of
from tests.components import find
from tests.fixtures.evidence import CAPTURED_AT, WITH_SM3, Deployment, rebag
from tests.fixtures.second_opinion import failing, opinion, trust_of
from tests.unit.evidence.shapes import FUZZ, JSON, SLOW, signable, spliced, variants
from tests.unit.evidence.test_note import NOTE, SIGNER

REQUEST = bytes(AddCheckpoint(5, (bytes(32), bytes(range(32))), NOTE))


@FUZZ
@given(data=st.data())
def test_a_trust_file_of_any_shape_is_read_or_refused(sealed_world: Deployment, data: st.DataObject) -> None:
    document = trust_of(sealed_world) | {"devices": [{"station": "S1", "device": "w", "ed25519": "AA=="}]}
    written = data.draw(variants(document).map(lambda one: json.dumps(one).encode()) | st.binary(max_size=99))
    try:
        trust = Trust.parse(written)
    except ConfigurationError:
        return
    assert all(len(key.public_key) == 32 for key in trust.services)
    assert all(len(key.public_key) == 32 for key in (*trust.logs, *trust.witnesses))


@FUZZ
@given(data=st.binary(max_size=99) | JSON.map(lambda one: json.dumps(one).encode()))
def test_a_policy_of_any_shape_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "policy.json"
    file.write_bytes(data)
    try:
        policy = Policy.load(file)
    except ConfigurationError:
        return
    assert policy.allowed_delay_s >= 0


@FUZZ
@given(
    document=st.fixed_dictionaries(
        {},
        optional={
            "required_layers": st.lists(st.sampled_from(["layout", "keys", "none"])) | JSON,
            "allowed_delay_s": JSON,
            "log_delay_s": JSON,
            "require_device_signature": JSON,
            "other": JSON,
        },
    )
)
def test_a_policy_with_any_figures_is_read_or_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document))
    try:
        policy = Policy.load(file)
    except ConfigurationError:
        return
    assert {"required_layers", "allowed_delay_s", "log_delay_s", "require_device_signature"} >= set(document)
    assert all(getattr(policy, name) == value for name, value in document.items() if name[-2:] == "_s")


@FUZZ
@given(data=spliced(REQUEST))
def test_a_request_to_the_witness_of_any_bytes_is_read_or_refused(data: bytes) -> None:
    try:
        request = AddCheckpoint.parse(data)
    except WitnessRefuses:
        return
    assert bytes(request) == data


@FUZZ
@given(
    text=st.text(max_size=99)
    | spliced(str(VerifierKey.of(SIGNER, 1)).encode()).map(lambda b: b.decode("latin-1"))
)
def test_a_verifier_key_of_any_text_is_read_or_refused(text: str) -> None:
    try:
        key = VerifierKey.parse(text)
    except EvidenceBroken:
        return
    assert str(key) == text


def test_a_signed_statement_of_any_shape_is_read_or_refused() -> None:
    """Signed with the right key: only its own form can give it away."""
    subject = [{"name": "tagmanifest-sha256.txt", "digest": {"sha256": "a" * 64}}]
    good = {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": PACKAGE, "predicate": {"a": 1}}
    ends: Counter[str] = Counter()

    @FUZZ
    @given(statement=signable(good))
    def fuzz(statement: dict[str, Any]) -> None:
        try:
            read = check_statement(sign_envelope(statement, SIGNER), [SIGNER.public_key], PACKAGE)
        except EvidenceBroken as error:
            ends[str(error)] += 1
            return
        ends["read"] += 1
        assert read == statement
        assert (read["_type"], read["predicateType"], set(read)) == (STATEMENT_TYPE, PACKAGE, set(good))

    fuzz()
    assert set(ends) == {
        "read",
        "the payload is not an in-toto statement",
        f"the statement is not of the type {PACKAGE}",
    }


def test_a_list_of_former_keys_of_any_shape_is_read_or_refused(
    sealed_world: Deployment, tmp_path: Path
) -> None:
    """What is read of it also makes a trust file that can be used, or is refused there."""
    file, life = tmp_path / "bounded.json", KeyLife(valid_to=CAPTURED_AT, revoked_at=CAPTURED_AT)
    stranger = KeySigner("test.invalid/former", Ed25519PrivateKey.from_private_bytes(bytes([9] * 32)))
    for role in ("service", "witness"):
        write_down(tmp_path, BoundedKey(role, entry_of(role, stranger), life))
    good, ends = json.loads(file.read_bytes()), Counter[str]()

    @FUZZ
    @given(document=signable(good))
    def fuzz(document: dict[str, Any]) -> None:
        file.write_bytes(canonical_json(document))
        try:
            keys = bounded_keys(tmp_path)
        except ConfigurationError:
            ends["refused"] += 1
            return
        try:
            Trust.parse(trust_bytes(trust_file(sealed_world.keys, bounded=keys)))
        except ConfigurationError:
            ends["no trust file"] += 1
        else:
            ends["a trust file"] += 1

    fuzz()
    assert {"refused", "a trust file"} <= set(ends)


@SLOW
@given(data=st.data())
def test_an_event_of_any_shape_gets_a_verdict(
    sealed_world: Deployment, package: Path, data: st.DataObject
) -> None:
    """By both verifiers: the digests all match, so that the layers that read the event are reached."""
    file = package / "data/event.json"
    original = file.read_bytes()
    event = data.draw(variants(json.loads(original) | {"derived": [], "weighing": None}))
    try:
        file.write_bytes(canonical_json(event))
    except EvidenceBroken:
        file.write_text(json.dumps(event))
    assume(file.read_bytes() != original)
    rebag(package)
    try:
        assert not sealed_world.verify(package, policy=WITH_SM3).ok
        if find("openssl"):
            assert failing(opinion(package, trust_of(sealed_world), sm3=True))
    finally:
        file.write_bytes(original)


@SLOW
@given(data=st.data())
def test_documents_beside_the_event_of_any_shape_get_a_verdict(
    sealed_world: Deployment, package: Path, data: st.DataObject
) -> None:
    """Headers of messages, keys of devices, a calibration: whatever JSON they hold."""
    name = data.draw(
        st.sampled_from(
            ["wire/weigh.json.headers.json", "station/device-keys.json", "station/calibration.json"]
        )
    )
    shutil.copy(sealed_world.evidence / package.name / "data/event.json", package / "data/event.json")
    file = package / "data" / name
    before = file.read_bytes() if file.exists() else None
    file.write_text(json.dumps(data.draw(JSON)))
    rebag(package)
    try:
        assert not sealed_world.verify(package).ok
        if find("openssl"):
            assert failing(opinion(package, trust_of(sealed_world)))
    finally:
        file.unlink() if before is None else file.write_bytes(before)


def test_a_good_trust_file_passes_through_the_same_door(sealed_world: Deployment) -> None:
    assert Trust.parse(trust_bytes(trust_of(sealed_world))).services
