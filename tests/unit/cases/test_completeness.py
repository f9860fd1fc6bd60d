"""The completeness gate: every required role wants a picture of its own."""

from itertools import permutations, product

import pytest

from domain.completeness import missing, profile
from domain.events import CaptureRole
from domain.ids import Sha256, sha256_of

FRONT, REAR, SIDE = CaptureRole.FRONT, CaptureRole.REAR, CaptureRole.SIDE
ONE, TWO, THREE = (sha256_of(name) for name in (b"1", b"2", b"3"))


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
    assert missing(profile("standard"), images, has_weigh_record=True) == lacking


def test_complete_exactly_where_some_choice_gives_each_role_another_picture() -> None:
    pairs = list(product((FRONT, REAR, SIDE), (ONE, TWO, THREE)))
    for chosen in range(1 << len(pairs)):
        images = [pair for at, pair in enumerate(pairs) if chosen >> at & 1]
        possible = any(
            {(FRONT, one), (REAR, two), (SIDE, three)} <= set(images)
            for one, two, three in permutations((ONE, TWO, THREE))
        )
        assert (missing(profile("standard"), images, has_weigh_record=True) == ()) is possible


def test_without_a_weigh_record_nothing_is_complete() -> None:
    images = [(FRONT, ONE), (REAR, TWO)]
    assert missing(profile("front-and-rear"), images, has_weigh_record=False) == ("no-weigh-record",)
