"""The completeness gate (完整性): which originals and facts a hit must have before it may become a case.

Profiles are rows of `completeness.toml`, and of a deployment's own file of the same form; a site's registry
entry names one. `plates-test` asks for a single image and exists for tests only: unless a test allows it, the
registry refuses it and no lead is opened under it.

The gate decides from facts alone. A hit that lacks something is sealed all the same, marked with what it
lacks, and opens no case.
"""

import tomllib
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from domain.errors import ConfigurationError
from domain.events import CaptureRole
from domain.ids import Sha256
from domain.law import Confidence

_SHIPPED = "completeness.toml"


class Motion(StrEnum):
    """What must show that the vehicle was moving."""

    NONE = "none"
    CLIP = "clip"
    CLIP_OR_SECOND_IMAGE = "clip-or-second-image"
    """A clip, or two pictures of one role at different times."""


class Profile(BaseModel):
    """What is required; a picture counts for one role only, so every role wants one of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    title_zh: Annotated[str, Field(min_length=1)]
    roles: frozenset[CaptureRole]
    min_images: Annotated[int, Field(ge=1, le=50)]
    plate_crop: bool = False
    """A plate was found in a picture, so that it can be cut out, or its close-up was sent."""
    motion: Motion = Motion.NONE
    second_image_gap_ms: Annotated[int, Field(ge=1, le=60_000)] = 1
    """Least time between two pictures of one role that stand for a clip."""
    weigh_record: bool
    in_force: frozenset[Literal["certificate", "announcement", "legal-basis"]]
    """What must have been in force at the site at the moment of capture."""
    for_tests_only: bool = False
    source: Annotated[str, Field(min_length=1)]
    confidence: Confidence
    note: str = ""

    @model_validator(mode="after")
    def _no_less_than_a_case_needs(self) -> "Profile":
        if CaptureRole.CLIP in self.roles:
            raise ValueError(f"profile {self.name} names the role clip; a clip is wanted by motion")
        if self.for_tests_only:
            return self
        # 计量法 Art. 9 and 行政处罚法 Art. 41: unverified or unannounced, it is no evidence at all.
        if not self.weigh_record or not {"certificate", "announcement"} <= self.in_force:
            raise ValueError(f"profile {self.name} must want weigh_record, certificate and announcement")
        return self

    @property
    def expected_roles(self) -> tuple[str, ...]:
        """Roles a hit waits for until its deadline, since without them it is incomplete for good."""
        clip = {CaptureRole.CLIP} if self.motion is Motion.CLIP else set()
        return tuple(sorted(role.value for role in self.roles | clip))


class Picture(NamedTuple):
    """One image of the vehicle."""

    role: CaptureRole
    sha256: Sha256
    captured_at: datetime


class Facts(NamedTuple):
    """What there is of a hit."""

    pictures: tuple[Picture, ...]
    clips: int
    plate_crop: bool
    weigh_record: bool
    not_in_force: tuple[str, ...]
    """Codes of `StationContext.missing`: "no-certificate" ..."""


def profile(name: str) -> Profile:
    """Return the named profile.

    Raises
    ------
    ConfigurationError
        No profile has this name.
    """
    try:
        return known_profiles()[name]
    except KeyError:
        known = ", ".join(sorted(known_profiles()))
        raise ConfigurationError(f"unknown completeness profile {name!r}; choose one of: {known}") from None


def known_profiles() -> dict[str, Profile]:
    """Return every profile by name: those shipped, and those of `use_profiles`."""
    return _shipped() | _own


def use_profiles(path: Path) -> None:
    """Let this process know a deployment's own profiles too; to be called once, where it starts.

    Raises
    ------
    ConfigurationError
        The file cannot be read or used, or a profile has the name of a shipped one.
    """
    try:
        own = parse_profiles(path.read_bytes(), file_name=str(path))
    except OSError as error:
        raise ConfigurationError(
            f"the completeness profiles {path} cannot be read: {error.strerror}; correct the setting"
        ) from error
    if taken := sorted(own.keys() & _shipped().keys()):
        raise ConfigurationError(
            f"{path}: the profile {taken[0]!r} is shipped and stays as it is; give yours another name"
        )
    _own.update(own)


def parse_profiles(data: bytes, *, file_name: str) -> dict[str, Profile]:
    """Return the profiles of a file's bytes by name; raises `ConfigurationError` where they are none."""
    try:
        rows = tuple(Profile.model_validate(row) for row in _rows(data))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
        raise ConfigurationError(
            f"the completeness profiles {file_name} cannot be used; correct them: {error}"
        ) from error
    profiles = {row.name: row for row in rows}
    if len(profiles) != len(rows):
        raise ConfigurationError(f"the completeness profiles {file_name} have one name twice; rename one")
    return profiles


def missing(wanted: Profile, facts: Facts) -> tuple[str, ...]:
    """Return codes of what is missing, in a fixed order; empty when the evidence is complete.

    One picture counts once, under however many roles it was sent: every role wants one of its own.
    """
    images = tuple((one.role, one.sha256) for one in facts.pictures)
    shown = _roles_shown(wanted.roles, images)
    lacking = [f"no-{role.value}-image" for role in CaptureRole if role in wanted.roles - shown]
    if len({digest for _, digest in images}) < wanted.min_images:
        lacking.append("too-few-images")
    if wanted.plate_crop and not facts.plate_crop:
        lacking.append("no-plate-crop")
    if not shows_motion(wanted, facts.pictures, facts.clips):
        lacking.append("no-clip" if wanted.motion is Motion.CLIP else "no-clip-or-second-image")
    if wanted.weigh_record and not facts.weigh_record:
        lacking.append("no-weigh-record")
    codes = {f"no-{fact}" for fact in wanted.in_force}
    return (*lacking, *(code for code in facts.not_in_force if code in codes))


def shows_motion(wanted: Profile, pictures: tuple[Picture, ...], clips: int) -> bool:
    """Say whether what shows the vehicle in motion is there, where the profile wants it."""
    if wanted.motion is Motion.NONE or clips:
        return True
    return wanted.motion is Motion.CLIP_OR_SECOND_IMAGE and any(
        one.role is other.role
        and one.sha256 != other.sha256
        and other.captured_at - one.captured_at >= timedelta(milliseconds=wanted.second_image_gap_ms)
        for one in pictures
        for other in pictures
    )


def _rows(data: bytes) -> list[object]:
    document = tomllib.loads(data.decode())
    rows = document.pop("profile", [])
    if document or not isinstance(rows, list):
        raise TypeError("such a file holds [[profile]] tables and nothing else")
    return rows


@lru_cache
def _shipped() -> dict[str, Profile]:
    return parse_profiles(files("domain").joinpath(_SHIPPED).read_bytes(), file_name=_SHIPPED)


_own: dict[str, Profile] = {}


def _roles_shown(
    roles: frozenset[CaptureRole], images: tuple[tuple[CaptureRole, Sha256], ...]
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
