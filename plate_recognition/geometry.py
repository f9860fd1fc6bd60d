"""The plate's shape: from four corners in a photograph to one straight line of characters.

Sizes follow GA 36: 440 x 140 mm and 480 x 140 mm in one row, 440 x 220 mm in two.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from plate_recognition.images import Image

Corners = NDArray[np.float32]
"""Shape (4, 2), x and y in pixels, clockwise from the top left."""

TWO_ROWS_BELOW_ASPECT = 2.6
"""A plate narrower than this may have two rows (440 x 220 is 2.0), or be one row seen obliquely."""

_ONE_ROW_ASPECT = 440 / 140
_TWO_ROW_ASPECT = 440 / 220
_LEAST_ROW_PX = 48
_MOST_ROW_PX = 160

_MARGIN = (0.01, 0.06)
"""Added to a one-row plate on each side, relative to width and height: corners found lie a little inside."""

_ABOVE = 0.12
"""Added above a two-row plate, relative to its height: the corners found tend to lie inside its top."""

_GAP_MM = 82.5
"""Middle of the gap between the rows, below the plate's top edge; 137.5 mm above its bottom edge."""
_GAP_BETWEEN = (0.34, 0.56)
"""Where the gap is looked for, in the straightened image with what was added above."""
_TOP_ROW_MM = 75.0
_ROW_OVERLAP_MM = 4.0
_TOP_ROW_COLUMNS = (0.2, 0.8)
_TOP_ROW_WIDTH = 0.6
"""Upper characters are 80 x 60 mm, lower ones 65 x 110: at the same height the upper are too wide."""


def aspect(corners: Corners) -> float:
    """Return mean width over mean height of a quadrilateral."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return float((sides[0] + sides[2]) / max(sides[1] + sides[3], 1e-6))


def with_margin(corners: Corners) -> Corners:
    """Return the corners of a one-row plate moved outwards, so that no character is cut."""
    top_left, top_right, bottom_right, bottom_left = corners
    across = (top_right + bottom_right - top_left - bottom_left) / 2 * _MARGIN[0]
    down = (bottom_left + bottom_right - top_left - top_right) / 2 * _MARGIN[1]
    outwards = np.array([-across - down, across - down, across + down, -across + down], dtype=np.float32)
    return np.asarray(corners + outwards, dtype=np.float32)


def rectify(image: Image, corners: Corners, *, rows: int) -> Image:
    """Return the plate seen straight on, in the proportions of a plate of one or two rows.

    A two-row plate comes with a strip of what is above it, which `join_rows` expects.
    """
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    row = float(np.clip(np.ceil((sides[1] + sides[3]) / 2 / rows), _LEAST_ROW_PX, _MOST_ROW_PX))
    height = round(row * rows)
    width = round(height * (_TWO_ROW_ASPECT if rows == 2 else _ONE_ROW_ASPECT))
    above = round(height * _ABOVE) if rows == 2 else 0
    straight = np.array(
        [[0, above], [width, above], [width, above + height], [0, above + height]], dtype=np.float32
    )
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), straight)
    return np.asarray(
        cv2.warpPerspective(image, matrix, (width, above + height), borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )


def join_rows(plate: Image) -> Image:
    """Return a straightened two-row plate as one line: the upper characters, then the lower.

    The gap between the rows is found in the image, and all else measured from it and from the bottom
    edge: the top edge is what the corner detector places worst.
    """
    height, width = plate.shape[:2]
    gap = _gap_between_rows(plate)
    px_per_mm = (height - gap) / (220 - _GAP_MM)
    overlap = round(_ROW_OVERLAP_MM * px_per_mm)
    left, right = (round(width * part) for part in _TOP_ROW_COLUMNS)
    top = plate[max(0, round(gap - _TOP_ROW_MM * px_per_mm)) : gap + overlap, left:right]
    bottom = plate[gap - overlap :]
    top_width = round(top.shape[1] * bottom.shape[0] / top.shape[0] * _TOP_ROW_WIDTH)
    stretched = cv2.resize(top, (top_width, bottom.shape[0]))
    return np.hstack([np.asarray(stretched, dtype=np.uint8), bottom])


def _gap_between_rows(plate: Image) -> int:
    """Return the row of pixels with the least change along it: no character crosses the gap."""
    height, width = plate.shape[:2]
    middle = plate[:, round(width * 0.2) : round(width * 0.8)]
    grey = cv2.cvtColor(middle, cv2.COLOR_BGR2GRAY).astype(np.float32)
    change = np.abs(np.diff(grey, axis=1)).mean(axis=1)
    first, last = (round(height * part) for part in _GAP_BETWEEN)
    smooth = cv2.GaussianBlur(change[:, None], (1, 2 * (height // 50) + 1), 0)[first:last, 0]
    return int(first + np.argmin(smooth))


def whole_image(image: Image) -> Corners:
    """Return the image's own corners: it is the plate, cut out already."""
    height, width = image.shape[:2]
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
