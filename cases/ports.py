"""What the case room needs from outside, as protocols: the service hands in what fulfils them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from domain.acts import Act, SignedAct
from domain.casework import CaseFile, CaseState, Claim, Lead, QueueFilter, Review, Reviewer
from domain.ids import CaseId, Sha256


class SealLayer(Protocol):
    """One layer of a package's seal, as `evidence.verify` reports it."""

    @property
    def name(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def detail(self) -> str: ...


class SealReport(Protocol):
    """The verdict on a whole package: `ok` only if every layer holds."""

    @property
    def ok(self) -> bool: ...
    @property
    def broken(self) -> Sequence[str]: ...
    @property
    def not_checked(self) -> Sequence[str]: ...
    @property
    def layers(self) -> Sequence[SealLayer]: ...


Verify = Callable[[str], Awaitable[SealReport]]
"""Verifies the package in a folder below the evidence folder, reading its files anew."""


Sign = Callable[[Act], Awaitable[SignedAct]]
"""Signs an act with the acting officer's own key, and countersigns it for the service; may take its time."""


class CaseBook(Protocol):
    """Where cases are kept. Every call belongs to the one transaction the caller opened and will commit."""

    async def insert_lead(self, lead: Lead, *, state: CaseState, at: datetime) -> bool:
        """Store a new case; False where the event already has one."""

    async def case_of_event(self, event_id: str) -> CaseId | None:
        """Return the case of an event, if it has one."""

    async def case(self, case_id: CaseId, *, lock: bool = False) -> CaseFile:
        """Return a case, locked against change for the transaction if asked; NotFound where there is none."""

    async def next_unclaimed(self, wanted: QueueFilter, reviewer: Reviewer, now: datetime) -> CaseFile | None:
        """Lock and return the oldest case this reviewer may take, skipping what others hold or claim."""

    async def set_state(self, case: CaseFile, state: CaseState, *, plate: str | None, at: datetime) -> None:
        """Move a case on from the version given; ConflictingChange where it is not that version any more."""

    async def claim_of(self, case_id: CaseId) -> Claim | None:
        """Return the claim on a case, expired or not."""

    async def put_claim(self, case_id: CaseId, username: str, expires_at: datetime) -> Claim:
        """Give the case to a reviewer with a new, larger fencing token, replacing any claim."""

    async def extend_claim(self, claim: Claim, expires_at: datetime) -> Claim:
        """Move a claim's end."""

    async def drop_claim(self, case_id: CaseId) -> None:
        """End the claim on a case."""

    async def reviewer(self, username: str, day: date) -> Reviewer:
        """Return who an account belongs to and the licence valid on `day`; NotFound for no such account."""

    async def reviews(self, case_id: CaseId) -> list[Review]:
        """Return the reviews of a case, first round first."""

    async def review_by_key(self, idempotency_key: str) -> Review | None:
        """Return the review a key was used for."""

    async def add_review(self, review: Review) -> None:
        """Store a review; RuleViolation where this officer already reviewed the case."""

    async def on_screen(self, case: CaseFile) -> dict[str, Sha256]:
        """Return digests by part of all a reviewer decides on, as stored at this moment."""

    async def sealed_folders(self, case: CaseFile) -> list[str]:
        """Return the folders of a case's package and of every supplement sealed since, in their order."""

    async def note(
        self, case_id: CaseId, *, actor: str, what: str, detail: dict[str, Any], at: datetime
    ) -> None:
        """Add a line to the case's life, which is never changed afterwards."""

    async def log_decision(self, case_id: CaseId, signed: SignedAct) -> None:
        """Put a decision's leaf into the transparency log's outbox; NotPermitted where its key has ended."""
