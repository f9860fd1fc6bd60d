"""The two ways to a plate in a photograph: by its corners, and by its text."""

import cv2
import numpy as np
import pytest

from plate_recognition.detector import CornerDetector
from plate_recognition.geometry import Corners, aspect
from plate_recognition.photo_text import TextDetector, upright
from tests.unit.plate_recognition import drawing

_PLATES = {
    "one row": drawing.one_row("鲁H80K15", drawing.YELLOW, drawing.BLACK),
    "two rows": drawing.two_rows("冀B7K36挂"),
}


def _off_centre_px(found: Corners, true: Corners) -> float:
    return float(np.linalg.norm(found.mean(axis=0) - true.mean(axis=0)))


@pytest.mark.parametrize("kind", list(_PLATES))
def test_the_corner_detector_finds_each_plate_of_a_picture(kind: str) -> None:
    left, left_corners = drawing.scene(_PLATES[kind], width_px=180, seed=1, size=(960, 1080))
    right, right_corners = drawing.scene(_PLATES[kind], width_px=180, seed=2, size=(960, 1080))
    found = CornerDetector(threads=1).find(np.hstack([left, right]), longest_side_px=1280)
    assert [plate.score >= 0.3 for plate in found] == [True, True]
    for true in (left_corners, right_corners + np.array([960, 0], np.float32)):
        assert min(_off_centre_px(plate.corners, true) for plate in found) < 15


@pytest.mark.parametrize("kind", list(_PLATES))
def test_the_text_detector_finds_a_plate_by_its_characters(kind: str) -> None:
    """Two rows are found as one plate, beside each row by itself."""
    picture, true = drawing.scene(_PLATES[kind], width_px=220, seed=3)
    found = TextDetector(threads=1).find(picture)
    closest = min(found, key=lambda corners: _off_centre_px(corners, true))
    assert _off_centre_px(closest, true) < 15
    assert aspect(closest) == pytest.approx(aspect(true), rel=0.4)


def test_an_empty_picture_has_nothing() -> None:
    empty = np.full((300, 400, 3), 128, np.uint8)
    assert CornerDetector(threads=1).find(empty, longest_side_px=960) == []
    assert list(TextDetector(threads=1).find(empty)) == []


def test_a_plate_too_small_for_the_first_look_is_found_by_the_second() -> None:
    """In a large photograph a distant plate shows only at the finer working size."""
    plate = drawing.one_row("鲁H80K15", drawing.YELLOW, drawing.BLACK)
    picture, true = drawing.scene(plate, width_px=90, seed=1, size=(1920, 1080))
    detector = CornerDetector(threads=1)
    (found, *_) = detector.find(picture, longest_side_px=1600)
    assert _off_centre_px(found.corners, true) < 8
    coarse = detector.find(picture, longest_side_px=320)
    assert all(_off_centre_px(plate.corners, true) > 8 for plate in coarse)


@pytest.mark.parametrize("degrees", [-40, -10, 0, 10, 40, 80, 90, 100, 180])
def test_a_rectangle_of_any_angle_is_put_upright(degrees: int) -> None:
    points = np.asarray(cv2.boxPoints(((200, 100), (120, 40), degrees)), np.float32)
    top_left, top_right, bottom_right, bottom_left = corners = upright(points)
    distances = np.linalg.norm(corners[:, None] - points[None], axis=2)
    assert max(distances.min(axis=0).max(), distances.min(axis=1).max()) < 0.01
    assert aspect(corners) == pytest.approx(3, rel=1e-3)
    assert top_left[0] <= top_right[0] + 1e-3
    assert bottom_left[0] <= bottom_right[0] + 1e-3
    assert top_left[1] <= bottom_left[1] + 1e-3
    assert top_right[1] <= bottom_right[1] + 1e-3
