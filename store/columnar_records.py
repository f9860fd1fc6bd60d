"""Records and findings between Arrow and plain arrays, so that whoever computes needs no Arrow.

Words become codes (an index into words the caller names, -1 for none) and lists become ragged columns:
values, and offsets (B + 1,) of where each row's values begin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from store.columnar_schemas import FINDINGS, RECORDS

Ragged = tuple[Any, Any]
"""Values and offsets, as arrays."""


@dataclass(frozen=True)
class Words:
    """A column of words: codes (B,), -1 where there is none, and the words they stand for."""

    codes: Any
    words: list[str]


class RecordBatch:
    """A batch of `zhichao/records/1`, column by column as arrays."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return int(self._batch.num_rows)

    def figures(self, name: str, *, absent: int = 0) -> Any:
        """Return a column of whole numbers or truth values; `absent` stands for null."""
        column = self._batch.column(name)
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        return pc.fill_null(column, absent).to_numpy(zero_copy_only=False)

    def coded(self, name: str, words: Sequence[str]) -> Any:
        """Return a column of words as index into `words`.

        Raises
        ------
        InputRefused
            A word is none of them.
        """
        column = self._batch.column(name)
        codes = _codes_of(column.dictionary, words, name)
        return codes.take(column.indices).to_numpy(zero_copy_only=False)

    def words(self, name: str) -> Words:
        """Return a column of words with the words there are."""
        column = self._batch.column(name)
        codes = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False)
        return Words(codes, column.dictionary.to_pylist())

    def lists(self, name: str) -> Ragged:
        """Return lists of whole numbers; null is a list of none."""
        column = self._batch.column(name)
        return column.flatten().to_numpy(zero_copy_only=False), _offsets(column)

    def coded_lists(self, name: str, words: Sequence[str]) -> Ragged:
        """Return lists of words as indices into `words`; errors as `coded`."""
        column = self._batch.column(name)
        codes = _codes_of(column.flatten(), words, name)
        return codes.to_numpy(zero_copy_only=False), _offsets(column)

    def word_lists(self, name: str) -> tuple[Ragged, list[str]]:
        """Return lists of words as indices into the words there are, and these."""
        column = self._batch.column(name)
        encoded = column.flatten().dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        return (codes, _offsets(column)), encoded.dictionary.to_pylist()

    def days(self) -> tuple[Any, list[date]]:
        """Return each record's local day as index into the days there are, and these."""
        encoded = self._batch.column("local_day").dictionary_encode()
        return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()

    def findings(
        self, figures: Mapping[str, Any], words: Mapping[str, Words], lists: Mapping[str, tuple[Ragged, Any]]
    ) -> pa.RecordBatch:
        """Return a batch of `zhichao/findings/1` for these records, in their order.

        Parameters
        ----------
        figures : whole numbers by column
        words : words by column
        lists : by column, the ragged values and, where they are codes, the words they stand for, else None
        """
        columns = [self._finding(field, figures, words, lists) for field in FINDINGS]
        return pa.RecordBatch.from_arrays(columns, schema=FINDINGS)

    def _finding(
        self,
        field: pa.Field,
        figures: Mapping[str, Any],
        words: Mapping[str, Words],
        lists: Mapping[str, tuple[Ragged, Any]],
    ) -> pa.Array:
        if field.name in figures:
            column = pa.array(figures[field.name], type=field.type)
            return pc.if_else(pc.equal(column, 0), None, column) if field.nullable else column
        if field.name in words:
            return word_column(words[field.name].codes, words[field.name].words)
        if field.name in lists:
            return list_column(field.type, *lists[field.name])
        return self._batch.column(field.name)


def word_column(codes: Any, words: Sequence[str]) -> pa.Array:
    """Return words by their codes, -1 for null."""
    index = pa.array(codes).cast(pa.int32())
    index = pc.if_else(pc.less(index, 0), pa.scalar(None, pa.int32()), index)
    return pa.DictionaryArray.from_arrays(index, pa.array(words, type=pa.string()))


def list_column(kind: pa.DataType, ragged: Ragged, words: Sequence[str] | None = None) -> pa.Array:
    """Return a ragged column as lists of this type; with `words`, its values are indices into them."""
    values, offsets = ragged
    column = pa.array(values)
    if words is not None:
        column = pa.array(words, type=pa.string()).take(column)
    return pa.ListArray.from_arrays(
        pa.array(offsets, type=pa.int32()), column.cast(kind.value_type), type=kind
    )


def record_batch(columns: Mapping[str, Any]) -> pa.RecordBatch:
    """Return a batch of `zhichao/records/1`: Arrow arrays or lists by column; a column left out is null.

    Raises
    ------
    InputRefused
        A column lacks a value where there must be one.
    """
    rows = len(next(iter(columns.values())))
    arrays = []
    for field in RECORDS:
        given = columns.get(field.name)
        column = pa.nulls(rows, field.type) if given is None else _typed(given, field.type)
        if column.null_count and not field.nullable:
            raise InputRefused(
                RefusalCode.FIELD_MISSING, f"column {field.name} lacks a value; every row needs one"
            )
        arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, schema=RECORDS)


def _typed(given: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(given, pa.Array):
        return given if given.type == kind else given.cast(kind)
    if pa.types.is_dictionary(kind):
        return pa.array(given, type=kind.value_type).dictionary_encode()
    return pa.array(given, type=kind)


def _codes_of(column: pa.Array, words: Sequence[str], name: str) -> pa.Array:
    codes = pc.index_in(column, value_set=pa.array(words, type=pa.string()))
    if codes.null_count:
        foreign = column.filter(codes.is_null())[0].as_py()
        raise InputRefused(
            RefusalCode.FIELD_INVALID, f"column {name} has {foreign!r}; allowed: {', '.join(words)}"
        )
    return codes


def _offsets(column: pa.Array) -> Any:
    lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int32())
    begins = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    return begins.to_numpy(zero_copy_only=False)


def tally(batch: pa.RecordBatch, name: str) -> dict[str, int]:
    """Return how often each word of a column stands in a batch."""
    column = batch.column(name)
    words = column.flatten() if pa.types.is_list(column.type) else column.cast(pa.string())
    return {one["values"]: one["counts"] for one in pc.value_counts(words).to_pylist()}
