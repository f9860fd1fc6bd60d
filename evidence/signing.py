"""Ed25519, and whoever signs behind a Protocol: a key in memory, in a token, or of another kind."""

import hashlib
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.ed25519 import is_public_key
from domain.errors import EvidenceBroken


class Signer(Protocol):
    """Somebody who can sign: a name and a key, Ed25519 wherever nothing else is said.

    Only the second signature of an envelope may be by SM2 (`evidence.sm2.Sm2Signer`).
    """

    @property
    def name(self) -> str:
        """The name under which the key is published, e.g. "example.com/log"."""

    @property
    def public_key(self) -> bytes:
        """The public key: of Ed25519 the raw 32 bytes (RFC 8032), of SM2 a SubjectPublicKeyInfo in DER."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`: of Ed25519 64 bytes, of SM2 a DER sequence of two integers.

        Raises
        ------
        ServiceUnavailable
            The key is not in this process, and what holds it (a token, openssl) did not sign.
        """


class KeySigner:
    """A signer whose key is in this process's memory."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self._name = name
        self._private_key = private_key
        self._public_key = private_key.public_key().public_bytes_raw()

    @property
    def name(self) -> str:
        """The name under which the key is published."""
        return self._name

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`, 64 bytes."""
        return self._private_key.sign(message)


def key_id(public_key: bytes) -> str:
    """Return the id of a public key, in the form `Signer.public_key` gives: its SHA-256 in hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()


def check_signature(public_key: bytes, signature: bytes, message: bytes, what: str) -> None:
    """Check an Ed25519 signature.

    Raises
    ------
    EvidenceBroken
        It does not hold under this key, or the key is nobody's.
    """
    if not is_public_key(public_key):
        raise EvidenceBroken(f"{what} is by a key for which anybody can sign, or that is none")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise EvidenceBroken(f"{what} does not hold: other bytes were signed, or with another key") from None
