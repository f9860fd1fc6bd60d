"""The outer boxes of a clip: whole pass, cut or disguised are refused in words, nothing else raises."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from ingest import mp4
from tests.counts import count
from tests.unit.ingest.samples import mp4 as clip

EXAMPLES = settings(max_examples=count(10_000, reduced=500), deadline=None, derandomize=True)
FTYP, MOOV, MDAT = clip()[:24], clip()[24:43], clip()[43:]


def refused(data: bytes) -> str:
    with pytest.raises(InputRefused) as refusal:
        mp4.check(data)
    assert refusal.value.code is RefusalCode.CLIP_UNREADABLE
    return refusal.value.detail


def test_the_samples_parts_are_its_boxes() -> None:
    assert [part[4:8] for part in (FTYP, MOOV, MDAT)] == [b"ftyp", b"moov", b"mdat"]


@pytest.mark.parametrize(
    "whole",
    [
        FTYP + MOOV + MDAT,
        FTYP + MDAT + MOOV,
        # A 64-bit size; a size of 0, which means to the end; fragments with their own descriptions.
        FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 19) + b"abc",
        FTYP + MOOV + struct.pack(">I4s", 0, b"mdat") + b"frames",
        FTYP + struct.pack(">I4s", 8, b"moof") + MDAT,
    ],
)
def test_whole_clips_pass(whole: bytes) -> None:
    mp4.check(whole)


def test_a_clip_cut_off_anywhere_is_refused() -> None:
    for end in range(len(clip())):
        refused(clip()[:end])


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (b"", "not an MP4"),
        (b"\xff\xd8\xff\xe0 JPEG", "not an MP4"),
        (FTYP + MOOV, "has no frames"),
        (FTYP + MDAT, "no description"),
        (FTYP + MOOV + struct.pack(">I4s", 7, b"mdat"), "may be cut off"),
        (FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 2**63) + b"x", "may be cut off"),
        (FTYP + MOOV + struct.pack(">I4sI", 1, b"mdat", 0), "may be cut off"),
        (FTYP + struct.pack(">I4s", 8, b"free") * 5000, "more than 4096 boxes"),
    ],
)
def test_a_broken_clip_is_refused_in_words(broken: bytes, words: str) -> None:
    assert words in refused(broken)


@EXAMPLES
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([b"ftyp", b"moov", b"mdat"]), st.binary(max_size=20))
    )
)
def test_random_boxes_are_taken_or_refused(boxes: list[tuple[int, bytes, bytes]]) -> None:
    data = b"".join(struct.pack(">I4s", size, kind) + body for size, kind, body in boxes)
    with suppress(InputRefused):
        mp4.check(data)
