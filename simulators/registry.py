"""The registry entries a scenario needs, as the TOML file the service loads.

Certificates and licences run for a calendar year, one number a year, for the year asked for and its
neighbours: a demonstration that runs over New Year goes on, and the same year prints the same text.
"""

import json
from datetime import UTC, date, datetime
from typing import Any

from simulators.passages import CAMERAS, STRIP
from simulators.scenario import Scenario, StationEntry
from simulators.signing import KEY_ID, public_key_text

_SIMULATED = "模拟数据，无法律效力 (simulated, no legal force)"
_SINCE = date(2025, 1, 1)
_OFFICERS = (
    ("SIM-OFFICER-1", "模拟执法员甲"),
    ("SIM-OFFICER-2", "模拟执法员乙"),
    ("SIM-OFFICER-3", "模拟执法员丙"),
)


def registry_toml(scenario: Scenario, year: int) -> str:
    """Return the registry file for the scenario's stations and three officers."""
    lines = [f"# Registry of the simulated scenario {scenario.name}: {_SIMULATED}."]
    for station in scenario.stations:
        lines += _station_lines(station, year)
    for number, (officer, name) in enumerate(_OFFICERS, start=1):
        lines += ["", "[[officers]]", *_entry({"officer_id": officer, "name": name})]
        for each in _years(year):
            licence = {"number": f"SIM-ZF-{each}-{number:04d}", **_whole_year(each)}
            lines += ["[[officers.licences]]", *_entry(licence)]
    return "\n".join(lines) + "\n"


def _station_lines(station: StationEntry, year: int) -> list[str]:
    site, certificate = station.site, station.certificate
    who = {"station_id": station.station}
    tables: list[tuple[str, dict[str, Any]]] = [
        (
            "sites",
            {key: value for key, value in vars(site).items() if value is not None} | {"valid_from": _SINCE},
        ),
        ("stations", {**who, "site_id": site.site_id}),
        ("devices", {**who, "device_id": STRIP, "kind": "wim", "valid_from": _SINCE}),
    ]
    tables += [
        ("devices", {**who, "device_id": camera, "kind": "camera", "valid_from": _SINCE})
        for camera in CAMERAS
    ]
    tables += [
        (
            "device_keys",
            {
                **who,
                "device_id": device,
                "key_id": KEY_ID,
                "public_key": public_key_text(station.station, device),
                "valid_from": datetime.combine(_SINCE, datetime.min.time(), UTC),
            },
        )
        for device in (STRIP, *CAMERAS)
        if station.signs
    ]
    tables += [
        (
            "certificates",
            {
                **who,
                "device_id": STRIP,
                "number": f"SIM-{each}-{station.station}",
                "issued_by": f"模拟检定机构：{_SIMULATED}",
                **vars(certificate),
                "lanes": list(range(1, site.lanes + 1)),
                **_whole_year(each),
            },
        )
        for each in _years(year)
    ]
    tables += [
        (
            "announcements",
            {
                "site_id": site.site_id,
                "number": f"SIM-GG-{site.site_id}",
                "published_on": date(2024, 12, 1),
                "in_force_from": _SINCE,
            },
        ),
        (
            "legal_basis",
            {
                "site_id": site.site_id,
                "citation": f"模拟法律依据：{_SIMULATED}",
                "liable_party": "unsettled",
                "valid_from": _SINCE,
            },
        ),
    ]
    return [line for name, values in tables for line in ("", f"[[{name}]]", *_entry(values))]


def _years(year: int) -> range:
    return range(year - 1, year + 2)


def _whole_year(year: int) -> dict[str, date]:
    return {"valid_from": date(year, 1, 1), "valid_to": date(year, 12, 31)}


def _entry(values: dict[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in values.items()]


def _toml(value: Any) -> str:
    """Return a string, whole number, list, day or time as TOML; a JSON string is a TOML basic string."""
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)
