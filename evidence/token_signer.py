"""The service's key in a token (HSM or smart card) behind PKCS#11: it signs there and never leaves it.

The library `python-pkcs11` is wanted here only, by the extra `pkcs11`. The key is an Ed25519 pair in the
token (PKCS#11 3.0: CKK_EC_EDWARDS, CKM_EDDSA), found by its label.
"""

import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from evidence.signing import check_signature

_KEY_BYTES = 32
_OCTET_STRING = b"\x04\x20"


class Token(NamedTuple):
    """Where a token is and what opens it."""

    module: Path
    """The vendor's PKCS#11 library."""
    label: str
    pin_file: Path
    """One line; for its owner only."""


class TokenSigner:
    """A signer whose key lies in a token.

    Raises
    ------
    ConfigurationError
        The extra `pkcs11` is not installed, the token cannot be opened, or holds no such pair of keys.
    """

    def __init__(self, name: str, token: Token, key_label: str) -> None:
        self._name = name
        self._token = token
        self._key_label = key_label
        self._lock = threading.Lock()
        self._pin = _pin(token.pin_file)
        self._library = _library(token.module)
        self._key: Any = None
        try:
            self._public_key = self._open()
            check_signature(self._public_key, self.sign(b""), b"", "the token's signature")
        except (ServiceUnavailable, EvidenceBroken) as error:
            raise ConfigurationError(f"the token {token.label!r} cannot sign: {error}") from None
        except Exception as error:  # noqa: BLE001 - a vendor's library behind a C interface
            raise ConfigurationError(
                f"the token {token.label!r} has no Ed25519 pair of keys {key_label!r} to be used "
                f"({type(error).__name__} {error}); see docs/how-to/change-keys.md"
            ) from None

    @property
    def name(self) -> str:
        """The name under which the key is published."""
        return self._name

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`, 64 bytes.

        Raises
        ------
        ServiceUnavailable
            The token does not sign now, even in a new session; trying later is right.
        """
        # A session that was lost wants another one; a token that was reset, the library from its start.
        remedies: tuple[Callable[[], None] | None, ...] = (None, self._open_again, self._start_again)
        with self._lock:
            for remedy in remedies:
                try:
                    if remedy is not None:
                        remedy()
                    return self._sign(message)
                except ServiceUnavailable:
                    raise
                except Exception as error:  # noqa: BLE001 - as in __init__
                    failed = error
        raise ServiceUnavailable(
            f"the token {self._token.label!r} does not sign ({type(failed).__name__} {failed}); "
            "is it there, and its PIN right?"
        )

    def _open_again(self) -> None:
        if self._open() != self._public_key:
            raise ServiceUnavailable(f"the token {self._token.label!r} holds another key than before")

    def _start_again(self) -> None:
        self._library.reinitialize()
        self._open_again()

    def _sign(self, message: bytes) -> bytes:
        from pkcs11 import Mechanism  # noqa: PLC0415 (an extra)

        return bytes(self._key.sign(message, mechanism=Mechanism.EDDSA))

    def _open(self) -> bytes:
        """Open a session, keep its private key at hand, and return the public one."""
        from pkcs11 import Attribute, KeyType, ObjectClass  # noqa: PLC0415 (an extra)
        from pkcs11.exceptions import UserAlreadyLoggedIn  # noqa: PLC0415 (an extra)

        token = self._library.get_token(token_label=self._token.label)
        try:
            session = token.open(user_pin=self._pin)
        except UserAlreadyLoggedIn:  # by another signer of this process: a login is the process's
            session = token.open()
        wanted = {"key_type": KeyType.EC_EDWARDS, "label": self._key_label}
        try:
            self._key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, **wanted)
            public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, **wanted)
        except Exception:
            session.close()
            raise
        # PKCS#11 3.0 section 2.3.5 wants an octet string in DER; some tokens give the bytes alone.
        point = bytes(public[Attribute.EC_POINT]).removeprefix(_OCTET_STRING)
        if len(point) != _KEY_BYTES:
            raise EvidenceBroken(f"the public key {self._key_label!r} is not one of Ed25519")
        return point


def _library(module: Path) -> Any:
    try:
        import pkcs11  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ConfigurationError("a key in a token wants the extra: pip install 'zhichao[pkcs11]'") from None
    try:
        return pkcs11.lib(str(module))
    except Exception as error:  # noqa: BLE001 - as in TokenSigner
        raise ConfigurationError(f"{module} is no PKCS#11 library that can be used: {error}") from None


def _pin(path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError(f"others can read the PIN in {path}: chmod 600 {path}")
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the PIN in {path} cannot be read: {error}") from None
