"""Arrays in, weights with uncertainty and findings out; no I/O.

`screen_records` is the door for passages as models; `screen_columns` works on columns below it.
"""

from weigh.columns import PassageColumns, passage_columns
from weigh.findings import screen_records
from weigh.rule import DecisionRule
from weigh.screening import ALGORITHM, DOUBTS, ScreeningColumns, screen_columns
from weigh.usability import REASONS, STATISTICS

__all__ = [
    "ALGORITHM",
    "DOUBTS",
    "REASONS",
    "STATISTICS",
    "DecisionRule",
    "PassageColumns",
    "ScreeningColumns",
    "passage_columns",
    "screen_columns",
    "screen_records",
]
