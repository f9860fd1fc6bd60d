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
    rank = int(np.ceil(COVERAGE * (passes + 1) - 1e-9))
    exact = rank / (passes + 1)
    assert exact >= COVERAGE
    assert abs(inside / trials - exact) < 4.5 * np.sqrt(exact * (1 - exact) / trials)


@pytest.mark.parametrize("too_small", [0.8, 1.0, 1.25])
def test_the_model_steadies_the_factor_and_fades_with_many_passes(too_small: float) -> None:
    rng = np.random.default_rng(5)
    trials = count(10_000, reduced=1_000)
    few = [too_small * np.abs(rng.standard_normal(40)) for _ in range(trials)]
    alone = np.array([conformal_factor(scores, model_counts=0) for scores in few])
    steadied = np.array([conformal_factor(scores) for scores in few])
    assert steadied.std() < 0.75 * alone.std()
    covered = NORMAL.cdf(TWO_SIDED * np.median(steadied) / too_small) * 2 - 1
    assert 0.92 < covered < 0.985
    many = too_small * np.abs(rng.standard_normal(100_000))
    assert conformal_factor(many) == pytest.approx(too_small, rel=0.02)


def test_normal_errors_with_a_right_u_need_no_factor() -> None:
    scores = np.abs(np.random.default_rng(1).standard_normal(200_000))
    assert conformal_factor(scores) == pytest.approx(1.0, abs=0.01)


@given(st.lists(st.floats(0.0, 1e6), min_size=FEWEST, max_size=100))
@EXAMPLES
def test_the_factor_is_a_score_and_enough_scores_lie_below(scores: list[float]) -> None:
    width = conformal_factor(np.array(scores), model_counts=0) * TWO_SIDED
    below = sum(score <= width * (1 + 1e-12) for score in scores)
    assert below >= COVERAGE * (len(scores) + 1) - 1e-6
    assert min(abs(width - score) for score in scores) <= 1e-9 * max(width, 1.0)


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
