"""Why a passage was held for statistics only on its arrival (a clock that may be wrong) stands for ever."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.screening import Outcome
from weigh.screening.bulk import OUTCOMES, BulkFindings
from weigh.screening.ragged import Ragged, bits_to_lists
from weigh.screening.usability import REASONS

_UNUSABLE, _STATISTICS_ONLY = OUTCOMES.index(Outcome.UNUSABLE), OUTCOMES.index(Outcome.STATISTICS_ONLY)


def outcome_with_held(found: BulkFindings, held: Ragged) -> NDArray[Any]:
    """Return the outcomes, (B,): statistics only where anything held it back, unless it is unusable."""
    is_held = np.diff(held[1]) > 0
    return np.where(is_held & (found.outcome != _UNUSABLE), _STATISTICS_ONLY, found.outcome)


def reasons_with_held(found: BulkFindings, held: Ragged, words: list[str]) -> tuple[Ragged, list[str]]:
    """Return the reasons found and, behind them, those it was held for: a ragged column, and its words."""
    of_found, offset = bits_to_lists(found.reasons)
    rows = np.arange(len(found.reasons))
    row = np.concatenate([np.repeat(rows, np.diff(offset)), np.repeat(rows, np.diff(held[1]))])
    order = np.argsort(row, kind="stable")
    reasons = np.concatenate([of_found, held[0] + len(REASONS)])[order]
    return (reasons, offset + held[1]), [*REASONS, *words]
