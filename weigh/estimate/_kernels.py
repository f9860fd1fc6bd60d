"""Compiled loops. Only `weigh.estimate.lookup` and `.kernel` call them, and check what they are given."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weigh._jit import njit

Array = NDArray[Any]

GRAVITY_M_S2 = 9.80665

# Codes of `weigh.estimate.lookup.PROBLEMS`.
OK, NO_STRIP, NO_SPEED, NO_AXLE, BAD_TYPE, BAD_LOAD, NOT_POSITIVE = range(7)


@njit(cache=True, error_model="numpy")
def find_places(  # noqa: PLR0917 - compiled code takes no keywords
    alive: Array, speed: Array, lowest: float, step: float, count: int, code: Array, at: Array, problem: Array
) -> bool:
    """Write strips alive as bits, the table's speed and the problem of each vehicle, all (B,).

    Speeds run from `lowest` in steps; one outside, or none, is -1 and a problem. Return whether all
    vehicles have the same strips.
    """
    same = True
    for vehicle in range(alive.shape[0]):
        bits = np.uint64(0)
        for strip in range(alive.shape[1]):
            bits |= np.uint64(alive[vehicle, strip]) << np.uint64(strip)
        code[vehicle] = bits
        same &= bits == code[0]
        place = (speed[vehicle] - lowest) / step + 0.5
        within = 0.0 <= place < count
        at[vehicle] = np.int64(place) if within else -1
        problem[vehicle] = NO_STRIP if bits == 0 else OK if within else NO_SPEED
    return same


@njit(cache=True, error_model="numpy")
def weigh_axles(  # noqa: PLR0917 - compiled code takes no keywords
    load: Array,
    table: Array,
    which: Array,
    speed: Array,
    axle_type: Array,
    axle: Array,
    gross: Array,
    problem: Array,
) -> None:
    """Write axle loads (B, A), gross (B,) and problems (B,); a vehicle with a problem is left half done.

    A weight of exactly zero marks a strip not alive, whose load is not read into the sum.
    """
    _, _, types, strips = table.shape
    for vehicle in range(load.shape[0]):
        if problem[vehicle] != OK:
            continue
        weights = table[which[vehicle], speed[vehicle]]
        total = load.dtype.type(0)
        axles = 0
        for place in range(load.shape[1]):
            kind = axle_type[vehicle, place]
            if kind == -1:
                axle[vehicle, place] = 0
                continue
            if kind < 0 or kind >= types:
                problem[vehicle] = BAD_TYPE
                break
            weighed = load.dtype.type(0)
            for strip in range(strips):
                weight = weights[kind, strip]
                weighed += weight * load[vehicle, place, strip] if weight != 0 else load.dtype.type(0)
            if not np.isfinite(weighed):
                problem[vehicle] = BAD_LOAD
                break
            if weighed <= 0:
                problem[vehicle] = NOT_POSITIVE
                break
            axle[vehicle, place] = weighed
            total += weighed
            axles += 1
        gross[vehicle] = total
        if axles == 0 and problem[vehicle] == OK:
            problem[vehicle] = NO_AXLE


@njit(cache=True, error_model="numpy")
def find_departures(  # noqa: PLR0917 - compiled code takes no keywords
    load: Array,
    weight: Array,
    own: Array,
    usual: Array,
    common: Array,
    knots: Array,
    which: Array,
    speed: Array,
    axle_type: Array,
    axle: Array,
    problem: Array,
    alike: float,
    strip_z: Array,
    heavier_z: Array,
    lighter_z: Array,
) -> None:
    """Write the largest departures of a strip and of a reading either way, in standard deviations, (B,).

    A strip's departures are averaged over axles with the inverse of their own variance; what axles of a
    vehicle have in common adds up as it is; what is `usual` at the site is none. A weight of exactly zero
    marks a strip not alive.
    """
    strips, axles = load.shape[2], load.shape[1]
    for vehicle in range(load.shape[0]):
        if problem[vehicle] != OK:
            continue
        mask, at = which[vehicle], speed[vehicle]
        for strip in range(strips):
            total = certainty = root = shared = 0.0
            for place in range(axles):
                kind = axle_type[vehicle, place]
                if kind == -1 or weight[mask, at, kind, strip, strip] == 0.0:
                    continue
                apart = 0.0
                for other in range(strips):
                    part = weight[mask, at, kind, strip, other]
                    apart += part * load[vehicle, place, other] if part != 0.0 else 0.0
                apart = apart / axle[vehicle, place] - usual[mask, at, kind, strip]
                variance = _between(own[mask, at, kind], strip, knots, np.log(axle[vehicle, place]))
                together = common[mask, at, kind, strip]
                reading = apart / np.sqrt(variance + together)
                heavier_z[vehicle] = max(heavier_z[vehicle], reading)
                lighter_z[vehicle] = max(lighter_z[vehicle], -reading)
                total += apart / variance
                certainty += 1.0 / variance
                root += 1.0 / np.sqrt(variance)
                shared += np.sqrt(together) / variance
            if certainty > 0.0:
                spread = (1.0 - alike) * certainty + alike * root * root + shared * shared
                strip_z[vehicle] = max(strip_z[vehicle], abs(total) / np.sqrt(spread))


@njit(cache=True, error_model="numpy")
def _between(figures: Array, strip: int, knots: Array, at: float) -> float:
    """Return figures (L, S) of a strip between knots (L,); beyond them that of the nearest."""
    last = len(knots) - 1
    above = 1
    while above < last and knots[above] < at:
        above += 1
    part = min(max((at - knots[above - 1]) / (knots[above] - knots[above - 1]), 0.0), 1.0)
    return float((1.0 - part) * figures[above - 1, strip] + part * figures[above, strip])


@njit(cache=True, error_model="numpy")
def force_moments(
    speed: Array,
    wavenumber: Array,
    load_kg: float,
    weight: Array,
    springs: Array,
) -> tuple[Array, Array]:
    """Return the weighted means of |H|^2 and H over axles of one load, both (V, N); springs (P, 5).

    H is the force's deviation relative to the static load for a metre of road. The two degrees of freedom
    are solved exactly: with S = k + j w c, D = S - w^2 m_sprung and U = S + k_tyre - w^2 m_unsprung the
    wheel follows the road by z = k_tyre D / (U D - S^2), and H = k_tyre (1 - z) / (g W), averaged over the
    contact patch. Multiplied out, 1 - z = w^2 (w^2 m_sprung m_unsprung - M S) / (S (k_tyre - w^2 M)
    - w^2 m_sprung (k_tyre - w^2 m_unsprung)) with M both masses: one real division.
    """
    power = np.zeros((len(speed), len(wavenumber)))
    mean = np.zeros((len(speed), len(wavenumber)), dtype=np.complex128)
    for member in range(len(weight)):
        unsprung, body_hz, damping, tyre, contact = springs[member]
        sprung = load_kg - unsprung
        spring = sprung * (2.0 * np.pi * body_hz) ** 2
        damper = 2.0 * damping * np.sqrt(spring * sprung)
        for wave in range(len(wavenumber)):
            turned = np.pi * wavenumber[wave] * contact
            scale = np.sin(turned) / turned * tyre / (GRAVITY_M_S2 * load_kg)
            for at in range(len(speed)):
                omega = 2.0 * np.pi * speed[at] * wavenumber[wave]
                square = omega * omega
                above_real = square * (square * sprung * unsprung - load_kg * spring)
                above_imag = -square * load_kg * omega * damper
                rest = tyre - square * load_kg
                below_real = spring * rest - square * sprung * (tyre - square * unsprung)
                below_imag = omega * damper * rest
                part = scale / (below_real * below_real + below_imag * below_imag)
                real = part * (above_real * below_real + above_imag * below_imag)
                imag = part * (above_imag * below_real - above_real * below_imag)
                power[at, wave] += weight[member] * (real * real + imag * imag)
                mean[at, wave] += weight[member] * complex(real, imag)
    return power, mean
