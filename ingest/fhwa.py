"""FHWA truck weight records ("W records", Traffic Monitoring Guide 2013 and 2016), read and converted.

Fixed columns, counted from 1 (domain.md E4):

    1 'W' | 2-3 state | 4-9 station | 10 direction | 11 lane | 12-15 year | 16-17 month | 18-19 day |
    20-21 hour | 22-23 class | 24-26 open | 27-32 gross, lb | 33-34 axles |
    35.. axle weight (5 columns, lb) and spacing to the next axle (4 columns, 0.1 ft), alternating

Records of the 2001 guide are metric and narrower, with a two-digit year. They are recognised and turned
away, never read as pounds: their column table is not confirmed.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from domain.errors import InputRefused
from domain.events import MAX_AXLES, Axle, VehicleKind, WeighRecord
from domain.refusals import RefusalCode
from ingest.wording import shown

KG_PER_LB = Decimal("0.45359237")
MM_PER_TENTH_FOOT = Decimal("30.48")

SUM_TOLERANCE_LB_PER_FIGURE = 50
"""Agencies round to hundreds of pounds: each axle and the total may be off by half of that."""

MAX_SPACING_TENTH_FT = 1_968
"""The widest spacing a weigh record may have (60 m); 9999 stands in files for one that was not measured."""

_FIRST_YEAR, _LAST_YEAR = 1990, 2099
_BLANKS = " \t\r\n\v\f"
_FIXED_COLUMNS = 34
_WEIGHT, _SPACING = 5, 4
_HOUR_MISSING, _HOUR_WITHOUT_TRUCKS = "m", "d"
DIRECTIONS = dict(zip("1234567890", ("N", "NE", "E", "SE", "S", "SW", "W", "NW", "N-S", "E-W"), strict=True))
"""9 and 0 are both directions of one road combined."""
_TRUCK_CLASSES = frozenset({5, 6, 7})
_TRAIN_CLASSES = frozenset(range(8, 14))


@dataclass(frozen=True)
class WRecord:
    """One truck as recorded: local time to the hour, pounds, tenths of a foot."""

    line_number: int
    state: str
    station: str
    direction: str
    lane: int
    year: int
    month: int
    day: int
    hour: int
    vehicle_class: int
    gross_lb: int
    axle_weights_lb: tuple[int, ...]
    spacings_tenth_ft: tuple[int, ...]


@dataclass(frozen=True)
class HourMark:
    """A line that reports on an hour, not on a truck."""

    line_number: int
    missing: bool
    """True: the hour's data are missing (class 'm'). False: no truck passed (class 'd')."""


@dataclass(frozen=True)
class RejectedLine:
    """A line that is not a usable W record, and why."""

    line_number: int
    line: str
    code: RefusalCode
    detail: str


def read_w_records(lines: Iterable[str]) -> Iterator[WRecord | HourMark | RejectedLine]:
    """Read W records line by line; blank lines are passed over, nothing else is."""
    for number, line in enumerate(lines, start=1):
        found = read_w_line(line, number)
        if found is not None:
            yield found


def read_w_line(line: str | bytes, line_number: int) -> WRecord | HourMark | RejectedLine | None:
    """Return what one line says, None where it is blank.

    Bytes are read as UTF-8; one that is none stays one character, or all columns behind it would move.
    """
    text = line.decode("utf-8", "surrogateescape") if isinstance(line, bytes) else line
    text = text.rstrip(_BLANKS)
    if not text:
        return None
    try:
        return _record(text, line_number)
    except InputRefused as refusal:
        spelt = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return RejectedLine(line_number, spelt, refusal.code, f"line {line_number}: {refusal.detail}")


def vehicle_kind(vehicle_class: int) -> VehicleKind:
    """Return what the FHWA class says of truck or train; buses and lighter vehicles are unknown."""
    if vehicle_class in _TRAIN_CLASSES:
        return VehicleKind.TRAIN
    return VehicleKind.TRUCK if vehicle_class in _TRUCK_CLASSES else VehicleKind.UNKNOWN


def weigh_record(record: WRecord) -> WeighRecord:
    """Return a W record in the platform's words.

    Pounds become kilograms at 0.45359237, tenths of a foot millimetres at 30.48, each figure rounded
    half to even on its own; the gross mass is the recorded total, not the sum of rounded axles. The
    record carries neither speed nor tyres: speed is 0, which lies in no certificate's range, so an
    imported passage can never be more than statistics.
    """
    hour = f"{record.year:04d}{record.month:02d}{record.day:02d}{record.hour:02d}"
    return WeighRecord(
        match_key=f"fhwa-{record.state}-{record.station}-{hour}-{record.line_number}",
        lane=record.lane,
        direction=record.direction,
        speed_m_h=0,
        gross_kg=_rounded(record.gross_lb * KG_PER_LB),
        axles=tuple(Axle(load_kg=_rounded(weight * KG_PER_LB)) for weight in record.axle_weights_lb),
        spacings_mm=tuple(_rounded(spacing * MM_PER_TENTH_FOOT) for spacing in record.spacings_tenth_ft),
        kind=vehicle_kind(record.vehicle_class),
    )


