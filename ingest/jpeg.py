"""The structure of a JPEG file, walked marker by marker without decoding a pixel (ITU-T T.81 Annex B).

    SOI, then segments (APPn, DQT, SOFn, DHT, DRI, COM ...), then one or more scans, each an SOS
    segment and its entropy-coded data, then EOI; cameras' trailers after it are let be

Enough to tell a truncated or disguised file from a picture, and to know its size before any decoder
allocates for it; whether the picture can be seen is found out when it is read.
"""

import re
from typing import NamedTuple

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from ingest.limits import Limits

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15 without DHT, JPG and DAC, which lie between them."""
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""TEM and RST0 to RST7: markers without a length."""

_MAX_SEGMENTS = 4096
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""In entropy-coded data FF 00 is a stuffed byte and RSTn a restart; every other marker ends the scan."""


class JpegSize(NamedTuple):
    """Dimensions from the frame header."""

    width_px: int
    height_px: int


def check(image: bytes, *, limits: Limits) -> JpegSize:
    """Walk the whole file and return its dimensions.

    Raises
    ------
    InputRefused
        PAYLOAD_TOO_LARGE, IMAGE_UNREADABLE or IMAGE_TRUNCATED, with the offset where it was noticed.
    """
    if len(image) > limits.max_image_bytes:
        raise InputRefused(
            RefusalCode.PAYLOAD_TOO_LARGE,
            f"the image has {len(image)} bytes; at most {limits.max_image_bytes} are allowed",
        )
    if image[:2] != b"\xff\xd8":
        raise _unreadable("does not begin with FF D8 (SOI): not a JPEG", 0)
    size: JpegSize | None = None
    scanned = False
    at = 2
    for _ in range(_MAX_SEGMENTS):
        marker, at = _marker(image, at)
        if marker == _EOI:
            return _whole(image, at, size, scanned=scanned)
        if marker in _STANDALONE:
            continue
        body, after = _segment(image, at)
        if marker in _FRAMES:
            if size is not None:
                raise _unreadable("has two frame headers", at)
            size = _frame(body, at, limits)
        at = after
        if marker == _SOS:
            if size is None:
                raise _unreadable("has a scan before its frame header", at)
            scanned = True
            at = _scan_end(image, at)
    raise _unreadable(f"has more than {_MAX_SEGMENTS} segments", at)


def _marker(image: bytes, at: int) -> tuple[int, int]:
    if at >= len(image):
        raise _truncated("ends before FF D9 (EOI)", len(image))
    if image[at] != 0xFF:
        raise _unreadable(f"has 0x{image[at]:02x} where a marker belongs", at)
    while at < len(image) and image[at] == 0xFF:  # any number of fill bytes may precede a marker
        at += 1
    if at == len(image):
        raise _truncated("ends within a marker", at)
    if image[at] in {0x00, _SOI}:
        raise _unreadable(f"has the marker FF {image[at]:02X} where none is allowed", at)
    return image[at], at + 1


def _segment(image: bytes, at: int) -> tuple[bytes, int]:
    length = int.from_bytes(image[at : at + 2], "big")
    after = at + length
    if at + 2 > len(image) or after > len(image):
        raise _truncated("ends within a segment", len(image))
    if length < 2:
        raise _unreadable("has a segment whose length is below 2", at)
    return image[at + 2 : after], after


def _frame(body: bytes, at: int, limits: Limits) -> JpegSize:
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise _unreadable("has a broken frame header", at)
    size = JpegSize(width_px=int.from_bytes(body[3:5], "big"), height_px=int.from_bytes(body[1:3], "big"))
    if size.width_px == 0 or size.height_px == 0:
        raise _unreadable(f"has a size of {size.width_px} x {size.height_px}", at)
    if size.width_px * size.height_px > limits.max_image_pixels:
        raise InputRefused(
            RefusalCode.PAYLOAD_TOO_LARGE,
            f"the image has {size.width_px} x {size.height_px} pixels; "
            f"at most {limits.max_image_pixels} are allowed",
        )
    return size


def _scan_end(image: bytes, at: int) -> int:
    found = _NEXT_MARKER.search(image, at)
    if found is None:
        raise _truncated("ends within its image data", len(image))
    return found.start()


def _whole(image: bytes, at: int, size: JpegSize | None, *, scanned: bool) -> JpegSize:
    if size is None or not scanned:
        raise _unreadable("has no picture between its first and last marker", at)
    return size


def _unreadable(what: str, at: int) -> InputRefused:
    return InputRefused(RefusalCode.IMAGE_UNREADABLE, f"the image {what} (offset {at})")


def _truncated(what: str, at: int) -> InputRefused:
    return InputRefused(RefusalCode.IMAGE_TRUNCATED, f"the image {what} (at byte {at})")
