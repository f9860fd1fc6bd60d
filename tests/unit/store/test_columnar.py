"""Column files: what is written is read again, and nothing that is not whole or not of the schema is read."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.errors import ConfigurationError, InputRefused
from store.columnar import ROW_GROUP_ROWS, ColumnWriter, new_folder, parquet_files, read_batches
from store.columnar_records import RecordBatch, list_column, record_batch, tally, word_column
from store.columnar_schemas import FINDINGS, RECORDS, SCHEMA_KEY, SCHEMAS, WEIGHED_AXLES
from tests.counts import count

ROW: dict[str, Any] = {
    "record_id": "e4f5ba4bfa45f6afff20129ad5b12fd2",
    "captured_at": datetime(2026, 11, 20, 2, 14, 33, 250_000, tzinfo=UTC),
    "local_day": date(2026, 11, 20),
    "local_hour": 10,
    "station": "KM-S1",
    "device": "wim-1",
    "match_key": "m-1",
    "lane": 1,
    "direction": "上行",
    "speed_m_h": 60_000,
    "gross_kg": 18_000,
    "axle_load_kg": [6_000, 12_000],
    "axle_tyres": ["single", "dual"],
    "spacing_mm": [4_500],
    "kind": "truck",
    "drive_axles": [2],
    "air_suspension": False,
    "length_mm": 9_000,
    "u_gross_ppm": 15_000,
    "u_axle_ppm": None,
    "acceleration_mm_s2": -20,
    "temperature_mk": 293_150,
    "flags": ["straddling"],
    "fhwa_class": None,
    "held_reasons": ["clock-unreliable"],
    "context": '{"station": "KM-S1"}',
}


def rows_of(number: int, **changes: Any) -> pa.RecordBatch:
    """A batch of alike rows."""
    return record_batch({name: [value] * number for name, value in (ROW | changes).items()})


def written(path: Path, *batches: pa.RecordBatch) -> Path:
    """A file of records."""
    with ColumnWriter(path, RECORDS) as writer:
        for batch in batches:
            writer.write(batch)
    return path


def read(path: Path, schema: pa.Schema = RECORDS, **more: Any) -> list[dict[str, Any]]:
    """All rows of a file."""
    return [row for batch in read_batches(path, schema, **more) for row in batch.to_pylist()]


def test_a_row_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a.parquet", rows_of(3))) == [ROW] * 3


def test_random_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    random = Random(20_261_123)
    rows = [_random_row(random, number) for number in range(2_000)]
    batches = [
        record_batch({name: [row[name] for row in rows[start : start + 300]] for name in ROW})
        for start in range(0, len(rows), 300)
    ]
    path = written(tmp_path / "a.parquet", *batches)
    assert read(path, batch_rows=170) == rows


def _random_row(random: Random, number: int) -> dict[str, Any]:
    axles = random.randint(2, 16)
    maybe: Callable[[Any], Any] = lambda value: random.choice((None, value))  # noqa: E731
    return ROW | {
        "record_id": f"r{number}",
        "captured_at": maybe(ROW["captured_at"]),
        "station": random.choice(("KM-S1", "KM-S2", "站/三")),
        "device": maybe("wim-2"),
        "axle_load_kg": [random.randint(0, 30_000) for _ in range(axles)],
        "axle_tyres": [random.choice(("unknown", "dual", "wide")) for _ in range(axles)],
        "spacing_mm": [random.randint(1, 60_000) for _ in range(axles - 1)],
        "drive_axles": maybe([2, 3]),
        "air_suspension": maybe(random.random() < 0.5),
        "flags": random.choice(([], ["reversing", "straddling"])),
        "held_reasons": random.choice(([], ["drift-alarm"])),
        "context": maybe(f"{{{random.randint(0, 5)}}}"),
    }


def test_a_file_without_rows_is_a_file(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a.parquet")) == []
    assert pq.read_schema(tmp_path / "a.parquet").metadata[SCHEMA_KEY] == b"zhichao/records/1"


def test_other_writers_files_are_read(tmp_path: Path) -> None:
    """Plain or large strings, no metadata, columns in another order: the same columns all the same."""
    table = pa.Table.from_batches([rows_of(4)])
    plain = pa.schema([_plain(field) for field in reversed(list(RECORDS))])
    pq.write_table(table.select(plain.names).cast(plain), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [ROW] * 4


def _plain(field: pa.Field) -> pa.Field:
    if pa.types.is_dictionary(field.type):
        return pa.field(field.name, pa.large_string())
    if pa.types.is_list(field.type) and pa.types.is_string(field.type.value_type):
        return pa.field(field.name, pa.large_list(pa.large_string()))
    return pa.field(field.name, field.type)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop_columns(["gross_kg"]), "lacks the column gross_kg"),
        (lambda table: table.drop_columns(["kind"]), "lacks the column kind"),
        (lambda table: table.append_column("gross_lb", table["gross_kg"]), "column gross_lb is none of"),
        (
            lambda table: table.set_column(10, "gross_kg", table["gross_kg"].cast(pa.int64())),
            "column gross_kg is int64; zhichao/records/1 has int32 there",
        ),
        (
            lambda table: table.set_column(
                13, "spacing_mm", table["spacing_mm"].cast(pa.list_(pa.float64()))
            ),
            "column spacing_mm is list of double; zhichao/records/1 has list of int32",
        ),
        (
            lambda table: table.set_column(9, pa.field("speed_m_h", pa.int32()), pa.nulls(5, pa.int32())),
            "column speed_m_h lacks a value in rows 1 to 5",
        ),
        (
            lambda table: table.replace_schema_metadata({SCHEMA_KEY: b"zhichao/findings/1"}),
            "holds zhichao/findings/1; zhichao/records/1 is needed",
        ),
        (
            lambda table: table.replace_schema_metadata({SCHEMA_KEY: b"zhichao/records/2"}),
            "holds zhichao/records/2; zhichao/records/1 is needed",
        ),
    ],
)
def test_a_foreign_schema_is_refused_by_its_column(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], words: str
) -> None:
    table = pa.Table.from_batches([rows_of(5)]).replace_schema_metadata(None)
    assert (table.schema.get_field_index("speed_m_h"), table.schema.get_field_index("gross_kg")) == (9, 10)
    pq.write_table(change(table), tmp_path / "a.parquet")
    with pytest.raises(InputRefused) as refusal:
        read(tmp_path / "a.parquet")
    assert words in refusal.value.detail
    assert "a.parquet" in refusal.value.detail


def test_a_null_within_a_list_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_batches([rows_of(1)])
    loads = pa.array([[6_000, None]], pa.list_(pa.int32()))
    at = table.schema.get_field_index("axle_load_kg")
    pq.write_table(table.set_column(at, "axle_load_kg", loads), tmp_path / "a.parquet")
    with pytest.raises(InputRefused, match="axle_load_kg lacks a value"):
        read(tmp_path / "a.parquet")


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    """Not one byte fewer is taken for a whole file."""
    whole = written(tmp_path / "a.parquet", rows_of(50)).read_bytes()
    cut = tmp_path / "cut.parquet"
    for size in [*range(0, len(whole), count(1, reduced=97)), len(whole) - 1]:
        cut.write_bytes(whole[:size])
        with pytest.raises(InputRefused, match="cannot be read as a whole Parquet file"):
            read(cut)


def test_damage_within_a_file_never_yields_other_figures(tmp_path: Path) -> None:
    """One bit flipped anywhere: the same rows, where it lay in no row, or a refusal."""
    whole = written(tmp_path / "a.parquet", rows_of(50)).read_bytes()
    spoilt = tmp_path / "spoilt.parquet"
    random = Random(5)
    refused = 0
    for _ in range(flips := count(5_000, reduced=400)):
        data = bytearray(whole)
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        spoilt.write_bytes(data)
        with suppress(InputRefused):
            assert read(spoilt) == [ROW] * 50
            refused -= 1
        refused += 1
    assert refused > flips // 4


def test_half_a_file_never_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"

    def fails() -> None:
        with ColumnWriter(path, RECORDS) as writer:
            writer.write(rows_of(10))
            assert not path.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", rows_of(1))
    with pytest.raises(ConfigurationError, match="is there already"):
        ColumnWriter(path, RECORDS)
    with pytest.raises(ConfigurationError, match="is there already"), new_folder(tmp_path):
        pass


def test_a_folder_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    def fails() -> None:
        with new_folder(tmp_path / "out") as folder:
            (folder / "a").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "out") as folder:
        written(folder / "day=2026-11-20" / "a.parquet")
    assert [path.name for path in parquet_files(tmp_path / "out")] == ["a.parquet"]


def test_a_million_rows_pass_in_bounded_memory(tmp_path: Path) -> None:
    """Read and written batch by batch: Arrow holds a few row groups at most, whatever the file's length."""
    rows, piece = 1_000_000, rows_of(20_000)
    baseline, most = pa.total_allocated_bytes(), 0
    with ColumnWriter(tmp_path / "a.parquet", RECORDS) as writer:
        for _ in range(rows // piece.num_rows):
            writer.write(piece)
            most = max(most, pa.total_allocated_bytes() - baseline)
    found = 0
    for batch in read_batches(tmp_path / "a.parquet", RECORDS):
        found += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - baseline)
    assert found == rows
    assert most < 4 * ROW_GROUP_ROWS / piece.num_rows * piece.nbytes
    assert most < rows / piece.num_rows * piece.nbytes / 2


