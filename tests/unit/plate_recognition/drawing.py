"""Draws plates after GA 36 and puts them into a picture: truth for tests that need no photograph.

Glyph boxes are in millimetres, one pixel each. The font is Noto Sans CJK, not the plates' own, so
what reads here reads better on the road.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

YELLOW = (10, 175, 235)
BLUE = (160, 70, 20)
WHITE = (235, 235, 235)
BLACK = (25, 25, 25)
GREEN = (130, 190, 90)
"""Background colours, BGR."""


@cache
def _font() -> ImageFont.FreeTypeFont:
    spec = find_spec("cvttf_NotoSansCJK_Medium")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations)))
    return ImageFont.truetype(str(folder / "NotoSansCJKtc-Medium.otf"), 200)


@cache
def _glyph(character: str, width: int, height: int) -> Pixels:
    """Return the character's ink filling its box, 0 to 255."""
    canvas = Image.new("L", (320, 360))
    ImageDraw.Draw(canvas).text((40, 20), character, fill=255, font=_font())
    return np.asarray(canvas.crop(canvas.getbbox()).resize((width, height)), dtype=np.uint8)


def one_row(text: str, background: tuple[int, int, int], ink: tuple[int, int, int]) -> Pixels:
    """Draw a 440 x 140 plate of seven characters."""
    plate = _blank(440, 140, background, ink)
    _write(plate, text, [(15 + 57 * at + (22 if at > 1 else 0), 25, 45, 90) for at in range(7)], ink)
    return plate


def two_rows(text: str) -> Pixels:
    """Draw a yellow 440 x 220 plate of seven characters, two of them in the upper row."""
    plate = _blank(440, 220, YELLOW, BLACK)
    boxes = [(110, 15, 80, 60), (250, 15, 80, 60), *((27 + 80 * at, 90, 65, 110) for at in range(5))]
    _write(plate, text, boxes, BLACK)
    return plate


def new_energy(text: str, *, large: bool) -> Pixels:
    """Draw a 480 x 140 plate of eight characters: green, or yellow then green."""
    plate = _blank(480, 140, GREEN, BLACK)
    if large:
        plate[4:-4, 4:125] = YELLOW
    boxes = [(15, 25, 45, 90), (69, 25, 43, 90), *((161 + 52 * at, 25, 43, 90) for at in range(6))]
    _write(plate, text, boxes, BLACK)
    return plate


def _blank(width: int, height: int, background: tuple[int, int, int], ink: tuple[int, int, int]) -> Pixels:
    plate = np.full((height, width, 3), background, dtype=np.uint8)
    cv2.rectangle(plate, (3, 3), (width - 4, height - 4), ink, 2)
    return plate


def _write(plate: Pixels, text: str, boxes: list[Box], ink: tuple[int, int, int]) -> None:
    for character, (left, top, width, height) in zip(text, boxes, strict=True):
        cover = _glyph(character, width, height)[:, :, None] / 255
        part = plate[top : top + height, left : left + width]
        part[:] = (part * (1 - cover) + np.array(ink) * cover).astype(np.uint8)


def scene(
    plate: Pixels, *, width_px: int, seed: int, size: tuple[int, int] = (1920, 1080), turn: float = 0.06
) -> tuple[Pixels, NDArray[np.float32]]:
    """Put a plate on the bumper of something truck-like; return the picture and the true corners.

    `turn` is how far the corners are moved at random, relative to the plate's height.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    picture = np.full((height, width, 3), (120, 125, 122), dtype=np.uint8)
    picture[height * 2 // 3 :] = (85, 85, 88)
    cab = (width // 4, height // 8, width * 3 // 4, height * 7 // 8)
    cv2.rectangle(picture, cab[:2], cab[2:], (60, 50, 110), cv2.FILLED)
    cv2.rectangle(picture, (width // 4, height * 5 // 8), cab[2:], (45, 45, 45), cv2.FILLED)
    cv2.rectangle(
        picture, (width // 3, height // 6), (width * 2 // 3, height * 2 // 5), (70, 60, 50), cv2.FILLED
    )
    height_px = width_px * plate.shape[0] / plate.shape[1]
    left, top = width / 2 - width_px / 2, height * 0.72 - height_px / 2
    upright = np.array([[0.0, 0.0], [width_px, 0], [width_px, height_px], [0, height_px]])
    upright += np.array([left, top])
    corners = (upright + rng.uniform(-turn, turn, (4, 2)) * height_px).astype(np.float32)
    flat = np.array(
        [[0, 0], [plate.shape[1], 0], [plate.shape[1], plate.shape[0]], [0, plate.shape[0]]], dtype=np.float32
    )
    matrix = cv2.getPerspectiveTransform(flat, corners)
    laid = cv2.warpPerspective(plate, matrix, size, flags=cv2.INTER_AREA)
    inside = cv2.warpPerspective(np.full(plate.shape, 255, np.uint8), matrix, size)[:, :, :1] / 255
    picture = (picture * (1 - inside) + laid * inside).astype(np.uint8)
    noise = rng.normal(0, 4, picture.shape)
    picture = np.clip(cv2.GaussianBlur(picture, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)
    return picture, corners


def jpeg(picture: Pixels, *options: int) -> bytes:
    """Return the picture as JPEG bytes."""
    done, data = cv2.imencode(".jpg", picture, list(options))
    assert done
    return data.tobytes()


def resized(picture: Pixels, width: int, height: int) -> Pixels:
    """Return the picture at another size, averaging what is made smaller."""
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
