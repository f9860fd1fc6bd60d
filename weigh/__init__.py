"""Arrays in, weights with uncertainty and findings out; no I/O.

The public names are those of `weigh.screening`.
"""

from weigh.screening import (
    ALGORITHM,
    DOUBTS,
    OUTCOMES,
    REASONS,
    STATISTICS,
    BulkFindings,
    ContextTable,
    DecisionRule,
    RecordColumns,
    record_columns,
    screen_bulk,
    screen_records,
)

__all__ = [
    "ALGORITHM",
    "DOUBTS",
    "OUTCOMES",
    "REASONS",
    "STATISTICS",
    "BulkFindings",
    "ContextTable",
    "DecisionRule",
    "RecordColumns",
    "record_columns",
    "screen_bulk",
    "screen_records",
]
