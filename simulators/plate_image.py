"""A licence plate as an image, one pixel a millimetre, after the geometry of GA 36.

Glyph boxes: 440 x 140 one row, 480 x 140 new energy, 440 x 220 two rows. The glyphs are Noto Sans CJK
Medium, the free face nearest to the plates' own, pressed into the standard's boxes.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from domain.errors import ConfigurationError
from domain.plates import PlateClass
from simulators.plates import Plate

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

_YELLOW: Colour = (246, 190, 24)
_GREEN: Colour = (66, 176, 96)
_BLUE: Colour = (18, 62, 158)
_BLACK: Colour = (16, 16, 16)
_WHITE: Colour = (242, 242, 242)


class _Style(NamedTuple):
    background: Colour
    ink: Colour


_STYLES = {
    PlateClass.LARGE: _Style(_YELLOW, _BLACK),
    PlateClass.TRAILER: _Style(_YELLOW, _BLACK),
    PlateClass.SMALL: _Style(_BLUE, _WHITE),
    PlateClass.NEV_LARGE: _Style(_GREEN, _BLACK),
}


def render_plate(plate: Plate, *, rear: bool) -> Image.Image:
    """Return the plate as an RGB image; large vehicles wear two rows at the rear, one in front."""
    if plate.plate_class is PlateClass.TRAILER or (plate.plate_class is PlateClass.LARGE and rear):
        size, boxes, dot = (440, 220), _two_row_boxes(), None
    elif plate.plate_class is PlateClass.NEV_LARGE:
        size, boxes, dot = (480, 140), _one_row_boxes(43, 9, 49), None
    else:
        size, boxes, dot = (440, 140), _one_row_boxes(45, 12, 34), (134, 70)
    style = _STYLES[plate.plate_class]
    image = Image.new("RGB", size, style.background)
    draw = ImageDraw.Draw(image)
    if plate.plate_class is PlateClass.NEV_LARGE:
        draw.rectangle((0, 0, 128, size[1]), fill=_YELLOW)
    draw.rounded_rectangle((4, 4, size[0] - 5, size[1] - 5), radius=10, outline=style.ink, width=3)
    if dot:
        draw.ellipse((dot[0] - 5, dot[1] - 5, dot[0] + 5, dot[1] + 5), fill=style.ink)
    for character, box in zip(plate.text, boxes, strict=True):
        width, height = box[2] - box[0], box[3] - box[1]
        image.paste(style.ink, (box[0], box[1]), _glyph(character, width, height))
    return image


def _one_row_boxes(width: int, gap: int, gap_after_second: int) -> list[Box]:
    """Return seven (or, on 480 mm plates, eight) boxes of one row, 90 mm high."""
    boxes: list[Box] = []
    left = 15
    for place in range(7 if width == 45 else 8):
        right = left + (45 if place == 0 else width)
        boxes.append((left, 25, right, 115))
        left = right + (gap_after_second if place == 1 else gap)
    return boxes


def _two_row_boxes() -> list[Box]:
    top = [(left, 15, left + 80, 75) for left in (110, 250)]
    return top + [(27 + place * 80, 90, 92 + place * 80, 200) for place in range(5)]


@cache
def _glyph(character: str, width: int, height: int) -> Image.Image:
    """Return the glyph as a mask that fills its box; narrow ones ("1") keep their shape, centred."""
    font = _font()
    left, top, right, bottom = font.getbbox(character)
    inked = Image.new("L", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(inked).text((-left, -top), character, fill=255, font=font)
    natural = inked.width * height // inked.height
    used = natural if natural * 10 < width * 7 else width
    mask = Image.new("L", (width, height))
    mask.paste(inked.resize((used, height), Image.Resampling.LANCZOS), ((width - used) // 2, 0))
    return mask


@cache
def _font() -> ImageFont.FreeTypeFont:
    package = "cvttf_NotoSansCJK_Medium"
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"the wheel {package} is not installed; run `make setup`")
    path = Path(next(iter(spec.submodule_search_locations))) / "NotoSansCJKtc-Medium.otf"
    # The basic layout engine is part of Pillow's wheel; the other one is whatever the system has.
    return ImageFont.truetype(str(path), 160, layout_engine=ImageFont.Layout.BASIC)
