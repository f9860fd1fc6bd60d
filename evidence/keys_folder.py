"""Keys that are followed by others: what lies in the keys folder while a key changes, and afterwards.

    <role>.pem                  the key in use
    next/<role>.pem             its follower, named in a logged statement before it is put into use
    former/<role>-<id>.pem      out of use; nothing is ever deleted here
    bounded.json                what the trust file says of keys that are former, or whose life is bounded

A change goes through these states, each durable before the next, and is taken up where it was cut off:

1. the follower is made (`follower`);
2. the statement that names it is stored, on its way into the log (outside, `store.key_statements`);
3. the old key is written down with the end of its life (`write_down`);
4. the old key is kept under its id, and the follower takes its name (`put_into_use`).
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import ConfigurationError, ConflictingChange, EvidenceBroken
from evidence.durable import fsync_folder, replace
from evidence.key_life import LIFE_MEMBERS, KeyLife
from evidence.keys import PRIVATE_MODE, load_signer, private_pem
from evidence.parsing import Json, canonical_json, document_of
from evidence.signing import KeySigner, Signer, key_id

CHANGING_ROLES = ("service", "witness")
"""A log keeps its key: a stolen one ends the log, and another is begun."""

_ROLES = ("service", "log", "witness", "tsa", "sm2")
_BOUNDED = "bounded.json"
_FORMAT = "zhichao-bounded-keys/1"
_FOLDER_MODE = 0o700


class BoundedKey(NamedTuple):
    """A key as the trust file names it, and its life."""

    role: str
    entry: Any
    """Its entry in the trust file, without the life."""
    life: KeyLife


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keep every other command from changing these keys.

    Raises
    ------
    ConfigurationError
        There is no such folder.
    ConflictingChange
        Another command is at it.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be opened: {error.strerror}; make keys first") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConflictingChange(f"another command is changing the keys in {folder}; wait for it") from None
    finally:
        os.close(descriptor)


def follower(folder: Path, current: Signer, role: str) -> KeySigner:
    """Return the key that is to follow the current one of a role; the same until it is put into use."""
    if role not in CHANGING_ROLES:
        raise ConfigurationError(
            f"a {role} key is not changed: it is its log's for life; where it was stolen, revoke it and "
            "begin a new installation with a log of its own (docs/adr/0009-a-log-keeps-its-key.md)"
        )
    waiting = folder / "next"
    waiting.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    path = waiting / f"{role}.pem"
    if not path.exists():
        fsync_folder(folder)
        replace(path, private_pem(Ed25519PrivateKey.generate()), mode=PRIVATE_MODE)
    return load_signer(path, current.name)


def retire(folder: Path, current: Signer, role: str) -> None:
    """Keep the current key under its id, with no file in its place: what follows it lies in a token."""
    _keep_former(folder, current, role)
    (folder / f"{role}.pem").unlink()
    fsync_folder(folder)


def is_cut_off(folder: Path) -> list[str]:
    """Return the roles whose change was begun and not ended."""
    return sorted(path.stem for path in (folder / "next").glob("*.pem"))


def put_into_use(folder: Path, current: Signer, role: str) -> None:
    """Keep the current key under its id, and give its name to the follower; at no moment is there none."""
    _keep_former(folder, current, role)
    (folder / "next" / f"{role}.pem").rename(folder / f"{role}.pem")
    fsync_folder(folder / "next")
    fsync_folder(folder)


def _keep_former(folder: Path, current: Signer, role: str) -> None:
    kept = folder / "former"
    kept.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    former = kept / f"{role}-{key_id(current.public_key)[:16]}.pem"
    if not former.exists():
        former.hardlink_to(folder / f"{role}.pem")
    fsync_folder(kept)


def bounded_keys(folder: Path) -> list[BoundedKey]:
    """Return the keys that are former or have bounds, as they were written down.

    Raises
    ------
    ConfigurationError
        The file is damaged: without it the trust file would lose keys, or revocations.
    """
    path = folder / _BOUNDED
    if not path.exists():
        return []
    try:
        return _keys_of(document_of(path.read_bytes(), _BOUNDED))
    except (EvidenceBroken, OSError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} cannot be used: {error}; restore it from a backup") from None


def write_down(folder: Path, key: BoundedKey) -> None:
    """Write down a key's life, in place of what was written of it before."""
    kept = [one for one in bounded_keys(folder) if (one.role, one.entry) != (key.role, key.entry)]
    replace(folder / _BOUNDED, _document([*kept, key]))


def _keys_of(document: Json) -> list[BoundedKey]:
    if document.get("format") != _FORMAT:
        raise EvidenceBroken(f"it is not of the format {_FORMAT}")
    return [_key_of(key) for key in document["keys"]]


def _key_of(key: Any) -> BoundedKey:
    if key["role"] not in _ROLES or not isinstance(key["entry"], str | dict):
        raise EvidenceBroken("a key in it has no known role, or no entry of a trust file")
    if key["life"].keys() - LIFE_MEMBERS:  # a revocation misspelt must not pass for none
        raise EvidenceBroken(
            f"the life of a key in it has other members than {', '.join(sorted(LIFE_MEMBERS))}"
        )
    return BoundedKey(key["role"], key["entry"], KeyLife.of(key["life"], "a key"))


def _document(keys: Sequence[BoundedKey]) -> bytes:
    entries = [{"role": key.role, "entry": key.entry, "life": key.life.members()} for key in keys]
    return canonical_json({"format": _FORMAT, "keys": entries})
