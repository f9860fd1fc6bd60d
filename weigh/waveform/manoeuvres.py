"""Drives that spoil a weighing, told from the strips' times and the loops.

- Stop and go: an axle slower between two strips, or longer on one, than any vehicle that rolls.
- Reversing: that, and a strip hit more often than others; an axle crossed it again.
- Speed change: no one acceleration explains the times, or a strong one does.
- Straddling: an own loop detuned too little. Side by side: own loops whole, a neighbour's occupied meanwhile.
- Close following: an axle where, by the loops, the vehicle was not; or a strip hit more often than others.
- Tail lost: the loops, or the last axle by its speed, say that the recording ended too early.
- Wrong way: the strips hit in the opposite order.
"""

import numpy as np
from numpy.typing import NDArray

from domain.events import DrivingFlag
from weigh.waveform.axles import BACKWARD, DISAGREE, OK, TOO_FEW_AXLES, UNCLEAR_MOTION, UNCLEAR_ORDER, Matched
from weigh.waveform.criteria import Criteria
from weigh.waveform.layout import Layout, Loops
from weigh.waveform.pulses import CUT_AT_END, CUT_AT_START
from weigh.waveform.strip_loads import MANOEUVRES

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def manoeuvres(matched: Matched, layout: Layout, loops: Loops, rules: Criteria, seconds: float) -> Bools:
    """Return which of `MANOEUVRES` each vehicle was seen at, (B, len(MANOEUVRES)).

    Parameters
    ----------
    seconds
        Length of the recordings.
    """
    with np.errstate(invalid="ignore"):  # NaN compares false: what is not known is no reason
        slow = _stood(matched, layout, rules)
        again = (matched.most > matched.axle_count) | (matched.outcome == DISAGREE)
        confused = np.isin(matched.outcome, (UNCLEAR_ORDER, UNCLEAR_MOTION))
        uneven = np.abs(matched.acceleration_m_s2) > rules.acceleration_m_s2
        uneven |= matched.residual_m > rules.residual_m
        told = _loops_free(layout, loops)
        needed_m = np.where(told, layout.position_m[-1], layout.position_m[0] + rules.silence_m)
        left = _has_left(matched, needed_m, seconds) & ~_left_occupied(layout, loops)
        cut = (matched.bits & (CUT_AT_START | CUT_AT_END)) > 0
        weak = (loops.lead_detuning < rules.centred) | (loops.trail_detuning < rules.centred)
        seen = {
            DrivingFlag.STRADDLING: weak,
            DrivingFlag.REVERSING: again & slow,
            DrivingFlag.STOP_AND_GO: slow & ~again,
            DrivingFlag.SPEED_CHANGE: (uneven | confused) & ~slow,
            DrivingFlag.CLOSE_FOLLOWING: _foreign_axles(matched, layout, loops, rules)
            | (again & ~slow & left),
            DrivingFlag.SIDE_BY_SIDE: _neighbour(loops) & ~weak,
            DrivingFlag.WRONG_WAY: matched.order == BACKWARD,
            DrivingFlag.TAIL_LOST: ~left | (cut & ~told),
        }
    return np.stack([seen[flag] for flag in MANOEUVRES], axis=1)


def _stood(matched: Matched, layout: Layout, rules: Criteria) -> Bools:
    """Return which vehicles stood, or nearly so, on the strips or between them, (B,)."""
    widest_m = np.sqrt((rules.longest_contact_m**2 + layout.width_m**2) / 12.0)
    wide = matched.widest_s > widest_m / rules.slowest_m_s
    return np.asarray(wide | (matched.slowest_m_s < rules.slowest_m_s))


def _loops_free(layout: Layout, loops: Loops) -> Bools:
    """Return where a loop of the lane saw the vehicle leave, (B,)."""
    free = np.zeros(loops.vehicles, dtype=np.bool_)
    for place, off in ((layout.lead_loop_m, loops.lead_off), (layout.trail_loop_m, loops.trail_off)):
        if place is not None:
            free |= ~np.isnan(off)
    return free


def _left_occupied(layout: Layout, loops: Loops) -> Bools:
    """Return where a loop of the lane saw the vehicle come and not go, (B,)."""
    occupied = np.zeros(loops.vehicles, dtype=np.bool_)
    for place, on, off in (
        (layout.lead_loop_m, loops.lead_on, loops.lead_off),
        (layout.trail_loop_m, loops.trail_on, loops.trail_off),
    ):
        if place is not None:
            occupied |= ~np.isnan(on) & np.isnan(off)
    return occupied


def _has_left(matched: Matched, needed_m: Floats, seconds: float) -> Bools:
    """Return where the last axle was so far when the recording ended, or may have been, (B,)."""
    at_end = last_axle(matched, matched.place_at_m(np.full_like(needed_m, seconds)))
    known = np.isin(matched.outcome, (OK, TOO_FEW_AXLES)) & (matched.order != BACKWARD)
    return np.asarray(~known | (at_end >= needed_m))


def last_axle(matched: Matched, place_m: Floats) -> Floats:
    """Return the place of the last axle, (B,), of places (B, MAX_AXLES)."""
    at = np.clip(matched.axle_count - 1, 0, place_m.shape[1] - 1)
    return np.asarray(np.take_along_axis(place_m, at[:, None], axis=1)[:, 0])


def _foreign_axles(matched: Matched, layout: Layout, loops: Loops, rules: Criteria) -> Bools:
    """Return where an axle was before the vehicle's front or behind its rear, by its own loops, (B,)."""
    foreign = np.zeros(loops.vehicles, dtype=np.bool_)
    half = layout.loop_length_m / 2
    forward = matched.order != BACKWARD
    for centre, on, off in (
        (layout.lead_loop_m, loops.lead_on, loops.lead_off),
        (layout.trail_loop_m, loops.trail_on, loops.trail_off),
    ):
        if centre is None:
            continue
        front = matched.place_at_m(on)[:, 0]
        rear = last_axle(matched, matched.place_at_m(off))
        foreign |= forward & (front > centre - half + rules.loop_margin_m)
        foreign |= forward & (rear < centre + half - rules.loop_margin_m)
    return foreign


def _neighbour(loops: Loops) -> Bools:
    """Return where a neighbouring lane's loop was occupied while the lane's own lead loop was, (B,)."""
    beside = np.zeros(loops.vehicles, dtype=np.bool_)
    own_on = np.where(np.isnan(loops.lead_on), -np.inf, loops.lead_on)
    own_off = np.where(np.isnan(loops.lead_off), np.inf, loops.lead_off)
    for on, off in ((loops.left_on, loops.left_off), (loops.right_on, loops.right_off)):
        until = np.where(np.isnan(off), np.inf, off)
        beside |= ~np.isnan(on) & (on < own_off) & (until > own_on)
    return beside
