"""What the road makes each strip depart by: learnt from passes, right on others, for these strips only."""

from dataclasses import replace

import numpy as np
import pytest

from domain.errors import ConfigurationError
from simulators.road.passes import strip_passes
from simulators.road.profile import Site
from simulators.road.trucks import draw_trucks
from tests.unit.weigh.calibration.states import two_strips
from weigh.calibration import apply
from weigh.calibration.state import CalibrationState
from weigh.estimate import GlsTable, Passes, departures, look_up, mask_of, places, strip_pattern
from weigh.estimate.kernel import SPEEDS_M_S, Floats

PLACES_M = np.array([0.0, 3.1, 4.0, 6.6])
TABLE = GlsTable(PLACES_M, np.full(4, 0.015), 16e-6)
ALL = np.ones(4, dtype=np.bool_)
SPEED_M_S = 20.0


def _passes(site: Site, seed: int, number: int) -> Passes:
    rng = np.random.default_rng(seed)
    trucks = draw_trucks(rng, number, empty_share=0.0)
    speed = np.full(number, SPEED_M_S)
    return Passes(
        load_kg=strip_passes(rng, site, trucks, speed, PLACES_M),
        reference_kg=trucks.static_kg,
        axle_type=trucks.axle_type,
        group_size=np.zeros(trucks.axle_type.shape, dtype=np.int64),
        speed_m_s=speed,
    )


def _mean_departures(passes: Passes) -> Floats:
    """Return the plain means over all axles of a type, (3, 4), by the weights of the comparison alone."""
    at = places(np.broadcast_to(ALL, (len(passes), 4)), passes.speed_m_s, TABLE)
    axle = look_up(passes.load_kg, passes.axle_type, at, TABLE).axle
    weight = TABLE.contrasts(0b1111).weight[at.speed[0]]
    means = np.zeros((3, 4))
    for kind in range(3):
        of_kind = passes.axle_type == kind
        means[kind] = (weight[kind] @ (passes.load_kg[of_kind] / axle[of_kind][:, None]).T).mean(axis=1)
    return means


def test_the_pattern_is_what_other_vehicles_do_on_the_same_road() -> None:
    site = Site.draw(np.random.default_rng(1))
    found = strip_pattern(_passes(site, 2, 100), ALL, TABLE)
    at = int(np.argmin(np.abs(SPEEDS_M_S - SPEED_M_S)))
    truth = _mean_departures(_passes(site, 3, 1_000))
    prior = np.sqrt(TABLE.contrasts(0b1111).common[at])
    assert (np.abs(found.mean[at] - truth) < 4 * found.u[at] + 0.01).all()
    assert np.sqrt(np.mean(np.square(found.mean[at] - truth))) < 0.35 * np.sqrt(np.mean(np.square(truth)))
    assert (found.u[at] < 0.4 * prior).all()


def test_no_passes_say_nothing_and_leave_the_roads_own_uncertainty() -> None:
    none = Passes(
        np.zeros((0, 1, 4)), np.zeros((0, 1)), np.zeros((0, 1), np.int8), np.zeros((0, 1), int), np.zeros(0)
    )
    found = strip_pattern(none, ALL, TABLE)
    assert not found.mean.any()
    np.testing.assert_allclose(np.square(found.u), TABLE.contrasts(0b1111).common, rtol=1e-6, atol=1e-12)


def test_a_strip_out_of_use_has_no_pattern() -> None:
    alive = np.array([True, False, True, True])
    passes = _passes(Site.draw(np.random.default_rng(4)), 5, 30)
    passes.load_kg[:, :, 1] = np.nan
    found = strip_pattern(passes, alive, TABLE)
    assert found.mask == mask_of(alive)
    assert not found.mean[..., 1].any()
    assert found.mean[..., [0, 2, 3]].any()
    assert np.isfinite(found.mean).all()


def test_a_known_pattern_makes_a_wrong_gain_stand_out_and_other_strips_do_not_use_it() -> None:
    site = Site.draw(np.random.default_rng(6))
    pattern = strip_pattern(_passes(site, 7, 60), ALL, TABLE)
    traffic = _passes(site, 8, 100)
    wrong = traffic.load_kg.copy()
    wrong[:, :, 2] *= 1.25
    alive = np.broadcast_to(ALL, (100, 4)).copy()
    alive[50:, 0] = False
    at = places(alive, traffic.speed_m_s, TABLE)
    found = {}
    for name, load in (("good", traffic.load_kg), ("wrong", wrong)):
        weighed = look_up(load, traffic.axle_type, at, TABLE)
        for known in (None, pattern):
            found[name, known is not None] = departures(
                load, weighed, traffic.axle_type, at, TABLE, pattern=known
            )
    assert found["good", True].pattern_known.tolist() == [True] * 50 + [False] * 50
    assert not found["good", False].pattern_known.any()
    assert np.median(found["wrong", True].strip[:50]) > 1.5 * np.median(found["wrong", False].strip[:50])
    assert np.quantile(found["good", True].strip[:50], 0.9) < 4.0
    for name in ("good", "wrong"):
        np.testing.assert_array_equal(found[name, True].strip[50:], found[name, False].strip[50:])


def test_a_pattern_of_other_strips_is_refused() -> None:
    site = Site.draw(np.random.default_rng(9))
    passes = _passes(site, 10, 5)
    pattern = strip_pattern(passes, ALL, TABLE)
    at = places(np.ones((5, 4), dtype=np.bool_), passes.speed_m_s, TABLE)
    weighed = look_up(passes.load_kg, passes.axle_type, at, TABLE)
    cut = replace(pattern, mean=pattern.mean[..., :3])
    with pytest.raises(ConfigurationError, match="pattern"):
        departures(passes.load_kg, weighed, passes.axle_type, at, TABLE, pattern=cut)


def test_a_state_gives_its_pattern_by_type_strip_and_speed() -> None:
    rows = [[1_000 * row + 1, 1_000 * row + 2] for row in range(6)]
    document = two_strips().to_document() | {"strip_pattern_ppm": rows, "u_strip_pattern_ppm": rows[::-1]}
    state = CalibrationState.from_document(document)
    known = apply.strip_pattern(state, np.array([10.0, 20.0]))
    assert known is not None
    mean, u = known
    assert mean.shape == u.shape == (2, 3, 2)
    assert np.rint(mean[0, 2, 1] * 1e6) == 5_001
    assert np.rint(mean[1, 0, 1] * 1e6) == 1_002
    assert np.rint(u[1, 2, 1] * 1e6) == 2
    assert apply.strip_pattern(two_strips(), np.array([10.0])) is None


@pytest.mark.parametrize(
    ("mean", "u"),
    [
        ([[1, 2]] * 6, []),
        ([], [[1, 2]] * 6),
        ([[1, 2]] * 5, [[1, 2]] * 5),
        ([[1]] * 6, [[1]] * 6),
        ([[1, 2]] * 6, [[1, -2]] * 6),
    ],
)
def test_a_pattern_of_another_shape_is_no_state(mean: list[list[int]], u: list[list[int]]) -> None:
    document = two_strips().to_document() | {"strip_pattern_ppm": mean, "u_strip_pattern_ppm": u}
    with pytest.raises(ConfigurationError, match="strip_pattern_ppm"):
        CalibrationState.from_document(document)
