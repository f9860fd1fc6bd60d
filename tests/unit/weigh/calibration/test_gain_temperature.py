"""Gains and temperature from weighed passes: as good as promised, robust, honest where they cannot know."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.counts import count
from weigh.calibration import robust
from weigh.calibration.gain import fit_gains
from weigh.calibration.temperature import TemperatureFit, fit_temperature

Floats = NDArray[np.float64]

SWING_K = 11.0
DYNAMICS = 0.09
"""What one strip's load of one truck is off by."""


def response(temperature_k: Floats) -> Floats:
    """A strip's true response: +0.8 % a kelvin, slightly curved."""
    apart = temperature_k - 290.0
    return np.asarray(1.1 * (1 + 0.008 * apart + 3e-5 * apart**2))


def seasons(rng: np.random.Generator, trucks: int) -> tuple[Floats, Floats]:
    temperature = rng.normal(290.0, SWING_K, trucks)
    return response(temperature)[:, None] * (1 + DYNAMICS * rng.standard_normal((trucks, 1))), temperature


def fitted_response(fit: TemperatureFit, temperature_k: Floats) -> Floats:
    apart = temperature_k - fit.reference_k
    return np.asarray(fit.gains.response[0] * (1 + fit.slope[0] * apart + fit.curve[0] * apart**2))


def errors(fit: TemperatureFit, rng: np.random.Generator) -> Floats:
    later = rng.normal(290.0, SWING_K, 2_000)
    return fitted_response(fit, later) / response(later) - 1


@pytest.mark.parametrize(("trucks", "least", "most"), [(200, 0.008, 0.0125), (1_000, 0.0035, 0.0056)])
def test_the_gains_error_falls_from_8_8_percent_to_about_1_and_a_half(
    trucks: int, least: float, most: float
) -> None:
    squares = []
    for seed in range(count(200, reduced=40)):
        rng = np.random.default_rng(seed)
        ratio, temperature = seasons(rng, trucks)
        uncorrected = response(temperature) / response(temperature).mean() - 1
        assert 0.07 < uncorrected.std() < 0.105
        squares.append(np.mean(errors(fit_temperature(ratio, temperature), rng) ** 2))
    assert least < np.sqrt(np.mean(squares)) < most


def test_the_uncertainty_of_the_gain_covers_its_error() -> None:
    covered = []
    for seed in range(count(1_000, reduced=150)):
        rng = np.random.default_rng(seed)
        ratio, temperature = seasons(rng, 100)
        fit = fit_temperature(ratio, temperature)
        warmest = np.array([fit.reference_k + 15.0])
        # The level is the site bias's to know: only the change against the passes' mean counts here.
        bias = np.mean(fitted_response(fit, temperature) / response(temperature)) - 1
        error = fitted_response(fit, warmest) / response(warmest) - 1 - bias
        covered.append(abs(error[0]) <= 1.96 * fit.u_gain(warmest)[0])
    assert 0.90 <= np.mean(covered) <= 0.99


def test_one_temperature_determines_nothing_and_says_so() -> None:
    rng = np.random.default_rng(1)
    ratio = 1.1 * (1 + DYNAMICS * rng.standard_normal((100, 4)))
    fit = fit_temperature(ratio, np.full(100, 300.0))
    assert not fit.determined
    assert fit.slope == pytest.approx(np.zeros(4), abs=1e-9)
    # Away from it u is that of not knowing: the prior's 1 % a kelvin.
    assert fit.u_gain(np.array([310.0]))[0] == pytest.approx(0.10, rel=0.05)
    assert fit.u_gain(np.array([300.0]))[0] < 1e-6


def test_a_narrow_range_is_not_carried_far_with_confidence() -> None:
    rng = np.random.default_rng(2)
    temperature = rng.uniform(290, 293, 60)
    ratio = response(temperature)[:, None] * (1 + DYNAMICS * rng.standard_normal((60, 1)))
    fit = fit_temperature(ratio, temperature)
    assert not fit.determined
    assert fit.u_gain(np.array([305.0]))[0] > 0.08


def test_some_wild_passes_do_not_carry_the_fit_away() -> None:
    rng = np.random.default_rng(3)
    ratio, temperature = seasons(rng, 400)
    spoilt = ratio.copy()
    spoilt[:20] *= 3.0
    calm, wild = fit_temperature(ratio, temperature), fit_temperature(spoilt, temperature)
    assert fitted_response(wild, temperature) == pytest.approx(fitted_response(calm, temperature), rel=0.02)
    assert np.sqrt(np.mean((spoilt[:, 0].mean() / ratio[:, 0].mean() - 1) ** 2)) > 0.08


def test_strips_of_one_gain_on_a_bumpy_road_keep_one_gain() -> None:
    rng = np.random.default_rng(4)
    pattern = 1 + 0.04 * np.resize([1.0, -1.0], 8)
    ratio = pattern * (1 + DYNAMICS * rng.standard_normal((60, 8)))
    assert np.ptp(fit_gains(ratio).response) < 0.01


def test_strips_of_quite_other_gains_keep_theirs() -> None:
    rng = np.random.default_rng(5)
    true = np.array([1.0, 2.0, 1.0, 0.5, 1.0, 1.0])
    ratio = true * (1 + DYNAMICS * rng.standard_normal((100, 6)))
    assert fit_gains(ratio).response == pytest.approx(true, rel=0.06)


def test_a_dead_strip_and_one_of_few_passes_are_not_determined() -> None:
    rng = np.random.default_rng(6)
    ratio = 1 + DYNAMICS * rng.standard_normal((30, 4))
    ratio[:, 1] = np.nan
    ratio[9:, 2] = np.nan
    ratio[:, 3] = 0.0
    gains = fit_gains(ratio)
    assert gains.determined.tolist() == [True, False, False, False]
    assert np.isnan(gains.response[1:]).all()


def test_the_robust_mean_is_the_mean_where_nothing_is_wild() -> None:
    figures = np.random.default_rng(7).uniform(9.0, 11.0, 500)
    fit = robust.mean(figures)
    assert fit.coefficient[0] == pytest.approx(figures.mean(), rel=1e-3)


def test_the_robust_means_error_is_what_it_says() -> None:
    rng = np.random.default_rng(8)
    means = [robust.mean(rng.normal(1.0, 0.1, 50)) for _ in range(count(4_000, reduced=600))]
    spread = np.std([each.coefficient[0] for each in means])
    assert np.mean([np.sqrt(each.covariance[0, 0]) for each in means]) == pytest.approx(spread, rel=0.08)


def test_a_ridge_fit_is_least_squares_with_the_prior_as_further_rows() -> None:
    rng = np.random.default_rng(9)
    design = rng.standard_normal((40, 3))
    observed = design @ np.array([1.0, 0.2, -0.1]) + rng.uniform(-0.01, 0.01, 40)
    prior = np.array([np.inf, 0.05, 0.05])
    fit = robust.fit(design, observed, prior)
    rows = np.vstack([design / fit.sd, np.diag(1 / prior)])
    slow = np.linalg.lstsq(rows, np.concatenate([observed / fit.sd, np.zeros(3)]), rcond=None)[0]
    assert fit.coefficient == pytest.approx(slow, rel=1e-2)
