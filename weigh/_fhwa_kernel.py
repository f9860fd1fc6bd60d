"""Bytes of W records to columns in one compiled pass; `weigh.fhwa_columns` checks what goes in.

A line is taken only if every figure of it stands where it belongs. Whatever is odd in any way is left to
the reader of single lines, which says why: nothing is worded here.

Fields are read as straight lines of arithmetic, and by unsigned indices: a loop of unknown length, or an
index that may be negative, costs ten times as much. A digit d is one where neither d nor d + 6 has a bit
above the lowest four; a figure with any other byte is `_ODD` or more.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weigh._jit import njit

BLANK, RECORD, HOUR_MISSING, HOUR_WITHOUT_TRUCKS, REJECTED = range(5)

DAY, HOUR, DIRECTION, LANE, CLASS, GROSS_LB = range(6)
"""Columns of the facts of a record."""

FIXED_COLUMNS = 34
_STEP, _WEIGHT, _SPACING = 9, 5, 4
_NEWLINE, _SPACE, _ZERO, _LAST_PRINTABLE = 10, 32, 48, 126
_WRONG = -1
_ODD = 1 << 40
_U = np.uint64

FIRST_YEAR, LAST_YEAR = 1990, 2099
_MONTHS = np.arange(f"{FIRST_YEAR}-01", f"{LAST_YEAR + 1}-02", dtype="datetime64[M]")
_MONTH_BEGINS = _MONTHS.astype("datetime64[D]").astype(np.int32)
"""Days since 1970 on which the months begin; the last is the one after the last year's."""


@njit(cache=True, error_model="numpy")
def _two(data: Any, at: Any) -> Any:
    a, b = np.int64(data[at]) - _ZERO, np.int64(data[at + _U(1)]) - _ZERO
    odd = (a | b | (a + 6) | (b + 6)) >> 4
    return a * 10 + b if odd == 0 else _ODD


@njit(cache=True, error_model="numpy")
def _four(data: Any, at: Any) -> Any:
    a, b = np.int64(data[at]) - _ZERO, np.int64(data[at + _U(1)]) - _ZERO
    c, d = np.int64(data[at + _U(2)]) - _ZERO, np.int64(data[at + _U(3)]) - _ZERO
    odd = (a | b | c | d | (a + 6) | (b + 6) | (c + 6) | (d + 6)) >> 4
    return a * 1000 + b * 100 + c * 10 + d if odd == 0 else _ODD


@njit(cache=True, error_model="numpy")
def _five(data: Any, at: Any) -> Any:
    a, b = np.int64(data[at]) - _ZERO, np.int64(data[at + _U(1)]) - _ZERO
    c, d = np.int64(data[at + _U(2)]) - _ZERO, np.int64(data[at + _U(3)]) - _ZERO
    e = np.int64(data[at + _U(4)]) - _ZERO
    odd = (a | b | c | d | e | (a + 6) | (b + 6) | (c + 6) | (d + 6) | (e + 6)) >> 4
    return a * 10000 + b * 1000 + c * 100 + d * 10 + e if odd == 0 else _ODD


@njit(cache=True, error_model="numpy")
def _padded(data: Any, start: int, width: int, end: int) -> Any:
    """Return a figure with blanks around it, `_ODD` for any other byte or none at all, however slowly."""
    stop = min(start + width, end)
    while start < stop and data[start] == _SPACE:
        start += 1
    while stop > start and data[stop - 1] == _SPACE:
        stop -= 1
    value: Any = 0
    odd: Any = start >= stop
    for at in range(start, stop):
        digit = np.int64(data[at]) - _ZERO
        odd |= (digit < 0) | (digit > 9)
        value = value * 10 + digit
    return _ODD if odd else value


@njit(cache=True, error_model="numpy")
def _printable(data: Any, start: int, stop: int) -> Any:
    """Whether the bytes are all printable ASCII."""
    part = data[start:stop]
    odd = np.uint8(0)
    for at in range(part.shape[0]):
        odd = np.uint8(odd | (part[at] < _SPACE) | (part[at] > _LAST_PRINTABLE))
    return odd == 0


