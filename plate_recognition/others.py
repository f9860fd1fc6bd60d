"""Plates in a photograph that are not the vehicle's own: what a masked copy must not show."""

from collections.abc import Sequence

import numpy as np

from plate_recognition.detector import CornerDetector
from plate_recognition.geometry import Corners
from plate_recognition.images import decode

_SIZES_PX = (960, 1600)
_AT_LEAST = 0.2
"""Lower than for reading: what is no plate may be masked too."""
_MOST = 32

Points = tuple[tuple[int, int], ...]


class OtherPlates:
    """Finds other vehicles' plates; ConfigurationError where the detector's weights are not installed."""

    def __init__(self, *, threads: int = 1) -> None:
        self._detector = CornerDetector(threads=threads)

    def find(self, image: bytes, own: Sequence[Points]) -> list[Points]:
        """Return the corners of every plate in a JPEG that is none of `own`, in pixels of the full image.

        Raises
        ------
        InputRefused
            The image cannot be decoded.
        """
        photo = decode(image)
        found = [
            plate.corners * photo.reduced_by
            for longest_side_px in _SIZES_PX
            for plate in self._detector.find(
                photo.pixels, longest_side_px=longest_side_px, at_least=_AT_LEAST, most=_MOST
            )
        ]
        mine = [np.array(corners, np.float32) for corners in own]
        return [_points(corners) for corners in found if not any(_same(corners, one) for one in mine)]


def _same(one: Corners, other: Corners) -> bool:
    """Whether each box holds the other's middle: two looks at one plate do, two plates do not."""
    return _holds(one, other.mean(axis=0)) and _holds(other, one.mean(axis=0))


def _holds(corners: Corners, point: np.ndarray) -> bool:
    return bool(np.all(corners.min(axis=0) <= point) and np.all(point <= corners.max(axis=0)))


def _points(corners: Corners) -> Points:
    return tuple((round(x), round(y)) for x, y in corners.tolist())
