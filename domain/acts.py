"""Acts: what an officer does with evidence after it is sealed, each an entry in the log.

An act names officer and licence by number, never a person by name. It is never changed or taken back: what
undoes it is another act, which names it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from domain.ids import EventId, OfficerId, Sha256


class ActKind(StrEnum):
    """What was done."""

    REVIEW = "review"
    CORRECTION = "correction"
    EXPORT = "export"
    DISCLOSURE = "disclosure"
    ACCESS = "access"
    DELETION = "deletion"
    """Of evidence, at the end of its retention."""
    ERASURE = "erasure"
    """Of what is no evidence: captures of passages never flagged, and refused messages."""
    HOLD = "hold"
    RELEASE = "release"


SERVICE_ALONE = frozenset({ActKind.ACCESS, ActKind.ERASURE})
"""Who looks decides nothing, nor does who erases by a rule what never was evidence: the service notes it, and
signs alone. Every other act needs an officer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act, as it is signed."""

    act_id: str
    """Chosen by whoever acts, once: the same act sent again is the same entry."""
    kind: ActKind
    officer: OfficerId | None
    """None only where somebody looks who is no officer."""
    licence: str | None
    """Number of the law-enforcement licence (执法证) valid on the day."""
    event: EventId | None
    """The passage it is about."""
    subject: str
    """A case, a package's folder, or an event."""
    reason: str
    digests: tuple[tuple[str, Sha256], ...]
    """Names and digests of what was acted on, as it was at that moment."""
    made_at: datetime
    corrects: Sha256 | None = None
    """The entry (SHA-256 of its envelope) that this act corrects or takes back."""
    detail: dict[str, Any] = field(default_factory=dict)


class SignedAct(NamedTuple):
    """An act's envelope, and its entry in the transparency log."""

    envelope: bytes
    """DSSE, as JSON: signed by the officer, countersigned by the service."""
    leaf: bytes
    key_id: Sha256 | None
    """The officer's key; None where the service signed alone."""
