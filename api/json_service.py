"""JSON API: sessions for tools, overview, stations, quarantine, and whether the service is well."""

from datetime import datetime

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.access import SignedInPerson, address_of, wiring_of
from api.auth import sign_in
from domain.errors import ServiceUnavailable
from store.case_queries import cases_by_state
from store.jobs import count_jobs
from store.overview import device_lines, packages_by_state, totals

router = APIRouter()


class Credentials(BaseModel):
    """A name and a password."""

    username: str = Field(max_length=32)
    password: str = Field(repr=False)


class BearerToken(BaseModel):
    """A session for a tool: sent back as `Authorization: Bearer <token>`."""

    token: str
    expires_at: datetime


class Overview(BaseModel):
    """What has come in and what became of it; every figure is exact."""

    messages: int
    duplicates: int
    passages: int
    captures: int
    flagged: int
    quarantined: int
    packages: dict[str, int]
    cases: dict[str, int]
    failed_jobs: int


class DeviceStatus(BaseModel):
    """One registered device."""

    station_id: str
    site_name: str
    device_id: str
    kind: str
    state: str | None
    received_at: datetime | None
    clock_delay_ms: int | None
    """Smallest arrival - sent_at seen: bounds the clock's offset."""
    spool_messages: int | None
    software: str | None
    messages: int
    duplicates: int
    quarantined: int


class Health(BaseModel):
    """Whether the process lives, or the service can work; `problems` says what is not ready."""

    ok: bool
    version: str
    problems: list[str] = []


@router.get("/healthz", tags=["health"])
async def healthz(request: Request) -> Health:
    """Say that the process answers."""
    return Health(ok=True, version=wiring_of(request).version)


@router.get("/readyz", tags=["health"], responses={503: {"model": Health}})
async def readyz(request: Request, response: Response) -> Health:
    """Say whether the database answers and everything else the service named is ready."""
    wiring = wiring_of(request)
    problems = []
    try:
        async with wiring.transaction() as conn:
            await conn.execute("SELECT 1")
    except ServiceUnavailable as away:
        problems.append(str(away))
    for check in wiring.ready_checks:
        problem = await to_thread.run_sync(check)
        if problem is not None:
            problems.append(problem)
    if problems:
        response.status_code = 503
    return Health(ok=not problems, version=wiring.version, problems=problems)


@router.post("/api/v1/session", tags=["session"])
async def open_session(request: Request, credentials: Credentials) -> BearerToken:
    """Sign in for a bearer token."""
    fresh = await sign_in(wiring_of(request), credentials.username, credentials.password, address_of(request))
    return BearerToken(token=fresh.token, expires_at=fresh.expires_at)


@router.get("/api/v1/overview", tags=["service"])
async def overview(request: Request, person: SignedInPerson) -> Overview:
    """Count messages, packages, cases and failed jobs."""
    async with wiring_of(request).transaction() as conn, conn.transaction():
        counted = await totals(conn)
        packages = await packages_by_state(conn)
        cases = await cases_by_state(conn)
        jobs = await count_jobs(conn)
    return Overview(
        messages=counted.messages,
        duplicates=counted.duplicates,
        passages=counted.passages,
        captures=counted.captures,
        flagged=counted.flagged,
        quarantined=counted.quarantined,
        packages=packages,
        cases={state.value: number for state, number in cases.items()},
        failed_jobs=jobs.get("failed", 0),
    )


@router.get("/api/v1/stations", tags=["service"])
async def stations(request: Request, person: SignedInPerson) -> list[DeviceStatus]:
    """Return every registered device with what was heard of it."""
    async with wiring_of(request).transaction() as conn:
        lines = await device_lines(conn)
    return [DeviceStatus.model_validate(line, from_attributes=True) for line in lines]
