"""How the captures of one passage become one reading."""

from collections.abc import Mapping

import pytest

from domain.errors import InputRefused
from domain.events import CaptureRole
from domain.ids import Sha256, sha256_of
from domain.plates import CaptureReading, PlateClass, PlateColour
from domain.refusals import RefusalCode
from plate_recognition import read_passage


class _Scripted:
    """An engine that knows what stands in each image: `text/confidence_ppm/class`, nothing, or broken."""

    name = "scripted"
    models: Mapping[str, Sha256] = {"script.onnx": sha256_of(b"script")}

    def read(self, image: bytes, role: CaptureRole) -> CaptureReading:
        """Read what the bytes say."""
        if image == b"broken":
            raise InputRefused(RefusalCode.IMAGE_TRUNCATED, "cut off")
        text, confidence, plate_class = image.decode().split("/") if image else (None, "0", "unknown")
        return CaptureReading(
            role=role,
            image_sha256=sha256_of(image),
            text=text or None,
            confidence_ppm=int(confidence),
            plate_class=PlateClass(plate_class),
            colour=PlateColour.YELLOW,
            corners_px=None,
            candidates=(),
        )


_FRONT = (CaptureRole.FRONT, "云A12345/900000/large".encode())
_REAR = (CaptureRole.REAR, "云A12346/950000/large".encode())
_TRAILER = (CaptureRole.REAR, "皖B1234挂/990000/trailer".encode())
_SIDE = (CaptureRole.SIDE, b"")


def test_a_clip_is_named_and_never_read() -> None:
    reading = read_passage(_Scripted(), [_FRONT, (CaptureRole.CLIP, _REAR[1])])
    assert (reading.text, len(reading.captures)) == ("云A12345", 2)
    clip = reading.captures[1]
    assert (clip.role, clip.image_sha256) == (CaptureRole.CLIP, sha256_of(_REAR[1]))
    assert (clip.text, clip.refusal) == (None, "a clip is not read")


def test_the_trailers_plate_is_its_own_reading() -> None:
    reading = read_passage(_Scripted(), [_FRONT, _TRAILER, _SIDE])
    assert (reading.text, reading.confidence_ppm) == ("云A12345", 900_000)
    assert reading.plate_class is PlateClass.LARGE
    assert reading.trailer_text == "皖B1234挂"


def test_a_trailers_plate_alone_leaves_the_tractor_unread() -> None:
    reading = read_passage(_Scripted(), [_TRAILER, _SIDE])
    assert (reading.text, reading.confidence_ppm, reading.trailer_text) == (None, 0, "皖B1234挂")


@pytest.mark.parametrize("captures", [[_FRONT, _REAR], [_REAR, _FRONT]])
def test_disagreement_takes_the_surest_and_keeps_both(captures: list[tuple[CaptureRole, bytes]]) -> None:
    reading = read_passage(_Scripted(), captures)
    assert (reading.text, reading.confidence_ppm) == ("云A12346", 950_000)
    assert {capture.text for capture in reading.captures} == {"云A12345", "云A12346"}


def test_one_broken_image_does_not_keep_the_others_from_being_read() -> None:
    reading = read_passage(_Scripted(), [(CaptureRole.REAR, b"broken"), _FRONT])
    assert reading.text == "云A12345"
    assert [capture.refusal for capture in reading.captures] == ["image-truncated: cut off", None]
    assert reading.captures[0].image_sha256 == sha256_of(b"broken")


def test_nothing_read_is_said_plainly() -> None:
    reading = read_passage(_Scripted(), [_SIDE])
    assert (reading.text, reading.plate_class, reading.trailer_text) == (None, PlateClass.UNKNOWN, None)
    assert (reading.engine, reading.models) == ("scripted", dict(_Scripted.models))
