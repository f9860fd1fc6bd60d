"""The plate's background colour, from plain statistics of brightness, hue and saturation.

Characters cover less than half of a plate, so the median pixel is background, and the half of the
pixels on its side of the brightness range is nearly all background. A clear hue in that half decides.
Without one, night or a tinted lamp is at work: light characters stand on blue and black, dark ones on
yellow, green and white (GA 36), and light characters are white, so dividing by them takes the tint off.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.plates import PlateColour
from plate_recognition.images import Image

_TRIMMED = 0.1
"""Left off at each side: border, frame and what is behind the plate."""
_HUES = {
    PlateColour.YELLOW: (8, 34),
    PlateColour.GREEN: (35, 89),
    PlateColour.BLUE: (90, 140),
}
"""First and last hue, in OpenCV's half degrees (0-179)."""
_CLEAR_SATURATION = 50
_CLEAR_BRIGHTNESS = 60
_CLEAR_SHARE = 0.35
_BLUE_SATURATION = 40
"""Of the background relative to the characters; black stays below."""
_WHITE_SATURATION = 45
_YELLOW_PART = 0.22
"""The left part of a large new-energy plate that is yellow: province and letter (GA 36)."""

_Mask = NDArray[np.bool_]


def read_colour(plate: Image) -> PlateColour:
    """Return the background colour of a plate seen straight on."""
    height, width = plate.shape[:2]
    rows, columns = round(height * _TRIMMED), round(width * _TRIMMED / 2)
    inner = plate[rows : height - rows, columns : width - columns]
    grey = np.asarray(cv2.cvtColor(inner, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    darkest, middle, brightest = np.percentile(grey, (5, 50, 95))
    dark = middle - darkest < brightest - middle
    background = grey <= middle if dark else grey >= middle
    hsv = np.asarray(cv2.cvtColor(inner, cv2.COLOR_BGR2HSV), dtype=np.uint8)
    return (
        _by_hue(hsv, background)
        or (_blue_or_black(inner, background, grey >= brightest) if dark else None)
        or _white_or_unknown(hsv, background)
    )


def _by_hue(hsv: NDArray[np.uint8], background: _Mask) -> PlateColour | None:
    """Return the colour that a good part of the background clearly has, if any."""
    hue, saturation, brightness = (hsv[:, :, channel] for channel in range(3))
    clear = background & (saturation >= _CLEAR_SATURATION) & (brightness >= _CLEAR_BRIGHTNESS)
    of = {colour: clear & (hue >= first) & (hue <= last) for colour, (first, last) in _HUES.items()}
    best = max(of, key=lambda colour: int(of[colour].sum()))
    if of[best].sum() < _CLEAR_SHARE * background.sum():
        return None
    left = round(hue.shape[1] * _YELLOW_PART)
    begins_yellow = of[PlateColour.YELLOW][:, :left].sum() > of[PlateColour.GREEN][:, :left].sum()
    return PlateColour.YELLOW_GREEN if best is PlateColour.GREEN and begins_yellow else best


def _blue_or_black(plate: Image, background: _Mask, characters: _Mask) -> PlateColour:
    """Tell the two backgrounds of white characters apart, by their colour relative to that white."""
    white = np.maximum(np.median(plate[characters], axis=0), 1)
    blue, green, red = (float(part) for part in np.median(plate[background], axis=0) / white)
    if blue <= max(green, red):
        return PlateColour.BLACK
    return PlateColour.BLUE if 255 * (1 - min(green, red) / blue) >= _BLUE_SATURATION else PlateColour.BLACK


def _white_or_unknown(hsv: NDArray[np.uint8], background: _Mask) -> PlateColour:
    pale = float(np.median(hsv[:, :, 1][background])) < _WHITE_SATURATION
    return PlateColour.WHITE if pale else PlateColour.UNKNOWN
