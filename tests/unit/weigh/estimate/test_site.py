"""What weighed passes say of a site: checked on sites drawn from the model, whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from tests.counts import count
from tests.unit.weigh.estimate.layouts import ALL_8, CLASS_A_M3, NOISE, PAIRS_8, PAIRS_8_M
from weigh.estimate import (
    ASSUMED_POPULATION,
    Passes,
    Terms,
    conformal_factor,
    fit_bias,
    fit_site,
    look_up,
    places,
    prior_covariance,
    roughness_m3,
    u_gross,
    u_vehicle,
)
from weigh.estimate.conformal import TWO_SIDED, WITHOUT_PROOF
from weigh.estimate.kernel import SPEED_COUNT
from weigh.estimate.table import speed_index
from weigh.estimate.uncertainty import ALIKE

SPREAD_OF_SITES = 0.03
"""Standard deviation of a site's coverage with forty weighed passes, and 200 vehicles to tell it by."""

Floats = NDArray[np.float64]

ALIVE = np.ones(8, dtype=np.bool_)
KINDS = np.array([0, 1, 1, 2, 2], dtype=np.int8)
SIZE = np.array([1, 2, 0, 2, 0])
KERNEL_ROOT = np.linalg.cholesky(PAIRS_8.kernel)
_VALUES, _VECTORS = np.linalg.eigh(prior_covariance(PAIRS_8, ALL_8))
PRIOR_ROOT = _VECTORS * np.sqrt(np.maximum(_VALUES, 0.0))


def drive(
    rng: np.random.Generator, number: int, bias: Floats | None = None, *, understated: float = 1.0
) -> Passes:
    """Return passes whose strips deviate as the model says, about the site's bias (3, V) if one is given.

    `understated` is how many times more they deviate than the model believes.
    """
    speed = rng.uniform(14.0, 25.0, number)
    kind = np.tile(KINDS, (number, 1))
    at = speed_index(speed)[:, None]
    reference = rng.uniform(5_000.0, 11_000.0, kind.shape)
    if bias is None:
        apart = np.einsum("basr,bar->bas", KERNEL_ROOT[at, kind], rng.standard_normal((number, 5, 8)))
        ratio = 1.0 + apart
    else:
        true = Passes(np.repeat(reference[..., None], 8, axis=2), reference, kind, np.zeros_like(kind), speed)
        where = places(np.ones((number, 8), dtype=np.bool_), speed, PAIRS_8)
        own = u_vehicle(look_up(true.load_kg, kind, where, PAIRS_8), kind, where, PAIRS_8)
        # The same on all strips, so that it passes through any weights unchanged.
        alike = math.sqrt(ALIKE) * rng.standard_normal((number, 1))
        deviation = own * (alike + math.sqrt(1.0 - ALIKE) * rng.standard_normal(kind.shape))
        ratio = 1.0 + (bias[kind, at] + understated * deviation)[..., None]
        ratio = np.repeat(ratio, 8, axis=2)
    return Passes(reference[..., None] * ratio, reference, kind, np.tile(SIZE, (number, 1)), speed)


def a_site(rng: np.random.Generator) -> Floats:
    """Return the bias of a site drawn from the prior, (3, V)."""
    return np.asarray((PRIOR_ROOT @ rng.standard_normal(len(PRIOR_ROOT))).reshape(3, SPEED_COUNT))


def test_the_roughness_is_that_of_the_road_the_strips_disagree_by() -> None:
    passes = drive(np.random.default_rng(1), count(20_000, reduced=3_000))
    found = roughness_m3(passes, ALIVE, np.full(8, NOISE), PAIRS_8_M, ASSUMED_POPULATION)
    assert found == pytest.approx(CLASS_A_M3, rel=0.03)


def test_strips_that_agree_give_the_smoothest_road_there_is() -> None:
    passes = drive(np.random.default_rng(1), 30, np.zeros((3, SPEED_COUNT)))
    assert roughness_m3(passes, ALIVE, np.full(8, NOISE), PAIRS_8_M, ASSUMED_POPULATION) == 2e-6


def test_light_axles_and_single_strips_tell_no_roughness() -> None:
    passes = drive(np.random.default_rng(1), 30)
    light = replace(passes, load_kg=passes.load_kg * 0.1)
    assert roughness_m3(light, ALIVE, np.full(8, NOISE), PAIRS_8_M, ASSUMED_POPULATION) is None
    one = np.arange(8) == 2
    assert roughness_m3(passes, one, np.full(8, NOISE), PAIRS_8_M, ASSUMED_POPULATION) is None


