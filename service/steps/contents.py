"""What goes into the evidence package of a hit, and where.

`arrival.json` takes all that differs when the same feed is replayed (times of sending, arrival and
storing); everything else follows from what the station sent and what was concluded from it.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from cases.penalty import propose
from domain.completeness import Facts, Picture, missing, profile
from domain.events import CaptureRole, MessageHeader
from domain.ids import Sha256
from domain.law import TARIFF_TABLE, published_tables, shipped_tables, tariff
from domain.plates import PlateReading
from domain.registry import StationContext
from domain.screening import Outcome
from domain.units import utc_text
from evidence import ClipItem, ImageItem, PackageContents, WireItem
from service.steps.read import clips_among, is_clip, pictures
from service.steps.views import views_of
from store.blobs import BlobStore
from store.hits import Hit, StoredCapture, StoredPassage
from store.registry import local_day

EVENT_FORMAT = "zhichao-event/1"


def lacking(hit: Hit, captures: Sequence[StoredCapture], reading: PlateReading) -> tuple[str, ...]:
    """Return what the site's completeness profile misses of these captures and facts; empty if nothing."""
    wanted, context = profile(hit.passage.context.site.completeness_profile), hit.passage.context
    return missing(wanted, facts_of(pictures(captures), reading, context, clips=clips_among(captures)))


def facts_of(
    images: tuple[Picture, ...], reading: PlateReading, context: StationContext, *, clips: int
) -> Facts:
    """Return what there is of a hit that was weighed, as the completeness gate asks."""
    return Facts(
        pictures=images,
        clips=clips,
        # A plate that was read without corners is the whole image.
        plate_crop=any(one.corners_px is not None or one.text is not None for one in reading.captures)
        or any(one.role is CaptureRole.PLATE for one in images),
        weigh_record=True,
        not_in_force=context.missing,
    )


def contents_of(
    hit: Hit, captures: Sequence[StoredCapture], reading: PlateReading, blobs: BlobStore
) -> PackageContents:
    """Return the contents of a hit's package; reads the images, to be run in a thread."""
    passage = hit.passage
    pairs = [(capture, blobs.get(capture.blob_sha256)) for capture in captures]
    images = tuple(
        ImageItem(capture.meta.role, capture.header.device, capture.blob_sha256, data)
        for capture, data in pairs
        if not is_clip(capture)
    )
    clips = tuple(
        ClipItem(capture.header.device, capture.blob_sha256, data)
        for capture, data in pairs
        if is_clip(capture)
    )
    wire = _wire(hit, captures, blobs)
    return PackageContents(
        event_id=hit.event_id,
        supplement=0,
        predecessor_tagmanifest=None,
        event={
            "format": EVENT_FORMAT,
            "captured_at": utc_text(passage.header.captured_at),
            "header": stable_header(passage.header),
            "record": passage.record.model_dump(mode="json"),
            "screening": passage.screening.model_dump(mode="json"),
            "weighing": None if passage.weighing is None else passage.weighing.model_dump(mode="json"),
            "completeness": _completeness(hit, captures, reading),
            "proposal": _proposal(passage),
            "software": f"zhichao {version('zhichao')}",
        },
        wire=wire,
        images=images,
        clips=clips,
        reading=reading.model_dump(mode="json"),
        arrival=_arrival(hit, captures),
        station=_station(passage),
        rules=_rules(passage),
        derived=views_of(hit, reading, images, clips, wire),
    )


def _completeness(hit: Hit, captures: Sequence[StoredCapture], reading: PlateReading) -> dict[str, Any]:
    """Return what was required, as it stood when it was asked, and what of it is not there."""
    wanted = profile(hit.passage.context.site.completeness_profile)
    gone = lacking(hit, captures, reading)
    requires = wanted.model_dump(mode="json") | {
        "roles": sorted(wanted.roles),
        "in_force": sorted(wanted.in_force),
    }
    return {"profile": wanted.name, "requires": requires, "missing": list(gone), "complete": not gone}


def summary_of(hit: Hit, captures: Sequence[StoredCapture], reading: PlateReading) -> dict[str, Any]:
    """Return what the signed statement says of the package without its being opened."""
    passage = hit.passage
    mass = passage.screening.adjudication
    return {
        "captured_at": utc_text(passage.header.captured_at),
        "station": passage.header.station,
        "site": passage.context.site.site_id,
        "outcome": passage.screening.outcome.value,
        "vehicle_code": passage.screening.vehicle_code,
        "adjudged_kg": mass.adjudged_kg,
        "limit_kg": mass.limit_kg,
        "over_kg": mass.over_kg,
        "missing": list(lacking(hit, captures, reading)),
    }


def stable_header(header: MessageHeader) -> dict[str, Any]:
    """Return a header without the one field that a station renews when it sends again."""
    document = header.model_dump(mode="json", exclude={"sent_at"})
    # Canonical JSON has no integers beyond 2**53, sequence numbers do.
    return document | {"sequence": str(header.sequence)}


def _wire(hit: Hit, captures: Sequence[StoredCapture], blobs: BlobStore) -> tuple[WireItem, ...]:
    name = "weigh.json" if hit.passage.weighing is None else "waveform.zcwf"
    wires = [(name, hit.passage.wire(blobs), hit.passage.signature)]
    wires += [
        (f"capture-{number:02}-{capture.meta.role.value}.bin", capture.wire(blobs), capture.signature)
        for number, capture in enumerate(captures, start=1)
    ]
    return tuple(
        WireItem(name, wire.payload, wire.topic, wire.properties, wire.content_type, signature)
        for name, wire, signature in wires
    )


def _arrival(hit: Hit, captures: Sequence[StoredCapture]) -> dict[str, Any]:
    passage = hit.passage
    return {
        "record": {
            "sent_at": utc_text(passage.header.sent_at),
            "received_at": utc_text(passage.received_at),
            "stored_at": utc_text(passage.stored_at),
        },
        "captures": [
            {
                "event_id": capture.header.event_id,
                "sent_at": utc_text(capture.header.sent_at),
                "received_at": utc_text(capture.received_at),
                "stored_at": utc_text(capture.stored_at),
            }
            for capture in captures
        ],
        "waited_until": utc_text(hit.deadline),
    } | (
        {}
        if passage.calibration is None
        else {"calibration_installed_at": utc_text(passage.calibration.installed_at)}
    )


def _station(passage: StoredPassage) -> dict[str, dict[str, Any]]:
    context = passage.context
    facts = {
        "site": context.site,
        "certificate": context.certificate,
        "announcement": context.announcement,
        "legal-basis": context.legal_basis,
        "clock": passage.header.clock,
    }
    documents = {name: fact.model_dump(mode="json") for name, fact in facts.items() if fact is not None}
    return (
        documents
        if passage.calibration is None
        else documents | {"calibration": passage.calibration.document}
    )


def _proposal(passage: StoredPassage) -> dict[str, Any] | None:
    """Return the penalty that the tariff of the day of the act gives, which the case will show."""
    if passage.screening.outcome is not Outcome.OVERLOADED:
        return None
    of_the_day = tariff(local_day(passage.header.captured_at))
    return propose(passage.screening, of_the_day).model_dump(mode="json")


def _rules(passage: StoredPassage) -> dict[str, bytes]:
    """Return the tables of law that were applied, as they were published, one replaced since included."""
    published = published_tables()
    named = [published.get(Sha256(digest)) for digest in passage.screening.tables.values()]
    applied = [table for table in named if table is not None]
    return {f"{table.content.name}.toml": table.data for table in (*applied, shipped_tables()[TARIFF_TABLE])}
