"""The look-up gives what a plain loop gives; what cannot be weighed is marked and never a figure."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from tests.counts import count
from tests.unit.weigh.estimate.layouts import ALL_8, PAIRS_8
from weigh.estimate import DRIVE, NO_AXLE, PROBLEMS, STEER, TRAILER, look_up, mask_of, places, u_vehicle
from weigh.estimate.kernel import MIN_SPEED_M_S, SPEED_STEP_M_S
from weigh.estimate.population import LOADS_KG
from weigh.estimate.table import speed_index

EXAMPLES = settings(max_examples=count(1_000, reduced=60), deadline=None, derandomize=True)

Floats = NDArray[np.float64]


def traffic(seed: int, vehicles: int = 20) -> tuple[Floats, NDArray[np.bool_], Floats, NDArray[np.int8]]:
    """Return loads, strips alive, speeds and axle types of vehicles, their dead strips reading NaN."""
    rng = np.random.default_rng(seed)
    load = rng.uniform(1_000, 14_000, (vehicles, 6, 8))
    alive = rng.random((vehicles, 8)) < 0.8
    alive[:, 0] |= ~alive.any(axis=1)
    load[~np.broadcast_to(alive[:, None], load.shape)] = np.nan
    kind = np.tile(np.array([STEER, DRIVE, DRIVE, TRAILER, TRAILER, TRAILER], dtype=np.int8), (vehicles, 1))
    kind[np.arange(6) >= rng.integers(2, 7, vehicles)[:, None]] = NO_AXLE
    return load, alive, rng.uniform(5, 35, vehicles), kind


def plainly(
    load: Floats, alive: NDArray[np.bool_], speed: Floats, kind: NDArray[np.int8]
) -> tuple[Floats, Floats]:
    """Weigh one axle after the other."""
    axles = np.zeros(kind.shape)
    for vehicle, axle in np.ndindex(*kind.shape):
        if kind[vehicle, axle] == NO_AXLE:
            continue
        at = round(float(speed[vehicle] - MIN_SPEED_M_S) / SPEED_STEP_M_S)
        weight = PAIRS_8.weights(mask_of(alive[vehicle])).weight[at, kind[vehicle, axle]]
        axles[vehicle, axle] = sum(
            weight[strip] * load[vehicle, axle, strip] for strip in range(8) if alive[vehicle, strip]
        )
    return axles, axles.sum(axis=1)


@given(st.integers(0, 10_000))
@settings(max_examples=count(200, reduced=15), deadline=None, derandomize=True)
def test_masses_are_those_of_a_plain_loop(seed: int) -> None:
    load, alive, speed, kind = traffic(seed)
    weighed = look_up(load, kind, places(alive, speed, PAIRS_8), PAIRS_8)
    axle, gross = plainly(load, alive, speed, kind)
    assert (weighed.problem == 0).all()
    np.testing.assert_allclose(weighed.axle, axle, rtol=1e-12)
    np.testing.assert_allclose(weighed.gross, gross, rtol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=count(200, reduced=15), deadline=None, derandomize=True)
def test_what_a_dead_strip_says_never_matters(seed: int) -> None:
    load, alive, speed, kind = traffic(seed)
    other = np.where(alive[:, None], load, np.random.default_rng(seed).choice([0.0, -1e9, np.inf, 7.0]))
    at = places(alive, speed, PAIRS_8)
    np.testing.assert_array_equal(
        look_up(load, kind, at, PAIRS_8).axle, look_up(other, kind, at, PAIRS_8).axle
    )


@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
@settings(max_examples=count(200, reduced=15), deadline=None, derandomize=True)
def test_equal_loads_are_weighed_as_they_are_and_scale(seed: int, factor: float) -> None:
    load, alive, speed, kind = traffic(seed)
    at = places(alive, speed, PAIRS_8)
    same = np.broadcast_to(load[:, :, :1] * 0 + 6_000.0, load.shape)
    same = np.where(np.isfinite(same), same, 6_000.0)
    found = look_up(same, kind, at, PAIRS_8).axle
    np.testing.assert_allclose(found[kind >= 0], 6_000.0, rtol=1e-12)
    weighed = look_up(load, kind, at, PAIRS_8)
    np.testing.assert_allclose(
        look_up(load * factor, kind, at, PAIRS_8).axle, weighed.axle * factor, rtol=1e-12
    )


def test_over_all_roads_and_noise_it_is_unbiased_and_as_uncertain_as_it_says() -> None:
    rng = np.random.default_rng(3)
    at, kinds = 37, np.array([[STEER, DRIVE, TRAILER]], dtype=np.int8)
    vehicles = count(200_000, reduced=20_000)
    factor = np.linalg.cholesky(PAIRS_8.kernel[at])
    ratio = 1.0 + np.einsum("tsr,btr->bts", factor, rng.standard_normal((vehicles, 3, 8)))
    speed = np.full(vehicles, MIN_SPEED_M_S + SPEED_STEP_M_S * at)
    load = 9_000.0 * ratio
    where = places(np.ones((vehicles, 8), dtype=np.bool_), speed, PAIRS_8)
    error = look_up(load, np.repeat(kinds, vehicles, axis=0), where, PAIRS_8).axle / 9_000.0 - 1.0
    said = 1.0 / np.linalg.inv(PAIRS_8.kernel[at]).sum(axis=(-2, -1))
    assert (np.abs(error.mean(axis=0)) < 5.0 * np.sqrt(said / vehicles)).all()
    np.testing.assert_allclose(error.var(axis=0), said, rtol=6.0 * math.sqrt(2.0 / vehicles))


def test_single_precision_differs_in_the_last_digits_only() -> None:
    load, alive, speed, kind = traffic(1, vehicles=500)
    at = places(alive, speed, PAIRS_8)
    single = look_up(load.astype(np.float32), kind, at, PAIRS_8)
    assert single.axle.dtype == np.float32
    np.testing.assert_allclose(single.axle, look_up(load, kind, at, PAIRS_8).axle, rtol=2e-5)


def test_the_order_of_vehicles_does_not_matter() -> None:
    load, alive, speed, kind = traffic(2, vehicles=100)
    order = np.random.default_rng(2).permutation(100)
    straight = look_up(load, kind, places(alive, speed, PAIRS_8), PAIRS_8)
    mixed = look_up(load[order], kind[order], places(alive[order], speed[order], PAIRS_8), PAIRS_8)
    np.testing.assert_array_equal(mixed.axle, straight.axle[order])


BROKEN: dict[str, Callable[..., None]] = {
    "no-strip-alive": lambda load, alive, _speed, _kind: alive.__setitem__(3, False),
    "speed-outside-table": lambda load, _alive, speed, _kind: speed.__setitem__(3, 0.0),
    "no-axle": lambda load, _alive, _speed, kind: kind.__setitem__(3, NO_AXLE),
    "axle-type-unknown": lambda load, _alive, _speed, kind: kind.__setitem__((3, 1), 3),
    "load-not-finite": lambda load, _alive, _speed, _kind: load.__setitem__((3, 1), np.nan),
    "load-not-positive": lambda load, _alive, _speed, _kind: load.__setitem__((3, 1), -5.0),
}


@pytest.mark.parametrize("problem", PROBLEMS[1:])
def test_a_vehicle_that_cannot_be_weighed_is_marked_and_alone_in_it(problem: str) -> None:
    load, alive, speed, kind = traffic(4)
    before = look_up(load, kind, places(alive, speed, PAIRS_8), PAIRS_8)
    BROKEN[problem](load, alive, speed, kind)
    after = look_up(load, kind, places(alive, speed, PAIRS_8), PAIRS_8)
    assert PROBLEMS[after.problem[3]] == problem
    assert np.isnan(after.axle[3]).all()
    assert np.isnan(after.gross[3])
    others = np.arange(len(speed)) != 3
    np.testing.assert_array_equal(after.axle[others], before.axle[others])
    assert (after.problem[others] == 0).all()


@pytest.mark.parametrize("speed", [np.nan, np.inf, -np.inf, -20.0, 1e300, 60.0])
def test_no_speed_that_no_truck_has_gives_a_mass(speed: float) -> None:
    load, alive, speeds, kind = traffic(5, vehicles=1)
    speeds[0] = speed
    found = look_up(load, kind, places(alive, speeds, PAIRS_8), PAIRS_8)
    assert PROBLEMS[found.problem[0]] == "speed-outside-table"
    assert np.isnan(found.gross[0])


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.floats(0.0, 45.0), min_size=1))
@EXAMPLES
def test_places_have_the_tables_speeds(speeds: list[float]) -> None:
    given_speeds = np.array(speeds)
    at = places(np.ones((len(speeds), 8), dtype=np.bool_), given_speeds, PAIRS_8)
    np.testing.assert_array_equal(at.speed, speed_index(given_speeds))
    np.testing.assert_array_equal(at.problem == 0, at.speed >= 0)
    assert at.masks == (ALL_8,)


def test_no_vehicles_are_weighed_as_none() -> None:
    at = places(np.zeros((0, 8), dtype=np.bool_), np.zeros(0), PAIRS_8)
    found = look_up(np.zeros((0, 5, 8)), np.zeros((0, 5), dtype=np.int8), at, PAIRS_8)
    assert found.axle.shape == (0, 5)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    load, alive, speed, kind = traffic(6)
    at = places(alive, speed, PAIRS_8)
    whole: list[Any] = [load[:, :, :7], load[0], np.zeros(load.shape, dtype=np.int64)]
    for wrong in whole:
        with pytest.raises(ConfigurationError, match="loads must be floats"):
            look_up(wrong, kind, at, PAIRS_8)
    for types in (kind[:, :3], kind.astype(np.uint8)):
        with pytest.raises(ConfigurationError, match="axle types"):
            look_up(load, types, at, PAIRS_8)
    with pytest.raises(ConfigurationError, match="alive must be"):
        places(alive[:, :7], speed, PAIRS_8)
    with pytest.raises(ConfigurationError, match="alive must be"):
        places(alive, speed[:3], PAIRS_8)


def test_u_is_the_tables_at_its_loads_and_between_them_otherwise() -> None:
    loads = np.array([*LOADS_KG, 500.0, 40_000.0, math.sqrt(LOADS_KG[3] * LOADS_KG[4])])
    load = np.broadcast_to(loads[:, None, None], (len(loads), 1, 8))
    kind = np.full((len(loads), 1), DRIVE, dtype=np.int8)
    at = places(np.ones((len(loads), 8), dtype=np.bool_), np.full(len(loads), 20.0), PAIRS_8)
    found = u_vehicle(look_up(load, kind, at, PAIRS_8), kind, at, PAIRS_8)[:, 0]
    wanted = PAIRS_8.weights(ALL_8).u_vehicle[37, DRIVE]
    np.testing.assert_allclose(found[:7], wanted, rtol=1e-9)
    np.testing.assert_allclose(found[7:9], wanted[[0, -1]], rtol=1e-9)
    assert found[9] == pytest.approx((wanted[3] + wanted[4]) / 2.0)
