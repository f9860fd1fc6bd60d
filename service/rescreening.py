"""Screening column files of records, batch by batch: one file of an afternoon or the passages of years."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from domain.errors import ConfigurationError, InputRefused
from domain.ids import sha256_of
from domain.law import LimitTables, limit_tables
from domain.refusals import RefusalCode
from domain.registry import UNREGISTERED, StationContext
from store.columnar import ColumnWriter, parquet_files, read_batches
from store.columnar_records import RecordBatch, Words, tally
from store.columnar_schemas import FINDINGS, RECORDS
from weigh import ALGORITHM, DOUBTS, DecisionRule
from weigh.screening.bulk import OUTCOMES
from weigh.screening.by_day import screen_by_day
from weigh.screening.columns import FLAGS, KINDS, TYRES
from weigh.screening.held import outcome_with_held, reasons_with_held
from weigh.screening.ragged import RaggedRecords, bits_to_lists, record_columns_of

_TAKEN_AS = ["truck", "train"]


@dataclass
class Summary:
    """How many records ended how, and why."""

    records: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        """Return the counts as a table, the commonest first."""
        lines = [f"{self.records:>12} records"]
        for title, counts in (("outcome", self.outcomes), ("reason", self.reasons), ("doubt", self.doubts)):
            lines += [f"{number:>12} {title} {name}" for name, number in counts.most_common()]
        return "\n".join(lines)


def screen_files(
    path: Path, out: Path, *, rule: DecisionRule, confirmed_rows: frozenset[str], on: date | None = None
) -> Summary:
    """Screen a file of records, or all in a folder, and write the findings to one new file.

    Parameters
    ----------
    on
        Judge every record by the limits of this day; None: each by those of its own, as the law wants
        it (法不溯及既往).

    Raises
    ------
    ConfigurationError
        There is no such file, the findings' file is there already, or no limit is in force on a day.
    InputRefused
        A file is not whole, not of the schema, or holds a record that none can be.
    """
    files = parquet_files(path)
    summary = Summary()
    with ColumnWriter(out, FINDINGS, facts=_facts(rule, confirmed_rows, on)) as writer:
        for file in files:
            first = 1
            for batch in read_batches(file, RECORDS):
                records = RecordBatch(batch)
                if not len(records):
                    continue
                try:
                    findings = _screened(records, rule, confirmed_rows, on)
                except InputRefused as refusal:
                    detail = f"{file}, rows counted from 0 at its record {first}: {refusal.detail}"
                    raise InputRefused(refusal.code, detail) from None
                writer.write(findings)
                first += len(records)
                summary.outcomes.update(tally(findings, "outcome"))
                summary.reasons.update(tally(findings, "reasons"))
                summary.doubts.update(tally(findings, "doubts"))
    summary.records = writer.rows
    return summary


def _facts(rule: DecisionRule, confirmed_rows: frozenset[str], on: date | None) -> dict[str, str]:
    """Return what every finding of the file rests on besides the tables."""
    return {name: str(value) for name, value in vars(rule).items()} | {
        "algorithm": ALGORITHM,
        "confirmed_rows": " ".join(sorted(confirmed_rows)),
        "limits_of": "the day of the act" if on is None else on.isoformat(),
    }


def _screened(
    records: RecordBatch, rule: DecisionRule, confirmed_rows: frozenset[str], on: date | None
) -> Any:
    contexts = records.words("context")
    columns = record_columns_of(_ragged(records, contexts), _contexts(contexts.words))
    day, days = records.days()
    tables = _tables(days, confirmed_rows) if on is None else _tables([on] * len(days), confirmed_rows)
    found = screen_by_day(columns, tables, day, rule)
    held, held_words = records.word_lists("held_reasons")
    return records.findings(
        figures={
            "limit_kg": found.limit_kg,
            "adjudged_kg": found.adjudged_kg,
            "over_kg": found.over_kg,
            "unconfirmed_axle_sum_kg": found.unconfirmed_axle_sum_kg,
        },
        words={
            "outcome": Words(
                outcome_with_held(found, held),
                [outcome.value for outcome in OUTCOMES],
            ),
            "taken_as": Words(found.train.astype("int32"), _TAKEN_AS),
            "tables": Words(day, [_digest(one) for one in tables]),
        },
        lists={
            "reasons": reasons_with_held(found, held, held_words),
            "doubts": (bits_to_lists(found.doubts), list(DOUBTS)),
            "axle_flags": (bits_to_lists(found.axle_flags, first=1), None),
        },
    )


def _ragged(records: RecordBatch, contexts: Words) -> RaggedRecords:
    directions = records.words("direction")
    return RaggedRecords(
        load_kg=records.lists("axle_load_kg"),
        tyres=records.coded_lists("axle_tyres", [tyres.value for tyres in TYRES]),
        spacing_mm=records.lists("spacing_mm"),
        drive_axles=records.lists("drive_axles"),
        flags=records.coded_lists("flags", [flag.value for flag in FLAGS]),
        kind=records.coded("kind", [kind.value for kind in KINDS]),
        air=records.figures("air_suspension", absent=-1),
        gross_kg=records.figures("gross_kg"),
        speed_m_h=records.figures("speed_m_h"),
        lane=records.figures("lane"),
        length_mm=records.figures("length_mm"),
        u_gross_ppm=records.figures("u_gross_ppm"),
        u_axle_ppm=records.figures("u_axle_ppm"),
        direction=directions.codes,
        directions=tuple(directions.words),
        context=contexts.codes + 1,
    )


def _contexts(documents: Sequence[str]) -> list[StationContext]:
    """Return the contexts the documents say, behind the one of those that have none."""
    try:
        return [UNREGISTERED, *(StationContext.model_validate_json(one) for one in documents)]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole document"
        raise InputRefused(
            RefusalCode.FIELD_INVALID, f"column context is no station's context: {place}: {first['msg']}"
        ) from None


def _tables(days: Sequence[date], confirmed_rows: frozenset[str]) -> list[LimitTables]:
    try:
        return [limit_tables(day, confirmed_rows=confirmed_rows) for day in days]
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error}, or name a day whose limits all are to be judged by (--on)"
        ) from error


def _digest(tables: LimitTables) -> str:
    """Return the digest of the tables' bytes and of which of their rows are confirmed."""
    if not tables.confirmed_rows:
        return tables.digest
    return sha256_of("\n".join((tables.digest, *sorted(tables.confirmed_rows))).encode())
