"""Weighed passes from Parquet are those from CSV, and are refused for the same faults."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from domain.errors import InputRefused
from service.weighed_file import read_weighed_file
from store.columnar import ColumnWriter
from store.columnar_schemas import WEIGHED_AXLES

CSV = """pass,axle,axle_type,group,reference_kg,speed_kmh,temperature_c,measured_kg,strip_1,strip_2
P1,1,steer,1,6480,72,21.5,6500,62810,64100
P1,2,drive,2,11200,72,21.5,,109300,
P2,1,steer,1,5000,36,,4990,49000,50000
P2,2,drive,2,7000,36,,7100,68000,69000
P2,3,drive,2,7100,36,,7050,69000,70000
"""
NAN = float("nan")
ROWS: list[tuple[Any, ...]] = [
    ("P1", 1, "steer", 1, 6_480.0, 6_500.0, 20.0, 294.65, [62_810.0, 64_100.0]),
    ("P1", 2, "drive", 2, 11_200.0, None, 20.0, 294.65, [109_300.0, NAN]),
    ("P2", 1, "steer", 1, 5_000.0, 4_990.0, 10.0, None, [49_000.0, 50_000.0]),
    ("P2", 2, "drive", 2, 7_000.0, 7_100.0, 10.0, None, [68_000.0, 69_000.0]),
    ("P2", 3, "drive", 2, 7_100.0, 7_050.0, 10.0, None, [69_000.0, 70_000.0]),
]


def written(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    """A Parquet file of the rows."""
    dicts = [dict(zip(WEIGHED_AXLES.names, row, strict=True)) for row in rows]
    with ColumnWriter(path, WEIGHED_AXLES) as writer:
        writer.write(pa.RecordBatch.from_pylist(dicts, schema=WEIGHED_AXLES))
    return path


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    (tmp_path / "passes.csv").write_text(CSV)
    theirs, _ = read_weighed_file(tmp_path / "passes.csv")
    ours, _ = read_weighed_file(written(tmp_path / "passes.parquet", ROWS))
    for name, values in vars(theirs).items():
        np.testing.assert_array_equal(getattr(ours, name), values, err_msg=name)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([ROWS[0], ROWS[2], ROWS[1]], "row 3: pass P1 goes on after another has begun"),
        ([ROWS[0], ROWS[0]], "row 2: axle is 1; axle 2 of pass P1 comes here"),
        (ROWS[1:], "row 1: axle is 2; axle 1 of pass P1 comes here"),
        ([(*ROWS[0][:2], "lift", *ROWS[0][3:])], "row 1: axle_type is 'lift'"),
        ([("", *ROWS[0][1:])], "row 1: the pass has no name"),
        ([(*ROWS[0][:4], NAN, *ROWS[0][5:])], "lacks a reference load"),
        ([], "no weighed pass"),
    ],
)
def test_what_cannot_be_is_refused_by_its_row(
    tmp_path: Path, rows: list[tuple[Any, ...]], words: str
) -> None:
    with pytest.raises(InputRefused) as refusal:
        read_weighed_file(written(tmp_path / "passes.parquet", rows))
    assert words in refusal.value.detail
