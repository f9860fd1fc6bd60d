"""When a head was witnessed: which cosignatures count, and which of their times.

A witness writes its own time, so a cosignature dates a head only as long as nobody else has the key:
who holds one whose life has ended (stolen, or kept by the operator who has changed to another witness)
may sign today and write any day of that life. Therefore:

1. every cosignature by a key of the trust file must verify, and its time must lie in that key's life;
2. a key *stands* if the trust file gives it no end, neither `valid_to` nor `revoked_at`. Where standing keys
   have cosigned, the earliest of their times counts, and no other is looked at: an ended key, whoever has
   it, makes nothing older;
3. where only ended keys have, the latest of their times is taken, and is a claim that something else has to
   bound: of a package its time stamp, which no holder of keys gets for a day that is past, and which the
   claimed time may not precede; of an entry without one a head that somebody else has dated
   (`evidence.logged`).

So a key's own life is judged by the time it wrote itself only where that can make nothing older than what
another vouches for.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import MAXYEAR, UTC, datetime
from typing import NamedTuple

from domain.errors import EvidenceBroken
from evidence.checkpoint import SignedCheckpoint
from evidence.note import VerifierKey
from evidence.trust import Trust


class Witnessed(NamedTuple):
    """What the witnesses of a head vouch for."""

    at: datetime
    standing: bool
    """Whether a key without an end says so; if not, the time is a claim that something else has to bound."""
    keys: tuple[VerifierKey, ...]
    """Those whose cosignatures count."""
    notes: tuple[str, ...]
    """What a reader should know of their lives."""


class _Cosigned(NamedTuple):
    key: VerifierKey
    at: datetime
    note: str
    standing: bool


def witnessed(signed: SignedCheckpoint, trust: Trust) -> Witnessed:
    """Return what the trusted witnesses of a head vouch for.

    Raises
    ------
    EvidenceBroken
        None has cosigned, one has and its cosignature does not verify, or none of their keys was alive.
    """
    alive: list[_Cosigned] = []
    dead: list[EvidenceBroken] = []
    for key, at in cosigned_times(signed, trust.witnesses):
        life = trust.life_of(key.public_key)
        try:
            note = life.check(at, f"the witness key {key}")
        except EvidenceBroken as error:
            dead.append(error)
        else:
            alive.append(_Cosigned(key, at, note, life.end is None))
    if not alive:
        raise dead[0]
    standing = [one for one in alive if one.standing]
    times = [one.at for one in standing or alive]
    return Witnessed(
        min(times) if standing else max(times),
        bool(standing),
        tuple(one.key for one in standing or alive),
        tuple(one.note for one in alive if one.note),
    )


def cosigned_times(
    signed: SignedCheckpoint, keys: Iterable[VerifierKey]
) -> list[tuple[VerifierKey, datetime]]:
    """Return which of these witnesses have cosigned a head, and the times they wrote, whatever their lives.

    Raises
    ------
    EvidenceBroken
        None has, or one has and its cosignature does not verify.
    """
    found = signed.note.signers(keys)
    if not found:
        raise EvidenceBroken("no trusted witness has cosigned the head")
    return [(key, _moment(signed.check_witness(key))) for key in found]


def _moment(posix_s: int) -> datetime:
    with suppress(ValueError, OverflowError, OSError):
        moment = datetime.fromtimestamp(posix_s, UTC)
        if moment.year < MAXYEAR:  # so that what is reckoned from it is a time, too
            return moment
    raise EvidenceBroken("the witness's time is outside any calendar")
