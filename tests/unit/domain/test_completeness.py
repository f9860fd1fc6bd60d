"""The completeness gate: every required role wants a picture of its own, each fact is asked for by itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from pathlib import Path

import pytest

from domain import completeness
from domain.completeness import (
    Facts,
    Motion,
    Picture,
    known_profiles,
    missing,
    parse_profiles,
    profile,
    use_profiles,
)
from domain.errors import ConfigurationError
from domain.events import CaptureRole
from domain.ids import Sha256, sha256_of

FRONT, REAR, SIDE = CaptureRole.FRONT, CaptureRole.REAR, CaptureRole.SIDE
ONE, TWO, THREE, FOUR = (sha256_of(name) for name in (b"1", b"2", b"3", b"4"))
AT = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
OWN = """
[[profile]]
name = "province-x"
title_zh = "某省"
roles = ["front", "rear"]
min_images = 2
motion = "clip"
weigh_record = true
in_force = ["certificate", "announcement"]
source = "a notice"
confidence = "V"
"""


def facts(*images: tuple[CaptureRole, Sha256]) -> Facts:
    """All there is to be wished for, with these images taken at one moment."""
    pictures = tuple(Picture(role, digest, AT) for role, digest in images)
    return Facts(pictures, clips=1, plate_crop=True, weigh_record=True, not_in_force=())


ALL = facts((FRONT, ONE), (REAR, TWO), (SIDE, THREE))


@pytest.mark.parametrize(
    ("images", "lacking"),
    [
        ([(FRONT, ONE), (REAR, TWO), (SIDE, THREE)], ()),
        ([(FRONT, ONE), (REAR, ONE), (SIDE, ONE)], ("no-rear-image", "no-side-image", "too-few-images")),
        ([(FRONT, ONE), (REAR, TWO), (SIDE, TWO)], ("no-side-image", "too-few-images")),
        # Two of the same role do not stand for the third.
        ([(FRONT, ONE), (FRONT, TWO), (REAR, THREE)], ("no-side-image",)),
        # The front can take its other picture, so that the rear keeps the one both were sent under.
        ([(FRONT, ONE), (FRONT, TWO), (REAR, ONE), (SIDE, THREE)], ()),
        ([], ("no-front-image", "no-rear-image", "no-side-image", "too-few-images")),
    ],
)
def test_golden_sets_of_images(images: list[tuple[CaptureRole, Sha256]], lacking: tuple[str, ...]) -> None:
    assert missing(profile("standard"), facts(*images)) == lacking


def test_complete_exactly_where_some_choice_gives_each_role_another_picture() -> None:
    pairs = list(product((FRONT, REAR, SIDE), (ONE, TWO, THREE)))
    for chosen in range(1 << len(pairs)):
        images = [pair for at, pair in enumerate(pairs) if chosen >> at & 1]
        possible = any(
            {(FRONT, one), (REAR, two), (SIDE, three)} <= set(images)
            for one, two, three in permutations((ONE, TWO, THREE))
        )
        assert (missing(profile("standard"), facts(*images)) == ()) is possible


@pytest.mark.parametrize("name", ["standard", "front-and-rear", "full"])
@pytest.mark.parametrize(
    ("without", "code"),
    [
        (ALL._replace(weigh_record=False), "no-weigh-record"),
        (ALL._replace(not_in_force=("no-certificate",)), "no-certificate"),
        (ALL._replace(not_in_force=("no-announcement",)), "no-announcement"),
        (ALL._replace(not_in_force=("no-legal-basis",)), "no-legal-basis"),
    ],
)
def test_every_profile_for_evidence_wants_the_record_and_what_must_be_in_force(
    name: str, without: Facts, code: str
) -> None:
    assert missing(profile(name), ALL) == ()
    assert missing(profile(name), without) == (code,)


def test_the_full_profile_wants_a_plate_and_a_clip_or_second_image() -> None:
    full = profile("full")
    assert missing(full, ALL._replace(plate_crop=False)) == ("no-plate-crop",)
    assert missing(full, ALL._replace(clips=0)) == ("no-clip-or-second-image",)


@pytest.mark.parametrize(
    ("second", "moving"),
    [
        (Picture(FRONT, FOUR, AT + timedelta(milliseconds=100)), True),
        (Picture(FRONT, FOUR, AT - timedelta(milliseconds=100)), True),
        # Too soon after the first; the same picture sent again later; another role's.
        (Picture(FRONT, FOUR, AT + timedelta(milliseconds=99)), False),
        (Picture(FRONT, ONE, AT + timedelta(seconds=5)), False),
        (Picture(CaptureRole.PANORAMA, FOUR, AT + timedelta(seconds=5)), False),
    ],
)
def test_a_second_image_is_another_picture_of_one_role_at_another_time(second: Picture, moving: bool) -> None:
    found = ALL._replace(pictures=(*ALL.pictures, second), clips=0)
    assert (missing(profile("full"), found) == ()) is moving


def test_where_a_clip_is_wanted_a_second_image_does_not_stand_for_it() -> None:
    wanted = profile("full").model_copy(update={"motion": Motion.CLIP})
    second = Picture(FRONT, FOUR, AT + timedelta(seconds=1))
    assert missing(wanted, ALL._replace(pictures=(*ALL.pictures, second), clips=0)) == ("no-clip",)


def test_the_codes_come_in_one_order_whatever_is_missing() -> None:
    nothing = Facts((), 0, False, False, ("no-certificate", "no-announcement", "no-legal-basis"))
    assert missing(profile("full"), nothing) == (
        *("no-front-image", "no-rear-image", "no-side-image", "too-few-images"),
        *("no-plate-crop", "no-clip-or-second-image", "no-weigh-record"),
        *("no-certificate", "no-announcement", "no-legal-basis"),
    )


def test_every_shipped_profile_says_where_it_is_from() -> None:
    assert all(one.source and one.confidence for one in known_profiles().values())
    assert [name for name, one in known_profiles().items() if one.for_tests_only] == ["plates-test"]


@pytest.fixture
def own_profiles(tmp_path: Path) -> Iterator[Path]:
    """A file of a deployment's own, forgotten again afterwards."""
    path = tmp_path / "profiles.toml"
    path.write_text(OWN, encoding="utf-8")
    yield path
    completeness._own.clear()


def test_a_deployment_adds_a_profile_of_its_own(own_profiles: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown completeness profile 'province-x'"):
        profile("province-x")
    use_profiles(own_profiles)
    assert missing(profile("province-x"), ALL._replace(clips=0)) == ("no-clip",)


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ('"province-x"', '"standard"', "is shipped and stays as it is"),
        ('source = "a notice"\n', "", "source"),
        ('roles = ["front", "rear"]', 'roles = ["top"]', "roles"),
        ("weigh_record = true", "weigh_record = false", "must want weigh_record"),
        ('["certificate", "announcement"]', '["announcement"]', "must want weigh_record, certificate"),
        ("min_images = 2", "min_images = 0", "min_images"),
        ("min_images = 2", "min_images = 2\nclip_seconds = 5", "clip_seconds"),
        ("[[profile]]", "[[profiles]]", "nothing else"),
        ("[[profile]]", "[[profile", "correct them"),
    ],
)
def test_a_profile_that_asks_for_too_little_or_is_misspelt_is_refused(
    own_profiles: Path, was: str, becomes: str, why: str
) -> None:
    own_profiles.write_text(OWN.replace(was, becomes, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=why):
        use_profiles(own_profiles)


def test_two_profiles_of_one_name_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="one name twice"):
        parse_profiles((OWN * 2).encode(), file_name="twice")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        use_profiles(tmp_path / "none.toml")
