"""SM2 signatures with SM3 (GB/T 32918.2, GB/T 32905), made and checked by the command `openssl`.

A second signature beside the service's Ed25519 one, for whoever asks for the national algorithms. No
library here knows SM2; OpenSSL 3.0 and later do (`pkeyutl -rawin`). The identity that SM2 hashes into
what is signed is the customary 1234567812345678 (GM/T 0009), which the command must be told.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from evidence.keys import check_private
from evidence.signing import key_id

IDENTITY = "1234567812345678"

_TIMEOUT_S = 20
_WITH_SM3 = ("-rawin", "-digest", "sm3", "-pkeyopt", f"distid:{IDENTITY}")
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
"""What precedes the 64 bytes of an uncompressed SM2 point (RFC 5480 form, curve 1.2.156.10197.1.301)."""

_SPKI_BYTES = len(_SPKI) + 64


class Sm2Key(NamedTuple):
    """A public SM2 key that may sign statements second."""

    name: str
    public_key: bytes
    """SubjectPublicKeyInfo in DER."""

    @property
    def key_id(self) -> str:
        """The id by which an envelope names the key."""
        return key_id(self.public_key)


class Sm2Signer:
    """A signer whose key lies in a PEM file, as `openssl genpkey -algorithm SM2` makes it.

    Raises
    ------
    ConfigurationError
        The file is open to others, it holds no SM2 key, or there is no `openssl` that knows SM2.
    """

    def __init__(self, name: str, path: Path) -> None:
        check_private(path)
        self._name = name
        self._path = path
        try:
            self._public_key = checked_sm2_key(
                _openssl("pkey", "-in", str(path), "-pubout", "-outform", "DER")
            )
            self.sign(b"")
        except (EvidenceBroken, ServiceUnavailable) as error:
            raise ConfigurationError(
                f"{path} cannot sign by SM2: {error}; make a key with `openssl genpkey -algorithm SM2`"
            ) from None

    @property
    def name(self) -> str:
        """The name under which the key is published."""
        return self._name

    @property
    def public_key(self) -> bytes:
        """The public key, SubjectPublicKeyInfo in DER."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return a signature of `message` in DER; each is another, since SM2 draws a random number."""
        return _openssl("pkeyutl", "-sign", "-inkey", str(self._path), *_WITH_SM3, given=message)


def checked_sm2_key(public_key: bytes) -> bytes:
    """Return a public key if it is an SM2 key in the one spelling; raises `EvidenceBroken` otherwise."""
    if len(public_key) != _SPKI_BYTES or not public_key.startswith(_SPKI):
        raise EvidenceBroken("it is not an SM2 key in DER, uncompressed")
    return public_key


def check_sm2_signature(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Check an SM2 signature.

    Raises
    ------
    EvidenceBroken
        It does not hold under this key.
    ServiceUnavailable
        There is no `openssl` here that could tell.
    """
    with tempfile.TemporaryDirectory() as folder:
        key, signed = Path(folder, "key.der"), Path(folder, "signature")
        key.write_bytes(public_key)
        signed.write_bytes(signature)
        done = _run(
            *("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", str(key), "-sigfile", str(signed)),
            *_WITH_SM3,
            given=message,
        )
    if done.returncode != 0:
        _refuse_unable()
        raise EvidenceBroken("the SM2 signature does not hold")


def _openssl(*arguments: str, given: bytes = b"") -> bytes:
    """Return what openssl answers about a key of our own; `ServiceUnavailable` says why there is nothing."""
    done = _run(*arguments, given=given)
    if done.returncode != 0:
        _refuse_unable()
        why = done.stderr.decode(errors="replace").strip().splitlines()
        raise ServiceUnavailable(f"openssl {arguments[0]} failed: {why[0] if why else 'it does not say why'}")
    return done.stdout


def _refuse_unable() -> None:
    """Raise `ServiceUnavailable` if this openssl cannot sign by SM2 at all: its failures then say nothing."""
    with tempfile.TemporaryDirectory() as folder:
        key = str(Path(folder, "key.pem"))
        made = _run("genpkey", "-algorithm", "SM2", "-out", key)
        if made.returncode != 0 or _run("pkeyutl", "-sign", "-inkey", key, *_WITH_SM3).returncode != 0:
            raise ServiceUnavailable("this openssl does not know SM2; install OpenSSL 3.0 or later with SM2")


def _run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["openssl", *arguments], input=given, capture_output=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceUnavailable(
            f"the command openssl cannot be asked about SM2 ({error}); install OpenSSL 3.0 or later"
        ) from None
