"""Views made of the originals for people to look at: plate crops and the composite (合成图).

They stand beside the originals, never for them, and are listed in event.json with what they were made of.
The same originals and words give the same bytes under the same version of Pillow, which each view names.
"""

from evidence.derived.caption import Caption, caption_lines
from evidence.derived.views import PlateCorners, derive_views

__all__ = ["Caption", "PlateCorners", "caption_lines", "derive_views"]
