"""Vehicles at any speed: how they drive, and what their axles weigh at each moment of it.

`Drive` is a speed over time made of straight pieces, backwards too. `ride` integrates the axle of two degrees
of freedom along it, mode by mode, the road between two steps taken as a straight line, and exact but for
that line (Fdyn = kt (zr - zu)). At constant speed it is the frequency-domain solution of `passes`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from simulators.road.passes import STANDARD_GRAVITY_M_S2
from simulators.road.profile import Site
from simulators.road.trucks import Trucks

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_STEP_S = 1e-3
_GRID_M = 0.005


@dataclass(frozen=True)
class Drive:
    """How B vehicles move: speed by straight pieces between M knots, constant before and after them.

    Parameters
    ----------
    knot_s, knot_m_s
        Times, not decreasing, and the speeds then, both of shape (B, M); negative speeds go backwards.
    start_m
        Where the first axle is at t = 0, from the first strip, shape (B,).
    """

    knot_s: Floats
    knot_m_s: Floats
    start_m: Floats

    def __post_init__(self) -> None:
        if self.knot_s.shape != self.knot_m_s.shape or self.start_m.shape != self.knot_s.shape[:1]:
            raise ConfigurationError("a drive needs knots of shape (B, M) and starts of shape (B,)")
        if (np.diff(self.knot_s, axis=1) < 0).any():
            raise ConfigurationError("a drive's knots must not go back in time")

    @classmethod
    def steady(cls, start_m: Floats, speed_m_s: Floats, acceleration_m_s2: Floats | float = 0.0) -> "Drive":
        """Return drives of constant acceleration from t = 0 on, for an hour or until they stand."""
        gain = np.broadcast_to(np.asarray(acceleration_m_s2, dtype=np.float64), speed_m_s.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            last = np.where(gain < 0, speed_m_s / -gain, 3600.0)
        times = np.stack([np.zeros_like(last), last], axis=1)
        return cls(times, np.stack([speed_m_s, np.maximum(speed_m_s + gain * last, 0)], axis=1), start_m)

    def speed_m_s(self, time_s: Floats) -> Floats:
        """Return speeds at the times (T,), shape (B, T)."""
        rows = zip(self.knot_s, self.knot_m_s, strict=True)
        return np.stack([np.interp(time_s, when, speed) for when, speed in rows])

    def position_m(self, time_s: Floats) -> Floats:
        """Return where the first axles are at the times (T,), shape (B, T)."""
        return np.stack([self._one_position(row, time_s) for row in range(len(self.start_m))])

    def acceleration_m_s2(self, time_s: Floats) -> Floats:
        """Return accelerations at the times (T,), shape (B, T); 0 outside the knots."""
        slopes = []
        for when, speed in zip(self.knot_s, self.knot_m_s, strict=True):
            length = np.diff(when)
            slope = np.divide(np.diff(speed), length, out=np.zeros_like(length), where=length > 0)
            piece = np.searchsorted(when, time_s, side="right")
            slopes.append(np.concatenate([[0.0], slope, [0.0]])[piece])
        return np.stack(slopes)

    def _one_position(self, row: int, time_s: Floats) -> Floats:
        """Integrate the straight pieces exactly: a trapezoid from the knot before each moment."""
        when, speed = self.knot_s[row], self.knot_m_s[row]
        when = np.concatenate([[min(0.0, when[0])], when])
        speed = np.concatenate([speed[:1], speed])
        travelled = np.concatenate([[0.0], np.cumsum(np.diff(when) * (speed[1:] + speed[:-1]) / 2)])

        def distance(moment: Floats) -> Floats:
            before = np.clip(np.searchsorted(when, moment, side="right") - 1, 0, len(when) - 1)
            now = np.interp(moment, when, speed)
            return np.asarray(
                travelled[before] + (moment - when[before]) * (now + speed[before]) / 2, dtype=np.float64
            )

        return np.asarray(self.start_m[row] + distance(time_s) - distance(np.zeros(1)), dtype=np.float64)


@dataclass(frozen=True)
class Ride:
    """What axles weigh while they drive: `load_kg` (B, A, T) at `time_s` (T,), never below zero."""

    time_s: Floats
    load_kg: Floats


def ride(site: Site, trucks: Trucks, drive: Drive, duration_s: float) -> Ride:
    """Return the load of every axle from t = 0 to `duration_s`: static, bouncing, and moved by braking.

    The road before t = 0 was driven at the first speed.
    """
    time_s = np.arange(0, duration_s + _STEP_S, _STEP_S)
    head = drive.position_m(time_s)
    speed = drive.speed_m_s(np.zeros(1))[:, 0]
    bounce = np.full((*trucks.static_kg.shape, len(time_s)), np.nan)
    there = trucks.axle_type >= 0
    owner = np.nonzero(there)[0]
    below = head[owner] - trucks.offset_m[there][:, None]
    modes = _Modes.of(trucks, there)
    state = modes.steady(site, below[:, 0], speed[owner], trucks.contact_m[there])
    road = _under_contact(site, below, trucks.contact_m[there])
    bounce[there] = modes.force_n(state, road) / STANDARD_GRAVITY_M_S2
    load = trucks.static_kg[..., None] + bounce + load_transfer_kg(trucks, drive.acceleration_m_s2(time_s))
    return Ride(time_s, np.maximum(load, 0))


def load_transfer_kg(trucks: Trucks, acceleration_m_s2: Floats) -> Floats:
    """Return the load that accelerating moves onto each axle, shape (B, A, T), for accelerations (B, T).

    Quasi-static, the vehicle as one rigid body: what each axle gains is in proportion to its static load and
    its distance from the centre of gravity, adds up to nothing, and balances the moment M a h.
    """
    load, offset = trucks.static_kg, trucks.offset_m
    gross = np.nansum(load, axis=1, keepdims=True)
    behind = offset - np.nansum(load * offset, axis=1, keepdims=True) / gross
    inertia = np.nansum(load * behind**2, axis=1, keepdims=True)
    share = gross * trucks.cg_height_m[:, None] * load * behind / inertia / STANDARD_GRAVITY_M_S2
    return np.asarray(share[..., None] * acceleration_m_s2[:, None], dtype=np.float64)


def _under_contact(site: Site, position_m: Floats, contact_m: Floats) -> Floats:
    """Return the road's height averaged over each axle's contact, for positions (M, T) and lengths (M,)."""
    half = contact_m[:, None] / 2
    start = float(position_m.min()) - 1
    places = int((float(position_m.max()) + 1 - start) / _GRID_M) + 1
    grid, area = start + _GRID_M * np.arange(places), site.area_m2(start, _GRID_M, places)
    return np.asarray(
        (np.interp(position_m + half, grid, area) - np.interp(position_m - half, grid, area)) / (2 * half),
        dtype=np.float64,
    )


@dataclass(frozen=True)
class _Modes:
    """The four modes of each of M axles, z' = pole z + push zr, with zu = real part of the sum of seen z."""

    pole: Complexes
    push: Complexes
    seen: Complexes
    tyre_n_m: Floats

    @classmethod
    def of(cls, trucks: Trucks, there: NDArray[np.bool_]) -> "_Modes":
        """Return the modes of the axles that are there; the state is (zs, vs, zu, vu)."""
        body, wheel = trucks.sprung_kg[there], trucks.unsprung_kg[there]
        spring, damper, tyre = (
            values[there] for values in (trucks.suspension_n_m, trucks.damping_n_s_m, trucks.tyre_n_m)
        )
        system = np.zeros((len(body), 4, 4))
        system[:, 0, 1] = system[:, 2, 3] = 1
        system[:, 1] = np.stack([-spring, -damper, spring, damper], axis=1) / body[:, None]
        system[:, 3] = np.stack([spring, damper, -spring - tyre, -damper], axis=1) / wheel[:, None]
        pole, vectors = np.linalg.eig(system)
        entry = np.zeros((len(body), 4, 1))
        entry[:, 3, 0] = tyre / wheel
        push = np.linalg.solve(vectors, entry.astype(np.complex128))[..., 0]
        return cls(pole.astype(np.complex128), push, np.asarray(vectors[:, 2], dtype=np.complex128), tyre)

    def steady(self, site: Site, position_m: Floats, speed_m_s: Floats, contact_m: Floats) -> Complexes:
        """Return the modes' state after a long way at constant speed, shape (M, 4).

        The answer to the road's phasors, whose real parts make the road: only its real part is ever seen.
        """
        wave = site.wavenumber_per_m
        state = np.empty_like(self.pole)
        for row in range(len(position_m)):
            input_m = site.phasors(position_m[row]) * np.sinc(wave * contact_m[row])
            turning = 2j * np.pi * wave * speed_m_s[row]
            state[row] = self.push[row] * (input_m / (turning - self.pole[row, :, None])).sum(axis=-1)
        return state

    def force_n(self, state: Complexes, road_m: Floats) -> Floats:
        """Return the dynamic tyre force at every step of the road (M, T), beginning with `state`."""
        turn = self.pole * _STEP_S
        decay = np.exp(turn)
        later = self.push * (decay - 1 - turn) / (self.pole * turn)
        now = self.push * (decay - 1) / self.pole - later
        wheel = np.empty_like(road_m.T)
        road = road_m.T
        for step in range(len(road)):
            if step:
                state = decay * state + now * road[step - 1][:, None] + later * road[step][:, None]
            wheel[step] = (self.seen * state).sum(axis=-1).real
        return np.asarray(self.tyre_n_m[:, None] * (road_m - wheel.T), dtype=np.float64)
