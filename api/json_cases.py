"""JSON API: cases, claims and decisions.

A tool that decides does what the page does: it claims, names the digests it showed (`seen` of the
case it got), and its fencing token and version.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from api.access import ChangingPerson, SignedInPerson, wiring_of
from api.acting import signing
from api.web_item import seals_of
from cases import claims
from cases.review import Decision, decide
from cases.states import NAMES, ROUNDS
from domain.casework import CaseFile, CaseState, QueueFilter, Verdict
from domain.ids import CaseId
from store.case_queries import case_page
from store.cases import PostgresCaseBook

router = APIRouter(prefix="/api/v1/cases", tags=["cases"])


class CaseDocument(BaseModel):
    """A case as the API shows it."""

    case_id: str
    event_id: str
    captured_at: datetime
    station_id: str
    site_id: str
    state: CaseState
    state_zh: str
    version: int
    ocr_plate: str | None
    plate: str | None
    vehicle_code: str
    adjudged_kg: int
    limit_kg: int
    over_kg: int
    package_folder: str
    tagmanifest: str
    proposal: dict[str, Any]
    opened_at: datetime


class ReviewDocument(BaseModel):
    """One review; shown only once the case is decided."""

    round: int
    officer_id: str
    licence: str
    verdict: Verdict
    reason: str
    note: str
    plate: str | None
    decided_at: datetime


class CaseDetail(CaseDocument):
    """A case with what a decision must name."""

    seen: dict[str, str]
    """Digests by part of what is to be decided on; a decision returns them."""
    reviews: list[ReviewDocument]


class CasePage(BaseModel):
    """Some cases, oldest passage first."""

    cases: list[CaseDocument]
    next: str | None
    """Value of `after` for the following page; null at the end."""


class ClaimDocument(BaseModel):
    """A lease on a case."""

    case_id: str
    fencing_token: int
    expires_at: datetime


class ClaimToken(BaseModel):
    """Names the claim meant."""

    fencing_token: int


class DecisionDocument(BaseModel):
    """A reviewer's decision."""

    fencing_token: int
    version: int
    seen: dict[str, str]
    verdict: Verdict
    reason: str | None = None
    note: str = Field("", max_length=2_000)
    plate: str | None = None
    idempotency_key: str = Field(pattern=r"^[\w-]{16,64}$")


class DecidedDocument(BaseModel):
    """What came of a decision."""

    state: CaseState
    round: int
    repeated: bool


def document_of(case: CaseFile) -> CaseDocument:
    """Return a case as the API shows it."""
    fields = {name: getattr(case, name) for name in CaseDocument.model_fields if name != "state_zh"}
    return CaseDocument(**fields, state_zh=NAMES[case.state].zh)


@router.get("")
async def list_cases(
    request: Request,
    person: SignedInPerson,
    state: Annotated[list[CaseState] | None, Query()] = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> CasePage:
    """List cases by state, oldest passage first."""
    wanted = QueueFilter(states=tuple(state or CaseState), after=CaseId(after) if after else None)
    async with wiring_of(request).transaction() as conn:
        found = await case_page(conn, wanted, limit=limit + 1)
    following = found[limit - 1].case_id if len(found) > limit else None
    return CasePage(cases=[document_of(case) for case in found[:limit]], next=following)


@router.get("/{case_id}")
async def get_case(request: Request, case_id: CaseId, person: SignedInPerson) -> CaseDetail:
    """Return one case; reviews of an undecided case are withheld (blind review)."""
    async with wiring_of(request).transaction() as conn:
        book = PostgresCaseBook(conn)
        case = await book.case(case_id)
        seen = await book.on_screen(case)
        reviews = [] if case.state in ROUNDS else await book.reviews(case_id)
    return CaseDetail(
        **document_of(case).model_dump(),
        seen=dict(seen),
        reviews=[
            ReviewDocument(
                round=review.round,
                officer_id=review.officer_id,
                licence=review.licence,
                verdict=review.verdict,
                reason=review.reason,
                note=review.note,
                plate=review.plate_typed,
                decided_at=review.decided_at,
            )
            for review in reviews
        ],
    )


@router.post("/{case_id}/claim")
async def claim_case(request: Request, case_id: CaseId, person: ChangingPerson) -> ClaimDocument:
    """Claim a case for ten minutes."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn, conn.transaction():
        held = await claims.claim(PostgresCaseBook(conn), case_id, username=person.username, now=wiring.now())
    return ClaimDocument(case_id=case_id, fencing_token=held.fencing_token, expires_at=held.expires_at)


@router.post("/{case_id}/renew")
async def renew_claim(
    request: Request, case_id: CaseId, person: ChangingPerson, token: ClaimToken
) -> ClaimDocument:
    """Extend a claim to ten minutes from now."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn, conn.transaction():
        held = await claims.renew(
            PostgresCaseBook(conn),
            case_id,
            username=person.username,
            fencing_token=token.fencing_token,
            now=wiring.now(),
        )
    return ClaimDocument(case_id=case_id, fencing_token=held.fencing_token, expires_at=held.expires_at)


@router.post("/{case_id}/release", status_code=204)
async def release_claim(request: Request, case_id: CaseId, person: ChangingPerson, token: ClaimToken) -> None:
    """Hand a case back undecided."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn, conn.transaction():
        await claims.release(
            PostgresCaseBook(conn),
            case_id,
            username=person.username,
            fencing_token=token.fencing_token,
            now=wiring.now(),
        )


@router.post("/{case_id}/decision")
async def decide_case(
    request: Request, case_id: CaseId, person: ChangingPerson, submitted: DecisionDocument
) -> DecidedDocument:
    """Decide a round of review; 409 where claim, version or anything shown has changed."""
    wiring = wiring_of(request)
    decision = Decision(case_id=case_id, username=person.username, **submitted.model_dump())
    sign = await signing(wiring, person)
    async with wiring.transaction() as conn, conn.transaction():
        outcome = await decide(
            PostgresCaseBook(conn),
            decision,
            verify=seals_of(request).for_decision,
            sign=sign,
            now=wiring.now(),
        )
    return DecidedDocument(state=outcome.state, round=outcome.round, repeated=outcome.repeated)
