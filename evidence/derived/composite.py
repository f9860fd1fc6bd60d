"""The composite: all images of a passage side by side, the words under them, as one JPEG."""

import io
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from domain.errors import ConfigurationError

WIDTH_PX = 1920
MAX_TILES = 9

_QUALITY = 85
_FONT_PX = 30
_LINE_PX = 42
_MARGIN_PX = 16
_GREY, _BLACK, _WHITE = (72, 72, 72), (0, 0, 0), (255, 255, 255)
_FONT_WHEEL, _FONT_FILE = "cvttf_NotoSansCJK_Medium", "NotoSansCJKtc-Medium.otf"


class Tile(NamedTuple):
    """One image with its name, scaled by `fitted`; `image` is None where it could not be decoded."""

    label: str
    image: Image.Image | None


def tile_size(count: int) -> tuple[int, int]:
    """Return width and height of each of so many tiles: 16 by 9, one, two or three in a row."""
    width = WIDTH_PX // min(max(count, 1), 3)
    return width, width * 9 // 16


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an image scaled to fit into a tile, its proportions kept."""
    scale = min(size[0] / image.width, size[1] / image.height)
    scaled = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(scaled, Image.Resampling.BILINEAR, reducing_gap=1.0)


def compose(tiles: Sequence[Tile], lines: Sequence[str]) -> bytes:
    """Return the composite; of more than `MAX_TILES` images it says how many it leaves out.

    Raises
    ------
    ConfigurationError
        The font is not installed.
    """
    shown, words = tiles[:MAX_TILES], list(lines)
    if len(tiles) > len(shown):
        words.append(f"另有 {len(tiles) - len(shown)} 幅图像未列入本图")
    if not tiles:
        words.append("本事件没有图像")
    written = [part for line in words for part in _wrapped(line, WIDTH_PX - 2 * _MARGIN_PX)]
    width, height = tile_size(len(shown))
    columns = WIDTH_PX // width
    top = height * -(-len(shown) // columns)
    sheet = Image.new("RGB", (WIDTH_PX, top + _LINE_PX * len(written) + 2 * _MARGIN_PX), _BLACK)
    draw = ImageDraw.Draw(sheet)
    for place, tile in enumerate(shown):
        _put(sheet, draw, tile, (place % columns * width, place // columns * height, width, height))
    for number, line in enumerate(written):
        draw.text((_MARGIN_PX, top + _MARGIN_PX + number * _LINE_PX), line, font=_font(), fill=_WHITE)
    jpeg = io.BytesIO()
    sheet.save(jpeg, "JPEG", quality=_QUALITY)
    return jpeg.getvalue()


def _put(sheet: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, place: tuple[int, int, int, int]) -> None:
    left, top, width, height = place
    if tile.image is None:
        draw.rectangle((left + 2, top + 2, left + width - 3, top + height - 3), fill=_GREY)
        text = "图像无法解码，原件见包内"
        across = round(_font().getlength(text))
        draw.text((left + (width - across) // 2, top + height // 2), text, font=_font(), fill=_WHITE)
    else:
        inside = (left + (width - tile.image.width) // 2, top + (height - tile.image.height) // 2)
        sheet.paste(tile.image, inside)
    across = round(_font().getlength(tile.label))
    draw.rectangle((left, top, left + across + 12, top + _LINE_PX), fill=_BLACK)
    draw.text((left + 6, top), tile.label, font=_font(), fill=_WHITE)


def _wrapped(line: str, width_px: int) -> list[str]:
    """Break a line where it would leave the sheet, at any character: Chinese has no other place."""
    parts = []
    while line and _font().getlength(line) > width_px:
        too_long = bisect_left(
            range(len(line)), True, key=lambda end: _font().getlength(line[:end]) > width_px
        )
        parts.append(line[: max(too_long - 1, 1)])
        line = line[max(too_long - 1, 1) :]
    return [*parts, line]


@cache
def _font() -> ImageFont.FreeTypeFont:
    wheel = find_spec(_FONT_WHEEL)
    if wheel is None or not wheel.submodule_search_locations:
        raise ConfigurationError(f"the wheel {_FONT_WHEEL} is not installed; run `make setup`")
    path = Path(next(iter(wheel.submodule_search_locations))) / _FONT_FILE
    # The basic layout engine is part of Pillow's wheel; the other one is whatever the system has.
    return ImageFont.truetype(str(path), _FONT_PX, layout_engine=ImageFont.Layout.BASIC)
