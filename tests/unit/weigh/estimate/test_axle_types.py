"""What an axle is taken for, from distances alone, over the configurations of Chinese trucks."""

import numpy as np
import pytest

from domain.errors import ConfigurationError
from weigh.estimate import DRIVE, NO_AXLE, STEER, TRAILER, axle_types

S, D, T, N = STEER, DRIVE, TRAILER, NO_AXLE


@pytest.mark.parametrize(
    ("spacings", "wanted"),
    [
        ([5.0], [S, D]),
        ([3.8, 1.35], [S, D, D]),
        ([1.9, 4.6], [S, S, D]),
        ([3.5, 6.8], [S, D, T]),
        ([1.95, 3.4, 1.35], [S, S, D, D]),
        ([3.5, 6.2, 1.31], [S, D, T, T]),
        ([3.2, 1.35, 6.9], [S, D, D, T]),
        ([3.5, 5.5, 1.31, 1.31], [S, D, T, T, T]),
        ([3.2, 1.35, 6.1, 1.31], [S, D, D, T, T]),
        ([3.2, 1.35, 6.0, 1.31, 1.31], [S, D, D, T, T, T]),
        ([1.95, 2.6, 5.4, 1.31, 1.31], [S, S, D, T, T, T]),
        ([1.5], [S, D]),
    ],
)
def test_configurations(spacings: list[float], wanted: list[int]) -> None:
    padded = np.full((1, 7), np.nan)
    padded[0, : len(spacings)] = spacings
    found = axle_types(np.array([len(wanted)]), padded)[0]
    assert found.tolist() == wanted + [N] * (8 - len(wanted))


def test_what_lies_behind_the_last_axle_does_not_matter() -> None:
    spacing = np.array([[5.0, 99.0, -3.0], [5.0, np.nan, np.inf]])
    assert axle_types(np.array([2, 2]), spacing).tolist() == [[S, D, N, N]] * 2


def test_no_axles_and_single_axles_are_no_error() -> None:
    assert axle_types(np.array([0, 1]), np.full((2, 1), np.nan)).tolist() == [[N, N], [S, N]]
    assert axle_types(np.array([1]), np.zeros((1, 0))).tolist() == [[S]]


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="axle counts"):
        axle_types(np.array([2, 2]), np.array([[5.0]]))
