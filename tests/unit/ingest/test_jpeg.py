"""The structural walk against Pillow: what Pillow makes passes, whatever is cut off anywhere does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from ingest import jpeg
from ingest.limits import Limits
from tests.counts import count
from tests.unit.ingest import samples

LIMITS = Limits()


def _code(image: bytes, limits: Limits = LIMITS) -> RefusalCode:
    with pytest.raises(InputRefused) as caught:
        jpeg.check(image, limits=limits)
    return caught.value.code


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (64, 48), (1920, 1080)])
def test_pillows_files_pass_with_their_size(size: tuple[int, int], progressive: bool) -> None:
    assert jpeg.check(samples.jpeg(*size, progressive=progressive), limits=LIMITS) == size


@pytest.mark.parametrize("progressive", [False, True])
def test_cut_off_at_any_byte_it_is_truncated(progressive: bool) -> None:
    whole = samples.jpeg(progressive=progressive)
    assert {_code(whole[:end]) for end in range(2, len(whole))} == {RefusalCode.IMAGE_TRUNCATED}
    assert _code(whole[:1]) is RefusalCode.IMAGE_UNREADABLE


def test_a_trailer_after_the_end_is_let_be() -> None:
    assert jpeg.check(samples.jpeg() + b"\0" * 100, limits=LIMITS) == (64, 48)


def test_enormous_images_are_refused_by_bytes_and_by_pixels() -> None:
    image = samples.jpeg()
    assert _code(image, Limits(max_image_bytes=len(image) - 1)) is RefusalCode.PAYLOAD_TOO_LARGE
    assert _code(image, Limits(max_image_pixels=64 * 48 - 1)) is RefusalCode.PAYLOAD_TOO_LARGE
    at = image.index(b"\xff\xc0") + 5
    bomb = image[:at] + b"\xff\xff\xff\xff" + image[at + 4 :]
    assert _code(bomb) is RefusalCode.PAYLOAD_TOO_LARGE


def _without(image: bytes, marker: bytes) -> bytes:
    at = image.index(marker)
    return image[:at] + image[at + 2 + int.from_bytes(image[at + 2 : at + 4], "big") :]


def test_disguised_and_broken_files_are_unreadable() -> None:
    image = samples.jpeg()
    frame = image.index(b"\xff\xc0")
    header = image[frame : frame + 2 + int.from_bytes(image[frame + 2 : frame + 4], "big")]
    broken = {
        "nothing inside": b"\xff\xd8\xff\xd9",
        "a scan without its frame": _without(image, b"\xff\xc0"),
        "two frames": image[:frame] + header + image[frame:],
        "junk between segments": image[:2] + b"junk" + image[2:],
        "a segment of length 0": image[:2] + b"\xff\xfe\x00\x00" + image[2:],
        "no height": image[: frame + 5] + b"\x00\x00" + image[frame + 7 :],
        "endless segments": image[:2] + b"\xff\xfe\x00\x02" * 5000 + image[2:],
        "a second start": image[:2] + b"\xff\xd8" + image[2:],
    }
    assert {name: _code(content) for name, content in broken.items()} == dict.fromkeys(
        broken, RefusalCode.IMAGE_UNREADABLE
    )


@settings(max_examples=count(10_000, reduced=1_000), deadline=None, derandomize=True)
@given(st.data())
def test_flipped_bytes_give_a_size_or_a_refusal(data: st.DataObject) -> None:
    image = bytearray(samples.jpeg())
    for _ in range(data.draw(st.integers(1, 5))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    try:
        size = jpeg.check(bytes(image), limits=LIMITS)
    except InputRefused:
        return
    assert 0 < size.width_px * size.height_px <= LIMITS.max_image_pixels
