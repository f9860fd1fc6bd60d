"""`zhichao screen`: imported records are statistics, whatever they weigh, and bad files end in a sentence."""

from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.fhwa_import import import_fhwa
from store.columnar import ColumnWriter, read_batches
from store.columnar_schemas import FINDINGS, RECORDS
from tests.unit.ingest.w_lines import good_line
from tests.unit.store.test_columnar import rows_of

RECORDS_IMPORTED = 4_000


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """Return a file of W records of every kind."""
    random = Random(1)
    lines = tmp_path / "w.txt"
    lines.write_bytes(b"\n".join(good_line(random) for _ in range(RECORDS_IMPORTED)))
    list(import_fhwa([lines], tmp_path / "records.parquet"))
    return tmp_path / "records.parquet"


def screen(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["screen", *map(str, arguments)])


def findings(path: Path) -> list[dict[str, Any]]:
    """All findings of a file."""
    return [row for batch in read_batches(path, FINDINGS) for row in batch.to_pylist()]


def test_imported_records_are_statistics_whatever_they_weigh(imported: Path, tmp_path: Path) -> None:
    out = tmp_path / "findings.parquet"
    result = screen(imported, "--out", out, "--on", "2026-11-23", "--guard-k", "0", "--formula", "limit")
    assert result.exit_code == 0, result.output
    found = findings(out)
    assert len(found) > RECORDS_IMPORTED // 2
    assert f"{len(found)} records" in result.output
    assert {row["outcome"] for row in found} <= {"statistics-only", "unusable"}
    assert any(row["over_kg"] > 0 for row in found)
    for row in found:
        assert {"no-certificate", "no-announcement", "no-legal-basis"} <= set(row["reasons"])
        assert {"direction-not-registered", "lane-not-at-site"} <= set(row["reasons"])
    facts = pq.read_schema(out).metadata
    assert (facts[b"zhichao.guard_k_milli"], facts[b"zhichao.formula"]) == (b"0", b"limit")
    assert facts[b"zhichao.limits_of"] == b"2026-11-23"


def test_a_day_without_a_law_ends_in_a_sentence(imported: Path, tmp_path: Path) -> None:
    result = screen(imported, "--out", tmp_path / "findings.parquet")
    assert result.exit_code == 78
    assert "no gross limit is in force on" in result.stderr
    assert "--on" in result.stderr
    assert not (tmp_path / "findings.parquet").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "tram"}, "column kind has 'tram'; allowed: unknown, truck, train"),
        ({"flags": ["drunk"]}, "column flags has 'drunk'"),
        ({"lane": 300}, "row 0 has a lane outside 1 to 16"),
        ({"spacing_mm": [70_000]}, "row 0 has a spacing of 70000"),
        ({"axle_tyres": ["dual"]}, "row 0 has not one entry of tyres for each axle"),
        ({"gross_kg": -5}, "gross_kg of row 0 is -5"),
        ({"context": "{"}, "context"),
        ({"context": '{"station": "S1"}'}, "context"),
    ],
)
def test_a_record_that_none_can_be_ends_in_a_sentence(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    records = tmp_path / "records.parquet"
    with ColumnWriter(records, RECORDS) as writer:
        writer.write(rows_of(2, **({"context": None} | change)))
    result = screen(records, "--out", tmp_path / "findings.parquet")
    assert result.exit_code == 1, result.output
    assert words in result.stderr
    assert "records.parquet" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "findings.parquet").exists()


def test_another_file_is_no_file_of_records(tmp_path: Path) -> None:
    (tmp_path / "records.parquet").write_text("PAR1 not")
    result = screen(tmp_path / "records.parquet", "--out", tmp_path / "findings.parquet")
    assert result.exit_code == 1
    assert "cannot be read as a whole Parquet file" in result.stderr
