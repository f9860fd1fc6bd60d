"""Another witness takes the place of the one that cosigned: a logged statement ends the former key's life.

The key of the witness inside the installation is in its operator's hands. It is told to cosign nothing any
more, and the moment of that is the end of its life: nothing it signed before is lost, nothing it
signs later counts. Keys that it had before end then too, whatever was left of their lives. A former witness
of other people is let go on for a while, until every process asks the new one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from domain.errors import ConfigurationError
from domain.ids import Sha256
from evidence import COSIGNATURE, ED25519, KeySet, Trust, VerifierKey, Witness, statement_leaf
from evidence.dsse import Envelope
from evidence.key_life import KeyLife
from evidence.keys_folder import BoundedKey, bounded_keys, changing, write_down
from evidence.signing import Signer, key_id
from evidence.statements import sign_witness_change
from service.administration import open_database
from service.key_changes import Rotation
from service.keys import keys_of, own_witness_used, witness_apart
from service.settings import Settings
from store.key_statements import keep_key_statement


class _Ending(NamedTuple):
    key: VerifierKey
    signer: Signer
    valid_to: datetime


async def change_witness(settings: Settings, *, now: datetime, overlap: timedelta) -> list[Rotation]:
    """Have the witness of ZHICHAO_WITNESS_KEY follow every other whose life has no end.

    A change that was cut off is ended by the same command.

    Raises
    ------
    ConfigurationError
        No witness is named, or none is there to be followed.
    ConflictingChange
        Another command is changing the keys.
    """
    apart = witness_apart(settings)
    if apart is None:
        raise ConfigurationError("ZHICHAO_WITNESS_KEY is not set; name the published key of the new witness")
    with changing(settings.keys_root):
        keys = keys_of(settings)
        changed = [
            await _end(settings, one, apart, now) for one in _endings(settings, keys, apart, now + overlap)
        ]
        if not changed:
            raise ConfigurationError(
                "no other witness is trusted without an end; `zhichao keys trust-file --write` names this one"
            )
        _end_former_keys(keys, min(one.valid_to for one in changed))
    return changed


def _endings(settings: Settings, keys: KeySet, apart: VerifierKey, valid_to: datetime) -> Iterator[_Ending]:
    """Yield who is to be followed: our own witness, ended first, and those of the trust file."""
    own = VerifierKey.of(keys.witness, COSIGNATURE)
    ended = {one.entry for one in bounded_keys(keys.folder)}
    trust = Trust.load(settings.trust_path)
    if (own_witness_used(settings) or own in trust.witnesses) and str(own) not in ended:
        inside = Witness(settings.own_witness_root, keys.witness, VerifierKey.of(keys.log, ED25519))
        yield _Ending(own, keys.witness, datetime.fromtimestamp(inside.end(), UTC))
    for key in trust.witnesses:
        if key not in (own, apart) and str(key) not in ended and trust.life_of(key.public_key).end is None:
            yield _Ending(key, keys.service, valid_to)


async def _end(settings: Settings, ending: _Ending, follower: VerifierKey, now: datetime) -> Rotation:
    key, signer, valid_to = ending
    ended = Sha256(key_id(key.public_key))
    envelope = sign_witness_change(key, follower, signer, at=now, valid_to=valid_to)
    async with open_database(settings) as conn:
        kept = await keep_key_statement(
            conn,
            key_id=ended,
            what="rotation",
            role="witness",
            envelope=envelope,
            leaf=statement_leaf(envelope),
        )
    life = KeyLife.of({"valid_to": Envelope.parse(kept).statement["predicate"]["valid_to"]}, "the key")
    write_down(settings.keys_root, BoundedKey("witness", str(key), life))
    return Rotation(ended, Sha256(key_id(follower.public_key)), life.valid_to or valid_to)


def _end_former_keys(keys: KeySet, at: datetime) -> None:
    """End what is left of the lives of keys that our own witness had before: their files are here too."""
    for former in bounded_keys(keys.folder):
        if former.role != "witness" or VerifierKey.parse(former.entry).name != keys.witness.name:
            continue
        if former.life.valid_to is None or former.life.valid_to > at:
            write_down(keys.folder, former._replace(life=former.life._replace(valid_to=at)))
