"""Files of weighed passes: CSV, one row an axle, from the front axle on (docs/how-to/calibrate-a-station.md).

Columns, in any order: `pass`, `axle` (1, 2, ...), `axle_type` (steer, drive, trailer), `group` (1, 2, ...
from the front), `reference_kg`, `speed_kmh`; and, where there are such figures, `measured_kg`,
`temperature_c`, `date` (of the pass, UTC, YYYY-MM-DD) and `strip_1` to `strip_S`. An empty cell is a figure
that is not there. Anything else is refused by line and column. A file named `.parquet` has the columns of
`zhichao/weighed-axles/1` instead, and no dates.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from domain.errors import ConfigurationError, InputRefused
from domain.ids import Sha256, sha256_of
from domain.refusals import RefusalCode
from service.weighed_columns import weighed_axles_in
from weigh.calibration.passes import WeighedAxle, WeighedPasses, weighed_passes
from weigh.calibration.state import AXLE_TYPES

PARQUET = ".parquet"
NEEDED = ("pass", "axle", "axle_type", "group", "reference_kg", "speed_kmh")
OPTIONAL = ("measured_kg", "temperature_c", "date")
_STRIP = "strip_"
_ZERO_CELSIUS_K = 273.15
_KMH_PER_M_S = 3.6
_LARGEST_BYTES = 100_000_000


def read_weighed_file(path: Path) -> tuple[WeighedPasses, Sha256]:
    """Return the passes in a file, and the SHA-256 of its bytes.

    Raises
    ------
    ConfigurationError
        There is no such file, or it is far too large for weighed passes.
    InputRefused
        A line or column cannot be as it is.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ConfigurationError(f"{path} has more than {_LARGEST_BYTES} bytes; is it of weighed passes?")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; name a file of weighed passes") from None
    if path.suffix == PARQUET:
        return weighed_passes(weighed_axles_in(path)), sha256_of(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputRefused(RefusalCode.FIELD_INVALID, f"{path} is not UTF-8; save it as UTF-8 CSV") from None
    return weighed_passes(_axles(text)), sha256_of(data)


def _axles(text: str) -> list[WeighedAxle]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputRefused(RefusalCode.FIELD_INVALID, f"not CSV: {error}") from None
    if not rows:
        raise InputRefused(RefusalCode.FIELD_MISSING, "the file is empty; its first line names the columns")
    header = [name.strip() for name in rows[0]]
    strips = _strips(header)
    axles: list[WeighedAxle] = []
    counted: dict[str, int] = {}
    for line, cells in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise _refused(line, "", f"{len(cells)} cells; the first line names {len(header)} columns")
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        axle = _axle(line, row, strips)
        _check_order(line, axle, row, counted, axles)
        axles.append(axle)
    return axles


def _strips(header: Sequence[str]) -> list[str]:
    """Return the strips' columns in order; refuse columns that are missing, doubled or unknown."""
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise InputRefused(RefusalCode.FIELD_MISSING, f"line 1: no column {', '.join(missing)}")
    if len(set(header)) != len(header):
        raise InputRefused(RefusalCode.FIELD_INVALID, "line 1: a column is named twice")
    others = [name for name in header if name not in NEEDED and name not in OPTIONAL]
    strips = [f"{_STRIP}{number}" for number in range(1, len(others) + 1)]
    if set(others) != set(strips):
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"line 1: columns {', '.join(others)}; besides {', '.join((*NEEDED, *OPTIONAL))} "
            "there may be strip_1, strip_2 and so on, none left out",
        )
    return strips


def _axle(line: int, row: Mapping[str, str], strips: Sequence[str]) -> WeighedAxle:
    if not row["pass"]:
        raise _refused(line, "pass", "is empty")
    if row["axle_type"] not in AXLE_TYPES:
        raise _refused(line, "axle_type", f"is {row['axle_type']!r}, not one of {', '.join(AXLE_TYPES)}")
    if not row["group"].isdecimal():
        raise _refused(line, "group", f"is {row['group']!r}, not a number from 1 on")
    return WeighedAxle(
        pass_id=row["pass"],
        axle_type=AXLE_TYPES.index(row["axle_type"]),
        group=int(row["group"]),
        reference_kg=_number(line, row, "reference_kg"),
        measured_kg=_number(line, row, "measured_kg"),
        speed_m_s=_number(line, row, "speed_kmh") / _KMH_PER_M_S,
        temperature_k=_number(line, row, "temperature_c") + _ZERO_CELSIUS_K,
        strip_load=tuple(_number(line, row, name) for name in strips),
        day=_day(line, row),
    )


def _day(line: int, row: Mapping[str, str]) -> date | None:
    cell = row.get("date", "")
    try:
        return date.fromisoformat(cell) if cell else None
    except ValueError:
        raise _refused(line, "date", f"is {cell!r}, not a day such as 2026-11-23") from None


def _number(line: int, row: Mapping[str, str], column: str) -> float:
    """Return a finite number, or NaN for an empty cell or a column that is not there."""
    cell = row.get(column, "")
    if not cell:
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        raise _refused(line, column, f"is {cell!r}, not a number") from None
    if not math.isfinite(number):
        raise _refused(line, column, f"is {cell!r}; leave the cell empty where there is no figure")
    return number


def _check_order(
    line: int,
    axle: WeighedAxle,
    row: Mapping[str, str],
    counted: dict[str, int],
    before: Sequence[WeighedAxle],
) -> None:
    """Refuse rows out of order: an axle lost or doubled would be a wrong reference for the gross mass."""
    if axle.pass_id in counted and before[-1].pass_id != axle.pass_id:
        raise _refused(line, "pass", f"{axle.pass_id} goes on after another pass has begun")
    expected = counted.get(axle.pass_id, 0) + 1
    if row["axle"] != str(expected):
        raise _refused(line, "axle", f"is {row['axle']!r}; axle {expected} of pass {axle.pass_id} comes here")
    counted[axle.pass_id] = expected


def _refused(line: int, column: str, complaint: str) -> InputRefused:
    where = f"line {line}, column {column}" if column else f"line {line}"
    return InputRefused(RefusalCode.FIELD_INVALID, f"{where}: {complaint}")
