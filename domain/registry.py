"""The registry's facts as they stood at one moment: what a passage at a station may be used for.

Everything here has validity dates. A passage is looked up as of the time it was captured, never as
of now; with no legal basis, certificate or announcement on that day it is statistics only
(行政处罚法 Art. 41; 计量法 Art. 9).
"""

from datetime import date

from pydantic import BaseModel, ConfigDict

from domain.ids import DeviceId, SiteId, StationId

UNKNOWN_DIRECTION = "unknown"
"""A station or gateway that cannot tell the direction says this; no site is registered with it."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Certificate(_Model):
    """A verification certificate (检定证书) of a weighing device."""

    number: str
    device: DeviceId
    issued_by: str
    accuracy_class: str
    """Gross-mass class of JJG 907 / GB/T 21296.1, e.g. "5"."""
    mpe_in_service_ppm: int
    min_speed_m_h: int
    max_speed_m_h: int
    lanes: tuple[int, ...]
    valid_from: date
    valid_to: date


class Announcement(_Model):
    """The publication of the site before use (行政处罚法 Art. 41 para. 1)."""

    number: str
    published_on: date
    in_force_from: date
    in_force_to: date | None


class LegalBasis(_Model):
    """The law or regulation this deployment rests on at this site, and who is liable under it."""

    citation: str
    liable_party: str
    """"owner", "driver", or "unsettled" where the province has no rule."""
    valid_from: date
    valid_to: date | None


class Site(_Model):
    """A place on a road where vehicles are weighed, as it was from one day to another."""

    site_id: SiteId
    name: str
    road: str
    stake: str
    direction: str
    lanes: int
    gross_limit_kg: int | None
    """The site's own lower limit (a bridge or road sign), if any; never raises a limit."""
    completeness_profile: str
    valid_from: date
    valid_to: date | None


class StationContext(_Model):
    """All of the registry that one passage depends on, as of one moment; sealed with the evidence."""

    station: StationId
    device: DeviceId
    site: Site
    certificate: Certificate | None
    announcement: Announcement | None
    legal_basis: LegalBasis | None

    @property
    def missing(self) -> tuple[str, ...]:
        """Codes of what is not in force, in a fixed order; empty when a case may rest on the passage."""
        facts = {
            "no-certificate": self.certificate,
            "no-announcement": self.announcement,
            "no-legal-basis": self.legal_basis,
        }
        return tuple(code for code, fact in facts.items() if fact is None)


UNREGISTERED = StationContext(
    station=StationId("unregistered"),
    device=DeviceId("unregistered"),
    site=Site(
        site_id=SiteId("unregistered"),
        name="",
        road="",
        stake="",
        direction=UNKNOWN_DIRECTION,
        lanes=0,
        gross_limit_kg=None,
        completeness_profile="standard",
        valid_from=date.min,
        valid_to=None,
    ),
    certificate=None,
    announcement=None,
    legal_basis=None,
)
"""Stands for no context at all: nothing is in force, no direction and no lane is registered."""
