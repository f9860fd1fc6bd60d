"""Accuracy classes of weigh-in-motion systems, and what it takes to be given one.

Each figure says how sure it is (`Mark`): few of these standards are public, so that what is told here is
for one's own checks. A verification is the verification body's, by the text it holds. What is not known,
such as the errors of classes 7 and 15 of GB/T 21296, is absent.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from domain.errors import InputRefused
from domain.refusals import RefusalCode


class Mark(StrEnum):
    """How sure a figure is."""

    TEXT = "text"
    """Read in the standard itself, or in public code that executes it."""
    SECONDARY = "secondary"
    """Told by others than the standard."""
    DERIVED = "derived"
    MEMORY = "memory"
    """Recalled, never found: confirm before use."""


class Criterion(StrEnum):
    """What is compared with its static reference."""

    GROSS = "gross"
    GROUP = "group"
    SINGLE = "single-axle"
    IN_GROUP = "axle-of-group"


class Stage(StrEnum):
    """Which errors are allowed: those at verification, or those in service."""

    INITIAL = "initial"
    IN_SERVICE = "in-service"


@dataclass(frozen=True)
class ErrorClass:
    """Largest errors a class allows, in per cent of the reference."""

    name: str
    initial: float
    in_service: float
    mark: Mark

    def allows(self, stage: Stage) -> float:
        """Return the largest error, per cent."""
        return self.initial if stage is Stage.INITIAL else self.in_service


GROSS_CLASSES = (
    ErrorClass("0.2", 0.10, 0.20, Mark.MEMORY),
    ErrorClass("0.5", 0.25, 0.50, Mark.MEMORY),
    ErrorClass("1", 0.50, 1.0, Mark.MEMORY),
    ErrorClass("2", 1.00, 2.0, Mark.MEMORY),
    ErrorClass("5", 2.50, 5.0, Mark.SECONDARY),
    ErrorClass("10", 5.0, 10.0, Mark.SECONDARY),
)
"""Classes of JJG 907-2006 and OIML R 134-1:2006 by gross mass, best first."""

RIGID_AXLE_CLASSES = (
    ErrorClass("A", 0.25, 0.5, Mark.MEMORY),
    ErrorClass("B", 0.5, 1.0, Mark.MEMORY),
    ErrorClass("C", 0.75, 1.5, Mark.MEMORY),
    ErrorClass("D", 1.0, 2.0, Mark.MEMORY),
    ErrorClass("E", 2.0, 4.0, Mark.MEMORY),
    ErrorClass("F", 4.0, 8.0, Mark.MEMORY),
)
"""OIML R 134-1:2006, axles of the two-axle rigid reference vehicle."""

AXLE_CLASSES = (
    ErrorClass("A", 0.5, 1.0, Mark.MEMORY),
    ErrorClass("B", 1.0, 2.0, Mark.MEMORY),
    ErrorClass("C", 1.5, 3.0, Mark.MEMORY),
    ErrorClass("D", 2.0, 4.0, Mark.MEMORY),
    ErrorClass("E", 4.0, 8.0, Mark.MEMORY),
    ErrorClass("F", 8.0, 16.0, Mark.MEMORY),
)
"""OIML R 134-1:2006, single axles and axle groups of other vehicles."""

COST_CLASSES = (
    ("A(5)", 5.0),
    ("B+(7)", 7.0),
    ("B(10)", 10.0),
    ("C(15)", 15.0),
    ("D+(20)", 20.0),
    ("D(25)", 25.0),
    ("E(30)", 30.0),
)
"""Classes of COST 323 with their gross tolerance in per cent, best first (Mark.TEXT, by public code)."""

_COST_INITIAL = 0.8


class Repetition(StrEnum):
    """Test conditions of COST 323, from full repeatability to full reproducibility."""

    R1 = "R1"
    """One vehicle, several passes at one speed and load, one lateral position."""
    R2 = "R2"
    """One vehicle, several speeds and loads."""
    RR1 = "RR1"
    """Some vehicles, limited reproducibility."""
    RR2 = "RR2"
    """Vehicles of the traffic flow, full reproducibility."""


class Environment(StrEnum):
    """How climate varied during the test of COST 323."""

    I = "I"  # noqa: E741 (the standard's own name)
    II = "II"
    III = "III"


_U_OF_REPETITION = {
    Repetition.R1: 2.675,
    Repetition.R2: 2.36,
    Repetition.RR1: 2.155,
    Repetition.RR2: 2.0,
}
_DIVIDED_BY = {Environment.I: 1.0, Environment.II: 1.05, Environment.III: 1.1}


def cost_tolerance(gross_percent: float, criterion: Criterion, stage: Stage = Stage.IN_SERVICE) -> float:
    """Return the half-width of COST 323's interval for a class, in per cent.

    Parameters
    ----------
    gross_percent : the class's tolerance of the gross mass, e.g. 5 for A(5)
    """
    d = gross_percent
    if criterion is Criterion.GROSS:
        width = d
    elif criterion is Criterion.GROUP:
        width = d / 0.7 if d < 7.0 else d + 3.0 if d < 30.0 else 1.1 * d
    elif criterion is Criterion.SINGLE:
        width = d * (85.0 - d) / 50.0 if d < 10.0 else d + 5.0 if d < 25.0 else 1.2 * d
    else:
        width = 2.0 * d if d < 10.0 else d + 10.0 if d < 25.0 else 1.2 * d + 5.0
    return width * (_COST_INITIAL if stage is Stage.INITIAL else 1.0)


def cost_confidence_required(count: int, repetition: Repetition, environment: Environment) -> float:
    """Return the least confidence, in per cent, that `count` measurements must reach to be given a class.

    COST 323: 100 (2 Phi(u - t / sqrt(n)) - 1), t the upper 2.5 % point of Student's distribution with n - 1
    degrees of freedom. It may be below zero for two or three measurements, and then says nothing.
    """
    u = _U_OF_REPETITION[repetition] / _DIVIDED_BY[environment]
    return float(100.0 * (2.0 * ndtr(u - _margin(count)) - 1.0))


def cost_confidence_reached(mean: float, sd: float, count: int, tolerance: float) -> float:
    """Return the least confidence, in per cent, that an error lies within +-`tolerance` per cent.

    COST 323, with Student's distribution: Psi((d - m) / s - t / sqrt(n)) - Psi((-d - m) / s + t / sqrt(n)).

    Parameters
    ----------
    mean, sd : of the errors, per cent of the reference
    """
    margin = _margin(count)
    if sd <= 0.0:
        return 100.0 if abs(mean) <= tolerance else 0.0
    upper = float(stdtr(count - 1, (tolerance - mean) / sd - margin))
    lower = float(stdtr(count - 1, (-tolerance - mean) / sd + margin))
    return 100.0 * max(upper - lower, 0.0)


def _margin(count: int) -> float:
    if count < 2:
        raise InputRefused(RefusalCode.OUT_OF_RANGE, "a class needs at least two measurements of a kind")
    return float(stdtrit(count - 1, 0.975) / np.sqrt(count))


@dataclass(frozen=True)
class Tolerance:
    """What 95 % of the errors keep within in a type of ASTM E1318-09: per cent, or kg from a load on."""

    percent: float | None = None
    kg: float | None = None
    from_kg: float = 0.0


ASTM_TYPES: dict[str, dict[Criterion, Tolerance]] = {
    "I": {
        Criterion.GROSS: Tolerance(10.0),
        Criterion.GROUP: Tolerance(15.0),
        Criterion.SINGLE: Tolerance(20.0),
    },
    "II": {
        Criterion.GROSS: Tolerance(15.0),
        Criterion.GROUP: Tolerance(20.0),
        Criterion.SINGLE: Tolerance(30.0),
    },
    "III": {
        Criterion.GROSS: Tolerance(6.0),
        Criterion.GROUP: Tolerance(10.0),
        Criterion.SINGLE: Tolerance(15.0),
    },
    "IV": {
        Criterion.GROSS: Tolerance(kg=1_100.0, from_kg=27_200.0),
        Criterion.GROUP: Tolerance(kg=500.0, from_kg=11_300.0),
        Criterion.SINGLE: Tolerance(kg=200.0, from_kg=5_400.0),
    },
}
"""ASTM E1318-09 (Mark.MEMORY); its axle figures are applied to single axles. Wheel loads are not measured."""

ASTM_SHARE = 0.95
