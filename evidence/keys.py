"""The four keys of a deployment, in files with strict modes: service, log, witness, TSA.

They are separate so that they can lie under separate administrations; a folder may hold any one of
them alone. `create_keys` also makes the certificates of the test time-stamp authority: a root whose
key is thrown away at once, and one signing certificate, both plainly named as a test.
"""

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from domain.errors import ConfigurationError
from evidence.durable import fsync_folder, write_new
from evidence.signing import KeySigner, Signer

TEST_TSA_NAME = "zhichao TEST time-stamp authority, NOT FOR EVIDENCE"
TEST_ROOT_NAME = "zhichao TEST time-stamp root, NOT FOR EVIDENCE"

PRIVATE_MODE = 0o600
_FOLDER_MODE = 0o700
_VALID = timedelta(days=3650)
_ROLES = ("service", "log", "witness")


InToken = Callable[[str], Signer]
"""Returns the signer of a key in a token, given its published name."""


class KeySet(NamedTuple):
    """The keys of one deployment."""

    folder: Path
    service: Signer
    log: KeySigner
    witness: KeySigner
    tsa_root: x509.Certificate
    """The test authority's root; its keys are loaded by `LocalTestAuthority`."""


def create_keys(
    folder: Path,
    *,
    name: str = "zhichao.invalid",
    made_at: datetime | None = None,
    in_token: InToken | None = None,
) -> KeySet:
    """Make new keys and return them.

    Parameters
    ----------
    folder
        Made with mode 0700; must not hold keys yet.
    name
        The deployment's name, by custom a domain; the log becomes `<name>/log` and so on. The
        default is a name that RFC 2606 promises never to exist.
    made_at
        When the test authority's certificates were made, UTC; by default now.
    in_token
        Returns the service's signer where its key lies in a token; then no file is made for it.

    Raises
    ------
    ConfigurationError
        There are keys already, or the name holds a space or a plus sign.
    """
    if not name or "+" in name or any(character.isspace() for character in name):
        raise ConfigurationError(f"{name!r} cannot name keys: give a name without spaces and plus signs")
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; keys are never overwritten: choose a new folder")
    folder.chmod(_FOLDER_MODE)
    for role in _ROLES:
        if role == "service" and in_token is not None:
            continue
        _write_private(folder / f"{role}.pem", Ed25519PrivateKey.generate())
    _create_test_authority(folder, made_at or datetime.now(UTC))
    write_new(folder / "name", f"{name}\n".encode())
    fsync_folder(folder)
    return load_keys(folder, in_token=in_token)


def load_keys(folder: Path, *, in_token: InToken | None = None) -> KeySet:
    """Load the keys that `create_keys` made.

    Raises
    ------
    ConfigurationError
        A file is missing, unreadable, or open to others than its owner; or there are two service keys.
    """
    name = _read(folder / "name").decode("utf-8", "replace").removesuffix("\n")
    log, witness = (load_signer(folder / f"{role}.pem", f"{name}/{role}") for role in ("log", "witness"))
    path = folder / "service.pem"
    if in_token is not None and path.exists():
        raise ConfigurationError(
            f"there are two service keys, one in a token and {path}: `zhichao keys rotate service` has the "
            "one in the file followed by the other"
        )
    service_name = f"{name}/service"
    service = load_signer(path, service_name) if in_token is None else in_token(service_name)
    return KeySet(folder, service, log, witness, load_certificate(folder / "tsa-root.crt"))


def load_private(path: Path) -> PrivateKeyTypes:
    """Return a private key from a PEM file that only its owner may read.

    Raises
    ------
    ConfigurationError
        The file or its folder is open to others, it cannot be read, or holds no such key.
    """
    check_private(path)
    try:
        return serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError):
        raise ConfigurationError(f"{path} is not a private key in PEM without a password") from None


def check_private(path: Path) -> None:
    """Check that only its owner may read a key; raises `ConfigurationError`."""
    for part, allowed in ((path, PRIVATE_MODE), (path.parent, _FOLDER_MODE)):
        try:
            mode = stat.S_IMODE(part.stat().st_mode)
        except OSError as error:
            raise ConfigurationError(f"the key {part} cannot be read: {error.strerror}") from None
        if mode & ~allowed:
            raise ConfigurationError(
                f"{part} has mode {mode:04o}; others could read a key: chmod {allowed:o} {part}"
            )


def load_certificate(path: Path) -> x509.Certificate:
    """Return a certificate from a PEM file; raises `ConfigurationError` where it is none."""
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError:
        raise ConfigurationError(f"{path} is not a certificate in PEM") from None


def load_signer(path: Path, name: str) -> KeySigner:
    """Return the signer of an Ed25519 key in a PEM file, by its published name; errors as `load_private`."""
    key = load_private(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} is not an Ed25519 key")
    return KeySigner(name, key)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}; make keys first") from None


def private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM without a password, for a file that only its owner may read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(path: Path, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
    write_new(path, private_pem(key), mode=PRIVATE_MODE)


def _create_test_authority(folder: Path, made_at: datetime) -> None:
    # A day of grace: clocks that check the certificate may be behind the one that made it.
    begins = made_at.replace(microsecond=0) - timedelta(days=1)
    root_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    root_name, name = _subject(TEST_ROOT_NAME), _subject(TEST_TSA_NAME)
    root = (
        _certificate(root_name, root_name, root_key.public_key(), begins)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    leaf = (
        _certificate(name, root_name, key.public_key(), begins)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        # RFC 3161 section 2.3: exactly this purpose, and critical.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(issuer, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    _write_private(folder / "tsa.pem", key)
    for certificate, file in ((root, "tsa-root.crt"), (leaf, "tsa.crt")):
        write_new(folder / file, certificate.public_bytes(serialization.Encoding.PEM))


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, begins: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public_key,
        serial_number=x509.random_serial_number(),
        not_valid_before=begins,
        not_valid_after=begins + _VALID,
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
