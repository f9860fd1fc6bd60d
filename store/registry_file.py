"""The registry as an operator writes it: one TOML file of flat tables, checked before it is loaded.

    [[sites]]          site_id, name, road, stake, direction, lanes, gross_limit_kg?, completeness_profile?,
                       valid_from, valid_to?
    [[stations]]       station_id, site_id (for good: a station that moves gets a new id)
    [[devices]]        station_id, device_id, kind (wim|camera|gateway), decoder?,
                       signature? (required|if-keyed|optional), unsigned_until?, valid_from, valid_to?
    [[device_keys]]    station_id, device_id, key_id, public_key (base64 Ed25519), valid_from, valid_to?,
                       revoked_at?
    [[certificates]]   station_id, device_id, number, issued_by, accuracy_class, mpe_in_service_ppm,
                       min_speed_m_h, max_speed_m_h, lanes, valid_from, valid_to
    [[announcements]]  site_id, number, published_on, in_force_from, in_force_to?
    [[legal_basis]]    site_id, citation, liable_party (owner|driver|unsettled), valid_from, valid_to?
    [[officers]]       officer_id, name, licences = [{number, valid_from, valid_to}, ...]

Days are local days (Asia/Shanghai); the last day named is the last day a fact holds. What changes at a
site, a bridge's limit say, is a second `[[sites]]` entry of the same id: the old one ends the day before.
A key's times are moments: it signs what is captured from `valid_from` until before `valid_to`.
"""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from domain.completeness import profile
from domain.ed25519 import is_public_key
from domain.errors import ConfigurationError
from domain.ids import DeviceId, OfficerId, SiteId, StationId
from domain.registry import UNKNOWN_DIRECTION

_Name = Annotated[str, Field(min_length=1, max_length=200)]
SIGNING_DECODER = "native"
"""Only the platform's own contract has a place for a signature."""

_WireName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]


def _known_direction(word: str) -> str:
    if word == UNKNOWN_DIRECTION:
        raise ValueError(
            f"{word!r} is what a device says that cannot tell the direction, so no passage would ever be of "
            "this site; name the direction as the station sends it"
        )
    return word


def _somebodys(public_key: bytes) -> bytes:
    if not is_public_key(public_key):
        raise ValueError("is no Ed25519 public key of 32 bytes, or one for which anybody can sign")
    return public_key


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Dated(_Entry):
    valid_from: date
    valid_to: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} lies before valid_from {self.valid_from}")
        return self


class SiteEntry(_Dated):
    """A place on a road, as it was from one day to another."""

    site_id: Annotated[SiteId, Field(min_length=1, max_length=64)]
    name: _Name
    road: _Name
    stake: _Name
    direction: Annotated[_Name, AfterValidator(_known_direction)]
    lanes: Annotated[int, Field(ge=1, le=16)]
    gross_limit_kg: Annotated[int, Field(gt=0)] | None = None
    completeness_profile: str = "standard"


class StationEntry(_Entry):
    """A station at a site: what has one MQTT account."""

    station_id: Annotated[StationId, _WireName]
    site_id: SiteId


class DeviceEntry(_Dated):
    """A strip set, a camera or a vendor's gateway of a station."""

    station_id: StationId
    device_id: Annotated[DeviceId, _WireName]
    kind: Literal["wim", "camera", "gateway"]
    decoder: _Name = SIGNING_DECODER
    signature: Literal["required", "if-keyed", "optional"] = "if-keyed"
    """Whether its messages must carry its signature (`domain.device_signatures.SignaturePolicy`)."""
    unsigned_until: AwareDatetime | None = None
    """Until when what it captured before its first key may arrive unsigned, by the platform's clock."""

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.unsigned_until is not None and self.signature != "if-keyed":
            raise ValueError(
                f"unsigned_until has no meaning for a device whose signature is {self.signature}"
            )
        return self


