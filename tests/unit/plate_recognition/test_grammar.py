"""The GA 36 grammar, against an independent statement of it as one regular expression."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.plates import PROVINCES, PlateClass, PlateColour
from plate_recognition.grammar import ALPHABET, FORMS, is_grammatical, plate_class

_PLATE = re.compile(
    f"[{PROVINCES}][A-HJ-NP-Z]"
    r"(?:[A-HJ-NP-Z0-9]{5}|[A-HJ-NP-Z0-9]{4}[挂学警领]|[A-HJK][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-HJK])"
    r"|粤Z[A-HJ-NP-Z0-9]{4}[港澳]|使[0-9]{6}"
)


@pytest.mark.parametrize(
    ("text", "grammatical"),
    [
        ("云A12345", True),
        ("云AB1C23", True),
        ("云A1234挂", True),
        ("云A1234学", True),
        ("粤Z1234港", True),
        ("粤A1234港", False),
        ("使123456", True),
        ("云AD12345", True),
        ("云ADA1234", True),
        ("云A12345F", True),
        ("云AI2345", False),
        ("云O12345", False),
        ("A云12345", False),
        ("云A1234", False),
        ("云AZ12345", False),
        ("", False),
    ],
)
def test_known_plates(text: str, grammatical: bool) -> None:
    assert is_grammatical(text) is grammatical
    assert bool(_PLATE.fullmatch(text)) is grammatical


def _near_plates() -> st.SearchStrategy[str]:
    """Plates of every form, some with a character replaced, lost or doubled."""
    whole = st.sampled_from(FORMS).flatmap(lambda form: st.tuples(*map(st.sampled_from, form)).map("".join))
    place, other = st.integers(0, 8), st.text(ALPHABET + "IO", max_size=2)
    return st.one_of(
        whole,
        st.tuples(whole, place, other).map(
            lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + 1 :]
        ),
    )


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(_near_plates())
def test_agrees_with_the_regular_expression(text: str) -> None:
    assert is_grammatical(text) is bool(_PLATE.fullmatch(text))


@pytest.mark.parametrize(
    ("text", "colour", "rows", "expected"),
    [
        ("云A1234挂", PlateColour.UNKNOWN, 2, PlateClass.TRAILER),
        ("云A12345", PlateColour.YELLOW, 1, PlateClass.LARGE),
        ("云A12345", PlateColour.UNKNOWN, 2, PlateClass.LARGE),
        ("云A12345", PlateColour.BLUE, 1, PlateClass.SMALL),
        ("云A12345", PlateColour.UNKNOWN, 1, PlateClass.UNKNOWN),
        ("云A12345D", PlateColour.BLUE, 1, PlateClass.NEV_LARGE),
        ("云AD12345", PlateColour.YELLOW, 1, PlateClass.NEV_SMALL),
        ("云A1234警", PlateColour.WHITE, 1, PlateClass.OTHER),
        ("使123456", PlateColour.BLACK, 1, PlateClass.OTHER),
    ],
)
def test_class_is_decided_by_text_before_colour(
    text: str, colour: PlateColour, rows: int, expected: PlateClass
) -> None:
    assert plate_class(text, colour, rows=rows) is expected
