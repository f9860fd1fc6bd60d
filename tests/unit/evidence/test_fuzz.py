"""Every reader of what others wrote, given anything at all: it reads or refuses, and never fails otherwise.

Notes, checkpoints, proofs, manifests, envelopes, tokens and devices' messages are fuzzed beside their own
tests; here are the rest, and whole packages whose event is of any shape.
"""

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from domain.errors import ConfigurationError, EvidenceBroken
from evidence import Policy, Trust, check_statement, trust_bytes
from evidence.cosigning import AddCheckpoint, WitnessRefuses
from evidence.dsse import sign_envelope
from evidence.keys_folder import bounded_keys
from evidence.note import VerifierKey
from evidence.parsing import canonical_json
from evidence.statements import PACKAGE
from tests.components import find
from tests.counts import count
from tests.fixtures.evidence import WITH_SM3, Deployment, rebag
from tests.fixtures.second_opinion import failing, opinion, trust_of
from tests.unit.evidence.test_note import NOTE, SIGNER

FUZZ = settings(
    max_examples=count(20_000, reduced=250),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SLOW = settings(FUZZ, max_examples=count(3_000, reduced=60))

LEAVES = st.none() | st.booleans() | st.integers(-5, 2**60) | st.text(max_size=8) | st.floats()
JSON = st.recursive(
    LEAVES, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3)
)
REQUEST = bytes(AddCheckpoint(5, (bytes(32), bytes(range(32))), NOTE))


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, but the whole of it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*at, name)
        yield from places(part, (*at, name))


def changed(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A copy of a document with another value, or nothing, at one place."""
    made = copy.deepcopy(document)
    inner = made
    for name in at[:-1]:
        inner = inner[name]
    if value is ...:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return made


def variants(document: Any) -> st.SearchStrategy[Any]:
    """A document with anything, or nothing, in place of any part of it."""
    return st.builds(changed, st.just(document), st.sampled_from(list(places(document))), JSON | st.just(...))


def spliced(original: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, or the original with a few bytes overwritten at any place."""
    overwritten = st.tuples(st.integers(0, len(original)), st.binary(max_size=4)).map(
        lambda made: original[: made[0]] + made[1] + original[made[0] + len(made[1]) :]
    )
    return st.binary(max_size=150) | overwritten


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


@FUZZ
@given(payload=st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_a_signed_statement_of_any_shape_is_read_or_refused(payload: dict[str, Any]) -> None:
    """Signed with the right key: only its own form can give it away."""
    try:
        envelope = sign_envelope(payload, SIGNER)
    except EvidenceBroken:
        assume(False)
    with pytest.raises(EvidenceBroken):
        check_statement(envelope, [SIGNER.public_key], PACKAGE)


@FUZZ
@given(data=st.binary(max_size=99) | JSON.map(lambda one: json.dumps(one).encode()))
def test_a_list_of_former_keys_of_any_shape_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bounded.json").write_bytes(data)
    with pytest.raises(ConfigurationError):
        bounded_keys(tmp_path)


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
