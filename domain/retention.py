"""Retention: how long what is personal is kept, by rule; the figures of a passage stay.

A rule says from when on the time runs, and what goes at its end. Weights, findings, what was decided and
by whom, the ledger and the log stay: none of them shows a person or a plate.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Rule(StrEnum):
    """Which rule a deletion follows."""

    UNFLAGGED = "unflagged"
    """Captures, and messages as received, of passages never flagged: since they were stored."""
    HIT = "hit-without-case"
    """A flagged passage with its packages that made no case: since its last package was sealed."""
    REJECTED = "rejected-case"
    """The same of a case that was rejected: since its last change, or the sealing of a later package."""
    CONFIRMED = "confirmed-case"
    """The same of a case that was confirmed."""
    QUARANTINE = "quarantine"
    """What a refused message said: since it was stored."""


OF_HITS = (Rule.HIT, Rule.REJECTED, Rule.CONFIRMED)
"""The rules by which whole packages go."""


class Term(NamedTuple):
    """A rule with its length, as a deployment has set it."""

    rule: Rule
    days: int

    def before(self, now: datetime) -> datetime:
        """Return the moment before which the time must have begun for its end to be reached."""
        return now - timedelta(days=self.days)

    @property
    def text(self) -> str:
        """The rule in one sentence, as a deletion's statement gives it."""
        return f"retention rule {self.rule.value}: {self.days} days"


Terms = Mapping[Rule, Term]


def terms_of(days: Mapping[Rule, int]) -> Terms:
    """Return every rule's term, in the order of the rules."""
    return {rule: Term(rule, days[rule]) for rule in Rule}
