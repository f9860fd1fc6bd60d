"""Lists of unequal length, as column files hold them, to and from the padded columns that are screened.

A ragged column is `values` and `offset` (B + 1,): row i has values[offset[i]:offset[i + 1]].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import InputRefused
from domain.events import MAX_AXLES
from domain.refusals import RefusalCode
from domain.registry import StationContext
from weigh._jit import njit
from weigh.screening.record_columns import DTYPES, ContextTable, RecordColumns

Ragged = tuple[NDArray[Any], NDArray[Any]]
"""Values and offsets."""

_MAX_SPACING_MM, _MAX_LANE, _MAX_LOAD_KG = 60_000, 16, 100_000
"""As `domain.events.WeighRecord` has them; a test holds them to it."""


@dataclass(frozen=True)
class RaggedRecords:
    """Weigh records as a column file holds them. Masses kg, lengths mm, speeds m/h, ratios ppm.

    Attributes
    ----------
    load_kg, tyres, spacing_mm : ragged; tyres as index into `weigh.screening.columns.TYRES`
    drive_axles : ragged, numbers from 1; none where the station cannot tell
    flags : ragged, index into `weigh.screening.columns.FLAGS`
    kind : (B,), index into `weigh.screening.columns.KINDS`
    air : (B,), 1 air suspension, 0 none, -1 unknown
    gross_kg, speed_m_h, lane : (B,)
    length_mm, u_gross_ppm, u_axle_ppm : (B,), 0 where not reported
    direction : (B,), index into `directions`
    context : (B,), row of the contexts
    """

    load_kg: Ragged
    tyres: Ragged
    spacing_mm: Ragged
    drive_axles: Ragged
    flags: Ragged
    kind: NDArray[Any]
    air: NDArray[Any]
    gross_kg: NDArray[Any]
    speed_m_h: NDArray[Any]
    lane: NDArray[Any]
    length_mm: NDArray[Any]
    u_gross_ppm: NDArray[Any]
    u_axle_ppm: NDArray[Any]
    direction: NDArray[Any]
    directions: tuple[str, ...]
    context: NDArray[Any]


def record_columns_of(ragged: RaggedRecords, contexts: Sequence[StationContext]) -> RecordColumns:
    """Return ragged records, and the contexts their rows name, as the columns that are screened.

    Raises
    ------
    InputRefused
        A record has fewer than 2 or more than 16 axles, not one tyre entry an axle, not one spacing
        fewer than axles, or a figure no record may have. The first such row is named, counted from 0.
    """
    counts = np.diff(ragged.load_kg[1])
    _check((counts >= 2) & (counts <= MAX_AXLES), f"has fewer than 2 or more than {MAX_AXLES} axles")
    _check(np.diff(ragged.tyres[1]) == counts, "has not one entry of tyres for each axle")
    _check(np.diff(ragged.spacing_mm[1]) == counts - 1, "has not one spacing fewer than axles")
    _check((ragged.lane >= 1) & (ragged.lane <= _MAX_LANE), f"has a lane outside 1 to {_MAX_LANE}")
    _check_values(ragged.load_kg, 0, _MAX_LOAD_KG, "load")
    _check_values(ragged.spacing_mm, 1, _MAX_SPACING_MM, "spacing")
    width = max(2, int(counts.max(initial=2)))
    values = {
        "axle_count": counts,
        "driven": _bits(ragged.drive_axles, first=1) & ~1 & (np.left_shift(1, counts.astype(np.int64)) - 1),
        "flags": _bits(ragged.flags, first=0),
        "kind": ragged.kind,
        "air": ragged.air,
        "gross_kg": ragged.gross_kg,
        "speed_m_h": ragged.speed_m_h,
        "length_mm": ragged.length_mm,
        "u_gross_ppm": ragged.u_gross_ppm,
        "u_axle_ppm": ragged.u_axle_ppm,
        "lane": ragged.lane,
        "direction": ragged.direction,
        "context": ragged.context,
    }
    arrays = {name: np.ascontiguousarray(one, dtype=DTYPES[name]) for name, one in values.items()}
    arrays["load_kg"] = _axle_major(ragged.load_kg, width, 0, DTYPES["load_kg"])
    arrays["tyres"] = _axle_major(ragged.tyres, width, -1, DTYPES["tyres"])
    arrays["spacing_mm"] = _axle_major(ragged.spacing_mm, width - 1, 0, DTYPES["spacing_mm"])
    return RecordColumns(**arrays, contexts=ContextTable.of(contexts, ragged.directions))


def bits_to_lists(bits: NDArray[Any], *, first: int = 0) -> Ragged:
    """Return the numbers of the bits that are set, the lowest numbered `first`, as a ragged column."""
    wide = np.ascontiguousarray(bits, dtype=np.uint64)
    offset = np.zeros(len(wide) + 1, dtype=np.int32)
    np.cumsum(np.bitwise_count(wide), out=offset[1:])
    values = np.empty(int(offset[-1]), dtype=np.int32)
    _spell(wide, offset, values, first)
    return values, offset


def _check(holds: NDArray[np.bool_], complaint: str) -> None:
    if not holds.all():
        raise InputRefused(RefusalCode.OUT_OF_RANGE, f"row {int(np.argmin(holds))} {complaint}")


def _check_values(column: Ragged, low: int, high: int, what: str) -> None:
    values, offset = column
    wrong = (values < low) | (values > high)
    if wrong.any():
        at = int(np.argmax(wrong))
        row = int(np.searchsorted(offset, at, side="right")) - 1
        raise InputRefused(
            RefusalCode.OUT_OF_RANGE,
            f"row {row} has a {what} of {int(values[at])}; allowed: {low} to {high}",
        )


def _bits(column: Ragged, *, first: int) -> NDArray[np.int64]:
    values, offset = column
    bits = np.zeros(len(offset) - 1, dtype=np.int64)
    _gather(np.ascontiguousarray(values, dtype=np.int64), np.ascontiguousarray(offset), bits, first)
    return bits


def _axle_major(column: Ragged, width: int, filler: int, dtype: Any) -> NDArray[Any]:
    values, offset = column
    padded = np.full((width, len(offset) - 1), filler, dtype=dtype)
    _scatter(np.ascontiguousarray(values, dtype=dtype), np.ascontiguousarray(offset), padded)
    return padded


@njit(cache=True, nogil=True)
def _scatter(values: Any, offset: Any, padded: Any) -> None:
    for row in range(offset.shape[0] - 1):
        start = offset[row]
        for axle in range(offset[row + 1] - start):
            padded[axle, row] = values[start + axle]


@njit(cache=True, nogil=True)
def _gather(values: Any, offset: Any, bits: Any, first: int) -> None:
    for row in range(offset.shape[0] - 1):
        for at in range(offset[row], offset[row + 1]):
            number = values[at] - first
            if 0 <= number < 62:
                bits[row] |= 1 << number


@njit(cache=True, nogil=True)
def _spell(bits: Any, offset: Any, values: Any, first: int) -> None:
    for row in range(bits.shape[0]):
        at, number, left = offset[row], first, bits[row]
        while left:
            if left & np.uint64(1):
                values[at] = number
                at += 1
            left >>= np.uint64(1)
            number += 1
