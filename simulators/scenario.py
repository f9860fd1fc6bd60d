"""Scenarios: what is simulated, as TOML files in `simulators/scenarios` or anywhere else."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from domain.errors import ConfigurationError
from simulators.loads import DEFAULT_STRATA, Stratum
from simulators.oracle import SiteFacts
from simulators.strip import StripError

SCENARIOS = Path(__file__).parent / "scenarios"

REPORTABLE = frozenset({"kind", "drive_axles", "air_suspension", "tyres", "u_gross_percent"})
"""Fields a station may be unable to report."""

Table = TypeVar("Table")


@dataclass(frozen=True)
class SiteEntry:
    """A site as the registry is to know it."""

    site_id: str
    name: str
    road: str
    stake: str
    direction: str
    lanes: int
    completeness_profile: str
    gross_limit_kg: int | None = None


@dataclass(frozen=True)
class CertificateEntry:
    """The certificate of the station's strip."""

    accuracy_class: str
    mpe_in_service_ppm: int
    min_speed_m_h: int
    max_speed_m_h: int


@dataclass(frozen=True)
class StationEntry:
    """One station: its site, its strip's certificate, what it cannot report, and whether its devices sign."""

    station: str
    site: SiteEntry
    certificate: CertificateEntry
    unreported: frozenset[str] = frozenset()
    signs: bool = False

    @property
    def facts(self) -> SiteFacts:
        """What the oracle has to know of the place."""
        return SiteFacts(
            mpe_ppm=self.certificate.mpe_in_service_ppm,
            min_speed_m_h=self.certificate.min_speed_m_h,
            max_speed_m_h=self.certificate.max_speed_m_h,
            site_limit_kg=self.site.gross_limit_kg,
            direction=self.site.direction,
            lanes=self.site.lanes,
        )


@dataclass(frozen=True)
class Scenario:
    """Everything but the seed that decides what is simulated.

    `fleet` is the number of vehicles of each station that return again and again; None means that every
    passage is a new vehicle. `fault_every` counts passages per faulty message; 0 means none. With `waveforms`
    the stations send their strips' signals in place of weigh records.
    """

    name: str
    interval_ms: int
    unusable_per_100: int
    error: StripError
    strata: tuple[Stratum, ...]
    stations: tuple[StationEntry, ...]
    fleet: int | None = None
    fault_every: int = 0
    waveforms: bool = False


def load_scenario(name: str) -> Scenario:
    """Return the named scenario, or the one in the TOML file of that path.

    Raises
    ------
    ConfigurationError
        There is no such scenario, or its file has a missing or unknown entry.
    """
    path = Path(name) if name.endswith(".toml") else SCENARIOS / f"{name}.toml"
    try:
        entries = tomllib.loads(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in SCENARIOS.glob("*.toml")))
        raise ConfigurationError(f"no scenario {name!r}; choose one of: {known}, or a .toml file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    strata = tuple(_table(Stratum, entry, path) for entry in entries.pop("strata", ()))
    stations = tuple(_station(entry, path) for entry in entries.pop("station", ()))
    if entries.get("fault_every") and any(station.signs for station in stations):
        raise ConfigurationError(
            f"{path}: faulty messages are not signed: set fault_every or signs, not both"
        )
    return _table(
        Scenario,
        entries
        | {
            "error": _table(StripError, {"cut_milli": None} | entries.get("error", {}), path),
            "strata": strata or DEFAULT_STRATA,
            "stations": stations,
        },
        path,
    )


def _station(entry: dict[str, Any], path: Path) -> StationEntry:
    unreported = frozenset(entry.get("unreported", ()))
    if unreported - REPORTABLE:
        raise ConfigurationError(
            f"{path}: unreported may name {', '.join(sorted(REPORTABLE))}; it names {sorted(unreported)}"
        )
    parts = {
        "site": _table(SiteEntry, entry.get("site", {}), path),
        "certificate": _table(CertificateEntry, entry.get("certificate", {}), path),
        "unreported": unreported,
    }
    return _table(StationEntry, entry | parts, path)


def _table(kind: type[Table], entry: dict[str, Any], path: Path) -> Table:
    try:
        return kind(**entry)
    except TypeError as error:
        known = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]
        raise ConfigurationError(f"{path}: {kind.__name__} takes {known}: {error}") from error
