"""Whole packages kept as text, as far as a recomputation reads them: old ones are computed again for ever."""

import base64
import json
from pathlib import Path
from typing import Any

from evidence import build
from simulators.scenario import SCENARIOS, load_scenario
from tests.unit.service.recomputation.test_recompute import traffic

FOLDER = Path(__file__).parent
_READ = (
    "data/event.json",
    "data/arrival.json",
    "data/reading.json",
    "data/wire/",
    "data/images/",
    "data/station/",
)


def packages_now(folder: Path) -> dict[str, Any]:
    """Return the first flagged passage of every station that weighs by itself, sealed by this software.

    Tables of law, the same in all of them, are kept once.
    """
    kept: dict[str, Any] = {"rules": {}, "packages": {}}
    for path in sorted(SCENARIOS.glob("*.toml")):
        scenario = load_scenario(path.stem)
        for station in () if scenario.waveforms else scenario.stations:
            package = folder / build(folder, next(traffic(path.stem, station.station, folder))).folder
            kept["packages"][package.name] = {
                name: _text(file.read_bytes()) for name, file in _files(package) if name.startswith(_READ)
            }
            kept["rules"] |= {file.name: file.read_text() for file in (package / "data/rules").iterdir()}
    return kept


def lay_out(kept: dict[str, Any], folder: Path) -> list[Path]:
    """Write kept packages as folders again."""
    for package, files in kept["packages"].items():
        rules = {f"data/rules/{name}": text for name, text in kept["rules"].items()}
        for name, text in (files | rules).items():
            target = folder / package / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_bytes(text))
    return [folder / package for package in kept["packages"]]


def _files(package: Path) -> list[tuple[str, Path]]:
    found = [file for file in package.rglob("*") if file.is_file()]
    return sorted((str(file.relative_to(package)), file) for file in found)


def _text(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _bytes(text: str | dict[str, str]) -> bytes:
    return text.encode() if isinstance(text, str) else base64.b64decode(text["base64"])


def read(name: str) -> dict[str, Any]:
    """Return a file of this folder."""
    document: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return document
