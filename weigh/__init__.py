"""Arrays in, weights with uncertainty and findings out; no I/O.

`screen_records` is the door for passages as models, `screen_bulk` the one for compact columns of them.
"""

from weigh.bulk import BulkFindings, screen_bulk
from weigh.columns import PassageColumns, passage_columns
from weigh.findings import screen_records
from weigh.record_columns import ContextTable, RecordColumns, record_columns
from weigh.rule import DecisionRule
from weigh.screening import ALGORITHM, DOUBTS, ScreeningColumns, screen_columns
from weigh.usability import REASONS, STATISTICS

__all__ = [
    "ALGORITHM",
    "DOUBTS",
    "REASONS",
    "STATISTICS",
    "BulkFindings",
    "ContextTable",
    "DecisionRule",
    "PassageColumns",
    "RecordColumns",
    "ScreeningColumns",
    "passage_columns",
    "record_columns",
    "screen_bulk",
    "screen_columns",
    "screen_records",
]