def test_words_and_lists_become_arrays_and_come_back() -> None:
    batch = RecordBatch(
        record_batch(
            {name: [value, value] for name, value in ROW.items()}
            | {
                "drive_axles": [None, [2, 3]],
                "axle_tyres": [["wide", "dual"], ["unknown", "dual"]],
                "context": [None, "x"],
                "air_suspension": [None, True],
            }
        )
    )
    values, offsets = batch.lists("drive_axles")
    assert (values.tolist(), offsets.tolist()) == ([2, 3], [0, 0, 2])
    values, offsets = batch.coded_lists("axle_tyres", ["unknown", "single", "wide", "dual"])
    assert (values.tolist(), offsets.tolist()) == ([2, 3, 0, 3], [0, 2, 4])
    assert batch.words("context").codes.tolist() == [-1, 0]
    assert batch.figures("air_suspension", absent=-1).tolist() == [-1, 1]
    assert list_column(pa.list_(pa.int8()), ([2, 3], [0, 0, 2])).to_pylist() == [[], [2, 3]]
    assert word_column([1, -1], ["a", "b"]).to_pylist() == ["b", None]


def test_a_foreign_word_is_refused_by_its_column() -> None:
    batch = RecordBatch(rows_of(2, kind="tram", axle_tyres=["single", "twin"]))
    with pytest.raises(InputRefused, match="column kind has 'tram'; allowed: unknown, truck, train"):
        batch.coded("kind", ["unknown", "truck", "train"])
    with pytest.raises(InputRefused, match="column axle_tyres has 'twin'"):
        batch.coded_lists("axle_tyres", ["single", "dual"])


