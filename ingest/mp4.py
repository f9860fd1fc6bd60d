"""The outer boxes of an MP4 file, walked without decoding anything (ISO/IEC 14496-12, clause 4.2).

Enough to tell a truncated or disguised file from a clip. What it shows, and for how long, is not looked
at: a clip is kept as it is and named by its digest.
"""

from domain.errors import InputRefused
from domain.refusals import RefusalCode

_HEADER_BYTES = 8
_LARGE_HEADER_BYTES = 16
_MAX_BOXES = 4096
_FRAMES, _DESCRIBED = b"mdat", (b"moov", b"moof")


def check(clip: bytes) -> None:
    """Walk the outer boxes of a whole file.

    Raises
    ------
    InputRefused
        CLIP_UNREADABLE where it does not begin with a file type box, a box leaves the file, or there are no
        frames or no description of them.
    """
    if clip[4:8] != b"ftyp":
        raise _unreadable("does not begin with a file type box (ftyp): not an MP4", 0)
    kinds: set[bytes] = set()
    at = 0
    for _ in range(_MAX_BOXES):
        if at == len(clip):
            break
        kind, at = _box(clip, at)
        kinds.add(kind)
    if at != len(clip):
        raise _unreadable(f"has more than {_MAX_BOXES} boxes", at)
    if _FRAMES not in kinds or kinds.isdisjoint(_DESCRIBED):
        raise _unreadable("has no frames (mdat), or no description of them (moov)", at)


def _box(clip: bytes, at: int) -> tuple[bytes, int]:
    """Return the kind of the box that begins at `at`, and where it ends."""
    if at + _HEADER_BYTES > len(clip):
        raise _unreadable("ends within the header of a box", at)
    size, kind, least = int.from_bytes(clip[at : at + 4], "big"), clip[at + 4 : at + 8], _HEADER_BYTES
    if size == 1:  # a 64-bit size follows
        size, least = int.from_bytes(clip[at + 8 : at + 16], "big"), _LARGE_HEADER_BYTES
    elif size == 0:  # to the end of the file
        size = len(clip) - at
    if size < least or at + size > len(clip):
        raise _unreadable("has a box that ends outside it, it may be cut off", at)
    return kind, at + size


def _unreadable(what: str, at: int) -> InputRefused:
    return InputRefused(RefusalCode.CLIP_UNREADABLE, f"the clip {what} (offset {at})")
