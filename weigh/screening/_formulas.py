"""The formulas of deduction and guard band, compiled for one mass.

All arithmetic is on whole numbers, which no value that `weigh.screening.record_columns` admits can bring to
2^53.
"""
# ruff: noqa: PLR0917 - compiled functions know no keyword-only arguments

from typing import Any

import numpy as np

from weigh._jit import njit

PPM = 1_000_000
WHOLE = 1_000 * PPM
"""One, in thousandths of a part per million: the unit of k times u."""

DEDUCT, BOUND, LIMIT = range(3)

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def floor_divide(whole: Any, by: Any) -> Any:
    """Return the exact quotient, rounded down, of two numbers from 0 to below 2^53, `by` above 0.

    Processors divide many floating-point numbers at once, and whole ones one after another. Both numbers
    are exact as such; their quotient is rounded to the nearest, so that it may reach the next whole number
    from below, and never falls below the one it is above: one step back is all that may be needed.
    """
    quotient = np.int64(np.float64(whole) / np.float64(by))
    return quotient - (quotient * by > whole)


@_compiled
def after_deduction(measured_kg: Any, limit_kg: Any, mpe_ppm: Any, formula: Any) -> Any:
    """Return one mass after the deduction (domain.md C6)."""
    if formula == DEDUCT:
        return floor_divide(max(measured_kg * (PPM - mpe_ppm), 0), PPM)
    if formula == BOUND:
        return floor_divide(measured_kg * PPM, PPM + mpe_ppm)
    return max(measured_kg - floor_divide(limit_kg * mpe_ppm + PPM - 1, PPM), 0)


@_compiled
def guard_factor(u_ppm: Any, guard_k_milli: Any) -> Any:
    """Return what the guard band leaves of a mass, 1 - k u, in parts of `WHOLE`."""
    return max(WHOLE - guard_k_milli * u_ppm, 0)


@_compiled
def after_guard(measured_kg: Any, factor: Any) -> Any:
    """Return one mass after the guard band."""
    return floor_divide(measured_kg * factor, WHOLE)


@_compiled
def terms(mpe_ppm: Any, formula: Any) -> Any:
    """Return a, b, c such that a mass m after the deduction is over a limit L just where m a >= L b + c.

    Without a division: floor(x / y) > L says x >= (L + 1) y.
    """
    if formula == DEDUCT:
        return PPM - mpe_ppm, PPM, PPM
    if formula == BOUND:
        return PPM, PPM + mpe_ppm, PPM + mpe_ppm
    return PPM, PPM + mpe_ppm, PPM


@_compiled
def exceeds(measured_kg: Any, limit_kg: Any, a: Any, b: Any, c: Any, factor: Any) -> Any:
    """Whether both masses, of `after_deduction` and of `after_guard`, are over the limit."""
    return (measured_kg * a >= limit_kg * b + c) & (measured_kg * factor >= (limit_kg + 1) * WHOLE)


@_compiled
def adjudge_each(
    measured_kg: Any, limit_kg: Any, mpe_ppm: Any, u_ppm: Any, formula: Any, guard_k_milli: Any, masses: Any
) -> None:
    """Write both masses of each measured one, (2, B)."""
    for row in range(len(measured_kg)):
        masses[0, row] = after_deduction(measured_kg[row], limit_kg[row], mpe_ppm[row], formula)
        masses[1, row] = after_guard(measured_kg[row], guard_factor(u_ppm[row], guard_k_milli))
