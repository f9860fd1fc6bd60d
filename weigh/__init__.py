"""Arrays in, weights with uncertainty and findings out; no I/O.

`screen_records` is the door for passages as models, `screen_bulk` the one for compact columns of them.
"""

from weigh.bulk import OUTCOMES, BulkFindings, screen_bulk
from weigh.doubts import DOUBTS
from weigh.findings import ALGORITHM, screen_records
from weigh.record_columns import ContextTable, RecordColumns, record_columns
from weigh.rule import DecisionRule
from weigh.usability import REASONS, STATISTICS

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
