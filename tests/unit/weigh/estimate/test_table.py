"""Weights solve the normal equations of generalised least squares, for any set of strips alive."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigurationError
from tests.counts import count
from tests.unit.weigh.estimate.layouts import ALL_8, CLASS_A_M3, NOISE, PAIRS_8, PAIRS_8_M, table
from weigh.estimate import GlsTable, inverse_variance_weights, mask_of, mean_weights
from weigh.estimate.kernel import MIN_SPEED_M_S, SPEED_COUNT, SPEED_STEP_M_S
from weigh.estimate.table import speed_index

EXAMPLES = settings(max_examples=count(1_000, reduced=60), deadline=None, derandomize=True)

masks = st.integers(1, ALL_8)


@given(masks, st.integers(0, SPEED_COUNT - 1), st.integers(0, 2))
@EXAMPLES
def test_weights_are_those_of_a_dense_solve(mask: int, speed: int, kind: int) -> None:
    alive = [strip for strip in range(8) if mask >> strip & 1]
    kernel = PAIRS_8.kernel[speed, kind]
    inverse = np.linalg.inv(np.array([[kernel[a, b] for b in alive] for a in alive]))
    wanted = np.zeros(8)
    for at, strip in enumerate(alive):
        wanted[strip] = sum(inverse[at]) / inverse.sum()
    found = PAIRS_8.weights(mask)
    np.testing.assert_allclose(found.weight[speed, kind], wanted, rtol=1e-9, atol=1e-12)


@given(masks)
@EXAMPLES
def test_weights_add_up_to_one_and_spare_dead_strips(mask: int) -> None:
    weight = PAIRS_8.weights(mask).weight
    np.testing.assert_allclose(weight.sum(axis=-1), 1.0, rtol=1e-12)
    dead = [strip for strip in range(8) if not mask >> strip & 1]
    assert (weight[..., dead] == 0.0).all()


@given(masks)
@EXAMPLES
def test_no_other_weights_have_less_variance(mask: int) -> None:
    alive = np.array([mask >> strip & 1 for strip in range(8)], dtype=np.bool_)
    other = mean_weights(alive)
    weight = PAIRS_8.weights(mask).weight
    ours = np.einsum("vts,vtsr,vtr->vt", weight, PAIRS_8.kernel, weight)
    theirs = np.einsum("s,vtsr,r->vt", other, PAIRS_8.kernel, other)
    assert (ours <= theirs * (1 + 1e-9)).all()


def test_the_variance_is_one_over_the_sum_of_the_inverse() -> None:
    weight = PAIRS_8.weights(ALL_8).weight
    found = np.einsum("vts,vtsr,vtr->vt", weight, PAIRS_8.kernel, weight)
    np.testing.assert_allclose(found, 1.0 / np.linalg.inv(PAIRS_8.kernel).sum(axis=(-2, -1)), rtol=1e-8)


def test_on_a_road_without_roughness_it_is_the_mean() -> None:
    flat = table(roughness_m3=0.0).weights(ALL_8)
    np.testing.assert_allclose(flat.weight, 1.0 / 8.0, rtol=1e-12)
    np.testing.assert_allclose(flat.u_vehicle, NOISE / np.sqrt(8.0), rtol=1e-12)
    assert (flat.u_common == 0.0).all()


def test_with_noise_alone_it_is_inverse_variance() -> None:
    noise = np.array([0.01, 0.02, 0.04])
    unequal = GlsTable(np.array([0.0, 1.0, 2.0]), noise, 0.0)
    wanted = inverse_variance_weights(np.square(noise), np.ones(3, dtype=np.bool_))
    np.testing.assert_allclose(unequal.weights(0b111).weight, np.broadcast_to(wanted, (SPEED_COUNT, 3, 3)))


@given(st.permutations(range(8)))
@EXAMPLES
def test_a_mask_names_the_strips_alive_by_their_bits(order: list[int]) -> None:
    alive = np.zeros(8, dtype=np.bool_)
    alive[order[:5]] = True
    assert mask_of(alive) == sum(1 << strip for strip in order[:5])


def test_a_road_driven_the_other_way_has_the_mirrored_weights() -> None:
    mirrored = table(PAIRS_8_M[-1] - PAIRS_8_M[::-1])
    np.testing.assert_allclose(
        mirrored.weights(ALL_8).weight[..., ::-1], PAIRS_8.weights(ALL_8).weight, rtol=1e-6, atol=1e-9
    )


@given(masks, masks)
@EXAMPLES
def test_a_bias_moves_only_where_the_strips_differ(mask: int, fitted: int) -> None:
    moved = PAIRS_8.u_moved(mask, fitted)
    np.testing.assert_allclose(moved, PAIRS_8.u_moved(fitted, mask), atol=1e-12)
    if mask == fitted:
        assert (moved == 0.0).all()
    else:
        change = PAIRS_8.weights(mask).weight - PAIRS_8.weights(fitted).weight
        wanted = np.einsum("vts,vtsr,vtr->vt", change, PAIRS_8.common, change)
        np.testing.assert_allclose(np.square(moved), wanted, atol=1e-12)


@pytest.mark.parametrize("mask", [0, 1 << 8, -1])
def test_a_mask_without_strips_of_the_layout_is_refused(mask: int) -> None:
    with pytest.raises(ConfigurationError, match="no strip is alive"):
        PAIRS_8.weights(mask)


def test_a_covariance_that_cannot_be_solved_is_refused() -> None:
    close = GlsTable(np.array([0.0, 1e-6]), np.zeros(2), CLASS_A_M3)
    with pytest.raises(ConfigurationError, match="stand too close or have no noise"):
        close.weights(0b11)


@pytest.mark.parametrize("noise", [[-0.01, 0.01], [np.nan, 0.01], [0.01]])
def test_noise_that_cannot_be_is_refused(noise: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="noise"):
        GlsTable(np.array([0.0, 1.0]), np.array(noise), CLASS_A_M3)


@pytest.mark.parametrize("roughness", [-1e-6, np.nan, np.inf])
def test_roughness_that_cannot_be_is_refused(roughness: float) -> None:
    with pytest.raises(ConfigurationError, match="roughness"):
        GlsTable(np.array([0.0, 1.0]), np.array([0.01, 0.01]), roughness)


def test_many_masks_do_not_fill_the_memory() -> None:
    own = table()
    for mask in range(1, 200):
        own.weights(mask)
    assert len(own._made) <= 64


@given(st.floats(allow_nan=True, allow_infinity=True))
@EXAMPLES
def test_a_speed_finds_its_place_or_none(speed: float) -> None:
    found = int(speed_index(np.array([speed]))[0])
    if found >= 0:
        assert abs(MIN_SPEED_M_S + SPEED_STEP_M_S * found - speed) <= SPEED_STEP_M_S / 2 + 1e-9
    else:
        last = MIN_SPEED_M_S + SPEED_STEP_M_S * (SPEED_COUNT - 1)
        assert not MIN_SPEED_M_S <= speed <= last


def test_means_need_a_strip_and_a_variance() -> None:
    with pytest.raises(ConfigurationError, match="a strip alive"):
        mean_weights(np.zeros(3, dtype=np.bool_))
    with pytest.raises(ConfigurationError, match="a positive variance"):
        inverse_variance_weights(np.array([1.0, 0.0]), np.ones(2, dtype=np.bool_))
