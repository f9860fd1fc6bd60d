"""From an original's bytes to pixels, for a view only; an original that cannot be decoded gives None."""

import io

import PIL
from PIL import Image, ImageOps

MAX_PIXELS = 50_000_000
"""As many as the plate reader takes; larger ones are left undecoded."""
MAX_SCANS = 100
"""A progressive image has about ten; each costs a pass over all pixels, and thousands would hold a job up."""

_SCAN = b"\xff\xda"

BY = f"pillow/{PIL.__version__}"


def decoded(jpeg: bytes, *, at_least: tuple[int, int] | None = None) -> Image.Image | None:
    """Return a JPEG as RGB, upright by its EXIF orientation, or None where it cannot be decoded.

    Parameters
    ----------
    at_least
        Width and height that suffice: the decoder may then halve the image, which is much cheaper.
    """
    if jpeg.count(_SCAN) > MAX_SCANS:
        return None
    try:
        image: Image.Image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
        if image.width * image.height > MAX_PIXELS:
            return None
        if at_least is not None:
            image.draft("RGB", at_least)
        image.load()
        upright = image if image.mode == "RGB" else image.convert("RGB")
        ImageOps.exif_transpose(upright, in_place=True)
    # Cameras send what they send, and a decoder fails in as many ways: none of them may stop the sealing.
    except Exception:  # noqa: BLE001
        return None
    return upright
