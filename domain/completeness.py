"""The completeness gate (完整性): which originals a hit must have before it may become a case.

A profile is named in the site's registry entry. `plates-test` asks for a single image and exists
for tests only: unless a test allows it, the registry refuses it and no lead is opened under it.
"""

from typing import NamedTuple

from domain.errors import ConfigurationError
from domain.events import CaptureRole


class Profile(NamedTuple):
    """Roles of which at least one capture each is required, and what else must be there."""

    name: str
    roles: frozenset[CaptureRole]
    min_images: int
    weigh_record: bool
    for_tests_only: bool


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "standard", frozenset({CaptureRole.FRONT, CaptureRole.REAR, CaptureRole.SIDE}), 3, True, False
        ),
        Profile("front-and-rear", frozenset({CaptureRole.FRONT, CaptureRole.REAR}), 2, True, False),
        Profile("plates-test", frozenset(), 1, False, True),
    )
}


def profile(name: str) -> Profile:
    """Return the named profile.

    Raises
    ------
    ConfigurationError
        No profile has this name.
    """
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(sorted(PROFILES))
        raise ConfigurationError(f"unknown completeness profile {name!r}; choose one of: {known}") from None


def missing(wanted: Profile, roles: list[CaptureRole], *, has_weigh_record: bool) -> tuple[str, ...]:
    """Return codes of what is missing, in a fixed order; empty when the evidence is complete."""
    lacking = [f"no-{role.value}-image" for role in CaptureRole if role in wanted.roles and role not in roles]
    if len(roles) < wanted.min_images:
        lacking.append("too-few-images")
    if wanted.weigh_record and not has_weigh_record:
        lacking.append("no-weigh-record")
    return tuple(lacking)
