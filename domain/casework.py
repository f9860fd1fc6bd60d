"""A case (案件线索) and what people do to it: the records that cases, store and api pass to each other.

How a case may move is in `cases.states`; this module only says what is kept of it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.ids import CaseId, EventId, OfficerId, Sha256, SiteId, StationId


class CaseState(StrEnum):
    """Where a case stands."""

    AWAITING_FIRST = "awaiting-first"
    AWAITING_SECOND = "awaiting-second"
    AWAITING_THIRD = "awaiting-third"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Verdict(StrEnum):
    """What one reviewer says."""

    CONFIRM = "confirm"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """What a case is opened with (线索): the finding, its package and the proposed penalty."""

    case_id: CaseId
    event_id: EventId
    captured_at: datetime
    station_id: StationId
    site_id: SiteId
    ocr_plate: str | None
    vehicle_code: str
    adjudged_kg: int
    limit_kg: int
    over_kg: int
    package_folder: str
    """Below the evidence folder."""
    tagmanifest: Sha256
    proposal: dict[str, Any]
    """`cases.penalty.Proposal` as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile(Lead):
    """A case as it stands."""

    state: CaseState
    version: int
    """Grows with every change of the case; a decision names the one it was made on."""
    plate: str | None
    """As two reviewers typed it; None until confirmed."""
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One reviewer's decision in one round; never changed once stored."""

    case_id: CaseId
    round: int
    username: str
    officer_id: OfficerId
    licence: str
    """Number of the law-enforcement licence (执法证) valid on the day."""
    verdict: Verdict
    reason: str
    note: str
    plate_typed: str | None
    seen_digests: dict[str, str]
    idempotency_key: str
    envelope: bytes
    """The signed decision statement."""
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A reviewer's lease on a case; the fencing token proves at submit that it is still the same one."""

    case_id: CaseId
    username: str
    fencing_token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """A person at the review page; `licence` is None unless one is valid on the day asked about."""

    username: str
    role: str
    officer_id: OfficerId | None
    licence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensedReviewer(Reviewer):
    """A reviewer who is an officer with a licence valid on the day."""

    officer_id: OfficerId
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """Which cases a reviewer asks for; None means any."""

    states: tuple[CaseState, ...]
    station: str | None = None
    min_over_kg: int | None = None
    after: CaseId | None = None
    """Only cases behind this one in the queue: what "skip" asks for."""
