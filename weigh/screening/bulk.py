"""Screening any number of records as columns: the live micro-batch and the re-screening of years.

Order of precedence of the outcome:

1. UNUSABLE, when the weighing cannot be relied on: nothing may be concluded from it, not even counted;
2. STATISTICS_ONLY, when certificate, announcement or legal basis is missing on the day, or the passage
   was not in the direction and on a lane that the site is registered, and so announced, with;
3. OVERLOADED, when the adjudged gross mass is over the limit; an axle flag never makes it so;
4. WITHIN.
"""

import os
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError, InputRefused
from domain.law import LimitTables
from domain.refusals import RefusalCode
from domain.screening import Outcome
from weigh.screening._key_table import KEY_WORDS
from weigh.screening._screen_kernel import (
    CONTEXT,
    DIRECTION_AT,
    DIRECTION_BITS,
    LIMIT_BITS,
    MAX_SPEED_AT,
    MPE_BITS,
    NO_LIMIT,
    SITE_LANES_AT,
    SPEED_BITS,
    Rule,
    screen_rows,
)
from weigh.screening.adjudication import FORMULA_CODE
from weigh.screening.axle_groups import SPACING_ERROR_MM
from weigh.screening.columns import MISSING, Ints
from weigh.screening.doubts import DOUBTS
from weigh.screening.readings import MAX_KEYS, ReadingMemory, Readings, Snapshot, memory_for
from weigh.screening.record_columns import ADMITTED, DTYPES, ContextTable, RecordColumns, first_odd_row
from weigh.screening.rule import DecisionRule
from weigh.screening.usability import (
    MAX_AXLE_KG,
    MAX_LENGTH_MM,
    MIN_FIRST_SPACING_MM,
    MIN_WHEELBASE_MM,
    REASONS,
    UNUSABLE,
)

OUTCOMES = (Outcome.UNUSABLE, Outcome.STATISTICS_ONLY, Outcome.OVERLOADED, Outcome.WITHIN)

_BLOCK = 1 << 20
_SHARE = 1 << 16
"""Rows before the first look at what was missed, and rows given to a thread at once."""


@dataclass(frozen=True)
class BulkFindings:
    """What was concluded of each record.

    Attributes
    ----------
    outcome : (B,) uint8, index into `OUTCOMES`
    limit_kg : (B,) int32, the limit that decides, the site's own included
    adjudged_kg : (B,) int32, the gross mass that decides, after deduction and guard band
    over_kg : (B,) int32, excess of the adjudged mass over the limit
    unconfirmed_axle_sum_kg : (B,) int32, the lower limit that unconfirmed rows would give, or 0
    reasons : (B,) uint32, bit i for `weigh.screening.usability.REASONS[i]`
    doubts : (B,) uint16, bit i for `weigh.screening.doubts.DOUBTS[i]`
    axle_flags : (B,) uint16, bit i where the group that begins at axle i + 1 is over its limit
    train : (B,) bool, read as a train
    """

    outcome: NDArray[np.uint8]
    limit_kg: NDArray[np.int32]
    adjudged_kg: NDArray[np.int32]
    over_kg: NDArray[np.int32]
    unconfirmed_axle_sum_kg: NDArray[np.int32]
    reasons: NDArray[np.uint32]
    doubts: NDArray[np.uint16]
    axle_flags: NDArray[np.uint16]
    train: NDArray[np.bool_]


_FINDINGS: dict[str, Any] = dict(
    zip(
        (field.name for field in fields(BulkFindings)),
        (np.uint8, np.int32, np.int32, np.int32, np.int32, np.uint32, np.uint16, np.uint16, np.bool_),
        strict=True,
    )
)
# The compiled pass takes arrays by name in these.
_Columns = namedtuple("_Columns", tuple(DTYPES))  # type: ignore[misc]
_Findings = namedtuple("_Findings", tuple(_FINDINGS))  # type: ignore[misc]


