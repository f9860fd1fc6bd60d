"""Pages for those who run the service: quarantine, stations, failed jobs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access import SignedInPerson, wiring_of
from api.pages import render
from api.wiring import MAX_BIGINT
from store.hits import incomplete_hits
from store.jobs import failed_jobs
from store.overview import device_lines
from store.quarantine import count_quarantine, quarantine_page

router = APIRouter(include_in_schema=False)
PAGE = 100
INCOMPLETE_SINCE = timedelta(days=30)


@router.get("/quarantine")
async def refused_page(
    request: Request, person: SignedInPerson, before: Annotated[int | None, Query(ge=1, le=MAX_BIGINT)] = None
) -> Response:
    """Show what was refused, latest first, with reasons and advice."""
    async with wiring_of(request).transaction() as conn:
        entries = await quarantine_page(conn, before=before, limit=PAGE)
        counts = await count_quarantine(conn)
    more = f"/quarantine?before={entries[-1].quarantine_id}" if len(entries) == PAGE else None
    return render(request, "quarantine.html", person=person, entries=entries, counts=counts, more=more)


@router.get("/stations")
async def stations_page(request: Request, person: SignedInPerson) -> Response:
    """Show every registered device: status, clock, spool, duplicates."""
    async with wiring_of(request).transaction() as conn:
        devices = await device_lines(conn)
    return render(request, "stations.html", person=person, devices=devices)


@router.get("/jobs")
async def jobs_page(request: Request, person: SignedInPerson) -> Response:
    """Show the jobs that were given up, and the flagged passages that make no case for want of captures."""
    async with wiring_of(request).transaction() as conn:
        jobs = await failed_jobs(conn, limit=PAGE)
        incomplete = await incomplete_hits(conn, since=datetime.now(UTC) - INCOMPLETE_SINCE, limit=PAGE)
    return render(request, "jobs.html", person=person, jobs=jobs, incomplete=incomplete)
