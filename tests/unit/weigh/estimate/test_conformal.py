"""Conformal factors keep the promise of coverage with however few passes, whatever the errors look like."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from tests.counts import count
from weigh.estimate import conformal_factor
from weigh.estimate.conformal import COVERAGE, FEWEST, TWO_SIDED, WITHOUT_PROOF

EXAMPLES = settings(max_examples=count(1_000, reduced=60), deadline=None, derandomize=True)

NORMAL = NormalDist()

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

ERRORS: dict[str, Draw] = {
    "normal": lambda rng, n: np.abs(rng.standard_normal(n)),
    "heavy-tailed": lambda rng, n: np.abs(rng.standard_cauchy(n)),
    "biased": lambda rng, n: np.abs(1.5 + rng.standard_normal(n)),
    "too small a u": lambda rng, n: 4.0 * np.abs(rng.standard_normal(n)),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("passes", [19, 40, 57, 200])
def test_a_new_error_lies_inside_as_often_as_promised(name: str, passes: int) -> None:
    rng = np.random.default_rng(passes)
    trials = count(40_000, reduced=3_000)
    inside = 0
    for _ in range(trials):
        drawn = ERRORS[name](rng, passes + 1)
        inside += drawn[-1] <= TWO_SIDED * conformal_factor(drawn[:-1], model_counts=0)
    scatter = 4.5 * np.sqrt(COVERAGE * (1 - COVERAGE) / trials)
    whole = int(np.ceil(COVERAGE * (passes + 1) - 1e-9)) / (passes + 1)
    assert COVERAGE - scatter < inside / trials < whole + scatter


@pytest.mark.parametrize("passes", [19, 20, 40, 80])
@pytest.mark.parametrize("too_small", [0.8, 1.0, 1.5, 2.5, 4.0])
def test_an_overconfident_model_costs_no_coverage(too_small: float, passes: int) -> None:
    rng = np.random.default_rng(passes)
    trials = count(10_000, reduced=1_500)
    factors = [conformal_factor(too_small * np.abs(rng.standard_normal(passes))) for _ in range(trials)]
    covered = np.array([NORMAL.cdf(TWO_SIDED * factor / too_small) * 2 - 1 for factor in factors])
    assert covered.mean() > COVERAGE - 3.0 * covered.std() / np.sqrt(trials)


@given(st.lists(st.floats(0.0, 1e6), min_size=FEWEST, max_size=100), st.integers(0, 60))
@EXAMPLES
def test_the_model_never_lowers_the_factor(scores: list[float], model_counts: int) -> None:
    plain = conformal_factor(np.array(scores), model_counts=0)
    assert conformal_factor(np.array(scores), model_counts=model_counts) >= plain


def test_the_model_raises_the_factors_that_few_lucky_passes_give() -> None:
    rng = np.random.default_rng(5)
    few = [np.abs(rng.standard_normal(40)) for _ in range(count(10_000, reduced=1_000))]
    alone = np.percentile([conformal_factor(scores, model_counts=0) for scores in few], 2)
    assert np.percentile([conformal_factor(scores) for scores in few], 2) > alone + 0.03


@pytest.mark.parametrize("too_small", [0.8, 1.0, 1.25])
def test_the_model_fades_with_many_passes(too_small: float) -> None:
    rng = np.random.default_rng(5)
    many = too_small * np.abs(rng.standard_normal(100_000))
    assert conformal_factor(many) == pytest.approx(too_small, rel=0.02)


def test_normal_errors_with_a_right_u_need_no_factor() -> None:
    scores = np.abs(np.random.default_rng(1).standard_normal(200_000))
    assert conformal_factor(scores) == pytest.approx(1.0, abs=0.01)


@given(st.lists(st.floats(0.0, 1e6), min_size=FEWEST, max_size=100))
@EXAMPLES
def test_the_factor_lies_between_the_two_scores_of_its_rank(scores: list[float]) -> None:
    width = conformal_factor(np.array(scores), model_counts=0) * TWO_SIDED
    rank = COVERAGE * (len(scores) + 1)
    low = sorted(scores)[int(np.floor(rank + 1e-9)) - 1]
    high = sorted(scores)[int(np.ceil(rank - 1e-9)) - 1]
    part = rank - np.floor(rank + 1e-9)
    assert width == pytest.approx(low + max(part, 0.0) * (high - low), rel=1e-9, abs=1e-12)


@given(st.lists(st.floats(0.0, 1e6), max_size=FEWEST - 1))
@EXAMPLES
def test_too_few_passes_prove_nothing_and_cost_a_wide_interval(scores: list[float]) -> None:
    factor = conformal_factor(np.array(scores))
    assert factor >= WITHOUT_PROOF
    assert all(score <= factor * TWO_SIDED * (1 + 1e-9) for score in scores)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_scores_that_cannot_be_are_refused(bad: float) -> None:
    with pytest.raises(ConfigurationError, match="conformal scores"):
        conformal_factor(np.array([1.0] * 30 + [bad]))
