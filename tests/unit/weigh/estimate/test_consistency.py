"""How far strips depart from one another: the fit of one wrong strip, and nothing that is not there."""

import numpy as np
import pytest

from domain.errors import ConfigurationError
from tests.counts import count
from weigh.estimate import Departures, GlsTable, departures, look_up, mask_of, places
from weigh.estimate.contrasts import Contrasts
from weigh.estimate.kernel import Floats
from weigh.estimate.population import LOADS_KG
from weigh.estimate.uncertainty import ALIKE

PLACES_M = np.array([0.0, 3.1, 4.0, 6.6])
TABLE = GlsTable(PLACES_M, np.array([0.01, 0.015, 0.02, 0.015]), 16e-6)
VEHICLES = count(200, reduced=20)


def _loads(seed: int) -> tuple[Floats, np.ndarray, Floats, np.ndarray]:
    """Return loads, types, speeds and strips alive of vehicles of one to four axles."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, (VEHICLES, 4)).astype(np.int8)
    kind[np.arange(4) >= rng.integers(1, 5, VEHICLES)[:, None]] = -1
    load = rng.uniform(1_000, 15_000, (VEHICLES, 4, 1)) * rng.normal(1.0, 0.1, (VEHICLES, 4, 4))
    alive = rng.random((VEHICLES, 4)) < 0.85
    alive[:, 0] = True
    load[~np.broadcast_to(alive[:, None], load.shape)] = np.nan
    return load, kind, rng.uniform(5.0, 30.0, VEHICLES), alive


def _departures(load: Floats, kind: np.ndarray, speed: Floats, alive: np.ndarray) -> Departures:
    at = places(alive, speed, TABLE)
    return departures(load, look_up(load, kind, at, TABLE), kind, at, TABLE)


def _fitted(kernel: Floats, said: Floats, strip: int) -> float:
    """Return the departure of one strip, fitted beside the load by least squares of whitened figures."""
    white = np.linalg.inv(np.linalg.cholesky(kernel))
    design = np.column_stack([np.ones(len(said)), np.arange(len(said)) == strip])
    return float(np.linalg.lstsq(white @ design, white @ said, rcond=None)[0][1])


def _between(compared: Contrasts, at: int, kind: int, strip: int, load_kg: float) -> float:
    return float(np.interp(np.log(load_kg), np.log(LOADS_KG), compared.own[at, kind, :, strip]))


def test_a_departure_is_that_of_a_fit_with_one_strip_free() -> None:
    load, kind, speed, alive = _loads(1)
    at = places(alive, speed, TABLE)
    axle = look_up(load, kind, at, TABLE).axle
    found = _departures(load, kind, speed, alive)
    for vehicle in range(VEHICLES):
        among, single, whole = np.flatnonzero(alive[vehicle]), [0.0], [0.0]
        compared = TABLE.contrasts(mask_of(alive[vehicle]))
        for place, strip in enumerate(among if len(among) > 1 else []):
            total, weight, common, roots = 0.0, 0.0, 0.0, []
            for one in np.flatnonzero(kind[vehicle] >= 0):
                cell = int(at.speed[vehicle]), int(kind[vehicle, one])
                apart = _fitted(
                    TABLE.kernel[cell][np.ix_(among, among)],
                    load[vehicle, one, among] / axle[vehicle, one],
                    place,
                )
                own = _between(compared, *cell, int(strip), axle[vehicle, one])
                shared = compared.common[*cell, strip]
                single.append(apart / np.sqrt(own + shared))
                total, weight, common = total + apart / own, weight + 1 / own, common + np.sqrt(shared) / own
                roots.append(1 / np.sqrt(own))
            variance = (1 - ALIKE) * weight + ALIKE * sum(roots) ** 2 + common**2
            whole.append(abs(total) / np.sqrt(variance))
        assert found.heavier[vehicle] == pytest.approx(max(single), rel=1e-6)
        assert found.lighter[vehicle] == pytest.approx(-min(single), rel=1e-6)
        assert found.strip[vehicle] == pytest.approx(max(whole), rel=1e-6)


def test_on_a_level_road_strips_depart_by_their_noise_alone() -> None:
    level = GlsTable(PLACES_M, np.full(4, 0.015), 0.0)
    compared = level.contrasts(0b1111)
    np.testing.assert_allclose(compared.own, 0.015**2 * 4 / 3, rtol=1e-9)
    assert not compared.common.any()
    rng = np.random.default_rng(2)
    load = 6_000.0 * rng.normal(1.0, 0.015, (4_000, 3, 4))
    kind = np.tile(np.array([0, 1, 2], dtype=np.int8), (4_000, 1))
    at = places(np.ones((4_000, 4), dtype=np.bool_), np.full(4_000, 20.0), level)
    found = departures(load, look_up(load, kind, at, level), kind, at, level)
    assert 0.9 < np.median(found.strip) < 1.5
    reading = np.maximum(found.heavier, found.lighter)
    assert np.median(reading) < 2.5
    assert np.quantile(reading, 0.999) < 5.0


def test_what_all_strips_have_in_common_is_no_departure() -> None:
    _, kind, speed, alive = _loads(3)
    even = np.where(alive[:, None], 7_000.0, np.nan) * np.ones((1, 4, 1))
    found = _departures(even, kind, speed, alive)
    assert found.strip.max() < 1e-9
    assert found.heavier.max() < 1e-9
    assert found.lighter.max() < 1e-9


def test_a_strip_alone_has_none_to_be_compared_with() -> None:
    load, kind, speed, alive = _loads(4)
    alive[:, 1:] = False
    found = _departures(load, kind, speed, alive)
    assert not found.strip.any()
    assert not found.heavier.any()
    assert not found.lighter.any()


def test_a_vehicle_not_weighed_departs_by_nothing() -> None:
    load, kind, speed, alive = _loads(5)
    load[0] = np.inf
    speed[1] = np.nan
    alive[2] = False
    found = _departures(load, kind, speed, alive)
    assert not found.strip[:3].any()
    assert not found.heavier[:3].any()
    assert not found.lighter[:3].any()
    assert np.isfinite(found.strip).all()


def test_one_wrong_reading_shows_at_its_axle_and_less_in_the_strip() -> None:
    kind = np.array([[0, 1, 1, 2]], dtype=np.int8)
    load = np.full((1, 4, 4), 7_000.0)
    load[0, 2, 1] *= 1.5
    found = _departures(load, kind, np.array([20.0]), np.ones((1, 4), dtype=np.bool_))
    assert found.heavier[0] > 2 * found.strip[0]
    load[0, :, 1] = 10_500.0
    whole = _departures(load, kind, np.array([20.0]), np.ones((1, 4), dtype=np.bool_))
    assert whole.strip[0] > 2 * found.strip[0]


def test_loads_that_were_not_weighed_together_are_refused() -> None:
    load, kind, speed, alive = _loads(6)
    at = places(alive, speed, TABLE)
    weighed = look_up(load, kind, at, TABLE)
    with pytest.raises(ConfigurationError):
        departures(load[:, :, :3], weighed, kind, at, TABLE)
    with pytest.raises(ConfigurationError):
        departures(load[:, :3], weighed, kind[:, :3], at, TABLE)
