"""Parquet in and out, batch by batch: never more in memory than one row group.

A file is written under another name and gets its own when it is whole: a reader never meets half a
file. One that was cut off or damaged later is refused: pages carry checksums, and rows are counted. What
is read must have exactly the schema's columns; a refusal names the column.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from domain.errors import ConfigurationError, InputRefused
from domain.refusals import RefusalCode
from store.columnar_schemas import SCHEMA_KEY, name_of, type_in_words

BATCH_ROWS = 65_536
ROW_GROUP_ROWS = 131_072
_PART = ".part"


def parquet_files(path: Path) -> list[Path]:
    """Return the file itself, or every Parquet file in the folder and below, in the order of their names.

    Raises
    ------
    ConfigurationError
        There is none.
    """
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise ConfigurationError(f"{path} is no Parquet file and no folder of any; name what was written")
    return files


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to write to; it gets the name `path` only if all went well.

    Raises
    ------
    ConfigurationError
        It is there already or cannot be made.
    """
    part = path.with_name(path.name + _PART)
    for one in (path, part):
        if one.exists():
            raise ConfigurationError(f"{one} is there already; remove it or name a new folder")
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield part
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    part.rename(path)


def read_batches(path: Path, schema: pa.Schema, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """Yield a file's rows in batches of exactly this schema.

    Raises
    ------
    InputRefused
        The file is no whole Parquet file, is of another schema, lacks a column, has one too many or one
        of another type, or lacks a value where there must be one. The sentence names file and column.
    """
    words = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    try:
        with pq.ParquetFile(path) as file:
            _check_schema(file.schema_arrow, schema, path)
        with pq.ParquetFile(path, read_dictionary=words, page_checksum_verification=True) as file:
            first = 0
            for batch in file.iter_batches(batch_rows, columns=schema.names):
                batch.validate(full=True)
                yield _conformed(batch, schema, path, first)
                first += batch.num_rows
            groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
            if not first == sum(groups) == file.metadata.num_rows:
                raise _refused(path, f"is damaged: it says {file.metadata.num_rows} rows and has {first}")
    except (pa.ArrowException, OSError, ValueError) as error:  # a name that is no UTF-8 is a plain ValueError
        raise _refused(path, f"cannot be read as a whole Parquet file ({_one_line(error)})") from error


def _check_schema(found: pa.Schema, wanted: pa.Schema, path: Path) -> None:
    stated = (found.metadata or {}).get(SCHEMA_KEY)
    if stated is not None and stated.decode("utf-8", "replace") != name_of(wanted):
        raise _refused(path, f"holds {stated.decode('utf-8', 'replace')}; {name_of(wanted)} is needed")
    for field in wanted:
        if found.names.count(field.name) != 1:
            raise _refused(path, f"lacks the column {field.name} of {name_of(wanted)}")
        is_type, is_wanted = type_in_words(found.field(field.name).type), type_in_words(field.type)
        if is_type != is_wanted:
            raise _refused(path, f"column {field.name} is {is_type}; {name_of(wanted)} has {is_wanted} there")
    if extra := [name for name in found.names if name not in wanted.names]:
        raise _refused(
            path, f"column {extra[0]} is none of {name_of(wanted)}; leave it out or correct its name"
        )


def _conformed(batch: pa.RecordBatch, schema: pa.Schema, path: Path, first: int) -> pa.RecordBatch:
    columns = []
    for field in schema:
        column = batch.column(field.name)
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            missing = column.flatten().null_count
        else:
            missing = 0
        if missing or (column.null_count and not field.nullable):
            rows = f"rows {first + 1} to {first + batch.num_rows}"
            raise _refused(path, f"column {field.name} lacks a value in {rows}; every row needs one")
        columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class ColumnWriter:
    """Writes one Parquet file batch by batch; used as a context, which keeps the file only if all went well.

    Raises
    ------
    ConfigurationError
        The file is there already or cannot be written.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, facts: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._part = path.with_name(path.name + _PART)
        self._schema = schema.with_metadata(
            dict(schema.metadata) | {f"zhichao.{key}": value for key, value in (facts or {}).items()}
        )
        self._held: list[pa.RecordBatch] = []
        self.held_rows = 0
        self.rows = 0
        if path.exists():
            raise ConfigurationError(f"{path} is there already; name a new file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._part, self._schema, compression="zstd", write_page_checksum=True
            )
        except OSError as error:
            raise _unwritable(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; they are written a row group at a time."""
        self._held.append(batch.replace_schema_metadata(self._schema.metadata))
        self.held_rows += batch.num_rows
        self.rows += batch.num_rows
        if self.held_rows >= ROW_GROUP_ROWS:
            self.flush()

    def finish(self) -> None:
        """Write what is held, and give the file its name."""
        try:
            self.flush()
            self._writer.close()
            self._part.rename(self._path)
        except OSError as error:
            self.discard()
            raise _unwritable(self._path, error) from error

    def discard(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._part.unlink(missing_ok=True)

    def flush(self) -> None:
        """Write what is held as a row group."""
        if not self._held:
            return
        table = pa.Table.from_batches(self._held, schema=self._schema).unify_dictionaries()
        self._held, self.held_rows = [], 0
        try:
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _refused(path: Path, what: str) -> InputRefused:
    return InputRefused(RefusalCode.FIELD_INVALID, f"{path} {what}")


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"cannot write {path}: {error.strerror or error}; name another place")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
