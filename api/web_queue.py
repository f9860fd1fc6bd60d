"""The queue page: what waits for a reviewer, filtered by what stands in the URL."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from api.access import ChangingPerson, SignedInPerson, wiring_of
from api.pages import render
from cases.claims import claim_next
from cases.states import ROUNDS
from domain.casework import CaseState, QueueFilter
from domain.ids import CaseId
from store.case_queries import case_page, cases_by_state, claims_of
from store.cases import PostgresCaseBook

router = APIRouter(include_in_schema=False)
PAGE = 50
_OPEN = tuple(ROUNDS)


class QueueWords(BaseModel):
    """The filter as it stands in the URL."""

    state: str = Field("open", max_length=32)
    station: str = Field("", max_length=32, pattern=r"^[\w -]*$")
    min_over: str = Field("", pattern=r"^\d{0,6}$")
    order: Literal["oldest", "newest"] = "oldest"
    after: str = Field("", max_length=64, pattern=r"^[\w-]*$")
    done: bool = False

    @property
    def wanted(self) -> QueueFilter:
        """The filter meant; `open` is every state that awaits a review."""
        named = tuple(one for one in CaseState if self.state in {"all", one.value})
        return QueueFilter(
            states=_OPEN if self.state == "open" else named,
            station=self.station.strip() or None,
            min_over_kg=int(self.min_over) if self.min_over else None,
            after=CaseId(self.after) if self.after else None,
        )

    def url(self, **changes: str) -> str:
        """Return the queue's address with this filter, and what is added to it."""
        words = {name: getattr(self, name) for name in ("state", "station", "min_over", "order")} | changes
        return f"/queue?{urlencode(words)}"


@router.get("/queue")
async def queue_page(
    request: Request, person: SignedInPerson, asked: Annotated[QueueWords, Query()]
) -> Response:
    """Show the cases awaiting review, oldest first."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn:
        found = await case_page(conn, asked.wanted, limit=PAGE + 1, newest_first=asked.order == "newest")
        counts = await cases_by_state(conn)
        holders = await claims_of(conn, [case.case_id for case in found], wiring.now())
    shown = found[:PAGE]
    more = asked.url(after=shown[-1].case_id) if len(found) > PAGE else None
    return render(
        request,
        "queue.html",
        person=person,
        cases=shown,
        counts=counts,
        holders=holders,
        more=more,
        asked=asked,
        here=asked.url(),
        states=list(CaseState),
    )


@router.post("/queue/next")
async def take_next(
    request: Request, person: ChangingPerson, asked: Annotated[QueueWords, Form()]
) -> Response:
    """Claim the oldest case this person may review and lead to it."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn, conn.transaction():
        claimed = await claim_next(
            PostgresCaseBook(conn), asked.wanted, username=person.username, now=wiring.now()
        )
    target = asked.url(done="1") if claimed is None else f"/cases/{claimed.case_id}"
    return RedirectResponse(target, 303)