@njit(cache=True, error_model="numpy")
def _newline_from(data: Any, start: int) -> Any:
    """Return where the next newline is, or the end of the data."""
    size = data.shape[0]
    at = _U(start)
    while at + _U(8) <= _U(size):
        seen = np.uint8(0)
        for ahead in range(8):
            seen |= np.uint8(data[at + _U(ahead)] == _NEWLINE)
        if seen != 0:
            break
        at += _U(8)
    end = np.int64(at)
    while end < size and data[end] != _NEWLINE:
        end += 1
    return end


@njit(cache=True, error_model="numpy")
def _trimmed(data: Any, start: int, end: int) -> Any:
    """Return the end of the line without the blanks behind it (space, tab, LF, VT, FF, CR)."""
    while end - start >= 8:
        at, differs = _U(end - 8), np.uint8(0)
        for ahead in range(8):
            differs |= np.uint8(data[at + _U(ahead)] != _SPACE)
        if differs != 0:
            break
        end -= 8
    while end > start and (data[end - 1] == _SPACE or 9 <= data[end - 1] <= 13):
        end -= 1
    return end


@njit(cache=True, error_model="numpy")
def _kind_of_line(data: Any, start: int, stop: int) -> Any:
    """Return what the class (columns 22-23) says the line is: a truck's record or a mark of the hour."""
    letters: Any = 0
    for at in range(start + 21, min(start + 23, stop)):
        if data[at] != _SPACE:
            letters = letters * 256 + (np.int64(data[at]) | 32)
    if letters == ord("m"):
        return HOUR_MISSING
    return HOUR_WITHOUT_TRUCKS if letters == ord("d") else RECORD


@njit(cache=True, error_model="numpy")
def _moment(data: Any, start: int, stop: int, facts: Any, record: int) -> Any:
    """Read day and hour; False where they are impossible."""
    year = month = day = hour = _ODD
    if stop - start >= 21:
        at = _U(start + 11)
        year, month, day, hour = (
            _four(data, at),
            _two(data, at + _U(4)),
            _two(data, at + _U(6)),
            _two(data, at + _U(8)),
        )
    if (year | month | day | hour) >= _ODD:
        year, month = _padded(data, start + 11, 4, stop), _padded(data, start + 15, 2, stop)
        day, hour = _padded(data, start + 17, 2, stop), _padded(data, start + 19, 2, stop)
    if year < FIRST_YEAR or year > LAST_YEAR or month < 1 or month > 12 or hour > 23:
        return False
    at_month = _U((year - FIRST_YEAR) * 12 + month - 1)
    begins = _MONTH_BEGINS[at_month]
    if day < 1 or day > _MONTH_BEGINS[at_month + _U(1)] - begins:
        return False
    facts[record, DAY], facts[record, HOUR] = begins + day - 1, hour
    return True


@njit(cache=True, error_model="numpy")
def _axles(  # noqa: PLR0917 (compiled: by position only)
    data: Any, start: int, count: int, weights: Any, spacings: Any, first: int, gap: int, widest: int
) -> Any:
    """Read weights and the spacings between them; return the weights' sum, -1 where one is wrong."""
    at, to, behind = _U(start + FIXED_COLUMNS), _U(first), _U(gap)
    total, seen, narrow, wide = 0, 0, 1, 0
    for _ in range(count - 1):
        weight, spacing = _five(data, at), _four(data, at + _U(_WEIGHT))
        weights[to], spacings[behind] = weight, spacing
        seen |= weight | spacing
        total += weight
        narrow, wide = min(narrow, spacing), max(wide, spacing)
        at, to, behind = at + _U(_STEP), to + _U(1), behind + _U(1)
    weight = _five(data, at)
    weights[to] = weight
    if (seen | weight) >= _ODD:
        return _padded_axles(data, start, count, weights[first:], spacings[gap:], widest)
    return _WRONG if narrow < 1 or wide > widest else total + weight


