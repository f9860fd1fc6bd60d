"""What an operator does to the installation's keys: have one followed by another, revoke one, publish all.

Each change is a statement on its way into the log before the keys folder shows it. The trust file is never
changed by any of this: `service.trust_publishing` is asked for by itself.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from domain.errors import ConfigurationError
from domain.ids import Sha256
from evidence import KeySet, Trust, load_keys, statement_leaf
from evidence.dsse import Envelope
from evidence.key_life import KeyLife
from evidence.keys_folder import (
    BoundedKey,
    bounded_keys,
    changing,
    follower,
    put_into_use,
    retire,
    write_down,
)
from evidence.parsing import base64_text
from evidence.signing import Signer, key_id
from evidence.statements import sign_revocation, sign_rotation
from evidence.trust import entry_of, keys_by_id
from service.administration import open_database
from service.keys import expected_trust, in_token, keys_of, publishable_trust, trust_document
from service.settings import Settings
from store.key_statements import keep_key_statement

OVERLAP = timedelta(days=35)
"""What was signed with the old key may still have to be time-stamped and logged: 31 days, 3 days, and one."""

_SHORTEST_PREFIX = 8


class Rotation(NamedTuple):
    """A key that was followed by another."""

    ended: Sha256
    follower: Sha256
    valid_to: datetime


class ListedKey(NamedTuple):
    """A key as the trust file should name it."""

    key_id: Sha256
    role: str
    in_use: bool
    life: KeyLife


async def rotate(
    settings: Settings,
    role: str,
    *,
    now: datetime,
    overlap: timedelta = OVERLAP,
    to_label: str | None = None,
) -> Rotation:
    """Have a key followed by a new one; a change that was cut off is ended as it was begun.

    Processes that run go on with the old key until they are started again. Where a token holds the service's
    key, its follower lies there already, under the label of the settings or `to_label`.

    Raises
    ------
    ConfigurationError
        The role's key cannot be changed, or the follower that was named is gone.
    ConflictingChange
        Another command is changing the keys.
    """
    folder = settings.keys_root
    with changing(folder):
        current, new, put_in_place = _change(settings, role, to_label)
        envelope = sign_rotation(role, current, new, at=now, valid_to=now + overlap)
        ended = Sha256(key_id(current.public_key))
        async with open_database(settings) as conn:
            kept = await keep_key_statement(
                conn,
                key_id=ended,
                what="rotation",
                role=role,
                envelope=envelope,
                leaf=statement_leaf(envelope),
            )
        stated = Envelope.parse(kept).statement["predicate"]
        if stated["follower"] != base64_text(new.public_key):
            raise ConfigurationError(
                f"a statement in the log names another follower of the {role} key than there is now; restore "
                f"{folder / 'next'} from a backup, or name the token's key it was, and try again"
            )
        life = KeyLife.of({"valid_to": stated["valid_to"]}, "the key")
        write_down(folder, BoundedKey(role, entry_of(role, current), life))
        put_in_place()
    return Rotation(ended, Sha256(key_id(new.public_key)), life.valid_to or now + overlap)


async def revoke(
    settings: Settings, prefix: str, *, now: datetime, revoked_at: datetime, reason: str
) -> ListedKey:
    """Revoke a key of this installation, named by the beginning of its id; return it with its life.

    Raises
    ------
    ConfigurationError
        No key or several begin so, it is in use and can be followed by another first, or the time is to come.
    ConflictingChange
        Another command is changing the keys.
    """
    if revoked_at > now:
        raise ConfigurationError("a key is revoked from a time that is past, or from now on")
    folder = settings.keys_root
    with changing(folder):
        keys = keys_of(settings)
        found = _find(settings, prefix)
        own = {key_id(keys.service.public_key), key_id(keys.witness.public_key)}
        if found.in_use and found.key_id in own:
            raise ConfigurationError(
                f"this {found.role} key is in use: `zhichao keys rotate {found.role}` first, then revoke it"
            )
        envelope = sign_revocation(
            found.role, found.key_id, keys.service, at=now, revoked_at=revoked_at, reason=reason
        )
        async with open_database(settings) as conn:
            kept = await keep_key_statement(
                conn,
                key_id=found.key_id,
                what="revocation",
                role=found.role,
                envelope=envelope,
                leaf=statement_leaf(envelope),
            )
        stated = Envelope.parse(kept).statement["predicate"]
        life = KeyLife.of(found.life.members() | {"revoked_at": stated["revoked_at"]}, "the key")
        write_down(folder, BoundedKey(found.role, _entry(settings, keys, found.key_id), life))
    return found._replace(life=life)


def adopt(settings: Settings, former: bytes, *, ended_at: datetime) -> list[Sha256]:
    """Have the trust file name the keys of a former installation's trust file too, ended; return their ids.

    A log is not continued by another key: it ends, and another begins (docs/adr/0009). A key that both files
    name stays as it is here, and an end that the former file tells stays when it was.

    Raises
    ------
    ConfigurationError
        The file is malformed.
    ConflictingChange
        Another command is changing the keys.
    """
    lives = Trust.parse(former).lives
    with changing(settings.keys_root):
        own = {key.key_id for key in list_keys(settings)}
        adopted = {one: key for one, key in keys_by_id(json.loads(former)).items() if one not in own}
        for one, (role, entry) in adopted.items():
            life = lives.get(one, KeyLife())
            ended = life if life.end is not None else life._replace(valid_to=ended_at)
            write_down(settings.keys_root, BoundedKey(role, entry, ended))
    return [Sha256(one) for one in adopted]


def list_keys(settings: Settings) -> list[ListedKey]:
    """Return every key the trust file should name, by role and in its order."""
    keys = keys_of(settings)
    in_use = keys_by_id(trust_document(settings, keys))
    trust = Trust.parse(expected_trust(settings, keys))
    named = keys_by_id(trust_document(settings, keys, bounded_keys(keys.folder)))
    return [
        ListedKey(Sha256(one), role, one in in_use, trust.lives.get(one, KeyLife()))
        for one, (role, _) in named.items()
    ]


def trust_text(settings: Settings) -> str:
    """Return the trust file that belongs to the installation's keys; errors as `publishable_trust`."""
    return publishable_trust(settings, keys_of(settings)).decode()


