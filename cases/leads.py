"""Opening a lead (线索): a sealed, complete, overloaded passage becomes a case awaiting first review.

What is refused here never becomes a case, however it came about:

- a screening that is not `overloaded` by gross mass. An axle flag alone opens nothing: Order 62
  Art. 43 has no tariff for an axle (domain.md A5).
- evidence that did not pass the completeness gate (行政处罚法 Art. 41 para. 2: records must be
  complete; records that fail are not evidence).
- evidence judged by a completeness profile that exists for tests, unless a test asks for it.
- a package of which any seal layer does not hold.
- a passage on a day without certificate, announcement or legal basis.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cases.penalty import Proposal
from cases.ports import CaseBook, SealReport
from cases.seals import refuse_unverified
from domain.casework import CaseState, Lead
from domain.completeness import profile
from domain.errors import RuleViolation
from domain.ids import CaseId, EventId, Sha256
from domain.registry import StationContext
from domain.screening import Outcome, Screening

BEIJING = timezone(timedelta(hours=8))
"""Legal days are days of Beijing time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedHit:
    """A flagged passage whose package is sealed."""

    event_id: EventId
    captured_at: datetime
    context: StationContext
    screening: Screening
    plate: str | None
    package_folder: str
    tagmanifest: Sha256
    missing: tuple[str, ...]
    """What the completeness gate found missing; empty when the evidence is complete."""
    proposal: Proposal | None
    """The penalty that the case shows; None where nothing may be proposed."""
    proposal_sealed: bool = True
    """Whether the package holds it; one sealed by an earlier version holds none."""


def case_id_of(event_id: EventId, captured_at: datetime) -> CaseId:
    """Return the one case id an event can have: the day of the act in Beijing and 48 bits of the event id.

    >>> from datetime import UTC
    >>> case_id_of(EventId("e4f5ba4bfa45f6afff20129ad5b12fd2"), datetime(2026, 11, 22, 23, 5, tzinfo=UTC))
    'ZC-20261123-E4F5BA4BFA45'
    """
    day = captured_at.astimezone(BEIJING).strftime("%Y%m%d")
    return CaseId(f"ZC-{day}-{event_id[:12].upper()}")


async def open_lead(
    book: CaseBook,
    hit: SealedHit,
    *,
    seal: SealReport,
    now: datetime,
    allow_test_profile: bool = False,
) -> CaseId:
    """Open the case of a sealed hit and return its id; the same event always gives the same case.

    Parameters
    ----------
    allow_test_profile
        Whether the site's completeness profile may be one for tests only; never true in a deployment.

    Raises
    ------
    RuleViolation
        The passage may not become a case; the message says why.
    """
    existing = await book.case_of_event(hit.event_id)
    if existing is not None:
        return existing
    _refuse_unfit(hit, seal, allow_test_profile=allow_test_profile)
    if hit.proposal is None:
        raise RuleViolation(
            f"the package {hit.package_folder} says that no penalty may be proposed; have it handled by hand"
        )
    mass = hit.screening.adjudication
    lead = Lead(
        case_id=case_id_of(hit.event_id, hit.captured_at),
        event_id=hit.event_id,
        captured_at=hit.captured_at,
        station_id=hit.context.station,
        site_id=hit.context.site.site_id,
        ocr_plate=hit.plate,
        vehicle_code=hit.screening.vehicle_code,
        adjudged_kg=mass.adjudged_kg,
        limit_kg=mass.limit_kg,
        over_kg=mass.over_kg,
        package_folder=hit.package_folder,
        tagmanifest=hit.tagmanifest,
        proposal=hit.proposal.model_dump(mode="json"),
    )
    if await book.insert_lead(lead, state=CaseState.AWAITING_FIRST, at=now):
        await book.note(
            lead.case_id,
            actor="system",
            what="lead-opened",
            detail={
                "tagmanifest": lead.tagmanifest,
                "over_kg": lead.over_kg,
                "proposal": "sealed" if hit.proposal_sealed else "computed when the case was opened",
            },
            at=now,
        )
    elif await book.case_of_event(hit.event_id) is None:
        raise RuleViolation(f"another event of that day already has the case id {lead.case_id}; report this")
    return lead.case_id


def _refuse_unfit(hit: SealedHit, seal: SealReport, *, allow_test_profile: bool) -> None:
    if hit.screening.outcome is not Outcome.OVERLOADED:
        raise RuleViolation(
            f"the passage is {hit.screening.outcome.value}, not overloaded by gross mass; "
            "axle flags and statistics open no case"
        )
    if hit.context.missing:
        raise RuleViolation(
            f"on the day of the passage the site lacked: {', '.join(hit.context.missing)} "
            "(行政处罚法 Art. 41); keep it as statistics"
        )
    site = hit.context.site
    if profile(site.completeness_profile).for_tests_only and not allow_test_profile:
        raise RuleViolation(
            f"the completeness profile {site.completeness_profile!r} of site {site.site_id} "
            "is for tests only; name one for evidence in the registry: no case may rest on less"
        )
    if hit.missing:
        raise RuleViolation(f"the evidence is incomplete ({', '.join(hit.missing)}); no case may rest on it")
    refuse_unverified(seal, hit.package_folder, "it opens no case")
