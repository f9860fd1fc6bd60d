"""Masked copies of images, for people outside: other vehicles' plates and the cab cannot be made out.

A copy is a view like any other, made beside the original and named with it; originals are never changed. What
is masked is reduced to a few squares of one colour each, so that nothing is left to be sharpened.
"""

import io
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from domain.ids import Sha256
from evidence.derived.pictures import BY, decoded
from evidence.package import DerivedItem

MASKED = f"zhichao-mask/1 {BY}"

_SQUARES = 4
"""Along the longer side of what is masked."""
_MARGIN_PERCENT = 25
_QUALITY = 90

Points = tuple[tuple[int, int], ...]


class Region(NamedTuple):
    """Part of an image in thousandths of its width and height: left, top, right, bottom."""

    left: int
    top: int
    right: int
    bottom: int


def masked_copy(
    name: str,
    original: bytes,
    sha256: Sha256,
    *,
    plates: Sequence[Points] = (),
    regions: Sequence[Region] = (),
    own: Sequence[Points] = (),
) -> DerivedItem | None:
    """Return a masked copy of a JPEG as a view, or None where the original cannot be decoded.

    Parameters
    ----------
    name
        File name of the copy.
    plates
        Corners of plates to be masked, with a margin.
    regions
        Parts that are masked in every such image, e.g. where the cab is.
    own
        Corners of the vehicle's own plate, which stays as it is wherever it lies.
    """
    image = decoded(original)
    if image is None:
        return None
    kept = [(box, image.crop(box)) for corners in own if (box := _box(corners, image, 0)) is not None]
    boxes = [_box(corners, image, _MARGIN_PERCENT) for corners in plates]
    boxes += [_box(_corners(region, image), image, 0) for region in regions]
    for box in boxes:
        if box is not None:
            image.paste(_unrecognisable(image.crop(box)), box)
    for box, pixels in kept:
        image.paste(pixels, box)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=_QUALITY)
    return DerivedItem(name, jpeg.getvalue(), (sha256,), MASKED)


def _unrecognisable(part: Image.Image) -> Image.Image:
    scale = _SQUARES / max(part.size)
    few = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
    return part.resize(few, Image.Resampling.BOX).resize(part.size, Image.Resampling.NEAREST)


def _box(corners: Points, image: Image.Image, margin_percent: int) -> tuple[int, int, int, int] | None:
    across, down = [x for x, _ in corners], [y for _, y in corners]
    margin = max(max(across) - min(across), max(down) - min(down)) * margin_percent // 100
    left, right = max(min(across) - margin, 0), min(max(across) + margin + 1, image.width)
    top, bottom = max(min(down) - margin, 0), min(max(down) + margin + 1, image.height)
    return None if left >= right or top >= bottom else (left, top, right, bottom)


def _corners(region: Region, image: Image.Image) -> Points:
    across = [image.width * part // 1000 for part in (region.left, region.right)]
    down = [image.height * part // 1000 for part in (region.top, region.bottom)]
    return ((across[0], down[0]), (across[1] - 1, down[1] - 1))