def test_a_slice_of_a_batch_is_read_as_itself() -> None:
    """Offsets of a slice do not begin at 0."""
    both = pa.Table.from_batches([rows_of(3), rows_of(2, axle_load_kg=[1, 2, 3])]).combine_chunks()
    values, offsets = RecordBatch(both.to_batches()[0].slice(2, 2)).lists("axle_load_kg")
    assert (values.tolist(), offsets.tolist()) == ([6_000, 12_000, 1, 2, 3], [0, 2, 5])


def test_weighed_axles_are_read_as_they_were_written(tmp_path: Path) -> None:
    row = {
        "pass_id": "p1",
        "axle": 1,
        "axle_type": "steer",
        "group": 1,
        "reference_kg": 6_512.5,
        "measured_kg": None,
        "speed_m_s": 20.0,
        "temperature_k": 293.15,
        "strip_load_n": [63_000.0, 64_000.5],
    }
    with ColumnWriter(tmp_path / "a.parquet", WEIGHED_AXLES) as writer:
        writer.write(pa.RecordBatch.from_pylist([row], schema=WEIGHED_AXLES))
    assert read(tmp_path / "a.parquet", WEIGHED_AXLES) == [row]


def test_every_column_says_what_it_means_and_carries_its_unit() -> None:
    for schema in SCHEMAS:
        for field in schema:
            assert field.metadata[b"meaning"], field.name
    assert FINDINGS.names[0] == RECORDS.names[0] == "record_id"
    assert tally(rows_of(3), "flags") == {"straddling": 3}
    assert tally(rows_of(3), "station") == {"KM-S1": 3}
