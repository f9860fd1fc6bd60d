"""From the bytes of a capture to pixels, with memory and time bounded before anything is decoded.

The structure is walked first (ITU-T T.81 Annex B): size and number of scans are known, and a missing
end is seen, before the decoder is let near the bytes. A decoder by itself fills what is missing with
grey and calls it an image.
"""

import re
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.errors import InputRefused
from domain.refusals import RefusalCode

Image = NDArray[np.uint8]
"""Pixels, shape (height, width, 3), BGR."""

MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 50_000_000
MAX_SCANS = 100
"""A progressive image has about ten; each scan costs a pass over all pixels."""
_DECODED_PIXELS = 12_500_000
"""Larger images are decoded at a half, a quarter or an eighth: 37 MB is all one image may take."""

_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""Ends a scan's entropy-coded data: neither a stuffed 0xFF nor a restart marker."""


@dataclass(frozen=True)
class Photo:
    """A decoded capture, turned upright by its EXIF orientation.

    `reduced_by` is what corners in `pixels` are multiplied with to be corners of the full image.
    """

    pixels: Image
    reduced_by: int


def decode(image: bytes) -> Photo:
    """Decode a JPEG: baseline or progressive, grey, YCbCr or CMYK.

    Raises
    ------
    InputRefused
        PAYLOAD_TOO_LARGE over 32 MB or 50 megapixels, IMAGE_TRUNCATED where the end is missing,
        IMAGE_UNREADABLE where it is no JPEG or its data is broken.
    """
    width_px, height_px = _checked_size(image)
    reduced_by = next((by for by in _REDUCED if width_px * height_px <= _DECODED_PIXELS * by * by), 8)
    try:
        pixels = cv2.imdecode(np.frombuffer(image, dtype=np.uint8), _REDUCED[reduced_by])
    except cv2.error as error:
        raise _unreadable(f"the decoder gave up: {error.err}") from error
    if pixels is None:
        raise _unreadable("the compressed data cannot be decoded")
    return Photo(np.asarray(pixels, dtype=np.uint8), reduced_by)


def _checked_size(image: bytes) -> tuple[int, int]:
    """Walk the segments; return width and height in pixels as the frame header states them."""
    if not image:
        raise InputRefused(RefusalCode.IMAGE_TRUNCATED, "the image has 0 bytes")
    if len(image) > MAX_BYTES:
        raise InputRefused(
            RefusalCode.PAYLOAD_TOO_LARGE, f"the image has {len(image)} bytes, at most {MAX_BYTES} are read"
        )
    if image[:2] != bytes((0xFF, _START)):
        raise _unreadable(f"not a JPEG: it begins with {image[:4].hex(' ')}")
    size: tuple[int, int] | None = None
    scans = 0
    position = 2
    while True:
        marker, position = _marker_at(image, position)
        if marker == _END:
            break
        if marker in _ALONE:
            continue
        segment, position = _segment_at(image, position)
        if marker in _FRAMES:
            size = _frame_size(segment)
        elif marker == _SCAN:
            scans += 1
            position = _end_of_scan(image, position)
        if scans > MAX_SCANS:
            raise _unreadable(f"more than {MAX_SCANS} scans")
    if size is None or scans == 0:
        raise _unreadable("no frame or no scan before the end of the image")
    return size


def _marker_at(image: bytes, position: int) -> tuple[int, int]:
    """Return the marker at `position` (fill bytes skipped) and where its segment begins."""
    start = position
    while position < len(image) and image[position] == 0xFF:
        position += 1
    if position >= len(image):
        raise _truncated(position)
    if position == start:
        raise _unreadable(f"no marker at byte {position}, where a segment should begin")
    return image[position], position + 1


def _segment_at(image: bytes, position: int) -> tuple[bytes, int]:
    """Return the content of the segment at `position` and where it ends."""
    if position + 2 > len(image):
        raise _truncated(position)
    (length,) = struct.unpack_from(">H", image, position)
    if length < 2:
        raise _unreadable(f"a segment of impossible length at byte {position}")
    if position + length > len(image):
        raise _truncated(position)
    return image[position + 2 : position + length], position + length


def _end_of_scan(image: bytes, position: int) -> int:
    found = _NEXT_MARKER.search(image, position)
    if found is None:
        raise _truncated(len(image))
    return found.start()


def _frame_size(segment: bytes) -> tuple[int, int]:
    if len(segment) < 6:
        raise _unreadable("the frame header is too short")
    height_px, width_px = struct.unpack_from(">HH", segment, 1)
    if not height_px or not width_px:
        raise _unreadable(f"the frame header says {width_px} x {height_px} pixels")
    if width_px * height_px > MAX_PIXELS:
        raise InputRefused(
            RefusalCode.PAYLOAD_TOO_LARGE,
            f"the image has {width_px} x {height_px} pixels, at most {MAX_PIXELS} are read",
        )
    return width_px, height_px


def _unreadable(detail: str) -> InputRefused:
    return InputRefused(RefusalCode.IMAGE_UNREADABLE, detail)


def _truncated(position: int) -> InputRefused:
    return InputRefused(
        RefusalCode.IMAGE_TRUNCATED, f"the JPEG ends at byte {position} without its end marker"
    )
