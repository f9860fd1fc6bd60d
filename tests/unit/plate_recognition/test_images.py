"""Images as cameras, faults and attackers send them: decoded, or refused with a typed reason."""

import io
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from plate_recognition.images import MAX_BYTES, MAX_PIXELS, MAX_SCANS, decode
from tests.counts import count
from tests.unit.plate_recognition import drawing

_PICTURE = drawing.resized(drawing.two_rows("云A1234挂"), 220, 110)
_JPEG = drawing.jpeg(_PICTURE)
_PROGRESSIVE = drawing.jpeg(_PICTURE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


def _saved(mode: str, file_format: str = "JPEG", *, orientation: int = 1) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(_PICTURE[:, :, ::-1])).convert(mode)
    image.save(buffer, file_format, exif=exif)
    return buffer.getvalue()


def _refusal(image: bytes) -> RefusalCode:
    with pytest.raises(InputRefused) as refused:
        decode(image)
    return refused.value.code


def _with_size(width_px: int, height_px: int) -> bytes:
    """Return the picture's JPEG with another size written into its frame header."""
    start = _JPEG.index(b"\xff\xc0") + 5
    return _JPEG[:start] + struct.pack(">HH", height_px, width_px) + _JPEG[start + 4 :]


@pytest.mark.parametrize("image", [_JPEG, _PROGRESSIVE, _saved("RGB"), _saved("CMYK")])
def test_every_kind_of_jpeg_is_decoded_to_the_picture(image: bytes) -> None:
    photo = decode(image)
    assert photo.pixels.shape == (110, 220, 3)
    assert photo.reduced_by == 1
    assert np.abs(photo.pixels.astype(int) - _PICTURE).mean() < 25


def test_grey_comes_in_three_channels() -> None:
    pixels = decode(_saved("L")).pixels
    assert pixels.shape == (110, 220, 3)
    assert (pixels[:, :, 0] == pixels[:, :, 2]).all()


def test_exif_orientation_is_honoured() -> None:
    turned = decode(_saved("RGB", orientation=6)).pixels
    assert turned.shape == (220, 110, 3)
    assert np.abs(np.rot90(turned).astype(int) - _PICTURE).mean() < 25


def test_a_large_image_is_decoded_at_a_fraction() -> None:
    photo = decode(drawing.jpeg(np.zeros((4000, 6000, 3), np.uint8)))
    assert photo.reduced_by == 2
    assert photo.pixels.shape == (2000, 3000, 3)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (b"", RefusalCode.IMAGE_TRUNCATED),
        (b"\xff\xd8", RefusalCode.IMAGE_TRUNCATED),
        (_JPEG[:-2], RefusalCode.IMAGE_TRUNCATED),
        (_JPEG[: len(_JPEG) // 2], RefusalCode.IMAGE_TRUNCATED),
        (_JPEG[:30], RefusalCode.IMAGE_TRUNCATED),
        (_PROGRESSIVE[: len(_PROGRESSIVE) // 2], RefusalCode.IMAGE_TRUNCATED),
        (_saved("RGB", "PNG"), RefusalCode.IMAGE_UNREADABLE),
        (_saved("RGB", "GIF"), RefusalCode.IMAGE_UNREADABLE),
        (b"\xff\xd8\xff\xd9", RefusalCode.IMAGE_UNREADABLE),
        (b"\xff\xd8 and then prose", RefusalCode.IMAGE_UNREADABLE),
        (_with_size(0, 100), RefusalCode.IMAGE_UNREADABLE),
        (_with_size(65_000, 65_000), RefusalCode.PAYLOAD_TOO_LARGE),
        (_with_size(MAX_PIXELS // 1000 + 1, 1000), RefusalCode.PAYLOAD_TOO_LARGE),
        (_JPEG + bytes(MAX_BYTES), RefusalCode.PAYLOAD_TOO_LARGE),
    ],
    ids=lambda value: value.value if isinstance(value, RefusalCode) else f"{len(value)} bytes",
)
def test_what_cannot_be_read_is_refused_with_its_reason(image: bytes, code: RefusalCode) -> None:
    assert _refusal(image) is code


def test_an_endless_row_of_scans_is_refused_before_it_is_decoded() -> None:
    first = _PROGRESSIVE.index(b"\xff\xda")
    scan = _PROGRESSIVE[first : _PROGRESSIVE.index(b"\xff", first + 20)]
    assert _refusal(_PROGRESSIVE[:-2] + scan * MAX_SCANS + b"\xff\xd9") is RefusalCode.IMAGE_UNREADABLE


def test_the_message_says_what_was_found() -> None:
    with pytest.raises(InputRefused, match="begins with 89 50 4e 47"):
        decode(_saved("RGB", "PNG"))


def _decoded_or_refused(image: bytes) -> None:
    try:
        photo = decode(image)
    except InputRefused:
        return
    assert photo.pixels.ndim == 3


@settings(max_examples=count(10_000, reduced=500), derandomize=True, deadline=None)
@given(st.binary(max_size=400).map(lambda tail: b"\xff\xd8\xff" + tail) | st.binary(max_size=400))
def test_arbitrary_bytes_never_break_it(image: bytes) -> None:
    _decoded_or_refused(image)


@settings(max_examples=count(5_000, reduced=300), derandomize=True, deadline=None)
@given(
    st.sampled_from([_JPEG, _PROGRESSIVE]),
    st.lists(st.tuples(st.integers(0, len(_JPEG) - 1), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_damaged_jpegs_never_break_it(image: bytes, damage: list[tuple[int, int]]) -> None:
    broken = bytearray(image)
    for place, value in damage:
        broken[place % len(broken)] = value
    _decoded_or_refused(bytes(broken))
