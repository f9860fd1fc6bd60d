"""What the law says of each weighed passage: columns or records in, findings out.

`screen_records` is the door for passages as models, `screen_bulk` the one for compact columns of them.
"""

from weigh.screening.bulk import OUTCOMES, BulkFindings, screen_bulk
from weigh.screening.doubts import DOUBTS
from weigh.screening.findings import ALGORITHM, screen_records
from weigh.screening.record_columns import ContextTable, RecordColumns, record_columns
from weigh.screening.rule import DecisionRule
from weigh.screening.usability import REASONS, STATISTICS

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
