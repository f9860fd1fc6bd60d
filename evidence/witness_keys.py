"""The key of a witness that runs by itself: one Ed25519 key and its name, in a folder of its own.

The name is that of whoever runs the witness, by custom a domain and a path; it is not the log's.
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import ConfigurationError
from evidence.durable import fsync_folder, make_folders, write_new
from evidence.keys import load_private
from evidence.note import COSIGNATURE, VerifierKey
from evidence.signing import KeySigner, Signer

_KEY = "witness.pem"
_NAME = "name"


def create_witness_key(folder: Path, name: str) -> KeySigner:
    """Make a witness's key in a new folder and return it.

    Raises
    ------
    ConfigurationError
        The folder holds something, or the name holds a space or a plus sign.
    """
    if not name or "+" in name or any(character.isspace() for character in name):
        raise ConfigurationError(f"{name!r} cannot name a key: give a name without spaces and plus signs")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; keys are never overwritten: choose a new folder")
    make_folders(folder)
    folder.chmod(0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_new(folder / _NAME, f"{name}\n".encode())
    write_new(folder / _KEY, pem, mode=0o600)
    fsync_folder(folder)
    return load_witness_key(folder)


def load_witness_key(folder: Path) -> KeySigner:
    """Return the key that `create_witness_key` made; raises `ConfigurationError` where it cannot be used."""
    key = load_private(folder / _KEY)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{folder / _KEY} is not an Ed25519 key")
    try:
        name = (folder / _NAME).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder / _NAME} cannot be read: {error}; restore the folder") from None
    return KeySigner(name, key)


def published_witness_key(signer: Signer) -> str:
    """Return the verifier key to be put into trust files: `<name>+<id>+<key>`."""
    return str(VerifierKey.of(signer, COSIGNATURE))
