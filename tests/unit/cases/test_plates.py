"""Plates as typed, brought to one form."""

import pytest

from cases.plates import normalised_plate
from domain.errors import RuleViolation


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        ("云a·d1234", "云AD1234"),
        (" 云A D1234 ", "云AD1234"),
        ("云ＡＤ１２３４", "云AD1234"),
        ("云AD1234挂", "云AD1234挂"),
        ("粤B12345D", "粤B12345D"),
        ("云A1234学", "云A1234学"),
    ],
)
def test_ways_of_typing_one_plate(typed: str, plate: str) -> None:
    assert normalised_plate(typed) == plate


@pytest.mark.parametrize(
    "typed", ["", "云", "A12345", "云1A2345", "云AI2345", "云AO2345", "云A123456789", "云A<b>1"]
)
def test_what_is_no_plate_is_refused(typed: str) -> None:
    with pytest.raises(RuleViolation, match="reason 1"):
        normalised_plate(typed)
