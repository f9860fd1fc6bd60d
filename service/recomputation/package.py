"""What a package gives to compute with, and what it says was decided; both read strictly."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cases.penalty import Proposal
from domain.errors import ConfigurationError, EvidenceBroken
from domain.events import WeighRecord, Wire
from domain.ids import sha256_of
from domain.law import Table, read_table
from domain.plates import PlateReading
from domain.registry import StationContext
from domain.screening import Screening
from domain.weighing import Weighing
from evidence.parsing import moment_of
from evidence.sealed import (
    RULES,
    STATION,
    sealed_document,
    sealed_event,
    sealed_names,
    sealed_payload,
)

Json = dict[str, Any]

_Model = TypeVar("_Model", bound=BaseModel)

_FACTS = {"certificate": "certificate", "announcement": "announcement", "legal_basis": "legal-basis"}
"""What of a station's context lies in which document."""

_TOO_OLD = (
    "{} was sealed by a version that put neither the rule nor the tables nor the proposed penalty into its "
    "packages: it cannot be computed again from itself alone. `zhichao evidence verify` tells whether it is "
    "genuine; what was concluded stands in its data/event.json, with the digests of the tables"
)


class SealedWire(NamedTuple):
    """One message as received, with the digest that the event lists for it."""

    path: str
    listed_sha256: str
    wire: Wire

    @property
    def sha256(self) -> str:
        """The digest of the bytes that are there."""
        return sha256_of(self.wire.payload)


class Completeness(BaseModel):
    """What the profile asked for, and what was not there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    requires: Json
    missing: tuple[str, ...]
    complete: bool


class Conclusions(NamedTuple):
    """What there is to say of one passage: as decided, or as computed again."""

    header: Json
    captured_at: str
    event_id: str
    record: WeighRecord
    weighing: Weighing | None
    screening: Screening
    completeness: Completeness
    proposal: Proposal | None

    def document(self) -> Json:
        """Return it as event.json has it."""
        return {
            "header": self.header,
            "captured_at": self.captured_at,
            "event_id": self.event_id,
            "record": self.record.model_dump(mode="json"),
            "weighing": None if self.weighing is None else self.weighing.model_dump(mode="json"),
            "screening": self.screening.model_dump(mode="json"),
            "completeness": self.completeness.model_dump(mode="json"),
            "proposal": None if self.proposal is None else self.proposal.model_dump(mode="json"),
        }


class Inputs(NamedTuple):
    """All of a package that a computation may use."""

    package: str
    """The folder's name."""
    event: Json
    """event.json as it stands: what is to be shown again, and the rule it was decided by."""
    decided: Conclusions
    wires: tuple[SealedWire, ...]
    context: StationContext
    calibration: Json | None
    tables: dict[str, Table]
    reading: PlateReading | None
    images: tuple[str, ...]
    """SHA-256 of the images that the event lists."""
    clips: int


def read_package(folder: Path) -> Inputs:
    """Read a package's folder.

    Raises
    ------
    EvidenceBroken
        It is no package of this format: a part is missing, or not what it should be.
    ConfigurationError
        A table of law in it cannot be read, or it was sealed before packages held what is computed with.
    """
    event = sealed_event(folder)
    if "screening" in event and "software" not in event:  # whichever named itself carries all of it
        raise ConfigurationError(_TOO_OLD.format(folder.resolve().name))
    decided = _decided(event)
    stations = [name.removesuffix(".json") for name in sealed_names(folder, STATION)]
    station = {name: sealed_document(folder, f"{STATION}/{name}.json") for name in stations}
    names = sealed_names(folder, RULES)
    tables = [
        read_table(sealed_payload(folder, f"{RULES}/{name}"), file_name=f"{RULES}/{name}") for name in names
    ]
    return Inputs(
        package=folder.resolve().name,
        event=event,
        decided=decided,
        wires=_wires(folder, event),
        context=_context(decided, station),
        calibration=station.get("calibration"),
        tables={table.content.name: table for table in tables},
        reading=_reading(folder),
        images=_images(event),
        clips=len(sealed_names(folder, "data/video")),
    )


def _decided(event: Json) -> Conclusions:
    weighing, proposal = event.get("weighing"), event.get("proposal")
    return Conclusions(
        header=_header(event),
        captured_at=str(event.get("captured_at")),
        event_id=str(event.get("event_id")),
        record=_model(WeighRecord, event.get("record"), "record"),
        weighing=None if weighing is None else _model(Weighing, weighing, "weighing"),
        screening=_model(Screening, event.get("screening"), "screening"),
        completeness=_model(Completeness, event.get("completeness"), "completeness"),
        proposal=None if proposal is None else _model(Proposal, proposal, "proposal"),
    )


def _context(decided: Conclusions, station: dict[str, Json]) -> StationContext:
    facts = {field: station.get(name) for field, name in _FACTS.items()}
    header = decided.header
    who = {"station": header.get("station"), "device": header.get("device"), "site": station.get("site")}
    return _model(StationContext, who | facts, STATION)


def _images(event: Json) -> tuple[str, ...]:
    try:
        return tuple(str(one["sha256"]) for one in event["originals"]["images"])
    except (KeyError, TypeError):
        raise EvidenceBroken("the event does not list its images") from None


def _wires(folder: Path, event: Json) -> tuple[SealedWire, ...]:
    arrival = sealed_document(folder, "data/arrival.json")
    try:
        received_at = moment_of(arrival["record"]["received_at"], "the arrival's received_at")
        sent_at = dict(arrival["station_sent_at"])
        listed = [
            (str(one["path"]), str(one["headers"]), str(one["sha256"])) for one in event["originals"]["wire"]
        ]
    except (KeyError, TypeError, ValueError):
        raise EvidenceBroken("the event does not list its messages, or their arrival is not told") from None
    return tuple(
        SealedWire(path, digest, _wire(folder, path, headers, received_at, sent_at))
        for path, headers, digest in listed
    )


def _wire(folder: Path, path: str, headers: str, received_at: datetime, sent_at: Json) -> Wire:
    payload, document = sealed_payload(folder, path), sealed_document(folder, headers)
    name = headers.rpartition("/")[2].removesuffix(".headers.json")
    # The one header that a station renews when it sends again is kept with the arrival.
    renewed = [("sent_at", str(sent_at[name]))] if name in sent_at else []
    try:
        return Wire(
            topic=document["topic"],
            payload=payload,
            content_type=document["content_type"],
            properties=(*((str(key), str(value)) for key, value in document["properties"]), *renewed),
            received_at=received_at,
        )
    except (KeyError, TypeError, ValueError):
        raise EvidenceBroken(f"{headers} does not say how the message came") from None


def _reading(folder: Path) -> PlateReading | None:
    if "reading.json" not in sealed_names(folder, "data"):
        return None
    return _model(PlateReading, sealed_document(folder, "data/reading.json"), "data/reading.json")


def _header(event: Json) -> Json:
    header = event.get("header")
    if not isinstance(header, dict):
        raise EvidenceBroken("data/event.json has no header; the package is of another format")
    return header


def _model(model: type[_Model], document: object, what: str) -> _Model:
    try:
        return model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, (what, *first["loc"])))
        raise EvidenceBroken(f"the package's {place} is not of this format: {first['msg']}") from None
