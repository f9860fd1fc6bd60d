"""The life of a key as a trust file tells it: from when to when what it signed counts, and its revocation.

The moment that counts is never one the signer gave: it is when a witness saw the entry that the signature
is part of. So a thief who signs with a revoked key cannot date his work back, and what was sealed
before the theft still holds.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from domain.errors import EvidenceBroken
from domain.units import utc_text

LIFE_MEMBERS = frozenset({"valid_from", "valid_to", "revoked_at"})

_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")

_WITNESS_RESOLUTION = timedelta(seconds=1)
"""A cosignature's time is cut to whole seconds: what it dates happened up to one later."""


class KeyLife(NamedTuple):
    """Bounds of a key's life, None where there is none."""

    valid_from: datetime | None = None
    valid_to: datetime | None = None
    revoked_at: datetime | None = None

    @classmethod
    def of(cls, entry: Mapping[str, Any], whose: str) -> "KeyLife":
        """Read the bounds among an entry's members; raises `EvidenceBroken` where one is no time."""
        bounds = {name: _moment(entry[name], f"{name} of {whose}") for name in LIFE_MEMBERS & entry.keys()}
        life = cls(**bounds)
        if life.valid_from and life.valid_to and life.valid_from > life.valid_to:
            raise EvidenceBroken(f"{whose} ends before it begins")
        return life

    @property
    def end(self) -> datetime | None:
        """From when on nobody's use of the key counts, None where that is not told."""
        return min((bound for bound in (self.valid_to, self.revoked_at) if bound is not None), default=None)

    def members(self) -> dict[str, str]:
        """Return the bounds as an entry's members."""
        return {name: utc_text(bound) for name, bound in self._asdict().items() if bound is not None}

    def check(self, witnessed_at: datetime, whose: str) -> str:
        """Check that what a witness saw at a time counts; return what a reader should know, "" if nothing.

        Raises
        ------
        EvidenceBroken
            The key was not valid then, or revoked before.
        """
        if self.revoked_at is not None and witnessed_at + _WITNESS_RESOLUTION > self.revoked_at:
            raise EvidenceBroken(
                f"{whose} was revoked at {self.revoked_at.isoformat()}; "
                f"what was witnessed at {witnessed_at.isoformat()} does not count"
            )
        if self.valid_from is not None and witnessed_at + _WITNESS_RESOLUTION <= self.valid_from:
            raise EvidenceBroken(f"{whose} is valid from {self.valid_from.isoformat()} only")
        if self.valid_to is not None and witnessed_at > self.valid_to:
            raise EvidenceBroken(f"{whose} was valid to {self.valid_to.isoformat()} only")
        return (
            "" if self.revoked_at is None else f"{whose} was revoked later, at {self.revoked_at.isoformat()}"
        )


def _moment(text: object, what: str) -> datetime:
    if not isinstance(text, str) or not _UTC.fullmatch(text):
        raise EvidenceBroken(f"{what} is not a time like 2026-11-23T08:00:00Z")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise EvidenceBroken(f"{what} is not a time that exists: {text}") from None
