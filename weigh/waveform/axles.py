"""Pulses matched across strips: axles, speed, acceleration, spacings and what each strip says of each axle.

Strips that tell the same number of axles are matched in order of time. All their times together fix speed v,
acceleration a and each axle's place by weighted least squares of x_s = x_axle + v t + a t^2 / 2, which is
linear in the unknowns; heavy pulses have sharper times and count by their area. The load is the area by the
speed at that very moment: W = (v + a t) / L x integral of (s - baseline) (COST 323, strip sensors).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.events import MAX_AXLES
from weigh._jit import njit
from weigh.waveform.pulses import CLIPPED, UNUSED, Pulses

FORWARD, BACKWARD, MIXED = 1, -1, 0

OK, DISAGREE, TOO_FEW_STRIPS, NO_PULSES, TOO_FEW_AXLES, TOO_MANY_AXLES, UNCLEAR_ORDER, UNCLEAR_MOTION = range(
    8
)
"""How matching ended."""

Floats = NDArray[np.float64]


class Matched(NamedTuple):
    """Axles of a batch; NaN where there is nothing to say.

    Attributes
    ----------
    outcome : (B,) int64, one of the codes above
    order : (B,) int64, in which the strips were hit
    axle_count : (B,) int64, the number most strips tell
    most : (B,) int64, the number of pulses on the strip with most
    bits : (B,) int64, states of all strips together
    clipped : (B,) int64, number of strips whose converter was at its end
    alive : (B, S) bool, strips that told just `axle_count`
    origin_s : (B,), mean time of all pulses: t = 0 of what follows
    speed_m_s, acceleration_m_s2 : (B,), at the origin
    residual_m : (B,), root mean square distance of the hits from constant acceleration, by weight
    slowest_m_s, fastest_m_s : (B,), of any axle between two strips next to one another
    widest_s : (B,), largest spread of any pulse in time
    place_m : (B, MAX_AXLES), where each axle was at the origin
    load : (B, MAX_AXLES, S)
    """

    outcome: NDArray[np.int64]
    order: NDArray[np.int64]
    axle_count: NDArray[np.int64]
    most: NDArray[np.int64]
    bits: NDArray[np.int64]
    clipped: NDArray[np.int64]
    alive: NDArray[np.bool_]
    origin_s: Floats
    speed_m_s: Floats
    acceleration_m_s2: Floats
    residual_m: Floats
    slowest_m_s: Floats
    fastest_m_s: Floats
    widest_s: Floats
    place_m: Floats
    load: Floats

    @classmethod
    def room(cls, vehicles: int, strips: int) -> "Matched":
        """Return room for the axles of a batch."""
        codes = [np.zeros(vehicles, dtype=np.int64) for _ in range(6)]
        alive = np.zeros((vehicles, strips), dtype=np.bool_)
        figures = [np.full(vehicles, np.nan) for _ in range(7)]
        place = np.full((vehicles, MAX_AXLES), np.nan)
        load = np.full((vehicles, MAX_AXLES, strips), np.nan)
        return cls._make([*codes, alive, *figures, place, load])

    def place_at_m(self, time_s: Floats) -> Floats:
        """Return where each axle was at a time (B,) from the first sample, (B, MAX_AXLES)."""
        t = (time_s - self.origin_s)[:, None]
        return np.asarray(
            self.place_m + self.speed_m_s[:, None] * t + 0.5 * self.acceleration_m_s2[:, None] * t * t
        )


@njit(cache=True, error_model="numpy", nogil=True)
def match_axles(pulses: Pulses, position: Any, width: float, fewest: int, out: Matched) -> None:
    """Write the axles of the pulses on strips at `position` (S,) of `width`; `fewest` strips must agree."""
    for b in range(pulses.number.shape[0]):
        outcome = _agree(b, pulses, fewest, out)
        if outcome == OK:
            outcome = _follow(b, pulses, position, out)
        if outcome == OK:
            _weigh(b, pulses, width, out)
            if out.axle_count[b] < 2:
                outcome = TOO_FEW_AXLES
        out.outcome[b] = outcome


@njit(cache=True, error_model="numpy", nogil=True)
def _agree(b: int, pulses: Pulses, fewest: int, out: Matched) -> int:
    """Write which strips tell the number of pulses most strips tell; return whether that will do."""
    count, state = pulses.number[b], pulses.state[b]
    best, axles, fit, usable = 0, 0, 0, 0
    widest, most = 0.0, 0
    for s in range(count.size):
        out.bits[b] |= state[s]
        out.clipped[b] += (state[s] & CLIPPED) != 0
        if state[s] & UNUSED:
            continue
        fit += 1
        if count[s] == 0:
            continue
        usable, most, votes = usable + 1, max(most, count[s]), 0
        for other in range(count.size):
            votes += (state[other] & UNUSED) == 0 and count[other] == count[s]
        if votes > best or (votes == best and count[s] > axles):
            best, axles = votes, count[s]
        for i in range(count[s]):
            widest = max(widest, pulses.spread_s2[b, s, i])
    for s in range(count.size):
        out.alive[b, s] = (state[s] & UNUSED) == 0 and count[s] == axles and axles > 0
    out.axle_count[b], out.most[b], out.widest_s[b] = axles, most, np.sqrt(widest)
    if usable == 0:
        return NO_PULSES if fit > 0 else TOO_FEW_STRIPS
    if best < fewest:
        return TOO_FEW_STRIPS
    if 2 * best <= usable:
        return DISAGREE
    return TOO_MANY_AXLES if axles > MAX_AXLES else OK


@njit(cache=True, error_model="numpy", nogil=True)
def _follow(b: int, pulses: Pulses, position: Any, out: Matched) -> int:
    """Write order, motion and places of the axles; return whether they make sense."""
    time_s, alive, axles = pulses.time_s[b], out.alive[b], out.axle_count[b]
    rising, falling, before = True, True, -1
    low, high = np.inf, 0.0
    for s in range(alive.size):
        if not alive[s]:
            continue
        if before >= 0:
            for i in range(axles):
                took = time_s[s, i] - time_s[before, i]
                rising &= took > 0.0
                falling &= took < 0.0
                v = abs((position[s] - position[before]) / took)
                low, high = min(low, v), max(high, v)
        before = s
    out.slowest_m_s[b], out.fastest_m_s[b] = low, high
    out.order[b] = FORWARD if rising else (BACKWARD if falling else MIXED)
    if out.order[b] == MIXED:
        return UNCLEAR_ORDER
    return OK if _fit(b, pulses, position, out) else UNCLEAR_MOTION


@njit(cache=True, error_model="numpy", nogil=True)
def _fit(b: int, pulses: Pulses, position: Any, out: Matched) -> bool:
    """Fit x_s = x_i + v t + a t^2 / 2; write v, a, the places x_i, the residual; return whether it can be."""
    time_s, area, alive, axles = pulses.time_s[b], pulses.area[b], out.alive[b], out.axle_count[b]
    n, origin = 0, 0.0
    for s in range(alive.size):
        if alive[s]:
            n += axles
            for i in range(axles):
                origin += time_s[s, i]
    origin /= n
    uu, uq, qq, ux, qx = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(axles):
        t_mean, q_mean, x_mean = _means(time_s[:, i], area[:, i], alive, position, origin)
        for s in range(alive.size):
            if alive[s]:
                t, weight = time_s[s, i] - origin, area[s, i]
                u, q, x = t - t_mean, 0.5 * t * t - q_mean, position[s] - x_mean
                uu, uq, qq = uu + weight * u * u, uq + weight * u * q, qq + weight * q * q
                ux, qx = ux + weight * u * x, qx + weight * q * x
    if not uu > 0.0:
        return False
    free = uu * qq - uq * uq
    v, a = ux / uu, 0.0
    if free > 1e-9 * uu * qq:
        v, a = (ux * qq - qx * uq) / free, (qx * uu - ux * uq) / free
    square, whole = 0.0, 0.0
    for i in range(axles):
        t_mean, q_mean, x_mean = _means(time_s[:, i], area[:, i], alive, position, origin)
        place = x_mean - v * t_mean - a * q_mean
        out.place_m[b, i] = place
        for s in range(alive.size):
            if alive[s]:
                t = time_s[s, i] - origin
                square += area[s, i] * (position[s] - place - v * t - 0.5 * a * t * t) ** 2
                whole += area[s, i]
    out.origin_s[b], out.speed_m_s[b], out.acceleration_m_s2[b] = origin, v, a
    out.residual_m[b] = np.sqrt(square / whole)
    return bool(np.isfinite(square))


@njit(cache=True, error_model="numpy", nogil=True)
def _means(time_s: Any, area: Any, alive: Any, position: Any, origin: float) -> Any:
    """Return the means over strips, by area, of t, t^2 / 2 and the strip's place, for one axle."""
    t_sum, q_sum, x_sum, whole = 0.0, 0.0, 0.0, 0.0
    for s in range(alive.size):
        if alive[s]:
            t = time_s[s] - origin
            t_sum += area[s] * t
            q_sum += area[s] * 0.5 * t * t
            x_sum += area[s] * position[s]
            whole += area[s]
    return t_sum / whole, q_sum / whole, x_sum / whole


@njit(cache=True, error_model="numpy", nogil=True)
def _weigh(b: int, pulses: Pulses, width: float, out: Matched) -> None:
    """Write the load of each axle on each strip."""
    v, a, origin = out.speed_m_s[b], out.acceleration_m_s2[b], out.origin_s[b]
    for i in range(out.axle_count[b]):
        for s in range(out.alive.shape[1]):
            if out.alive[b, s]:
                at = abs(v + a * (pulses.time_s[b, s, i] - origin))
                out.load[b, i, s] = at / width * pulses.area[b, s, i]
