"""JSON API: passages with their findings, and what was refused."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from api.access import SignedInPerson, wiring_of
from api.wiring import MAX_BIGINT
from domain.errors import NotFound, RuleViolation
from domain.units import utc_text
from store.passages import Cursor, ExportedPassage, export_one, export_page
from store.quarantine import quarantine_page

router = APIRouter(prefix="/api/v1", tags=["passages"])


class PassageDocument(BaseModel):
    """One passage; `record`, `screening`, `weighing` and `reading` are the documents as stored.

    `weighing` is null where the station weighed by itself.
    """

    event_id: str
    captured_at: datetime
    received_at: datetime
    stored_at: datetime
    station_id: str
    device_id: str
    epoch: str
    sequence: int
    match_key: str
    lane: int
    record: dict[str, Any]
    screening: dict[str, Any]
    weighing: dict[str, Any] | None
    reading: dict[str, Any] | None
    plate: str | None
    hit_state: str | None
    missing: list[str] | None
    package_folder: str | None
    package_state: str | None
    case_id: str | None
    case_state: str | None


class PassagePage(BaseModel):
    """Some passages, oldest first."""

    passages: list[PassageDocument]
    next: str | None
    """Value of `after` for the following page; null at the end."""


class QuarantineDocument(BaseModel):
    """A refused message, without its payload."""

    quarantine_id: int
    received_at: datetime
    topic: str
    station_id: str | None
    device_id: str | None
    epoch: str | None
    sequence: int | None
    code: str
    detail: str
    payload_sha256: str
    payload_size: int


class QuarantinePage(BaseModel):
    """Some refused messages, latest first."""

    messages: list[QuarantineDocument]
    next: int | None
    """Value of `before` for the following page; null at the end."""


def cursor_text(passage: ExportedPassage) -> str:
    """Return where a page ended, as `after` takes it."""
    return f"{utc_text(passage.captured_at)}~{passage.event_id}"


def cursor_of(text: str) -> Cursor:
    """Return the cursor `cursor_text` made.

    Raises
    ------
    RuleViolation
        It is not one.
    """
    moment, tilde, event_id = text.partition("~")
    try:
        captured_at = datetime.fromisoformat(moment)
    except ValueError:
        captured_at = None
    if captured_at is None or captured_at.tzinfo is None or not tilde:
        raise RuleViolation("`after` is not a value of `next`; leave it out to begin at the first passage")
    return Cursor(captured_at, event_id)


@router.get("/passages")
async def list_passages(
    request: Request,
    person: SignedInPerson,
    after: Annotated[str | None, Query(max_length=80)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> PassagePage:
    """List all passages, oldest first."""
    begin = cursor_of(after) if after else None
    async with wiring_of(request).transaction() as conn:
        found = await export_page(conn, after=begin, limit=limit + 1)
    return PassagePage(
        passages=[PassageDocument.model_validate(one, from_attributes=True) for one in found[:limit]],
        next=cursor_text(found[limit - 1]) if len(found) > limit else None,
    )


@router.get("/passages/{event_id}")
async def get_passage(
    request: Request, person: SignedInPerson, event_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
) -> PassageDocument:
    """Return one passage."""
    async with wiring_of(request).transaction() as conn:
        found = await export_one(conn, event_id)
    if found is None:
        raise NotFound(f"there is no passage {event_id}")
    return PassageDocument.model_validate(found, from_attributes=True)


@router.get("/quarantine")
async def list_quarantine(
    request: Request,
    person: SignedInPerson,
    before: Annotated[int | None, Query(ge=1, le=MAX_BIGINT)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> QuarantinePage:
    """List refused messages, latest first."""
    async with wiring_of(request).transaction() as conn:
        found = await quarantine_page(conn, before=before, limit=limit)
    return QuarantinePage(
        messages=[QuarantineDocument.model_validate(one, from_attributes=True) for one in found],
        next=found[-1].quarantine_id if len(found) == limit else None,
    )
