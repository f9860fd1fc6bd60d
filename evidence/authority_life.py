"""A time-stamp authority's life: a token counts under a root of the trust file that was alive."""

from datetime import datetime
from typing import NamedTuple

from domain.errors import EvidenceBroken
from evidence.timestamp import Stamp, check_token
from evidence.trust import Trust


class LivingStamp(NamedTuple):
    """What a token says, and what a reader should know of its authority's life."""

    stamp: Stamp
    note: str
    revoked: bool
    """Whether the authority was revoked later, so that somebody else may have made the token since."""


def check_living_token(token: bytes, data: bytes, trust: Trust, at: datetime | None = None) -> LivingStamp:
    """Check a token under one trusted root after the other, until one that was alive carries it.

    Parameters
    ----------
    token
        An RFC 3161 response.
    data
        What it is over.
    trust
        The roots, and their lives.
    at
        When a witness saw the token; without it, as where no entry of the log holds the token, the
        token's own time.

    Raises
    ------
    EvidenceBroken
        It holds under none of them, or under one only that was not alive.
    """
    stamp = check_token(token, data, trust.tsa_roots)
    dead: list[EvidenceBroken] = []
    for root in trust.tsa_roots:
        try:
            check_token(token, data, (root,))
        except EvidenceBroken:
            continue
        life = trust.life_of(root)
        try:
            note = life.check(at or stamp.made_at, f"the authority {root.subject.rfc4514_string()}")
        except EvidenceBroken as error:
            dead.append(error)
        else:
            return LivingStamp(stamp, note, life.revoked_at is not None)
    raise dead[0] if dead else EvidenceBroken("the time stamp holds under no single trusted authority")
