"""Each strip against the others: what is wrong is named, what is sound is left alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from tests.counts import count
from tests.unit.weigh.calibration.weighed import STRIPS, weighed
from weigh.calibration.health import Verdict, strip_health

Floats = NDArray[np.float64]
ILL = 3


def traffic(seed: int, trucks: int = 400) -> Floats:
    """Loads of the axles of ordinary trucks, (N, S)."""
    passes = weighed(seed, trucks, gain=1.0)
    return passes.strip_load[passes.axle]


def test_sound_strips_are_found_sound() -> None:
    found = [
        verdict for seed in range(count(60, reduced=12)) for verdict in strip_health(traffic(seed)).verdict
    ]
    assert set(found) == {Verdict.SOUND}


@pytest.mark.parametrize(
    ("ill", "verdict", "alive"),
    [
        (lambda load, rng: np.full(len(load), np.nan), Verdict.DEAD, 0),
        (lambda load, rng: np.zeros(len(load)), Verdict.DEAD, 0),
        (lambda load, rng: -50 + 20 * rng.standard_normal(len(load)), Verdict.DEAD, 0),
        (lambda load, rng: np.where(rng.random(len(load)) < 0.7, np.nan, load), Verdict.DEAD, 0),
        (lambda load, rng: 3_000 + 50 * rng.standard_normal(len(load)), Verdict.FLAT, 0),
        (lambda load, rng: load * (1 + 0.25 * rng.standard_normal(len(load))), Verdict.NOISY, 1),
        (lambda load, rng: load * np.linspace(1.0, 1.12, len(load)), Verdict.DRIFTING, 1),
        (lambda load, rng: load * np.linspace(1.0, 0.88, len(load)), Verdict.DRIFTING, 1),
        (lambda load, rng: load * 1.3, Verdict.SOUND, 1),
    ],
)
def test_what_is_wrong_with_a_strip_is_named_and_no_other_blamed(ill, verdict: Verdict, alive: int) -> None:  # type: ignore[no-untyped-def]
    load = traffic(77, 700)
    load[:, ILL] = ill(load[:, ILL].copy(), np.random.default_rng(1))
    health = strip_health(load)
    assert health.verdict[ILL] is verdict
    assert set(health.verdict[:ILL] + health.verdict[ILL + 1 :]) == {Verdict.SOUND}
    assert health.alive == tuple(alive if strip == ILL else 1 for strip in range(STRIPS))


def test_too_few_axles_say_nothing() -> None:
    assert set(strip_health(traffic(1)[:199]).verdict) == {Verdict.UNDETERMINED}


def test_two_strips_cannot_judge_each_other() -> None:
    assert set(strip_health(traffic(1)[:, :2]).verdict) == {Verdict.UNDETERMINED}


def test_where_all_are_silent_none_is_sound() -> None:
    health = strip_health(np.full((500, STRIPS), np.nan))
    assert Verdict.SOUND not in health.verdict
    assert sum(health.alive) == 0


def test_an_infinite_load_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        strip_health(np.full((300, 4), np.inf))
