"""The views that are made of a hit's originals while its package is built: plate crops and the composite."""

from collections.abc import Sequence

from domain.plates import PlateReading
from evidence import ClipItem, DerivedItem, ImageItem, WireItem, anti_forgery_code
from evidence.derived import Caption, derive_views
from store.hits import Hit


def views_of(
    hit: Hit,
    reading: PlateReading,
    images: Sequence[ImageItem],
    clips: Sequence[ClipItem],
    wire: Sequence[WireItem],
) -> tuple[DerivedItem, ...]:
    """Return the views; the first of the messages is the record that the words are from."""
    passage = hit.passage
    originals = [
        *(one.sha256 for one in images),
        *(one.sha256 for one in clips),
        *(one.sha256 for one in wire),
    ]
    caption = Caption(
        header=passage.header,
        record=passage.record,
        context=passage.context,
        mass=passage.screening.adjudication,
        reading=reading,
        code=anti_forgery_code(hit.event_id, originals),
    )
    corners = {
        (one.role, one.image_sha256): one.corners_px for one in reading.captures if one.corners_px is not None
    }
    return derive_views(images, corners, caption, record=wire[0].sha256)