class DeviceKeyEntry(_Entry):
    """A device's public Ed25519 key."""

    station_id: StationId
    device_id: DeviceId
    key_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
    public_key: Annotated[Base64Bytes, AfterValidator(_somebodys)]
    valid_from: AwareDatetime
    valid_to: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    """When it was known to be in other hands: what is received from then on does not count."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} is not after valid_from {self.valid_from}")
        return self


class CertificateEntry(_Dated):
    """A verification certificate (检定证书) of a weighing device."""

    station_id: StationId
    device_id: DeviceId
    number: _Name
    issued_by: _Name
    accuracy_class: _Name
    mpe_in_service_ppm: Annotated[int, Field(ge=0, le=500_000)]
    min_speed_m_h: Annotated[int, Field(ge=0)]
    max_speed_m_h: Annotated[int, Field(gt=0)]
    lanes: Annotated[list[Annotated[int, Field(ge=1, le=16)]], Field(min_length=1)]
    valid_to: date


class AnnouncementEntry(_Entry):
    """The publication of a site before its use (行政处罚法 Art. 41 para. 1)."""

    site_id: SiteId
    number: _Name
    published_on: date
    in_force_from: date
    in_force_to: date | None = None


class LegalBasisEntry(_Dated):
    """The law a site's cases rest on, and who is liable under it."""

    site_id: SiteId
    citation: _Name
    liable_party: Literal["owner", "driver", "unsettled"]


class LicenceEntry(_Dated):
    """An officer's enforcement licence (执法证)."""

    number: _Name
    valid_to: date


class OfficerEntry(_Entry):
    """A person who may review."""

    officer_id: OfficerId
    name: _Name
    licences: list[LicenceEntry] = []


class RegistryFile(_Entry):
    """A whole registry file."""

    sites: list[SiteEntry] = []
    stations: list[StationEntry] = []
    devices: list[DeviceEntry] = []
    device_keys: list[DeviceKeyEntry] = []
    certificates: list[CertificateEntry] = []
    announcements: list[AnnouncementEntry] = []
    legal_basis: list[LegalBasisEntry] = []
    officers: list[OfficerEntry] = []


def parse_registry(text: str, *, source: str = "registry", allow_test_profiles: bool = False) -> RegistryFile:
    """Parse and check a registry's TOML text.

    Parameters
    ----------
    allow_test_profiles
        Accept sites whose completeness profile exists for tests only.

    Raises
    ------
    ConfigurationError
        It is not TOML, or an entry is wrong; the message names entry and field. Also where a site's
        completeness profile is for tests only, unless that is allowed.
    """
    try:
        registry = RegistryFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigurationError(f"{source}: {place}: {first['msg']}{more}; correct the entry") from error
    _refuse_keys_without_use(registry, source)
    for site in registry.sites:
        if profile(site.completeness_profile).for_tests_only and not allow_test_profiles:
            raise ConfigurationError(
                f"{source}: site {site.site_id}: the completeness profile {site.completeness_profile!r} "
                "is for tests only; set `standard`, `front-and-rear`, `full` or one of your own"
            )
    return registry


def _refuse_keys_without_use(registry: RegistryFile, source: str) -> None:
    """Refuse signatures of devices that cannot sign: every message of theirs would lie in quarantine."""
    keyed = {(key.station_id, key.device_id) for key in registry.device_keys}
    for device in registry.devices:
        name = f"{device.station_id}/{device.device_id}"
        wanted = device.signature == "required" or (device.station_id, device.device_id) in keyed
        if wanted and device.decoder != SIGNING_DECODER:
            raise ConfigurationError(
                f"{source}: device {name}: messages read by decoder {device.decoder!r} carry no signature; "
                "take its key away, and `signature`"
            )


def read_registry(path: Path, *, allow_test_profiles: bool = False) -> RegistryFile:
    """Read and check a registry file; errors as `parse_registry`, also where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the registry {path}: {error}") from error
    return parse_registry(text, source=str(path), allow_test_profiles=allow_test_profiles)
