"""The event: what it says of itself, and that the files it rests on are the ones beside it."""

from domain.errors import EvidenceBroken
from domain.ids import Sha256, sha256_of
from evidence.anti_forgery import RULE, anti_forgery_code
from evidence.parsing import Json, canonical_json, document_of, moment_of
from evidence.verify.inspection import Inspection, known

_CALIBRATION = "data/station/calibration.json"
_ORIGINALS = ("data/images/", "data/video/")
_DERIVED = "data/derived/"


def check_event(found: Inspection) -> str:
    """It is canonical, of this event, and names exactly the originals that are there."""
    event = document_of(found.read("data/event.json"), "data/event.json")
    info, manifest = known(found.info, "bag-info"), known(found.manifest, "manifest")
    if (event.get("event_id"), event.get("supplement")) != (info.event_id, info.supplement):
        raise EvidenceBroken("data/event.json is of another event or supplement than bag-info.txt says")
    moment_of(event.get("captured_at"), "the event's captured_at")
    listed = _original_digests(event)
    originals = {p: d for p, d in manifest.items() if p.startswith(_ORIGINALS) or p in listed}
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


def check_derived(found: Inspection) -> str:
    """Every derived view is listed with its digest and maker, and made of originals in this package."""
    event, manifest = known(found.event, "event"), known(found.manifest, "manifest")
    originals = set(_original_digests(event).values())
    try:
        entries = [
            (str(one["path"]), one["sha256"], one["from"], one["by"]) for one in event.get("derived", [])
        ]
    except (KeyError, TypeError):
        raise EvidenceBroken("data/event.json does not list its derived views as it should") from None
    listed = {path: digest for path, digest, _, _ in entries}
    if listed != _below(_DERIVED, manifest) or len(listed) != len(entries):
        raise EvidenceBroken("the derived views the event names are not those in the package")
    for path, _, sources, maker in entries:
        if not isinstance(maker, str) or not maker:
            raise EvidenceBroken(f"{path} does not say what made it")
        if not isinstance(sources, list) or not sources or not originals.issuperset(map(str, sources)):
            raise EvidenceBroken(f"{path} is not derived from originals in this package")
    code = _check_code(event, originals, wanted=bool(entries))
    made = f"{len(entries)} derived views, each of originals that are here" if entries else "there are none"
    return f"{made}{code}"


def _check_code(event: Json, originals: set[str], *, wanted: bool) -> str:
    """The anti-forgery code that a composite shows must be that of the originals here."""
    if "anti_forgery" not in event and not wanted:
        return ""
    code = anti_forgery_code(event["event_id"], map(Sha256, originals))
    if event.get("anti_forgery") != {"rule": RULE, "code": code}:
        raise EvidenceBroken(f"the anti-forgery code of these originals is {code}; the event has another")
    return f"; anti-forgery code {code}"


def _below(folder: str, manifest: dict[str, Sha256]) -> dict[str, Sha256]:
    return {path: digest for path, digest in manifest.items() if path.startswith(folder)}


def original_entries(event: Json) -> list[tuple[str, Json]]:
    """Return an event's originals, each with its kind; raises `EvidenceBroken` where it lists none."""
    try:
        named = event["originals"]
        kinds = {"images": named["images"], "wire": named["wire"], "video": named.get("video", [])}
        entries = [(kind, entry) for kind, several in kinds.items() for entry in several]
        if all(isinstance(entry, dict) and {"path", "sha256"} <= entry.keys() for _, entry in entries):
            return entries
    except (KeyError, TypeError, AttributeError):
        pass
    raise EvidenceBroken("data/event.json does not list its originals")


def _original_digests(event: Json) -> dict[str, str]:
    return {str(entry["path"]): str(entry["sha256"]) for _, entry in original_entries(event)}
