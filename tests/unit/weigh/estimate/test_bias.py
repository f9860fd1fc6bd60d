"""The site's bias: nothing without passes, their mean with many, and each pass can be left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from tests.counts import count
from tests.unit.weigh.estimate.layouts import ALL_8, PAIRS_8
from weigh.estimate import fit_bias, prior_covariance
from weigh.estimate.kernel import SPEED_COUNT, SPEEDS_M_S

Floats = NDArray[np.float64]

PRIOR = prior_covariance(PAIRS_8, ALL_8)
KINDS = np.array([0, 1, 1, 2, 2, -1], dtype=np.int8)


def passes(seed: int, number: int) -> tuple[Floats, Floats, NDArray[np.int8], Floats]:
    """Return residuals, their variances, axle types and speeds."""
    rng = np.random.default_rng(seed)
    variance = np.square(rng.uniform(0.005, 0.02, (number, 6)))
    residual = 0.01 + rng.standard_normal((number, 6)) * np.sqrt(variance)
    kind = np.tile(KINDS, (number, 1))
    residual[kind < 0] = np.nan
    return residual, variance, kind, rng.uniform(15.0, 25.0, number)


def cells(kind: NDArray[np.int8], speed: Floats) -> NDArray[np.int64]:
    """Return the cell of each axle by looking for the nearest speed."""
    near = np.abs(speed[:, None] - SPEEDS_M_S).argmin(axis=1)
    return np.asarray(np.maximum(kind, 0).astype(np.int64) * SPEED_COUNT + near[:, None])


def densely(
    residual: Floats, variance: Floats, kind: NDArray[np.int8], speed: Floats
) -> tuple[Floats, Floats]:
    """Return posterior mean and covariance from one observation an axle, by the textbook formula."""
    known = kind >= 0
    at = cells(kind, speed)[known]
    observed = PRIOR[np.ix_(at, at)] + np.diag(variance[known])
    gain = PRIOR[:, at] @ np.linalg.inv(observed)
    return gain @ residual[known], PRIOR - gain @ PRIOR[at]


def test_the_prior_is_a_covariance_whose_diagonal_the_table_knows() -> None:
    np.testing.assert_allclose(PRIOR, PRIOR.T, atol=1e-15)
    assert np.linalg.eigvalsh(PRIOR).min() > -1e-12
    own = np.square(PAIRS_8.weights(ALL_8).u_common).T.ravel()
    np.testing.assert_allclose(np.diag(PRIOR), own, rtol=1e-6)


def test_without_passes_there_is_no_bias_and_the_priors_uncertainty() -> None:
    fitted, left = fit_bias(np.zeros((0, 6)), np.ones((0, 6)), np.zeros((0, 6), np.int8), np.zeros(0), PRIOR)
    assert (fitted.bias == 0.0).all()
    np.testing.assert_allclose(fitted.u_site.T, PAIRS_8.weights(ALL_8).u_common, rtol=1e-6)
    assert left.residual.shape == (0, 6)


def test_many_passes_of_one_speed_give_their_mean() -> None:
    residual, variance, kind, _ = passes(1, 4_000)
    fitted, _ = fit_bias(residual, variance, kind, np.full(4_000, 20.0), PRIOR)
    for axle_type in range(3):
        own = kind == axle_type
        mean = np.average(residual[own], weights=1.0 / variance[own])
        assert fitted.bias[axle_type, 37] == pytest.approx(mean, rel=0.02)
        assert fitted.u_site[axle_type, 37] < 0.0003


def test_few_passes_give_less_than_their_mean() -> None:
    one = np.full((1, 1), 0.02)
    kind = np.zeros((1, 1), dtype=np.int8)
    fitted, _ = fit_bias(one, np.full((1, 1), 1e-4), kind, np.array([20.0]), PRIOR)
    assert fitted.bias[0, 37] == pytest.approx(0.02 * PRIOR[37, 37] / (PRIOR[37, 37] + 1e-4), rel=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 30))
@settings(max_examples=count(100, reduced=8), deadline=None, derandomize=True)
def test_it_is_the_textbooks_posterior(seed: int, number: int) -> None:
    given_passes = passes(seed, number)
    fitted, _ = fit_bias(*given_passes, PRIOR)
    mean, covariance = densely(*given_passes)
    np.testing.assert_allclose(fitted.bias.ravel(), mean, atol=1e-9)
    np.testing.assert_allclose(fitted.covariance, covariance, atol=1e-10)
    assert (fitted.u_site <= np.sqrt(np.diag(PRIOR)).reshape(3, -1) + 1e-9).all()


@given(st.integers(0, 10_000), st.integers(2, 12))
@settings(max_examples=count(100, reduced=8), deadline=None, derandomize=True)
def test_leaving_a_pass_out_is_fitting_without_it(seed: int, number: int) -> None:
    residual, variance, kind, speed = passes(seed, number)
    _, left = fit_bias(residual, variance, kind, speed, PRIOR)
    out = seed % number
    others = np.arange(number) != out
    mean, covariance = densely(residual[others], variance[others], kind[others], speed[others])
    at, known = cells(kind, speed)[out], kind[out] >= 0
    np.testing.assert_allclose(left.residual[out][known], (residual[out] - mean[at])[known], atol=1e-9)
    wanted = covariance[np.ix_(at[known], at[known])]
    np.testing.assert_allclose(left.covariance[out][np.ix_(known, known)], wanted, atol=1e-10)
    assert (left.residual[out][~known] == 0.0).all()


@given(st.integers(0, 10_000))
@settings(max_examples=count(50, reduced=5), deadline=None, derandomize=True)
def test_the_order_of_passes_does_not_matter(seed: int) -> None:
    residual, variance, kind, speed = passes(seed, 15)
    order = np.random.default_rng(seed).permutation(15)
    straight, _ = fit_bias(residual, variance, kind, speed, PRIOR)
    mixed, _ = fit_bias(residual[order], variance[order], kind[order], speed[order], PRIOR)
    np.testing.assert_allclose(mixed.bias, straight.bias, atol=1e-12)


def test_the_gross_bias_is_as_uncertain_as_its_shares_together() -> None:
    fitted, _ = fit_bias(*passes(3, 20), PRIOR)
    share = np.array([0.2, 0.3, 0.5])
    found = fitted.u_gross(share)[37]
    at = [37, SPEED_COUNT + 37, 2 * SPEED_COUNT + 37]
    assert found == pytest.approx(np.sqrt(share @ fitted.covariance[np.ix_(at, at)] @ share))


@pytest.mark.parametrize("spoilt", ["residual", "variance", "speed", "kind", "shape"])
def test_passes_that_cannot_be_are_refused(spoilt: str) -> None:
    residual, variance, kind, speed = passes(5, 4)
    if spoilt == "residual":
        residual[1, 0] = np.nan
    elif spoilt == "variance":
        variance[1, 0] = 0.0
    elif spoilt == "speed":
        speed[1] = 0.0
    elif spoilt == "kind":
        kind[1, 0] = 3
    else:
        speed = speed[:2]
    with pytest.raises(ConfigurationError, match="weighed passes"):
        fit_bias(residual, variance, kind, speed, PRIOR)
