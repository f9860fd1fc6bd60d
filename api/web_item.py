"""The page of one case: look, claim, decide. Every form works without JavaScript."""

import json
import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from api.access import ChangingPerson, Principal, SignedInPerson, wiring_of
from api.acting import signing
from api.item_view import item_view
from api.languages import language_of
from api.pages import render, translated
from api.refusals import sentence_for
from api.seals import SealChecks
from cases.claims import claim, claim_next, release, renew
from cases.plates import is_trailers_plate, normalised_plate
from cases.reasons import BY_CODE, REJECT_REASONS
from cases.review import Decision, decide
from cases.states import ROUNDS
from domain.casework import QueueFilter, Verdict
from domain.errors import ConflictingChange, NotPermitted, RuleViolation, ZhichaoError
from domain.ids import CaseId
from store.cases import PostgresCaseBook

router = APIRouter(include_in_schema=False)
MAX_SEEN = 4_096


def seals_of(request: Request) -> SealChecks:
    """Return the application's seal checks."""
    seals: SealChecks = request.app.state.seals
    return seals


class DecisionForm(BaseModel):
    """What the page's decision forms send."""

    verdict: Verdict
    token: int
    version: int
    seen: str = Field(max_length=MAX_SEEN)
    key: str = Field(pattern=r"^[\w-]{16,64}$")
    plate: str = Field("", max_length=32)
    reason: str = Field("", max_length=32)
    note: str = Field("", max_length=4_000)

    def decision(self, case_id: CaseId, username: str) -> Decision:
        """Return the decision for the case room; a confirmation has no reason, a rejection no plate."""
        confirms = self.verdict is Verdict.CONFIRM
        return Decision(
            case_id=case_id,
            username=username,
            fencing_token=self.token,
            version=self.version,
            seen=seen_digests(self.seen),
            verdict=self.verdict,
            reason=None if confirms else self.reason,
            note=self.note,
            plate=self.plate if confirms else None,
            idempotency_key=self.key,
        )


async def _page(
    request: Request,
    case_id: CaseId,
    person: Principal,
    *,
    status: int = 200,
    problem: str | None = None,
    refused: ZhichaoError | None = None,
    draft: dict[str, str] | None = None,
) -> Response:
    view = await item_view(wiring_of(request), seals_of(request), case_id, person)
    return render(
        request,
        "item.html",
        person=person,
        status=status,
        view=view,
        reasons=REJECT_REASONS,
        key=secrets.token_urlsafe(16),
        problem=problem,
        sentence=None if refused is None else sentence_for(refused, language_of(request)),
        detail=None if refused is None else str(refused),
        draft=draft or {"plate": "", "reason": "", "note": ""},
    )


@router.get("/cases/{case_id}")
async def case_item(request: Request, case_id: CaseId, person: SignedInPerson) -> Response:
    """Show a case; looking neither claims nor reviews it."""
    return await _page(request, case_id, person)


@router.post("/cases/{case_id}/claim")
async def claim_item(request: Request, case_id: CaseId, person: ChangingPerson) -> Response:
    """Claim a case and show it."""
    wiring = wiring_of(request)
    try:
        async with wiring.transaction() as conn, conn.transaction():
            await claim(PostgresCaseBook(conn), case_id, username=person.username, now=wiring.now())
    except (ConflictingChange, NotPermitted, RuleViolation) as refused:
        problem = translated(request, "This case cannot be claimed.")
        return await _page(request, case_id, person, status=409, problem=problem, refused=refused)
    return RedirectResponse(f"/cases/{case_id}", 303)