def _record(line: str, line_number: int) -> WRecord | HourMark:
    if line[0] != "W":
        raise _wrong(
            RefusalCode.UNSUPPORTED_SCHEMA, f"column 1 is {shown(line[0])}; a W record begins with 'W'"
        )
    if not (line.isascii() and line.isprintable()):
        raise _wrong(RefusalCode.FIELD_INVALID, "the record is not printable ASCII")
    _refuse_metric(line)
    year = _number(line, 12, 15, "year", low=_FIRST_YEAR, high=_LAST_YEAR)
    month = _number(line, 16, 17, "month", low=1, high=12)
    day = _number(line, 18, 19, "day", low=1, high=monthrange(year, month)[1])
    hour = _number(line, 20, 21, "hour", low=0, high=23)
    vehicle_class = line[21:23].strip().lower()
    if vehicle_class in {_HOUR_MISSING, _HOUR_WITHOUT_TRUCKS}:
        return HourMark(line_number, missing=vehicle_class == _HOUR_MISSING)
    if len(line) < _FIXED_COLUMNS:
        raise _wrong(RefusalCode.FIELD_MISSING, f"the record ends at column {len(line)}, before its axles")
    weights, spacings = _axles(line)
    record = WRecord(
        line_number=line_number,
        state=line[1:3],
        station=line[3:9].strip(),
        direction=_direction(line),
        lane=_number(line, 11, 11, "lane", low=1, high=9),
        year=year,
        month=month,
        day=day,
        hour=hour,
        vehicle_class=_number(line, 22, 23, "class", low=1, high=15),
        gross_lb=_number(line, 27, 32, "gross weight"),
        axle_weights_lb=weights,
        spacings_tenth_ft=spacings,
    )
    _check_sum(record)
    return record


def _axles(line: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    count = _number(line, 33, 34, "number of axles", low=2, high=MAX_AXLES)
    step = _WEIGHT + _SPACING
    wanted = _FIXED_COLUMNS + count * step - _SPACING
    if len(line) != wanted:
        raise _wrong(
            RefusalCode.FIELD_INVALID,
            f"{count} axles take {wanted} columns, the record has {len(line)}",
        )
    starts = [_FIXED_COLUMNS + 1 + step * axle for axle in range(count)]
    weights = [_number(line, at, at + _WEIGHT - 1, f"weight of axle {i}") for i, at in enumerate(starts, 1)]
    spacings = [
        _number(
            line,
            at + _WEIGHT,
            at + step - 1,
            f"spacing behind axle {i}",
            low=1,
            high=MAX_SPACING_TENTH_FT,
        )
        for i, at in enumerate(starts[:-1], 1)
    ]
    return tuple(weights), tuple(spacings)


def _check_sum(record: WRecord) -> None:
    total = sum(record.axle_weights_lb)
    tolerance = SUM_TOLERANCE_LB_PER_FIGURE * (len(record.axle_weights_lb) + 1)
    if abs(total - record.gross_lb) > tolerance:
        raise _wrong(
            RefusalCode.AXLE_SUM_MISMATCH,
            f"the {len(record.axle_weights_lb)} axle weights add up to {total} lb, the record's total is "
            f"{record.gross_lb} lb; rounding explains at most {tolerance} lb",
        )


def _refuse_metric(line: str) -> None:
    """Turn away records of the 2001 guide: columns 12-19 are YYMMDDHH there, YYYYMMDD here."""
    digits = line[11:19]
    if len(digits) < 8 or not digits.isdigit() or int(digits[:4]) >= _FIRST_YEAR:
        return
    month, day, hour = int(digits[2:4]), int(digits[4:6]), int(digits[6:8])
    if 1 <= month <= 12 and 1 <= day <= 31 and hour <= 23:
        raise _wrong(
            RefusalCode.UNSUPPORTED_SCHEMA,
            "a two-digit year: this is a metric record of the 2001 guide; it is not read as pounds and feet. "
            "Have it converted to the 2013 format by the agency that keeps it",
        )


def _direction(line: str) -> str:
    try:
        return DIRECTIONS[line[9]]
    except KeyError:
        raise _wrong(RefusalCode.FIELD_INVALID, f"direction (column 10) is {shown(line[9])}") from None


def _number(line: str, first: int, last: int, what: str, *, low: int = 0, high: int | None = None) -> int:
    text = line[first - 1 : last].strip()
    place = f"{what} (columns {first}-{last})"
    if not text.isdigit():
        raise _wrong(RefusalCode.FIELD_INVALID, f"{place} is {shown(text)}; digits belong there")
    value = int(text)
    if value < low or (high is not None and value > high):
        allowed = f"{low} to {high}" if high is not None else f"at least {low}"
        raise _wrong(RefusalCode.OUT_OF_RANGE, f"{place} is {value}; allowed: {allowed}")
    return value


def _rounded(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))


def _wrong(code: RefusalCode, detail: str) -> InputRefused:
    return InputRefused(code, detail)
