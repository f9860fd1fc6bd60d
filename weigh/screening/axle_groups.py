"""Which axles are judged together, and how a vehicle divides into front, drive and trailer.

Rule (domain.md E3): neighbours join at 2.0 m and less, three of them where both spacings are 1.5 m and
less, never more than three, counted from the front. The first two axles with single tyres are twin
steering axles (双转向轴) and never a group.

A measured spacing is speed times time, and an error of speed shifts all of them alike: a grouping is
therefore read three times, as measured and with all spacings 0.15 m shorter and longer (the error
that ASTM E1318 allows). Which reading decides is `weigh.screening.limits`' matter.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from domain.events import Tyres
from weigh.screening.columns import TYRES, Bools, Configurations, Ints

JOIN_MM = 2_000
TRIDEM_MM = 1_500
SPACING_ERROR_MM = 150
TWIN_STEERING_MM = 2_100
"""The widest twin steering pair named (8x4: 1.8 to 2.1 m)."""

SHIFTS_MM = (0, -SPACING_ERROR_MM, SPACING_ERROR_MM)
"""The three readings of the spacings, as measured first."""

UNKNOWN, SINGLE, SINGLE_UNDER_425_MM, WIDE, DUAL = range(len(TYRES))
_ONE_TYRE = (SINGLE, SINGLE_UNDER_425_MM, WIDE)


@dataclass(frozen=True)
class Grouping:
    """One way to group the axles.

    Attributes
    ----------
    size : (B, N), number of axles of the group that begins here, 0 elsewhere
    member : (B, N), number of axles of the group this axle belongs to
    pair : (B, N), twin steering axles
    crowded : (B,), more than a group's three axles stand close: the tables have no row for that
    """

    size: Ints
    member: Ints
    pair: Bools
    crowded: Bools


@dataclass(frozen=True)
class Fronts:
    """What the first two axles may be.

    Attributes
    ----------
    pair_open, free_open : (B,), whether they may be twin steering axles, or ordinary axles
    close : (B,), the second is too near the first to be a tractor's drive axle, whatever its tyres
    pair_first : (B,), twin steering is the natural reading, taken when both give the same limit
    """

    pair_open: Bools
    free_open: Bools
    close: Bools
    pair_first: Bools


def fronts(columns: Configurations) -> Fronts:
    """Return what the first two axles may be; unknown tyres leave both readings open."""
    first, second = columns.tyres[:, 0], columns.tyres[:, 1]
    both_single = np.isin(first, _ONE_TYRE) & np.isin(second, _ONE_TYRE)
    close = columns.spacing_mm[:, 0] <= TWIN_STEERING_MM + SPACING_ERROR_MM
    # A driven axle does not steer; but so near the first, it is rather the report of the drive that errs.
    pair_open = (first != DUAL) & (second != DUAL) & (close | ~columns.driven[:, 1])
    return Fronts(
        pair_open=pair_open,
        free_open=~(both_single & close),
        close=close,
        pair_first=pair_open & close,
    )


def sections(columns: Configurations, front: Fronts) -> Ints:
    """Return the number of the section each axle stands in, from 0, (B, N).

    A section is a run of axles no gap of which is surely wider than a group's: between the drive axles
    and a trailer's, or a front axle and the drive axles, there is always more.
    """
    gap = columns.spacing_mm > JOIN_MM + SPACING_ERROR_MM
    gap[:, 0] = ~front.close
    section = np.zeros_like(columns.tyres)
    np.cumsum(gap[:, :-1], axis=1, out=section[:, 1:])
    return section


def group_axles(columns: Configurations, *, paired: bool, shift_mm: int) -> Grouping:
    """Return the grouping with the first two axles taken as twin steering (`paired`) or not."""
    spacing = columns.spacing_mm + shift_mm
    joins, tridem = spacing <= JOIN_MM, spacing <= TRIDEM_MM
    if paired:
        joins[:, :2] = tridem[:, :2] = False
    count, width = joins.shape
    size = np.zeros((count, width), dtype=np.int64)
    member = np.zeros_like(size)
    crowded = np.zeros(count, dtype=np.bool_)
    left = np.zeros(count, dtype=np.int64)
    current = np.zeros(count, dtype=np.int64)
    for axle in range(width):
        begins = (left == 0) & (columns.tyres[:, axle] >= 0)
        if axle > 0:
            crowded |= begins & joins[:, axle - 1]
        three = tridem[:, axle] & (tridem[:, axle + 1] if axle + 1 < width else False)
        fits = np.where(three, 3, np.where(joins[:, axle], 2, 1))
        size[:, axle] = np.where(begins, fits, 0)
        current = np.where(begins, fits, current)
        left = np.where(begins, fits, left)
        member[:, axle] = np.where(left > 0, current, 0)
        left = np.maximum(left - 1, 0)
    pair = np.zeros((count, width), dtype=np.bool_)
    pair[:, :2] = paired
    return Grouping(size, member, pair, crowded)


@cache
def group_code(tyres: tuple[Tyres, ...], *, steering: bool) -> str:
    """Return the axle-group code of the 7-code scheme (domain.md E1).

    Unknown tyres count as dual, as Order 62 Art. 3 para. 2 item 2 presumes, but those of a steering
    axle, the first of the group if `steering`, as single.
    """
    first = Tyres.SINGLE if steering and tyres[0] is Tyres.UNKNOWN else tyres[0]
    single = [one not in {Tyres.DUAL, Tyres.UNKNOWN} for one in (first, *tyres[1:])]
    if len(tyres) == 1:
        return "1" if single[0] else "2"
    if len(tyres) == 2:
        return "3" if all(single) else "4" if any(single) else "5"
    return "6" if all(single) else "8" if any(single) else "7"
