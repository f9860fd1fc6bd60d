"""Several captures of one passage become one reading of the passage.

A tractor and its trailer carry different plates by law: the trailer's (ends in 挂) is only on its
rear and is its own reading, never merged with the tractor's.

The vehicle's own text is chosen among the captures by the confidence in its weakest character. When
captures disagree the others stay what they are, each capture with its text, confidence and
candidates, for the reviewer to see; agreement raises nothing and disagreement lowers nothing behind
anybody's back.
"""

from collections.abc import Sequence

from domain.errors import InputRefused
from domain.events import CaptureRole
from domain.ids import sha256_of
from domain.plates import CaptureReading, PlateClass, PlateColour, PlateReading
from plate_recognition.engine import PlateEngine


def read_passage(engine: PlateEngine, captures: Sequence[tuple[CaptureRole, bytes]]) -> PlateReading:
    """Read every capture of a passage and choose the text put before the reviewer.

    A capture that cannot be decoded is in the result with its reason (`refusal`): it must not keep
    the other cameras' images from being read. So is a clip, which is never read: the reading names all
    captures that belong to it.
    """
    readings = tuple(_read(engine, role, image) for role, image in captures)
    own = _surest([reading for reading in readings if reading.plate_class is not PlateClass.TRAILER])
    trailer = _surest([reading for reading in readings if reading.plate_class is PlateClass.TRAILER])
    return PlateReading(
        text=own.text if own else None,
        confidence_ppm=own.confidence_ppm if own else 0,
        plate_class=own.plate_class if own else PlateClass.UNKNOWN,
        colour=own.colour if own else PlateColour.UNKNOWN,
        trailer_text=trailer.text if trailer else None,
        captures=readings,
        engine=engine.name,
        models=dict(engine.models),
    )


def _read(engine: PlateEngine, role: CaptureRole, image: bytes) -> CaptureReading:
    if role is CaptureRole.CLIP:
        return _unread(image, role, "a clip is not read")
    try:
        return engine.read(image, role)
    except InputRefused as refused:
        return _unread(image, role, str(refused))


def _unread(image: bytes, role: CaptureRole, why: str) -> CaptureReading:
    return CaptureReading(
        role=role,
        image_sha256=sha256_of(image),
        text=None,
        confidence_ppm=0,
        plate_class=PlateClass.UNKNOWN,
        colour=PlateColour.UNKNOWN,
        corners_px=None,
        candidates=(),
        refusal=why,
    )


def _surest(readings: Sequence[CaptureReading]) -> CaptureReading | None:
    """Return the readable capture of highest confidence; of equal ones the first."""
    readable = [reading for reading in readings if reading.text is not None]
    return max(readable, key=lambda reading: reading.confidence_ppm, default=None)
