"""From a measured mass to the mass that decides: legal deduction and guard band, the smaller of both.

Integer arithmetic, rounded down at every step: a fraction of a kilogram goes to the party.
"""

from dataclasses import dataclass

import numpy as np

from domain.screening import Formula
from domain.units import PPM
from weigh.columns import Ints


@dataclass(frozen=True)
class Adjudged:
    """Masses after each step, kg, all of one shape; `decides` is the smaller of the two."""

    after_deduction: Ints
    after_guard: Ints

    @property
    def decides(self) -> Ints:
        """The mass held against the limit."""
        return np.minimum(self.after_deduction, self.after_guard)


def adjudge(
    measured_kg: Ints, limit_kg: Ints, *, mpe_ppm: Ints, u_ppm: Ints, formula: Formula, guard_k_milli: int
) -> Adjudged:
    """Return the masses after deduction (domain.md C6) and after the guard band of k u.

    `limit` compares m with L (1 + t) and counts the excess from there; taking t L off the mass says the
    same against L itself. Arrays broadcast.
    """
    if formula is Formula.DEDUCT:
        deducted = measured_kg * (PPM - mpe_ppm) // PPM
    elif formula is Formula.BOUND:
        deducted = measured_kg * PPM // (PPM + mpe_ppm)
    else:
        deducted = measured_kg + (-limit_kg * mpe_ppm) // PPM
    guarded = measured_kg * (1_000 * PPM - guard_k_milli * u_ppm) // (1_000 * PPM)
    return Adjudged(np.maximum(deducted, 0), np.maximum(guarded, 0))
