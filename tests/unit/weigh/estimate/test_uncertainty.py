"""u of axles, groups and gross: squares for what is each axle's own, plain sums for what is common."""

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from tests.counts import count
from weigh.estimate import Terms, u_axle, u_gross, u_group
from weigh.estimate.uncertainty import ALIKE

Floats = NDArray[np.float64]

AXLES_KG = np.array([[6_500.0, 9_000.0, 9_500.0, 8_000.0, 8_200.0, 0.0]])
SIZE = np.array([[1, 2, 0, 2, 0, 0]])


def terms() -> Terms:
    return Terms(
        vehicle=np.array([[0.008, 0.006, 0.007, 0.009, 0.01, 0.0]]),
        site=np.array([[0.004, 0.005, 0.005, 0.003, 0.003, 0.0]]),
        site_gross=np.array([0.0025]),
        gain=np.array([0.002]),
    )


def test_an_axle_adds_its_three_terms_by_squares() -> None:
    found = u_axle(AXLES_KG, terms(), 1.2)
    assert found[0, 0] == pytest.approx(1.2 * 6_500 * np.sqrt(0.008**2 + 0.004**2 + 0.002**2))
    assert found[0, 5] == 0.0


def test_gross_and_groups_are_as_uncertain_as_errors_drawn_so() -> None:
    rng = np.random.default_rng(8)
    draws = count(400_000, reduced=60_000)
    t = terms()
    alike = np.sqrt(ALIKE) * rng.standard_normal((draws, 1))
    own = (alike + np.sqrt(1.0 - ALIKE) * rng.standard_normal((draws, 6))) * t.vehicle
    gain = rng.standard_normal((draws, 1)) * t.gain
    gross_error = (own * AXLES_KG).sum(1) + AXLES_KG.sum() * (
        gain[:, 0] + rng.standard_normal(draws) * t.site_gross
    )
    assert u_gross(AXLES_KG, t)[0] == pytest.approx(gross_error.std(), rel=0.02)
    site = rng.standard_normal((draws, 1)) * t.site  # one bias for all axles of the group
    group_error = ((own + gain + site) * AXLES_KG)[:, 1:3].sum(1)
    load, u = u_group(AXLES_KG, SIZE, t)
    assert load[0].tolist() == [6_500.0, 18_500.0, 0.0, 16_200.0, 0.0, 0.0]
    assert u[0, 1] == pytest.approx(group_error.std(), rel=0.02)


def test_a_group_of_one_is_its_axle() -> None:
    load, u = u_group(AXLES_KG, np.ones_like(SIZE), terms(), 1.3)
    np.testing.assert_allclose(load, AXLES_KG)
    np.testing.assert_allclose(u, u_axle(AXLES_KG, terms(), 1.3))


def test_a_group_of_three_is_all_three() -> None:
    load, _ = u_group(AXLES_KG, np.array([[0, 0, 3, 0, 0, 0]]), terms())
    assert load[0, 2] == 9_500 + 8_000 + 8_200


def test_figures_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="uncertainties must be"):
        Terms(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(2), np.zeros(3))
    for size in (SIZE + 2, SIZE - 1, SIZE[:, :3]):
        with pytest.raises(ConfigurationError, match="groups must be"):
            u_group(AXLES_KG, size, terms())
