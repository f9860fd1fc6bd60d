"""An officer's own Ed25519 key, at rest only ever under a secret that the service does not keep.

- Under the password: AES-256-GCM with a key that Argon2id (RFC 9106, the second recommended option of its
  section 4) derives from the password and a salt of its own, apart from the hash that sign-in checks.
- Under a session: AES-256-GCM with a key that HKDF (RFC 5869) derives from the session's token, 256 random
  bits of which the service keeps only the SHA-256. A request that brings the token can sign; the database
  alone cannot.

Both bind the key to its officer and its public half: a locked key that is put into another's row opens to
nothing. Parameters lie beside the salt, so that keys locked today still open when they are raised.
"""

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import EvidenceBroken, NotPermitted
from domain.ids import OfficerId, Sha256
from evidence.parsing import base64_of, base64_text, canonical_json, document_of
from evidence.signing import key_id

_FORMAT = "zhichao-locked-key/1"
_SESSION_PURPOSE = b"zhichao officer key, locked for a session, v1"
_KEY_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12
_MOST_ITERATIONS = 16
_MOST_MEMORY_KIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What it costs to try one password."""

    iterations: int = 3
    lanes: int = 4
    memory_kib: int = 65_536


@dataclass(frozen=True, slots=True)
class OfficerKey:
    """An officer's key, open: it can sign. Lives for one request, and is never printed."""

    officer: OfficerId
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, officer: OfficerId) -> "OfficerKey":
        """Make a new key."""
        return cls(officer, Ed25519PrivateKey.generate())

    @property
    def name(self) -> str:
        """Whose key it is."""
        return self.officer

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> Sha256:
        """The id by which envelopes name the key."""
        return Sha256(key_id(self.public_key))

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of `message`."""
        return self._private.sign(message)

    def lock_with_password(self, password: str, *, cost: Cost | None = None) -> bytes:
        """Return the key as only the password opens it; deliberately slow (a tenth of a second, 64 MiB)."""
        cost = cost or Cost()
        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        sealed = AESGCM(_from_password(password, salt, cost)).encrypt(nonce, self._pkcs8(), self._bound())
        return canonical_json(
            {
                "format": _FORMAT,
                "kdf": "argon2id",
                "iterations": cost.iterations,
                "lanes": cost.lanes,
                "memory_kib": cost.memory_kib,
                "salt": base64_text(salt),
                "nonce": base64_text(nonce),
                "sealed": base64_text(sealed),
            }
        )

    def lock_with_token(self, token: str) -> bytes:
        """Return the key as only this session's token opens it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(_from_token(token)).encrypt(nonce, self._pkcs8(), self._bound())

    def _pkcs8(self) -> bytes:
        return self._private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def _bound(self) -> bytes:
        return _binding(self.officer, self.public_key)


def unlock_with_password(
    locked: bytes, password: str, *, officer: OfficerId, public_key: bytes
) -> OfficerKey:
    """Open a key by its officer's password.

    Raises
    ------
    NotPermitted
        It is another's key, was locked under another password, or was changed.
    """
    try:
        cost, salt, nonce, sealed = _parts_of(locked)
        derived = _from_password(password, salt, cost)
    except (EvidenceBroken, KeyError, TypeError, ValueError) as error:
        raise NotPermitted(f"the officer's key cannot be read: {error}") from None
    return _opened(AESGCM(derived), nonce, sealed, officer, public_key)


def unlock_with_token(locked: bytes, token: str, *, officer: OfficerId, public_key: bytes) -> OfficerKey:
    """Open a key by the token of the session it was locked for; errors as `unlock_with_password`."""
    nonce, sealed = locked[:_NONCE_BYTES], locked[_NONCE_BYTES:]
    return _opened(AESGCM(_from_token(token)), nonce, sealed, officer, public_key)


def _parts_of(locked: bytes) -> tuple[Cost, bytes, bytes, bytes]:
    parts = document_of(locked, "a locked key")
    cost = Cost(parts["iterations"], parts["lanes"], parts["memory_kib"])
    if (parts["format"], parts["kdf"]) != (
        _FORMAT,
        "argon2id",
    ) or not 1 <= cost.iterations <= _MOST_ITERATIONS:
        raise EvidenceBroken("a locked key is of no known format")
    if not 1 <= cost.memory_kib <= _MOST_MEMORY_KIB:
        raise EvidenceBroken("a locked key asks for more memory than any of ours")
    salt, nonce, sealed = (base64_of(parts[name], name) for name in ("salt", "nonce", "sealed"))
    return cost, salt, nonce, sealed


def _opened(cipher: AESGCM, nonce: bytes, sealed: bytes, officer: OfficerId, public_key: bytes) -> OfficerKey:
    try:
        data = cipher.decrypt(nonce, sealed, _binding(officer, public_key))
        private = serialization.load_der_private_key(data, password=None)
    except (InvalidTag, ValueError):
        private = None
    if not isinstance(private, Ed25519PrivateKey) or private.public_key().public_bytes_raw() != public_key:
        raise NotPermitted("the officer's key does not open with this; sign in again")
    return OfficerKey(officer, private)


def _binding(officer: OfficerId, public_key: bytes) -> bytes:
    return canonical_json({"key": key_id(public_key), "officer": officer, "purpose": "officer-key"})


def _from_password(password: str, salt: bytes, cost: Cost) -> bytes:
    kdf = Argon2id(
        salt=salt,
        length=_KEY_BYTES,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return kdf.derive(password.encode())


def _from_token(token: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=None, info=_SESSION_PURPOSE).derive(
        token.encode()
    )
