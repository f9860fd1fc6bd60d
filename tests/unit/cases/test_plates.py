"""Plates as typed, brought to one form."""

import pytest

from cases.plates import normalised_plate, plate_to_hold
from domain.errors import RuleViolation


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        ("云a·d1234", "云AD1234"),
        (" 云A D1234 ", "云AD1234"),
        ("云ＡＤ１２３４", "云AD1234"),
        ("粤B12345D", "粤B12345D"),
        ("云A1234学", "云A1234学"),
        ("粤ZAB12港", "粤ZAB12港"),
    ],
)
def test_ways_of_typing_one_plate(typed: str, plate: str) -> None:
    assert normalised_plate(typed) == plate


@pytest.mark.parametrize(
    "typed",
    ["", "云", "A12345", "云1A2345", "云AI2345", "云AO2345", "云A123456789", "云A<b>1", "云AD12345学"],
)
def test_what_is_no_plate_is_refused(typed: str) -> None:
    with pytest.raises(RuleViolation, match="reason 1"):
        normalised_plate(typed)


@pytest.mark.parametrize("typed", ["云A1234挂", "云a·1234 挂", "云AD1234挂", "挂"])
def test_the_trailers_plate_is_not_the_vehicles(typed: str) -> None:
    with pytest.raises(RuleViolation, match="the plate of the vehicle itself"):
        normalised_plate(typed)


@pytest.mark.parametrize(("typed", "plate"), [("云a·1234 挂", "云A1234挂"), ("粤Z·A1234", "粤ZA1234")])
def test_a_hold_takes_a_trailers_plate_as_well_as_a_vehicles(typed: str, plate: str) -> None:
    assert plate_to_hold(typed) == plate


@pytest.mark.parametrize("typed", ["", "挂", "云A12挂", "云A123456挂", "云A<b>1"])
def test_who_places_a_hold_is_told_of_holds_and_not_of_reviews(typed: str) -> None:
    with pytest.raises(RuleViolation, match="of a vehicle or trailer"):
        plate_to_hold(typed)
