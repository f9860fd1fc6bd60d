"""Everything one case shows on its page, gathered and typed; the template only lays it out.

Blind review: what earlier rounds decided is absent from the view until the case is decided, and the
reviewer's own plate field is never filled from the reading.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from api.access import Principal
from api.axle_chart import AxleChart, axle_chart
from api.seals import SealChecks
from api.waveform_chart import WaveformChart, waveform_chart
from api.wiring import Blobs, Wiring
from cases.penalty import Proposal
from cases.ports import SealReport
from cases.states import ROUNDS
from domain.casework import CaseFile, Claim, Review
from domain.errors import EvidenceBroken, NotFound
from domain.events import CaptureRole, ClockState, MessageHeader, WeighRecord
from domain.ids import CaseId, Sha256
from domain.plates import PlateReading
from domain.registry import StationContext
from domain.screening import Screening
from domain.weighing import Weighing
from store.case_queries import (
    ShownCapture,
    ShownDeletion,
    ShownSignature,
    TimelineEntry,
    deletion_of,
    exhibit,
    timeline,
)
from store.cases import PostgresCaseBook


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One case as one person may see it."""

    case: CaseFile
    record: WeighRecord
    clock: ClockState
    """As the station reported it with the record."""
    context: StationContext
    screening: Screening
    reading: PlateReading | None
    proposal: Proposal
    captures: list[ShownCapture]
    """The images in the package, and no others: a decision rests on what is sealed."""
    clips: list[ShownCapture]
    """The clips in the package, played as they came."""
    late_captures: list[ShownCapture]
    """Images and clips that arrived after sealing: listed, never shown."""
    chart: AxleChart
    weighing: Weighing | None
    """How the platform weighed it, where the station sent a waveform."""
    waveform: WaveformChart | None
    seal: SealReport
    deleted: ShownDeletion | None
    """Set where the evidence was deleted at the end of its retention; the log still proves it."""
    signatures: list[ShownSignature]
    """What was found of the devices' own signatures on the messages in the package."""
    claim: Claim | None
    """Only a claim that is running."""
    mine: bool
    """The claim is this person's."""
    may_claim: bool
    seen: str
    """Digests by part as JSON, returned with the decision."""
    reviews: list[Review]
    """Empty until the case is decided."""
    events: list[TimelineEntry]
    round: int | None
    now: datetime


async def item_view(wiring: Wiring, seals: SealChecks, case_id: CaseId, person: Principal) -> ItemView:
    """Gather a case for a person.

    Raises
    ------
    NotFound
        There is no such case, or its passage is not stored here.
    """
    now = wiring.now()
    async with wiring.transaction() as conn:
        book = PostgresCaseBook(conn)
        case = await book.case(case_id)
        seen = await book.on_screen(case)
        claim = await book.claim_of(case_id)
        reviews = await book.reviews(case_id)
        shown = await exhibit(conn, case.event_id, case.captured_at)
        events = await timeline(conn, case_id)
        deleted = await deletion_of(conn, case.event_id)
    if shown is None:
        raise NotFound(f"the passage of case {case_id} is not stored here")
    # The event models are strict about types, which JSON text satisfies and parsed JSON does not.
    record = WeighRecord.model_validate_json(json.dumps(shown.record))
    screening = Screening.model_validate(shown.screening)
    weighing = None if shown.weighing is None else Weighing.model_validate(shown.weighing)
    running = claim if claim is not None and claim.expires_at > now else None
    undecided = case.state in ROUNDS
    return ItemView(
        case=case,
        record=record,
        clock=MessageHeader.model_validate_json(json.dumps(shown.header)).clock,
        context=StationContext.model_validate(shown.context),
        screening=screening,
        reading=None if shown.reading is None else PlateReading.model_validate(shown.reading),
        weighing=weighing,
        waveform=await wiring.drawing.run(_waveform, wiring.blobs, shown.wire_blob, weighing),
        chart=axle_chart(screening.groups, spacings_mm=record.spacings_mm, u_axle_ppm=record.u_axle_ppm),
        proposal=Proposal.model_validate(case.proposal),
        captures=[one for one in shown.captures if one.in_evidence and one.role != CaptureRole.CLIP],
        clips=[one for one in shown.captures if one.in_evidence and one.role == CaptureRole.CLIP],
        late_captures=[capture for capture in shown.captures if not capture.in_evidence],
        seal=await seals.for_view(case.package_folder),
        deleted=deleted,
        signatures=shown.signatures,
        claim=running,
        mine=running is not None and running.username == person.username,
        may_claim=undecided
        and running is None
        and person.may_review
        and all(review.officer_id != person.officer_id for review in reviews),
        seen=json.dumps(seen, sort_keys=True),
        reviews=[] if undecided else reviews,
        events=events,
        round=ROUNDS.get(case.state),
        now=now,
    )


def _waveform(blobs: Blobs, blob: Sha256 | None, weighing: Weighing | None) -> WaveformChart | None:
    """Return the picture of what was weighed; reads the blob, to be run in a thread.

    A blob that is gone or altered costs the picture, not the page: the seal says what is wrong.
    """
    if blob is None or weighing is None:
        return None
    try:
        return waveform_chart(blobs.get(blob), weighing)
    except (NotFound, EvidenceBroken):
        return None
