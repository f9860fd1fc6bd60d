"""The completeness gate (完整性): which originals a hit must have before it may become a case.

A profile is named in the site's registry entry. `plates-test` asks for a single image and exists
for tests only: unless a test allows it, the registry refuses it and no lead is opened under it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from domain.errors import ConfigurationError
from domain.events import CaptureRole
from domain.ids import Sha256


class Profile(NamedTuple):
    """Roles of which a picture each is required, no two the same, and what else must be there."""

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


def missing(
    wanted: Profile, images: Sequence[tuple[CaptureRole, Sha256]], *, has_weigh_record: bool
) -> tuple[str, ...]:
    """Return codes of what is missing, in a fixed order; empty when the evidence is complete.

    One picture counts once, under however many roles it was sent: every role wants one of its own.

    >>> same = Sha256("5f" * 32)
    >>> missing(profile("front-and-rear"), [(CaptureRole.FRONT, same), (CaptureRole.REAR, same)],
    ...         has_weigh_record=True)
    ('no-rear-image', 'too-few-images')
    """
    shown = _roles_shown(wanted.roles, images)
    lacking = [f"no-{role.value}-image" for role in CaptureRole if role in wanted.roles - shown]
    if len({digest for _, digest in images}) < wanted.min_images:
        lacking.append("too-few-images")
    if wanted.weigh_record and not has_weigh_record:
        lacking.append("no-weigh-record")
    return tuple(lacking)


def _roles_shown(
    roles: frozenset[CaptureRole], images: Sequence[tuple[CaptureRole, Sha256]]
) -> frozenset[CaptureRole]:
    """Return the roles that get a picture of their own: as many as can, by augmenting paths (Kuhn)."""
    shows: dict[Sha256, CaptureRole] = {}

    def find_picture(role: CaptureRole, tried: set[Sha256]) -> bool:
        for digest in (digest for of, digest in images if of is role and digest not in tried):
            tried.add(digest)
            if digest not in shows or find_picture(shows[digest], tried):
                shows[digest] = role
                return True
        return False

    return frozenset(role for role in CaptureRole if role in roles and find_picture(role, set()))
