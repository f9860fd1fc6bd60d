"""Other vehicles' plates are found, the vehicle's own is left out."""

import numpy as np
from numpy.typing import NDArray

from plate_recognition.others import OtherPlates, Points
from tests.unit.plate_recognition import drawing

_LEFT, _LEFT_CORNERS = drawing.scene(
    drawing.one_row("鲁H80K15", drawing.YELLOW, drawing.BLACK), width_px=180, seed=1, size=(960, 1080)
)
_RIGHT, _RIGHT_CORNERS = drawing.scene(
    drawing.one_row("京A12345", drawing.YELLOW, drawing.BLACK), width_px=180, seed=2, size=(960, 1080)
)
_PHOTO = drawing.jpeg(np.hstack([_LEFT, _RIGHT]))
_OWN: Points = tuple((round(x), round(y)) for x, y in _LEFT_CORNERS.tolist())
_OWN_MIDDLE = _LEFT_CORNERS.mean(axis=0)
_OTHER_MIDDLE = (_RIGHT_CORNERS + np.array([960, 0], np.float32)).mean(axis=0)


def _closest(found: list[Points], middle: NDArray[np.float32]) -> float:
    """Return how near the nearest of them is; what else looks like a plate may be among them."""
    return min(float(np.linalg.norm(np.array(one).mean(axis=0) - middle)) for one in found)


def test_the_plate_of_another_vehicle_is_found_and_the_own_one_is_not_among_them() -> None:
    found = OtherPlates().find(_PHOTO, [_OWN])
    assert _closest(found, _OTHER_MIDDLE) < 15
    assert _closest(found, _OWN_MIDDLE) > 100


def test_without_an_own_plate_all_are_others() -> None:
    found = OtherPlates().find(_PHOTO, [])
    assert _closest(found, _OTHER_MIDDLE) < 15
    assert _closest(found, _OWN_MIDDLE) < 15