def _change(settings: Settings, role: str, to_label: str | None) -> tuple[Signer, Signer, Callable[[], None]]:
    """Return the key in use, its follower, and what puts the one in the other's place."""
    folder = settings.keys_root
    if role == "service" and settings.pkcs11_module is not None:
        return _change_in_token(settings, to_label)
    if to_label is not None:
        raise ConfigurationError("a label is given to a service key in a token only (ZHICHAO_PKCS11_MODULE)")
    current = _signer(keys_of(settings), role)
    new = follower(folder, current, role)
    return current, new, partial(put_into_use, folder, current, role)


def _change_in_token(settings: Settings, to_label: str | None) -> tuple[Signer, Signer, Callable[[], None]]:
    folder = settings.keys_root
    follows = in_token(settings.model_copy(update={"pkcs11_key": to_label or settings.pkcs11_key}))
    if follows is None:
        raise ConfigurationError("there is no token; set ZHICHAO_PKCS11_MODULE")
    if (folder / "service.pem").exists():
        current = load_keys(folder).service
        return current, follows(current.name), partial(retire, folder, current, "service")
    current = keys_of(settings).service
    new = follows(current.name)
    if new.public_key == current.public_key:
        raise ConfigurationError(
            "the token's key cannot follow itself: make a new pair of keys in it under another label, and "
            "give that by --to-label"
        )
    return current, new, lambda: None


def _signer(keys: KeySet, role: str) -> Signer:
    return {"service": keys.service, "log": keys.log, "witness": keys.witness}[role]


def _entry(settings: Settings, keys: KeySet, wanted: Sha256) -> Any:
    """Return a key's entry in the trust file, without its life."""
    return keys_by_id(trust_document(settings, keys, bounded_keys(keys.folder)))[wanted][1]


def _find(settings: Settings, prefix: str) -> ListedKey:
    named = [key for key in list_keys(settings) if key.key_id.startswith(prefix.lower())]
    if len(named) != 1 or len(prefix) < _SHORTEST_PREFIX:
        raise ConfigurationError(
            f"{prefix!r} names {len(named)} keys of this installation; give at least {_SHORTEST_PREFIX} "
            "characters of an id that `zhichao keys list` shows"
        )
    return named[0]