def screen_bulk(
    columns: RecordColumns,
    tables: LimitTables,
    rule: DecisionRule,
    *,
    threads: int | None = None,
    out: BulkFindings | None = None,
) -> BulkFindings:
    """Screen records that one set of tables applies to.

    Parameters
    ----------
    columns
        The records, B of them, with their contexts.
    tables
        The limits of the day of the acts (`domain.law.limit_tables`); records of days with different
        limits are screened in as many calls.
    threads
        Threads to spread large batches over; as many as there are processors if None. The findings do
        not depend on it.
    out
        Findings of as many records to write over and return, so that batch after batch of millions needs no
        new memory; their values are void if records are refused.

    Raises
    ------
    InputRefused
        A record is outside what `domain.events.WeighRecord` admits; the first such row is named.
    ConfigurationError
        The tables lack a row, or `out` is no place for these findings.
    """
    memory = memory_for(tables)
    run = _Pass(columns, memory, rule, keep_readings=False, out=out)
    _screen_all(run, memory, threads or _processors())
    return run.findings


def screen_with_readings(
    columns: RecordColumns, tables: LimitTables, rule: DecisionRule
) -> tuple[BulkFindings, Readings]:
    """Screen as `screen_bulk` does, and return the deciding reading of each record too.

    For as many records as documents are made of at once, not for millions.
    """
    memory = memory_for(tables)
    snapshot, wanted = memory.snapshot, np.empty((0, KEY_WORDS), dtype=np.int64)
    while True:
        run = _Pass(columns, memory, rule, keep_readings=True)
        misses = run.screen(snapshot, 0, len(columns))
        if not misses:
            return run.findings, snapshot.readings.take(run.reading)
        # All that was wanted so far, as the memory may begin anew and forget what the first pass found.
        wanted = np.concatenate([wanted, run.missed_keys[:misses]])
        snapshot = memory.learn(wanted)


class _Pass:
    """One pass over some records: what goes in and what comes out."""

    def __init__(
        self,
        columns: RecordColumns,
        memory: ReadingMemory,
        decision: DecisionRule,
        *,
        keep_readings: bool,
        out: BulkFindings | None = None,
    ) -> None:
        count = len(columns)
        self.records = columns
        self.decision, self._rule = decision, _compiled_rule(decision)
        self.reading = np.empty(count if keep_readings else 0, dtype=np.int32)
        self.missed = np.empty(count, dtype=np.int64)
        self.missed_keys = np.empty((count, KEY_WORDS), dtype=np.int64)
        self._memory = memory
        self._columns = _Columns(**{name: getattr(columns, name) for name in DTYPES})
        self._contexts = _context_rows(columns.contexts, decision)
        self._findings = _new_findings(count) if out is None else _checked_findings(out, count)

    @property
    def findings(self) -> BulkFindings:
        """What came out."""
        return BulkFindings(**self._findings._asdict())

    def screen(self, snapshot: Snapshot, begin: int, end: int) -> int:
        """Screen rows; return how many were missed, listed in `missed` and `missed_keys` from `begin` on."""
        misses, odd = screen_rows(
            begin,
            end,
            self._columns,
            self._contexts,
            self._memory.compiled(snapshot),
            self._rule,
            self._findings,
            self.reading,
            self.missed,
            self.missed_keys,
        )
        if odd >= 0:
            row, name = first_odd_row(self.records, odd)
            value = getattr(self.records, name)[..., row].tolist()
            raise InputRefused(
                RefusalCode.OUT_OF_RANGE, f"{name} of row {row} is {value}, which no weigh record can have"
            )
        return int(misses)

    def put(self, rows: Ints, other: BulkFindings) -> None:
        """Take over what was found of some rows."""
        for name, values in vars(other).items():
            getattr(self._findings, name)[rows] = values


def _new_findings(count: int) -> Any:
    return _Findings(**{name: np.empty(count, dtype) for name, dtype in _FINDINGS.items()})


def _checked_findings(out: BulkFindings, count: int) -> Any:
    """Return arrays to write over, if they are such as the compiled pass writes to."""
    for name, dtype in _FINDINGS.items():
        array = getattr(out, name)
        fits = array.dtype == dtype and array.shape == (count,)
        if not (fits and array.flags.c_contiguous and array.flags.writeable):
            raise ConfigurationError(
                f"{name} of the findings to write over is {array.dtype} of shape {array.shape}; it must be "
                f"writable, contiguous {np.dtype(dtype)} of shape {(count,)}, as from as many records"
            )
    return _Findings(**vars(out))


