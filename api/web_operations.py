"""Pages for those who run the service: quarantine, stations, failed jobs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access import SignedInPerson, wiring_of
from api.pages import render
from store import quarantine
from store.jobs import failed_jobs
from store.overview import device_lines

router = APIRouter(include_in_schema=False)
PAGE = 100


@router.get("/quarantine")
async def quarantine_page(
    request: Request, person: SignedInPerson, before: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Show what was refused, latest first, with reasons and advice."""
    async with wiring_of(request).pool.connection() as conn:
        entries = await quarantine.page(conn, before=before, limit=PAGE)
        counts = await quarantine.counts(conn)
    more = f"/quarantine?before={entries[-1].quarantine_id}" if len(entries) == PAGE else None
    return render(request, "quarantine.html", person=person, entries=entries, counts=counts, more=more)


@router.get("/stations")
async def stations_page(request: Request, person: SignedInPerson) -> Response:
    """Show every registered device: status, clock, spool, duplicates."""
    async with wiring_of(request).pool.connection() as conn:
        devices = await device_lines(conn)
    return render(request, "stations.html", person=person, devices=devices)


@router.get("/jobs")
async def jobs_page(request: Request, person: SignedInPerson) -> Response:
    """Show the jobs that were given up."""
    async with wiring_of(request).pool.connection() as conn:
        jobs = await failed_jobs(conn, limit=PAGE)
    return render(request, "jobs.html", person=person, jobs=jobs)
