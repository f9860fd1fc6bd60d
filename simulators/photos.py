"""Sends real photographs, each as the one capture of an overloaded truck, so that each becomes a hit.

The manifest is a CSV file with the columns `file` (relative to the folder) and `plate`, and optionally
`role` (front, rear, side, plate, panorama) or `kind` ("crop": the whole image is the plate).
The weigh record is made up and heavily overloaded; the photograph's bytes are sent as they are.
"""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError
from domain.events import CaptureRole
from simulators.oracle import judge
from simulators.passages import STRIP, Passage
from simulators.scenario import StationEntry
from simulators.wire import capture_draft, weigh_draft

CAMERA = "cam-front"


@dataclass(frozen=True)
class Photograph:
    """One line of the manifest."""

    path: Path
    plate: str
    role: CaptureRole


def read_manifest(folder: Path, manifest: Path) -> list[Photograph]:
    """Return the manifest's photographs.

    Raises
    ------
    ConfigurationError
        A column is missing, a role unknown, or a file not there.
    """
    photographs = []
    with manifest.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            where = f"{manifest}, line {number}"
            if not row.get("file") or not row.get("plate"):
                raise ConfigurationError(f"{where}: the columns file and plate are needed")
            path = folder / row["file"]
            if not path.is_file():
                raise ConfigurationError(f"{where}: {path} is not there")
            named = row.get("role") or ("plate" if row.get("kind") == "crop" else "front")
            try:
                role = CaptureRole(named)
            except ValueError:
                known = ", ".join(CaptureRole)
                raise ConfigurationError(f"{where}: role {named!r} is none of {known}") from None
            photographs.append(Photograph(path, row["plate"], role))
    return photographs


@dataclass(frozen=True)
class PhotoRoad:
    """Makes one passage of each photograph."""

    station: StationEntry
    photographs: list[Photograph]

    def passage(self, number: int, at: datetime, _epoch: str) -> Passage | None:
        """Return the passage of photograph `number`; None after the last."""
        if number >= len(self.photographs):
            return None
        photograph = self.photographs[number]
        record = _overloaded(f"{at:%Y%m%d}-P{number:05d}", photograph.role)
        drafts = (
            weigh_draft(STRIP, record, at),
            capture_draft(
                CAMERA,
                photograph.role.value,
                photograph.path.read_bytes(),
                at,
                match_key=record["match_key"],
                lane=record["lane"],
            ),
        )
        return Passage(drafts, _truth(photograph, record, self.station))


def _overloaded(match_key: str, role: CaptureRole) -> dict[str, Any]:
    """Return the record of a two-axle truck at 28 t, 10 t over its limit."""
    return {
        "match_key": match_key,
        "lane": 1,
        "direction": "up",
        "speed_kmh": 62.0,
        "gross_kg": 28_000,
        "axles": [{"load_kg": 9_600, "tyres": "single"}, {"load_kg": 18_400, "tyres": "dual"}],
        "spacings_mm": [4800],
        "length_mm": 8200,
        "u_gross_percent": 1.5,
        "vehicle": {"kind": "truck", "drive_axles": [2], "air_suspension": False},
        "captures": [{"device": CAMERA, "role": role.value}],
    }


def _truth(photograph: Photograph, record: dict[str, Any], station: StationEntry) -> dict[str, Any]:
    loads = [axle["load_kg"] for axle in record["axles"]]
    return {
        "photograph": photograph.path.name,
        "configuration": "12",
        "vehicle_code": "12",
        "plate": photograph.plate,
        "trailer_plate": None,
        "true_axle_loads_kg": loads,
        "true_gross_kg": sum(loads),
        "true_limit_kg": 18_000,
        "truly_overloaded": True,
        "record": record,
        "oracle": judge(record, station.facts).as_dict(),
    }
