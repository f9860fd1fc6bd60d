"""Step 5: a sealed, complete hit becomes a lead (线索) awaiting its first review."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from cases.leads import SealedHit, open_lead
from cases.penalty import Proposal
from domain.ids import CaseId
from evidence import Trust, sealed_event, verify_package
from store.cases import PostgresCaseBook
from store.connection import Connection
from store.hits import Hit
from store.packages import Package
from store.readings import reading_of


async def open_case(
    conn: Connection,
    hit: Hit,
    package: Package,
    *,
    evidence_root: Path,
    trust: Trust,
    allow_test_profile: bool = False,
) -> CaseId:
    """Open the lead of a sealed hit, in the caller's transaction; the same hit always gives the same case.

    The package is read back and verified as any third party would, before anybody is accused by it, and
    the penalty proposed is the one sealed in it.

    Raises
    ------
    RuleViolation
        The hit may not become a case, or its package does not verify.
    """
    folder = evidence_root / package.folder
    seal = await asyncio.to_thread(verify_package, folder, trust)
    reading = await reading_of(conn, hit.event_id)
    return await open_lead(
        PostgresCaseBook(conn),
        SealedHit(
            event_id=hit.event_id,
            captured_at=hit.passage.header.captured_at,
            context=hit.passage.context,
            screening=hit.passage.screening,
            plate=reading.text if reading else None,
            package_folder=package.folder,
            tagmanifest=package.tagmanifest,
            missing=tuple(package.missing),
            proposal=await asyncio.to_thread(_sealed_proposal, folder) if seal.ok else None,
        ),
        seal=seal,
        now=datetime.now(UTC),
        allow_test_profile=allow_test_profile,
    )


def _sealed_proposal(folder: Path) -> Proposal | None:
    proposal = sealed_event(folder).get("proposal")
    return None if proposal is None else Proposal.model_validate(proposal)
