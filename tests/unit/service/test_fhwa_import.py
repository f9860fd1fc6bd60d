"""`zhichao import fhwa`: every line of every file is a row, a count or a reason."""

import csv
import gzip
from datetime import date
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from domain.errors import ConfigurationError, InputRefused
from ingest import fhwa_files
from ingest.fhwa import HourMark, RejectedLine, WRecord, read_w_line, weigh_record
from ingest.fhwa_files import whole_lines
from service.cli import main
from service.fhwa_import import FileCounts, import_fhwa
from store.columnar import read_batches
from store.columnar_schemas import RECORDS
from tests.components import shared
from tests.unit.ingest.w_lines import any_line


def imported(
    tmp_path: Path, *files: Path
) -> tuple[list[dict[str, object]], list[FileCounts], list[list[str]]]:
    """Rows, counts and rejects of an import."""
    out, rejects = tmp_path / "out.parquet", tmp_path / "rejects.csv"
    counts = list(import_fhwa(files, out, rejects=rejects))
    rows = [row for batch in read_batches(out, RECORDS) for row in batch.to_pylist()]
    with rejects.open(newline="", encoding="utf-8") as table:
        return rows, counts, list(csv.reader(table))[1:]


def row_of(record: WRecord) -> dict[str, object]:
    """The row a record must become: its conversion to a weigh record, of no station of ours."""
    converted = weigh_record(record)
    return {
        **dict.fromkeys(RECORDS.names),
        "record_id": converted.match_key,
        "local_day": date(record.year, record.month, record.day),
        "local_hour": record.hour,
        "station": f"fhwa-{record.state}-{record.station}",
        "lane": converted.lane,
        "direction": converted.direction,
        "speed_m_h": 0,
        "gross_kg": converted.gross_kg,
        "axle_load_kg": [axle.load_kg for axle in converted.axles],
        "axle_tyres": [axle.tyres.value for axle in converted.axles],
        "spacing_mm": list(converted.spacings_mm),
        "kind": converted.kind.value,
        "flags": [],
        "held_reasons": [],
        "fhwa_class": record.vehicle_class,
    }


def mixed_file(path: Path, seed: int, lines: int = 3_000) -> Path:
    """A file of good, spoilt and foreign lines with both ends, the last line without one."""
    random = Random(seed)
    path.write_bytes(
        b"".join(any_line(random) + random.choice((b"\n", b"\r\n")) for _ in range(lines)) + b"W17"
    )
    return path


def read_slowly(path: Path) -> list[WRecord | HourMark | RejectedLine | None]:
    """The file line by line."""
    return [read_w_line(line, number) for number, line in enumerate(path.read_bytes().split(b"\n"), start=1)]


def test_every_line_is_a_row_a_count_or_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files in blocks far smaller than they are, as the slow reader reads them."""
    monkeypatch.setattr(fhwa_files.whole_lines, "__kwdefaults__", {"block_bytes": 3_001})
    files = [mixed_file(tmp_path / f"{seed}.txt", seed) for seed in (1, 2)]
    rows, counts, rejects = imported(tmp_path, *files)
    found = [(path, one) for path in files for one in read_slowly(path)]
    assert rows == [row_of(one) for _, one in found if isinstance(one, WRecord)]
    assert rejects == [
        [str(path), str(one.line_number), one.code.value, one.detail, one.line]
        for path, one in found
        if isinstance(one, RejectedLine)
    ]
    for path, count in zip(files, counts, strict=True):
        ours = [one for where, one in found if where == path]
        assert count.lines == len(ours)
        assert count.trucks == sum(isinstance(one, WRecord) for one in ours)
        assert count.rejected.total() == sum(isinstance(one, RejectedLine) for one in ours)
        assert count.blank == ours.count(None)
        assert count.hours_missing + count.hours_without_trucks == sum(isinstance(o, HourMark) for o in ours)
        assert min(count.trucks, count.blank, count.hours_missing, count.hours_without_trucks) > 10


def test_a_packed_file_is_read_as_the_plain_one(tmp_path: Path) -> None:
    plain = mixed_file(tmp_path / "plain.txt", 3)
    packed = tmp_path / "packed.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert b"".join(whole_lines(packed)) == plain.read_bytes()


def test_a_packed_file_that_was_cut_off_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    whole = gzip.compress(mixed_file(tmp_path / "plain.txt", 4).read_bytes())
    for size in (3, 11, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / "cut.gz"
        cut.write_bytes(whole[:size])
        with pytest.raises(InputRefused, match="broken or cut off"):
            list(import_fhwa([cut], tmp_path / "out.parquet"))
        assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n  \n"])
def test_a_file_of_nothing_is_a_file_of_no_records(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    rows, (counts,), rejects = imported(tmp_path, tmp_path / "a.txt")
    assert (rows, rejects, counts.blank) == ([], [], content.count(b"\n"))


def test_what_is_no_text_of_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\0" * 12_000_000)
    with pytest.raises(InputRefused, match="longer than a megabyte"):
        list(import_fhwa([tmp_path / "a.bin"], tmp_path / "out.parquet"))


def test_what_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "rejects.csv").write_text("mine")
    with pytest.raises(ConfigurationError, match="cannot write"):
        list(
            import_fhwa(
                [mixed_file(tmp_path / "a.txt", 5)],
                tmp_path / "out.parquet",
                rejects=tmp_path / "rejects.csv",
            )
        )
    assert (tmp_path / "rejects.csv").read_text() == "mine"


def test_the_command_says_what_became_of_the_lines(tmp_path: Path) -> None:
    sample = shared("fhwa/w_record_samples.txt")
    arguments = ["import", "fhwa", str(sample), "--out", str(tmp_path / "out.parquet")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "3 lines: 2 trucks, 0 hours missing, 0 hours without trucks, 0 blank, 1 rejected" in result.output
    assert "axle-sum-mismatch: 1; the first: line 3: the 3 axle weights add up to 119189 lb" in result.output
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 78
    assert "is there already" in again.stderr
