"""Background colours of drawn plates, in several lights."""

import numpy as np
import pytest

from domain.plates import PlateColour
from plate_recognition.colour import read_colour
from tests.unit.plate_recognition import drawing

_PLATES = {
    PlateColour.YELLOW: drawing.one_row("云A12345", drawing.YELLOW, drawing.BLACK),
    PlateColour.BLUE: drawing.one_row("云A12345", drawing.BLUE, drawing.WHITE),
    PlateColour.WHITE: drawing.one_row("云A1234警", drawing.WHITE, drawing.BLACK),
    PlateColour.BLACK: drawing.one_row("粤Z1234港", drawing.BLACK, drawing.WHITE),
    PlateColour.GREEN: drawing.new_energy("云AD12345", large=False),
    PlateColour.YELLOW_GREEN: drawing.new_energy("云A12345D", large=True),
}


@pytest.mark.parametrize("brightness", [0.4, 0.7, 1.0])
@pytest.mark.parametrize("colour", list(_PLATES))
def test_colour_in_bright_and_dim_light(colour: PlateColour, brightness: float) -> None:
    lit = (_PLATES[colour] * brightness).astype(np.uint8)
    small = drawing.resized(lit, 120, 40)
    noisy = np.clip(small + np.random.default_rng(1).normal(0, 4, small.shape), 0, 255).astype(np.uint8)
    assert read_colour(noisy) is colour


def test_two_rows_are_yellow() -> None:
    assert read_colour(drawing.two_rows("云A1234挂")) is PlateColour.YELLOW


def test_a_warm_lamp_does_not_turn_blue_into_another_colour() -> None:
    lamp = np.array([0.35, 0.45, 0.6])
    assert read_colour((_PLATES[PlateColour.BLUE] * lamp).astype(np.uint8)) is PlateColour.BLUE


def test_a_flat_picture_is_no_reason_to_fail() -> None:
    assert read_colour(np.full((24, 94, 3), 90, np.uint8)) in PlateColour
