"""Whether a reading made again holds captures that the last one did not."""

from domain.events import CaptureRole
from domain.ids import Sha256
from domain.plates import CaptureReading, PlateClass, PlateColour, PlateReading
from service.steps.supplement import adds_nothing


def reading(*captures: tuple[CaptureRole, str]) -> PlateReading:
    """Return a reading of images of these roles and digests."""
    return PlateReading(
        text=None,
        confidence_ppm=0,
        plate_class=PlateClass.UNKNOWN,
        colour=PlateColour.UNKNOWN,
        trailer_text=None,
        captures=tuple(
            CaptureReading(
                role=role,
                image_sha256=Sha256(digest * 64),
                text=None,
                confidence_ppm=0,
                plate_class=PlateClass.UNKNOWN,
                colour=PlateColour.UNKNOWN,
                corners_px=None,
                candidates=(),
            )
            for role, digest in captures
        ),
        engine="test",
        models={},
    )


def test_a_reading_adds_what_the_earlier_one_did_not_name() -> None:
    front, rear = (CaptureRole.FRONT, "a"), (CaptureRole.REAR, "b")
    assert adds_nothing(reading(front), reading(rear, front))
    assert adds_nothing(reading(), reading())
    assert not adds_nothing(reading(front, rear), reading(front))
    assert not adds_nothing(reading((CaptureRole.REAR, "a")), reading(front)), "another camera's, same bytes"
    assert not adds_nothing(reading(front), None)
