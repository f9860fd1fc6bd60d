"""Weighed passes from Parquet (`zhichao/weighed-axles/1`): the same rows as of a CSV file, in SI units."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from store.columnar import read_batches
from store.columnar_schemas import WEIGHED_AXLES
from weigh.calibration.passes import WeighedAxle
from weigh.calibration.state import AXLE_TYPES


def weighed_axles_in(path: Path) -> list[WeighedAxle]:
    """Return the axles of a file, in its order.

    Raises
    ------
    InputRefused
        The file is not whole or not of the schema, or a row cannot be as it is: an axle of unknown type,
        or one that does not follow the one before it. The first such row is named, from 1.
    """
    rows = (row for batch in read_batches(path, WEIGHED_AXLES) for row in batch.to_pylist())
    return list(_in_order(rows, path))


def _in_order(rows: Iterator[dict[str, Any]], path: Path) -> Iterator[WeighedAxle]:
    """Check the order as of a CSV file: an axle lost or doubled would be a wrong gross mass."""
    ended: set[str] = set()
    name, axle = "", 0
    for number, row in enumerate(rows, start=1):
        if row["pass_id"] != name:
            ended.add(name)
            name, axle = row["pass_id"], 0
        axle += 1
        if not name:
            raise _refused(path, number, "the pass has no name")
        if name in ended:
            raise _refused(path, number, f"pass {name} goes on after another has begun")
        if row["axle"] != axle:
            raise _refused(path, number, f"axle is {row['axle']}; axle {axle} of pass {name} comes here")
        if row["axle_type"] not in AXLE_TYPES:
            raise _refused(path, number, f"axle_type is {row['axle_type']!r}, not {', '.join(AXLE_TYPES)}")
        yield WeighedAxle(
            pass_id=name,
            axle_type=AXLE_TYPES.index(row["axle_type"]),
            group=row["group"],
            reference_kg=row["reference_kg"],
            measured_kg=_figure(row["measured_kg"]),
            speed_m_s=row["speed_m_s"],
            temperature_k=_figure(row["temperature_k"]),
            strip_load=tuple(row["strip_load_n"]),
        )


def _figure(value: float | None) -> float:
    return math.nan if value is None else value


def _refused(path: Path, number: int, what: str) -> InputRefused:
    return InputRefused(RefusalCode.FIELD_INVALID, f"{path}, row {number}: {what}")
