"""Envelopes with one signature and with two: which decides, and what a second one may be."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import EvidenceBroken
from evidence import KeySigner
from evidence.dsse import Envelope, sign_envelope
from evidence.parsing import canonical_json
from evidence.signing import key_id

FIRST, SECOND, THIRD = (
    KeySigner(f"test.invalid/{number}", Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)))
    for number in (1, 2, 3)
)


def test_both_signatures_are_over_the_same_bytes() -> None:
    envelope = Envelope.parse(sign_envelope({"n": 1}, FIRST, SECOND))
    envelope.check(FIRST.public_key)
    envelope.check_second(SECOND.public_key)
    assert envelope.statement == {"n": 1}
    assert [one.key_id for one in envelope.signatures] == [
        key_id(FIRST.public_key),
        key_id(SECOND.public_key),
    ]


def test_a_second_signature_does_not_stand_in_for_the_first() -> None:
    envelope = Envelope.parse(sign_envelope({"n": 1}, FIRST, SECOND))
    with pytest.raises(EvidenceBroken, match="another key"):
        envelope.check(SECOND.public_key)
    with pytest.raises(EvidenceBroken, match="no second signature"):
        envelope.check_second(FIRST.public_key)


def test_a_second_signature_that_is_missing_or_by_a_stranger() -> None:
    for envelope in (sign_envelope({"n": 1}, FIRST), sign_envelope({"n": 1}, FIRST, THIRD)):
        with pytest.raises(EvidenceBroken, match="no second signature"):
            Envelope.parse(envelope).check_second(SECOND.public_key)


def test_a_second_signature_of_another_statement() -> None:
    ours = json.loads(sign_envelope({"n": 1}, FIRST, SECOND))
    ours["signatures"][1] = json.loads(sign_envelope({"n": 2}, FIRST, SECOND))["signatures"][1]
    envelope = Envelope.parse(canonical_json(ours))
    envelope.check(FIRST.public_key)
    with pytest.raises(EvidenceBroken, match="second signature does not hold"):
        envelope.check_second(SECOND.public_key)


@pytest.mark.parametrize("places", [(0, 0), (0, 1, 0), ()])
def test_one_key_twice_three_signatures_and_none_are_refused(places: tuple[int, ...]) -> None:
    document = json.loads(sign_envelope({"n": 1}, FIRST, SECOND))
    document["signatures"] = [document["signatures"][place] for place in places]
    with pytest.raises(EvidenceBroken):
        Envelope.parse(canonical_json(document))
