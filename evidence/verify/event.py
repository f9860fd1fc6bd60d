"""The event: what it says of itself, and that the files it rests on are the ones beside it."""

from domain.errors import EvidenceBroken
from domain.ids import Sha256, sha256_of
from evidence.parsing import Json, canonical_json, document_of, moment_of
from evidence.verify.inspection import Inspection, known

_CALIBRATION = "data/station/calibration.json"


def check_event(found: Inspection) -> str:
    """It is canonical, of this event, and names exactly the originals that are there."""
    event = document_of(found.read("data/event.json"), "data/event.json")
    info, manifest = known(found.info, "bag-info"), known(found.manifest, "manifest")
    if (event.get("event_id"), event.get("supplement")) != (info.event_id, info.supplement):
        raise EvidenceBroken("data/event.json is of another event or supplement than bag-info.txt says")
    moment_of(event.get("captured_at"), "the event's captured_at")
    listed = _original_digests(event)
    originals = {p: d for p, d in manifest.items() if p.startswith("data/images/") or p in listed}
    if listed != originals:
        raise EvidenceBroken("the originals the event names are not those in the package")
    calibrated = _check_calibration(found, event, manifest)
    found.event = event
    return f"captured at {event['captured_at']}, {len(listed)} originals{calibrated}"


def _check_calibration(found: Inspection, event: Json, manifest: dict[str, Sha256]) -> str:
    """The calibration beside the event must be the one the event says it was weighed with, and no other."""
    weighing = event.get("weighing")
    try:
        use = None if weighing is None else weighing["calibration"]
        named = None if use is None else (use["version"], use["digest"])
    except (KeyError, TypeError, IndexError):
        raise EvidenceBroken("data/event.json does not say with which calibration it was weighed") from None
    if (named is None) != (_CALIBRATION not in manifest):
        there = "is there, but nothing was weighed with it" if named is None else "is missing"
        raise EvidenceBroken(f"{_CALIBRATION} {there}")
    if named is None:
        return ""
    document = document_of(found.read(_CALIBRATION), _CALIBRATION)
    if (document.get("version"), sha256_of(canonical_json(document))) != named:
        raise EvidenceBroken(f"{_CALIBRATION} is not the calibration the event was weighed with")
    return f", weighed with calibration {named[0]}"


def _original_digests(event: Json) -> dict[str, str]:
    try:
        entries = [*event["originals"]["images"], *event["originals"]["wire"]]
        return {str(entry["path"]): str(entry["sha256"]) for entry in entries}
    except (KeyError, TypeError):
        raise EvidenceBroken("data/event.json does not list its originals") from None