def _screen_all(run: _Pass, memory: ReadingMemory, threads: int) -> None:
    """Screen in blocks, each spread over threads; then learn what was missed, and screen those rows again."""
    count, last, block = len(run.records), 0, _BLOCK
    with ThreadPoolExecutor(threads) as pool:
        while last < count:
            first, last = last, min(last + block, count)
            block *= 2  # less and less is missed, and at each look threads wait for one another
            begins = list(range(first, last, _SHARE))
            share = partial(_share, run, memory.snapshot, last)
            misses = list(pool.map(share, begins)) if threads > 1 and len(begins) > 1 else map(share, begins)
            missed = np.concatenate(
                [np.arange(begin, begin + many) for begin, many in zip(begins, misses, strict=True)]
            )
            for part in range(0, len(missed), MAX_KEYS):
                _screen_missed(run, memory, missed[part : part + MAX_KEYS])


def _share(run: _Pass, snapshot: Snapshot, last: int, begin: int) -> int:
    return run.screen(snapshot, begin, min(begin + _SHARE, last))


def _screen_missed(run: _Pass, memory: ReadingMemory, places: Ints) -> None:
    rows = run.missed[places]
    snapshot = memory.learn(run.missed_keys[places])
    again = _Pass(run.records.take(rows), memory, run.decision, keep_readings=False)
    again.screen(snapshot, 0, len(rows))
    run.put(rows, again.findings)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _context_rows(contexts: ContextTable, rule: DecisionRule) -> Ints:
    """Return the contexts as the compiled pass reads them, (C, CONTEXT)."""
    certified = contexts.certified  # where not, no speed or lane is outside it
    mpe = np.where(certified, contexts.mpe_ppm, rule.mpe_without_certificate_ppm)
    beyond = (1 << SPEED_BITS) - 1  # above any speed admitted
    slowest = np.where(certified, contexts.min_speed_m_h.clip(0, beyond), 0)
    too_fast = np.where(certified, contexts.max_speed_m_h.clip(-1, beyond - 1) + 1, beyond)
    limit = np.where(contexts.site_limit_kg > 0, contexts.site_limit_kg, NO_LIMIT).clip(max=NO_LIMIT)
    lanes = np.where(certified, contexts.certified_lanes, -1) & ((1 << 16) - 1)
    named = (contexts.direction >= 0) & (contexts.direction < 1 << 16)
    direction = np.where(named, contexts.direction, (1 << DIRECTION_BITS) - 1)  # which no record's is
    rows = np.zeros((len(contexts), CONTEXT), dtype=np.int64)
    rows[:, 0] = mpe | slowest << MPE_BITS | too_fast << MAX_SPEED_AT
    rows[:, 1] = limit | lanes << LIMIT_BITS
    rows[:, 2] = contexts.missing << REASONS.index(MISSING[0]) | direction << DIRECTION_AT
    rows[:, 2] |= contexts.site_lanes.clip(0, 16) << SITE_LANES_AT
    return rows


def _compiled_rule(rule: DecisionRule) -> Rule:
    def bit(code: str) -> int:
        return 1 << REASONS.index(code)

    return Rule(
        formula=FORMULA_CODE[rule.formula],
        guard_k_milli=rule.guard_k_milli,
        default_u_gross_ppm=rule.default_u_gross_ppm,
        default_u_axle_ppm=rule.default_u_axle_ppm,
        max_axle_kg=MAX_AXLE_KG,
        min_first_spacing_mm=MIN_FIRST_SPACING_MM,
        min_wheelbase_mm=MIN_WHEELBASE_MM,
        max_length_mm=MAX_LENGTH_MM,
        spacing_error_mm=SPACING_ERROR_MM,
        speed_bit=bit("speed-outside-certificate"),
        lane_bit=bit("lane-not-on-certificate"),
        gross_bit=bit("gross-implausible"),
        axle_bit=bit("axle-load-implausible"),
        sum_bit=bit("axle-sum-mismatch"),
        first_spacing_bit=bit("first-spacing-implausible"),
        wheelbase_bit=bit("wheelbase-implausible"),
        length_bit=bit("length-implausible"),
        direction_bit=bit("direction-not-registered"),
        site_lane_bit=bit("lane-not-at-site"),
        unusable_bits=(1 << len(UNUSABLE)) - 1,
        undeclared_bit=1 << DOUBTS.index("uncertainty-undeclared"),
        admitted=np.array(list(ADMITTED.values()), dtype=np.int64),
    )