@router.post("/cases/{case_id}/renew")
async def renew_item(
    request: Request, case_id: CaseId, person: ChangingPerson, token: Annotated[int, Form()]
) -> Response:
    """Extend the claim while the page is visible; answers how long it now lasts."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn, conn.transaction():
        held = await renew(
            PostgresCaseBook(conn),
            case_id,
            username=person.username,
            fencing_token=token,
            now=wiring.now(),
        )
    return JSONResponse({"expires_at": held.expires_at.isoformat()})


@router.post("/cases/{case_id}/skip")
async def skip_item(
    request: Request, case_id: CaseId, person: ChangingPerson, token: Annotated[int, Form()]
) -> Response:
    """Hand a case back undecided and claim the next one behind it."""
    wiring = wiring_of(request)
    wanted = QueueFilter(states=tuple(ROUNDS), after=case_id)
    async with wiring.transaction() as conn, conn.transaction():
        book = PostgresCaseBook(conn)
        await release(book, case_id, username=person.username, fencing_token=token, now=wiring.now())
        following = await claim_next(book, wanted, username=person.username, now=wiring.now())
    return RedirectResponse("/queue" if following is None else f"/cases/{following.case_id}", 303)


@router.post("/cases/{case_id}/decision")
async def decide_item(
    request: Request,
    case_id: CaseId,
    person: ChangingPerson,
    form: Annotated[DecisionForm, Form()],
) -> Response:
    """Store the verdict; on any refusal show the case again with the draft kept."""
    wiring = wiring_of(request)
    draft = {"plate": form.plate, "reason": form.reason, "note": form.note}
    problem = _problem_of_draft(request, form.verdict, draft)
    if problem is not None:
        return await _page(request, case_id, person, status=422, problem=problem, draft=draft)
    try:
        sign = await signing(wiring, person)
        async with wiring.transaction() as conn, conn.transaction():
            await decide(
                PostgresCaseBook(conn),
                form.decision(case_id, person.username),
                verify=seals_of(request).for_decision,
                sign=sign,
                now=wiring.now(),
            )
    except ConflictingChange as changed:
        problem = translated(
            request, "Something has changed since you looked. Your draft is kept: check again."
        )
        return await _page(
            request, case_id, person, status=409, problem=problem, refused=changed, draft=draft
        )
    except (NotPermitted, RuleViolation) as refused:
        problem = translated(request, "The decision was not accepted.")
        return await _page(
            request, case_id, person, status=422, problem=problem, refused=refused, draft=draft
        )
    return RedirectResponse(f"/cases/{case_id}/done", 303)


@router.get("/cases/{case_id}/done")
async def decided_item(request: Request, case_id: CaseId, person: SignedInPerson) -> Response:
    """Say that the decision is stored, without saying what earlier rounds decided."""
    async with wiring_of(request).transaction() as conn:
        case = await PostgresCaseBook(conn).case(case_id)
    return render(request, "done.html", person=person, case=case)


def seen_digests(text: str) -> dict[str, str]:
    """Return the digests a page sent back.

    Raises
    ------
    ConflictingChange
        It is not what a page of ours carries.
    """
    try:
        seen = json.loads(text)
    except json.JSONDecodeError:
        seen = None
    if not isinstance(seen, dict) or not all(isinstance(value, str) for value in seen.values()):
        raise ConflictingChange("the page's record of what was shown is damaged; reload the page")
    return seen


def _problem_of_draft(request: Request, verdict: Verdict, draft: dict[str, str]) -> str | None:
    """Return what is wrong with the form in the reader's language; the case room checks again."""
    if verdict is Verdict.CONFIRM:
        if is_trailers_plate(draft["plate"]):
            return translated(
                request,
                "This is the trailer's plate: type the plate of the truck or tractor; "
                "if it cannot be read, reject with reason 1.",
            )
        try:
            normalised_plate(draft["plate"])
        except RuleViolation:
            return translated(
                request,
                "Type the whole plate as you see it; if it cannot be read, reject with reason 1.",
            )
        return None
    if draft["reason"] not in BY_CODE:
        return translated(request, "Choose one of the nine reasons for the rejection.")
    if draft["reason"] == "other" and not draft["note"].strip():
        return translated(request, "The reason “other” needs a note.")
    return None
