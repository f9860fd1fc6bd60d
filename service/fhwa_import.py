"""Files of W records become one Parquet file of records; every line that does not is explained."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError, ZhichaoError
from ingest.fhwa import DIRECTIONS, RejectedLine, read_w_line, vehicle_kind
from ingest.fhwa_files import whole_lines
from store.columnar import ColumnWriter
from store.columnar_fhwa import w_record_batch
from store.columnar_schemas import RECORDS
from weigh.fhwa_columns import WColumns, parse_w_lines

_BY_DIGIT = [DIRECTIONS[str(digit)] for digit in range(10)]
_BY_CLASS = [vehicle_kind(number).value for number in range(16)]
_REJECTS = ("file", "line_number", "code", "reason", "line")


@dataclass
class FileCounts:
    """What became of the lines of one file; the kinds add up to `lines`."""

    path: Path
    lines: int = 0
    trucks: int = 0
    hours_missing: int = 0
    hours_without_trucks: int = 0
    blank: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    first_of_code: dict[str, str] = field(default_factory=dict)
    """The first sentence of each code of rejection."""

    def text(self) -> str:
        """Return the counts and the reasons, line by line."""
        counts = (
            f"{self.path}: {self.lines} lines: {self.trucks} trucks, {self.hours_missing} hours missing, "
            f"{self.hours_without_trucks} hours without trucks, {self.blank} blank, "
            f"{self.rejected.total()} rejected"
        )
        reasons = [
            f"    {code}: {number}; the first: {self.first_of_code[code]}"
            for code, number in self.rejected.most_common()
        ]
        return "\n".join((counts, *reasons))


def import_fhwa(paths: Sequence[Path], out: Path, *, rejects: Path | None = None) -> Iterator[FileCounts]:
    """Read files of W records into one Parquet file; yield each file's counts when it is read.

    The Parquet file is whole only when the last count has been taken.

    Raises
    ------
    ConfigurationError
        A file cannot be read, or one to be written is there already.
    InputRefused
        A file is no text of lines at all.
    """
    with ExitStack() as stack:
        table = None if rejects is None else stack.enter_context(_new_table(rejects))
        writer = stack.enter_context(ColumnWriter(out, RECORDS))
        explained = None if table is None else csv.writer(table)
        if explained is not None:
            explained.writerow(_REJECTS)
        for path in paths:
            yield _one_file(path, writer, explained)


def _new_table(path: Path) -> Any:
    try:
        return path.open("x", newline="", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}; name a new file") from error


def _one_file(path: Path, writer: ColumnWriter, explained: Any) -> FileCounts:
    counts = FileCounts(path)
    for block in whole_lines(path):
        found = parse_w_lines(block)
        if len(found.line):
            writer.write(
                w_record_batch(
                    _figures(found), first_line=counts.lines + 1, directions=_BY_DIGIT, kinds=_BY_CLASS
                )
            )
        for line in _explain(block, found, first_line=counts.lines + 1):
            counts.rejected[line.code.value] += 1
            counts.first_of_code.setdefault(line.code.value, line.detail)
            if explained is not None:
                explained.writerow((path, line.line_number, line.code.value, line.detail, line.line))
        counts.lines += found.lines
        counts.trucks += len(found.line)
        counts.hours_missing += found.hours_missing
        counts.hours_without_trucks += found.hours_without_trucks
        counts.blank += found.blank
    return counts


def _figures(found: WColumns) -> dict[str, Any]:
    named = ("spacing_offset", "gross_kg", "load_kg", "spacing_mm")
    return vars(found) | {name: getattr(found, name) for name in named}


def _explain(block: bytes, found: WColumns, *, first_line: int) -> Iterator[RejectedLine]:
    """Have the reader of single lines say why; it is the one that words refusals."""
    for line, start, end in found.rejected.tolist():
        answer = read_w_line(block[start:end], first_line + line)
        if not isinstance(answer, RejectedLine):
            raise ZhichaoError(
                f"line {first_line + line} was turned away by the fast reading and not by the slow one; "
                "please report it with the line"
            )
        yield answer
