"""A plate cut out of an image: the pixels as they were decoded, kept without loss."""

import io

from PIL import Image

_MARGIN_PERCENT = 15
_COMPRESSION = 1


def cut_plate(image: Image.Image, corners_px: tuple[tuple[int, int], ...]) -> bytes | None:
    """Return the upright rectangle around a plate, with a margin, as PNG; None where it is outside."""
    across, down = [x for x, _ in corners_px], [y for _, y in corners_px]
    margin_x = (max(across) - min(across)) * _MARGIN_PERCENT // 100
    margin_y = (max(down) - min(down)) * _MARGIN_PERCENT // 100
    left, right = max(min(across) - margin_x, 0), min(max(across) + margin_x + 1, image.width)
    top, bottom = max(min(down) - margin_y, 0), min(max(down) + margin_y + 1, image.height)
    if left >= right or top >= bottom:
        return None
    png = io.BytesIO()
    image.crop((left, top, right, bottom)).save(png, "PNG", compress_level=_COMPRESSION)
    return png.getvalue()
