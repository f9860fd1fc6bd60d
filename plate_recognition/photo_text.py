"""The second way to a plate: every line of text in the whole photograph, with PP-OCRv4's detector.

Slower than the corner detector by far, and only asked when that one's best is not trusted. The
network gives each pixel's probability of being text (Liao et al., "Real-time scene text detection
with differentiable binarization", AAAI 2020); it is trained on shrunken lines, so each found one is
grown again by area x ratio / perimeter.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from plate_recognition.geometry import Corners
from plate_recognition.images import Image
from plate_recognition.sessions import Network
from plate_recognition.weights import TEXT_DETECTOR

_TEXT_PROBABILITY = 0.3
_LINE_PROBABILITY = 0.5
_GROWTH_RATIO = 1.6
_LEAST_SIDE_PX = 4.0
_LINE_ASPECTS = (1.2, 9.0)


class TextDetector:
    """Finds lines of text that could be a plate or one row of it.

    Parameters
    ----------
    threads
        Threads one inference may use.
    longest_side_px
        Larger images are scaled down to this first.
    """

    def __init__(self, *, threads: int, longest_side_px: int = 960) -> None:
        self.network = Network(TEXT_DETECTOR, threads=threads)
        self._longest_side_px = longest_side_px

    def find(self, image: Image, *, most: int = 6) -> list[Corners]:
        """Return the corners of up to `most` lines or stacked pairs of lines, likeliest first."""
        height, width = image.shape[:2]
        scale = min(1.0, self._longest_side_px / max(height, width))
        # The network halves its input five times.
        size = (max(32, round(width * scale / 32) * 32), max(32, round(height * scale / 32) * 32))
        scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        pixels = (scaled.transpose(2, 0, 1) / np.float32(127.5) - 1)[None]
        text = self.network.run(np.ascontiguousarray(pixels, dtype=np.float32))[0][0, 0]
        lines = sorted(_lines(text), key=lambda line: -line[0])[:most]
        to_image = np.array([width / size[0], height / size[1]], dtype=np.float32)
        return [upright(_points(rectangle)) * to_image for _, rectangle in _with_pairs(lines)[:most]]


_Rectangle = tuple[Sequence[float], Sequence[float], float]
"""Centre, size and angle in degrees, as OpenCV has them."""
_Line = tuple[float, _Rectangle]


def _lines(text: NDArray[np.float32]) -> list[_Line]:
    """Return each line's mean probability and its grown rectangle."""
    mask = (text > _TEXT_PROBABILITY).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found: list[_Line] = []
    for contour in contours:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < _LEAST_SIDE_PX:
            continue
        left, top, box_width, box_height = cv2.boundingRect(contour)
        inside = np.zeros((box_height, box_width), dtype=np.uint8)
        cv2.drawContours(inside, [contour - np.array([left, top])], -1, 1, cv2.FILLED)
        part = text[top : top + box_height, left : left + box_width]
        probability = float(part[inside > 0].mean())
        growth = width * height * _GROWTH_RATIO / (width + height)
        longer, shorter = max(width, height) + growth, min(width, height) + growth
        if probability >= _LINE_PROBABILITY and _LINE_ASPECTS[0] <= longer / shorter <= _LINE_ASPECTS[1]:
            found.append((probability, (centre, (width + growth, height + growth), angle)))
    return found


def _with_pairs(lines: list[_Line]) -> list[_Line]:
    """Put before the lines every pair that stands one above the other like a plate's two rows."""
    pairs: list[_Line] = []
    for place, (probability, first) in enumerate(lines):
        for other_probability, second in lines[place + 1 :]:
            together = cv2.minAreaRect(np.vstack([_points(first), _points(second)]))
            sides = sorted(together[1])
            covered = sum(width * height for _, (width, height), _ in (first, second))
            if 1.4 <= sides[1] / sides[0] <= 2.6 and covered > 0.7 * sides[0] * sides[1]:
                pairs.append((min(probability, other_probability), together))
    return pairs + lines


def _points(rectangle: _Rectangle) -> Corners:
    return np.asarray(cv2.boxPoints(rectangle), dtype=np.float32)


def upright(points: Corners) -> Corners:
    """Return a rectangle's corners clockwise from the top left, taking it to be wider than high."""
    across, down = points[1] - points[0], points[2] - points[1]
    if np.linalg.norm(across) < np.linalg.norm(down):
        across, down = down, across
    across = across if across[0] >= 0 else -across
    down = down if down[1] >= 0 else -down
    centre = points.mean(axis=0)
    offsets = np.stack([-across - down, across - down, across + down, down - across]) / 2
    return np.asarray(centre + offsets, dtype=np.float32)
