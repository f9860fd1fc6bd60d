"""Any speed: positions by brute force, rides against the frequency domain and the equations of motion."""

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid, solve_ivp

from domain.errors import ConfigurationError
from simulators.road.motion import Drive, load_transfer_kg, ride
from simulators.road.passes import PAIRS_8_M, dynamic_ratio
from simulators.road.profile import Site
from simulators.road.trucks import draw_trucks

GRAVITY_M_S2 = 9.80665

STOP_AND_BACK = Drive(
    np.array([[0.0, 1.0, 3.0, 4.0, 5.0, 6.0, 8.0], [0.5, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0]]),
    np.array([[8.0, 8.0, 0.0, 0.0, -1.5, 0.0, 4.0], [2.0, 6.0, 6.0, 7.0, 7.0, 0.0, 0.0]]),
    np.array([-5.0, 2.0]),
)


def test_positions_are_the_integral_of_the_speed_and_accelerations_its_slope() -> None:
    time = np.arange(0, 10, 1e-3)
    speed = STOP_AND_BACK.speed_m_s(time)
    slow = STOP_AND_BACK.start_m[:, None] + cumulative_trapezoid(speed, time, axis=1, initial=0)
    assert STOP_AND_BACK.position_m(time) == pytest.approx(slow, abs=0.003)
    slope = np.gradient(speed, time, axis=1)
    acceleration = STOP_AND_BACK.acceleration_m_s2(time)
    corners = np.isin(np.round(time, 3), STOP_AND_BACK.knot_s)
    away = ~(corners | np.roll(corners, 1) | np.roll(corners, -1))
    assert acceleration[:, away] == pytest.approx(slope[:, away], abs=1e-6)


def test_a_steady_drive_stands_when_it_has_braked_to_nothing() -> None:
    drive = Drive.steady(np.array([0.0, 0.0]), np.array([10.0, 10.0]), np.array([-2.0, 1.0]))
    assert drive.position_m(np.array([5.0, 50.0])) == pytest.approx(np.array([[25, 25], [62.5, 1750]]))
    assert drive.speed_m_s(np.array([4.0]))[:, 0] == pytest.approx([2, 14])


def test_at_constant_speed_a_ride_is_the_frequency_domains() -> None:
    rng = np.random.default_rng(7)
    site, trucks, speed = Site.draw(rng), draw_trucks(rng, 12), rng.uniform(8, 25, 12)
    drive = Drive.steady(np.full(12, -2.0), speed)
    felt = ride(site, trucks, drive, 4.0)
    known = dynamic_ratio(site, trucks, speed, PAIRS_8_M)
    for row, axle in zip(*np.nonzero(trucks.axle_type >= 0), strict=True):
        moments = (PAIRS_8_M + 2 + trucks.offset_m[row, axle]) / speed[row]
        ratio = np.interp(moments, felt.time_s, felt.load_kg[row, axle]) / trucks.static_kg[row, axle]
        assert ratio == pytest.approx(np.maximum(1 + known[row, axle], 0), abs=2e-3)


def test_a_braking_axle_obeys_its_equations_of_motion() -> None:
    rng = np.random.default_rng(9)
    site, trucks = Site.draw(rng, band_per_m=(0.05, 3.0), components=60), draw_trucks(rng, 1, codes=["12"])
    drive = Drive(np.array([[0.0, 0.4, 3.0]]), np.array([[15.0, 15.0, 2.0]]), np.array([-3.0]))
    felt = ride(site, trucks, drive, 3.0)
    bounce = felt.load_kg - trucks.static_kg[..., None]
    bounce -= load_transfer_kg(trucks, drive.acceleration_m_s2(felt.time_s))
    for axle in range(2):
        at = (0, axle)
        spring, damper, tyre = trucks.suspension_n_m[at], trucks.damping_n_s_m[at], trucks.tyre_n_m[at]
        time = np.arange(-15, 3.001, 1e-3)
        head = np.where(time < 0, -3 + 15 * time, drive.position_m(np.maximum(time, 0))[0])
        place = (head - trucks.offset_m[at])[:, None]
        under = site.elevation_m(place + trucks.contact_m[at] * (np.arange(20) - 9.5) / 20).mean(axis=1)

        def motion(
            moment: float,
            state: np.ndarray,
            axle: tuple[int, int] = at,
            springs: tuple[float, ...] = (spring, damper, tyre),
            road: tuple[np.ndarray, np.ndarray] = (time, under),
        ) -> list[float]:
            between = springs[0] * (state[2] - state[0]) + springs[1] * (state[3] - state[1])
            push = springs[2] * (np.interp(moment, *road) - state[2])
            return [
                state[1],
                between / trucks.sprung_kg[axle],
                state[3],
                (push - between) / trucks.unsprung_kg[axle],
            ]

        moments = np.arange(0.2, 3.0, 0.1)
        solved = solve_ivp(motion, (-15, 3), [0.0] * 4, t_eval=moments, max_step=5e-3, rtol=1e-5, atol=1e-8)
        known = tyre * (np.interp(moments, time, under) - solved.y[2]) / GRAVITY_M_S2
        assert np.abs(known).max() > 0.02 * trucks.static_kg[at]
        got = np.interp(moments, felt.time_s, bounce[at])
        assert got == pytest.approx(known, abs=2e-3 * trucks.static_kg[at])


def test_braking_moves_load_to_the_front_as_a_rigid_bodys_moments_say() -> None:
    trucks = draw_trucks(np.random.default_rng(7), 40, codes=["12"])
    braking = np.full((40, 1), -3.0)
    moved = load_transfer_kg(trucks, braking)[:, :2, 0]
    known = trucks.gross_kg * 3.0 * trucks.cg_height_m / trucks.spacing_m[:, 0] / GRAVITY_M_S2
    assert moved[:, 0] == pytest.approx(known)
    assert moved[:, 1] == pytest.approx(-known)
    many = draw_trucks(np.random.default_rng(7), 40)
    moved = load_transfer_kg(many, braking)[..., 0]
    assert np.nansum(moved, axis=1) == pytest.approx(0, abs=1e-6)
    moment = np.nansum(moved * many.offset_m, axis=1)
    assert moment == pytest.approx(-3.0 * many.gross_kg * many.cg_height_m / GRAVITY_M_S2)


def test_a_standing_vehicle_comes_to_rest_on_its_static_loads() -> None:
    rng = np.random.default_rng(7)
    site, trucks = Site.draw(rng), draw_trucks(rng, 5)
    drive = Drive(np.array([[0.0, 2.0]] * 5), np.array([[5.0, 0.0]] * 5), np.zeros(5))
    end = ride(site, trucks, drive, 14.0).load_kg[..., -1]
    assert np.nan_to_num(end) == pytest.approx(np.nan_to_num(trucks.static_kg), rel=1e-2)


def test_a_drive_back_in_time_or_of_unequal_shapes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="back in time"):
        Drive(np.array([[0.0, 2.0, 1.0]]), np.ones((1, 3)), np.zeros(1))
    with pytest.raises(ConfigurationError, match="shape"):
        Drive(np.zeros((1, 3)), np.ones((1, 2)), np.zeros(1))
