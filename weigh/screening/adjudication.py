"""From a measured mass to the mass that decides: legal deduction and guard band, the smaller of both.

Integer arithmetic, rounded down at every step: a fraction of a kilogram goes to the party. Each formula
stands once, compiled for one mass (`weigh.screening._formulas`): for the arrays here and for the pass
over millions of records.
"""

from dataclasses import dataclass

import numpy as np

from domain.screening import Formula
from weigh.screening._formulas import BOUND, DEDUCT, LIMIT, adjudge_each
from weigh.screening.columns import Ints

FORMULA_CODE = {Formula.DEDUCT: DEDUCT, Formula.BOUND: BOUND, Formula.LIMIT: LIMIT}


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
    same against L itself. Arrays broadcast; masses and limits kg, from 0.
    """
    arrays = np.broadcast_arrays(measured_kg, limit_kg, mpe_ppm, u_ppm)
    masses = np.empty((2, arrays[0].size), dtype=np.int64)
    mass, limit, mpe, u = (np.ascontiguousarray(array, dtype=np.int64).reshape(-1) for array in arrays)
    adjudge_each(mass, limit, mpe, u, FORMULA_CODE[formula], guard_k_milli, masses)
    return Adjudged(*masses.reshape(2, *arrays[0].shape))
