"""From corners to a straight line of characters, and back to what was drawn."""

import numpy as np
import pytest

from plate_recognition.geometry import aspect, join_rows, rectify, whole_image, with_margin
from tests.unit.plate_recognition import drawing


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("turn", [0.0, 0.15, 0.3])
def test_a_plate_laid_into_a_picture_comes_back(seed: int, turn: float) -> None:
    plate = drawing.one_row("云A12345", drawing.YELLOW, drawing.BLACK)
    picture, corners = drawing.scene(plate, width_px=440, seed=seed, turn=turn)
    straight = rectify(picture, corners, rows=1)
    assert straight.shape[1] / straight.shape[0] == pytest.approx(440 / 140, rel=0.01)
    likeness = _likeness(straight, plate)
    assert likeness > 0.9
    mirrored = corners[[1, 0, 3, 2]]
    assert _likeness(rectify(picture, mirrored, rows=1), plate) < likeness - 0.3


def _likeness(one: drawing.Pixels, other: drawing.Pixels) -> float:
    """Return the correlation of two pictures' brightness, at the smaller's size."""
    height, width = (min(one.shape[axis], other.shape[axis]) for axis in (0, 1))
    grey = [drawing.resized(picture, width, height).mean(axis=2).ravel() for picture in (one, other)]
    return float(np.corrcoef(grey)[0, 1])


def test_aspect_is_that_of_the_plate() -> None:
    assert aspect(whole_image(np.zeros((140, 440, 3), np.uint8))) == pytest.approx(440 / 140)


def test_the_margin_moves_every_corner_outwards() -> None:
    corners = whole_image(np.zeros((100, 300, 3), np.uint8))
    moved = with_margin(corners)
    assert moved.tolist() == [[-3, -6], [303, -6], [303, 106], [-3, 106]]


@pytest.mark.parametrize("lost", [0.0, 0.1])
def test_two_rows_become_one_line_even_where_the_top_edge_is_missed(lost: float) -> None:
    """The line's left part is the upper row, its right part the lower, whole from 1 to 挂."""
    plate = drawing.two_rows("云A1234挂")
    corners = whole_image(plate)
    corners[:2, 1] += lost * 220
    line = join_rows(rectify(plate, corners, rows=2))
    ink = (line.mean(axis=2) < 70).mean(axis=0) > 0.03
    starts = np.flatnonzero(ink[1:] & ~ink[:-1])
    assert line.shape[1] / line.shape[0] > 3
    # 云, A and five more; 挂 may fall into two strokes, and the frame adds its two verticals.
    assert 7 <= len(starts) <= 11
