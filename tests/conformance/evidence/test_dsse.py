"""DSSE against the protocol's own vector and against securesystemslib."""

import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope as LibraryEnvelope
from securesystemslib.signer._key import SSlibKey

from evidence import KeySigner
from evidence.dsse import pre_authentication_encoding, sign_envelope
from evidence.signing import key_id

SIGNER = KeySigner("test.invalid/service", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def test_the_protocols_pae_vector() -> None:
    pae = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert pae == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_securesystemslib_accepts_an_envelope() -> None:
    envelope = LibraryEnvelope.from_dict(json.loads(sign_envelope({"text": "云A12345"}, SIGNER)))
    key = SSlibKey(key_id(SIGNER.public_key), "ed25519", "ed25519", {"public": SIGNER.public_key.hex()})
    accepted = envelope.verify([key], 1)
    assert list(accepted) == [key_id(SIGNER.public_key)]
    assert json.loads(envelope.payload) == {"text": "云A12345"}