@njit(cache=True, error_model="numpy")
def _padded_axles(  # noqa: PLR0917 (compiled: by position only)
    data: Any, start: int, count: int, weights: Any, spacings: Any, widest: int
) -> Any:
    total, wrong = 0, False
    end = start + FIXED_COLUMNS + count * _STEP - _SPACING
    for axle in range(count):
        at = start + FIXED_COLUMNS + _STEP * axle
        weight = _padded(data, at, _WEIGHT, end)
        weights[axle] = weight
        total += weight
        if axle + 1 < count:
            spacing = _padded(data, at + _WEIGHT, _SPACING, end)
            wrong |= (spacing < 1) | (spacing > widest)
            spacings[axle] = spacing
    return _WRONG if wrong or total >= _ODD else total


@njit(cache=True, error_model="numpy")
def _head(data: Any, start: int, stop: int, facts: Any, record: int) -> Any:
    """Read direction, lane, class, gross mass; return the number of axles, `_ODD` where one is wrong."""
    if stop - start < FIXED_COLUMNS:
        return _ODD
    at = _U(start)
    direction, lane = np.int64(data[start + 9]) - _ZERO, np.int64(data[start + 10]) - _ZERO
    vehicle, count = _two(data, at + _U(21)), _two(data, at + _U(32))
    gross = _two(data, at + _U(26)) * 10000 + _four(data, at + _U(28))
    if (vehicle | count | gross) >= _ODD:
        vehicle, count = _padded(data, start + 21, 2, stop), _padded(data, start + 32, 2, stop)
        gross = _padded(data, start + 26, 6, stop)
    if direction < 0 or direction > 9 or lane < 1 or lane > 9 or vehicle < 1 or vehicle > 15 or gross >= _ODD:
        return _ODD
    facts[record, DIRECTION], facts[record, LANE] = direction, lane
    facts[record, CLASS], facts[record, GROSS_LB] = vehicle, gross
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def parse(  # noqa: PLR0917 (compiled: by position only)
    data: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    facts: NDArray[np.int32],
    lines: NDArray[np.int64],
    weights: NDArray[np.int32],
    spacings: NDArray[np.int32],
    offsets: NDArray[np.int32],
    rejected: NDArray[np.int64],
    bounds: tuple[int, int, int],
) -> NDArray[np.int64]:
    """Fill the columns from whole lines; return how many lines there are of each kind.

    Parameters
    ----------
    codes : (R, 8), state and station as written
    facts : (R, 6), see `DAY` and so on
    lines : (R,), number of the line, from 0
    weights, spacings, offsets : ragged; the axles of record r lie at offsets[r]:offsets[r + 1], its
        spacings at offsets[r] - r:offsets[r + 1] - r - 1
    rejected : (L, 3), number of the line, where it begins and where it ends
    bounds : most axles, widest spacing (0.1 ft), tolerance of the sum for each figure (lb)
    """
    most_axles, widest, tolerance = bounds
    counts = np.zeros(5, dtype=np.int64)
    record, line, start, guess = 0, 0, 0, 0
    end: Any = 0
    offsets[0] = 0
    while start < data.shape[0]:
        end = start + guess
        clean = end < data.shape[0] and data[end] == _NEWLINE and _printable(data, start, end)
        if not clean:
            end = _newline_from(data, start)
            guess = end - start
        stop = _trimmed(data, start, end)
        kind = BLANK if stop == start else REJECTED
        if (
            kind == REJECTED
            and data[start] == ord("W")
            and (clean or _printable(data, start, stop))
            and _moment(data, start, stop, facts, record)
        ):
            kind = _kind_of_line(data, start, stop)
        if kind == RECORD:
            kind = REJECTED
            first = offsets[record]
            count = _head(data, start, stop, facts, record)
            if 2 <= count <= most_axles and stop - start == FIXED_COLUMNS + count * _STEP - _SPACING:
                total = _axles(data, start, count, weights, spacings, first, first - record, widest)
                if total >= 0 and abs(total - facts[record, GROSS_LB]) <= tolerance * (count + 1):
                    kind = RECORD
                    for place in range(8):
                        codes[record, place] = data[_U(start + 1 + place)]
                    lines[record] = line
                    record += 1
                    offsets[record] = first + count
        if kind == REJECTED:
            at = counts[REJECTED]
            rejected[at, 0], rejected[at, 1], rejected[at, 2] = line, start, end
        counts[kind] += 1
        line += 1
        start = end + 1
    return counts