@pytest.mark.parametrize(("understated", "weighed"), [(1.0, 40), (1.0, 200), (0.5, 300), (2.0, 300)])
def test_intervals_cover_what_they_promise_on_sites_never_seen(understated: float, weighed: int) -> None:
    covered, sites = [], count(600, reduced=40)
    for seed in range(sites):
        rng = np.random.default_rng([7, seed])
        bias = a_site(rng)
        fit = fit_site(drive(rng, weighed, bias, understated=understated), ALIVE, PAIRS_8)
        traffic = drive(rng, 200, bias, understated=understated)
        covered.append(_share_covered(traffic, fit.bias.bias, fit.bias.u_site, fit.u_gross, fit.gross_factor))
    assert abs(np.mean(covered) - 0.955) < 0.01 + 4.5 * SPREAD_OF_SITES / math.sqrt(sites)


def _share_covered(traffic: Passes, bias: Floats, u_site: Floats, site_gross: Floats, factor: float) -> float:
    where = places(np.ones((len(traffic), 8), dtype=np.bool_), traffic.speed_m_s, PAIRS_8)
    weighed = look_up(traffic.load_kg, traffic.axle_type, where, PAIRS_8)
    at = (traffic.axle_type, where.speed[:, None])
    own = u_vehicle(weighed, traffic.axle_type, where, PAIRS_8)
    terms = Terms(own, u_site[at], site_gross[where.speed], np.zeros(len(traffic)))
    axle = weighed.axle / (1.0 + bias[at])
    error = np.abs(axle.sum(axis=1) - traffic.reference_kg.sum(axis=1))
    return float((error <= TWO_SIDED * u_gross(axle, terms, factor)).mean())


def test_the_factors_are_those_of_passes_that_had_no_part_in_their_bias() -> None:
    rng = np.random.default_rng(12)
    passes = drive(rng, 25, a_site(rng))
    where = places(np.ones((25, 8), dtype=np.bool_), passes.speed_m_s, PAIRS_8)
    weighed = look_up(passes.load_kg, passes.axle_type, where, PAIRS_8)
    own = u_vehicle(weighed, passes.axle_type, where, PAIRS_8)
    residual = weighed.axle / passes.reference_kg - 1.0
    prior = prior_covariance(PAIRS_8, ALL_8)
    axle, group, gross = [], [], []
    for out in range(25):
        rest = np.arange(25) != out
        rows = (residual[rest], np.square(own[rest]), passes.axle_type[rest], passes.speed_m_s[rest])
        fitted, _ = fit_bias(*rows, prior)
        at = passes.axle_type[out].astype(np.int64) * SPEED_COUNT + where.speed[out]
        between = fitted.covariance[np.ix_(at, at)]
        error, load = residual[out] - fitted.bias.ravel()[at], passes.reference_kg[out]
        axle += list(np.abs(error) / np.sqrt(np.square(own[out]) + np.diag(between)))
        kilograms = np.diag(np.square(own[out] * load)) + ALIKE * (
            np.outer(own[out] * load, own[out] * load) - np.diag(np.square(own[out] * load))
        )
        for first, size in ((0, 1), (1, 2), (3, 2)):
            members = slice(first, first + size)
            site = np.sqrt(between[first, first]) * load[members].sum()
            u = np.sqrt(kilograms[members, members].sum() + site**2)
            group.append(abs((error * load)[members].sum()) / u)
        gross.append(abs((error * load).sum()) / np.sqrt(kilograms.sum() + load @ between @ load))
    fit = fit_site(passes, ALIVE, PAIRS_8)
    found = (fit.axle_factor, fit.group_factor, fit.gross_factor)
    wanted = [conformal_factor(np.array(scores)) for scores in (axle, group, gross)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_without_passes_the_factors_are_cautious() -> None:
    none = drive(np.random.default_rng(1), 0)
    fit = fit_site(none, ALIVE, PAIRS_8)
    assert (fit.axle_factor, fit.group_factor, fit.gross_factor) == (WITHOUT_PROOF,) * 3
    assert (fit.bias.bias == 0.0).all()
    assert fit.u_gross.min() > 0.0


def test_passes_without_reference_or_with_a_load_that_is_none_are_refused() -> None:
    passes = drive(np.random.default_rng(1), 5)
    nothing = passes.reference_kg.copy()
    nothing[2, 1] = np.nan
    with pytest.raises(ConfigurationError, match="reference load is missing"):
        fit_site(replace(passes, reference_kg=nothing), ALIVE, PAIRS_8)
    broken = passes.load_kg.copy()
    broken[3, 0, 0] = np.nan
    with pytest.raises(ConfigurationError, match="weighed pass 4: load-not-finite"):
        fit_site(replace(passes, load_kg=broken), ALIVE, PAIRS_8)
