"""Step 5: a sealed, complete hit becomes a lead (线索) awaiting its first review."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from cases.leads import SealedHit, open_lead
from cases.penalty import Proposal, propose, told_unsealed
from domain.errors import EvidenceBroken, RuleViolation
from domain.ids import CaseId
from domain.law import tariff
from domain.screening import Outcome
from evidence import Policy, Trust, sealed_event, verify_package
from store.cases import PostgresCaseBook
from store.connection import Connection
from store.hits import Hit
from store.packages import Package
from store.readings import reading_of
from store.registry import local_day


class PolicyNotMet(RuleViolation):
    """A package that verifies, but is not what the deployment's policy asks for; `codes` say which layers."""

    def __init__(self, folder: str, layers: Sequence[str]) -> None:
        super().__init__(
            f"{folder} is not what ZHICHAO_POLICY_FILE asks for ({', '.join(layers)}); it opens no case"
        )
        self.codes = tuple(f"policy-{layer}" for layer in layers)


class _Proposed(NamedTuple):
    """The penalty that a case is to show, and whether it lies in the sealed package."""

    proposal: Proposal | None
    sealed: bool = True


async def open_case(
    conn: Connection,
    hit: Hit,
    package: Package,
    *,
    evidence_root: Path,
    trust: Trust,
    policy: Policy | None = None,
    allow_test_profile: bool = False,
) -> CaseId:
    """Open the lead of a sealed hit, in the caller's transaction; the same hit always gives the same case.

    The package is read back and verified as any third party would, before anybody is accused by it, and
    the penalty proposed is the one sealed in it. A package sealed before packages held one gets the proposal
    that its version would have made: computed here, and told as such.

    Raises
    ------
    PolicyNotMet
        The package verifies, but not by the deployment's policy.
    RuleViolation
        The hit may not become a case, or its package does not verify.
    EvidenceBroken
        The package's proposal is of a form that this version does not read.
    """
    folder = evidence_root / package.folder
    seal = await asyncio.to_thread(verify_package, folder, trust, policy=policy)
    if seal.broken and policy is not None and (await asyncio.to_thread(verify_package, folder, trust)).ok:
        raise PolicyNotMet(package.folder, seal.broken)
    reading = await reading_of(conn, hit.event_id)
    proposed = await asyncio.to_thread(_proposed, folder, hit) if seal.ok else _Proposed(None)
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
            proposal=proposed.proposal,
            proposal_sealed=proposed.sealed,
        ),
        seal=seal,
        now=datetime.now(UTC),
        allow_test_profile=allow_test_profile,
    )


def _proposed(folder: Path, hit: Hit) -> _Proposed:
    event = sealed_event(folder)
    if "proposal" not in event and hit.passage.screening.outcome is Outcome.OVERLOADED:
        of_the_day = tariff(local_day(hit.passage.header.captured_at))
        return _Proposed(told_unsealed(propose(hit.passage.screening, of_the_day)), sealed=False)
    sealed = event.get("proposal")
    try:
        return _Proposed(None if sealed is None else Proposal.model_validate(sealed))
    except ValidationError as error:
        raise EvidenceBroken(
            f"the proposal in {folder.name} is of another version: open its case with "
            f"{event.get('software', 'the software that sealed it')} ({error.error_count()} fields differ)"
        ) from None
