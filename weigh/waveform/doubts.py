"""What is left open where nothing speaks against a passage: silence of what is not there excludes nothing.

- No loop: no loop of the lane says where the vehicle began and ended. Axles alone cannot tell one long
  vehicle from two that follow each other, whose masses would be added up.
- Straddling open: no loops say that all of the vehicle was in its lane on every strip: neither the depth of
  the lane's own on both sides of them, since a vehicle may swing out or in between, nor the quiet of both
  neighbours'.
- Strips clipped: more than one strip was beyond its converter's range. Those left are no fair sample.

What a loop says against a passage is a manoeuvre (`manoeuvres`), not a doubt.
"""

import numpy as np
from numpy.typing import NDArray

from weigh.waveform.axles import BACKWARD, Matched
from weigh.waveform.criteria import Criteria
from weigh.waveform.layout import Layout, Loops
from weigh.waveform.manoeuvres import last_axle
from weigh.waveform.strip_loads import DOUBTS

Bools = NDArray[np.bool_]


def doubts(matched: Matched, layout: Layout, loops: Loops, rules: Criteria) -> Bools:
    """Return which of `DOUBTS` there are of each vehicle, (B, len(DOUBTS))."""
    is_open = {
        "no-loop": ~_is_one_vehicle(matched, layout, loops, rules),
        "straddling-open": ~_is_in_its_lane(matched, layout, loops),
        "strips-clipped": matched.clipped > rules.most_clipped,
    }
    return np.stack([is_open[code] for code in DOUBTS], axis=1)


def _is_one_vehicle(matched: Matched, layout: Layout, loops: Loops, rules: Criteria) -> Bools:
    """Return where a loop was occupied from little before the first axle to little behind the last, (B,)."""
    one = np.zeros(loops.vehicles, dtype=np.bool_)
    half = layout.loop_length_m / 2
    for centre, on, off in (
        (layout.lead_loop_m, loops.lead_on, loops.lead_off),
        (layout.trail_loop_m, loops.trail_on, loops.trail_off),
    ):
        if centre is None:
            continue
        with np.errstate(invalid="ignore"):  # NaN compares false: a loop that says nothing is none
            front_m = centre - half - matched.place_at_m(on)[:, 0]
            rear_m = last_axle(matched, matched.place_at_m(off)) - centre - half
            one |= _is_overhang(front_m, rules) & _is_overhang(rear_m, rules)
    return np.asarray(one & (matched.order != BACKWARD))


def _is_overhang(beyond_m: NDArray[np.float64], rules: Criteria) -> Bools:
    """Return where an axle is as far from an end of its vehicle as an axle can be, (B,)."""
    return np.asarray((beyond_m >= -rules.loop_margin_m) & (beyond_m <= rules.longest_overhang_m))


def _is_in_its_lane(matched: Matched, layout: Layout, loops: Loops) -> Bools:
    """Return where loops say that all of the vehicle was in its lane as long as it was on strips, (B,)."""
    whole = np.zeros(loops.vehicles, dtype=np.bool_)
    if layout.lead_loop_m is not None and layout.trail_loop_m is not None:
        whole |= ~np.isnan(loops.lead_detuning) & ~np.isnan(loops.trail_detuning)
    if not (layout.left_loop and layout.right_loop):
        return whole
    quiet = np.ones(loops.vehicles, dtype=np.bool_)
    for on, off in ((loops.left_on, loops.left_off), (loops.right_on, loops.right_off)):
        with np.errstate(invalid="ignore"):  # NaN compares false: occupied to the end
            before = matched.place_at_m(off)[:, 0] < layout.position_m[0]
            after = last_axle(matched, matched.place_at_m(on)) > layout.position_m[-1]
        quiet &= np.isnan(on) | before | after
    return whole | quiet
