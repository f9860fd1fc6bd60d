"""How accurate a station is against weighed passes: errors, confidence and class by criterion.

An error is (measured - reference) / reference, in per cent. Axles alone in their group are single axles;
of the others both the group's sum and each axle are judged.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from weigh.calibration.classes import (
    ASTM_SHARE,
    ASTM_TYPES,
    AXLE_CLASSES,
    COST_CLASSES,
    GROSS_CLASSES,
    RIGID_AXLE_CLASSES,
    Criterion,
    Environment,
    ErrorClass,
    Mark,
    Repetition,
    Stage,
    Tolerance,
    cost_confidence_reached,
    cost_confidence_required,
    cost_tolerance,
)
from weigh.calibration.passes import WeighedPasses

Floats = NDArray[np.float64]

NOT_DETERMINED = "not determined"
NONE = "none"

MIN_MEASUREMENTS = 10
"""Fewer of a kind, and no class is named: two lucky passes must not look like an accurate station."""


@dataclass(frozen=True)
class Errors:
    """Measured and reference loads of one criterion, kg, (N,)."""

    measured_kg: Floats
    reference_kg: Floats

    @property
    def percent(self) -> Floats:
        """Errors relative to the reference, (N,)."""
        return 100.0 * (self.measured_kg / self.reference_kg - 1.0)


@dataclass(frozen=True)
class CostVerdict:
    """One criterion under COST 323. `tolerance` and `reached` belong to `name`, or to E(30) if none holds."""

    name: str
    tolerance: float
    required: float
    reached: float


@dataclass(frozen=True)
class CriterionReport:
    """One criterion: its errors in per cent, the classes they meet, and how sure the class's figure is."""

    criterion: Criterion
    count: int
    mean: float
    sd: float
    worst: float
    cost: CostVerdict | None
    r134: str
    r134_mark: Mark | None
    astm: tuple[str, ...]


@dataclass(frozen=True)
class AccuracyReport:
    """A station against its weighed passes.

    `cost_class` and `r134_gross` are those of the worst criterion and of the gross mass; `NOT_DETERMINED`
    where a criterion that occurs has too few measurements, `NONE` where no class is met.
    """

    passes: int
    stage: Stage
    repetition: Repetition
    environment: Environment
    criteria: tuple[CriterionReport, ...]
    cost_class: str
    r134_gross: str


def errors_by_criterion(passes: WeighedPasses) -> dict[Criterion, Errors]:
    """Return the errors of passes whose every axle was measured; others are refused."""
    if not np.isfinite(passes.measured_kg[passes.axle]).all():
        raise InputRefused(RefusalCode.FIELD_MISSING, "an axle of a weighed pass has no measured load")
    measured = np.where(passes.axle, passes.measured_kg, 0.0)
    reference = np.where(passes.axle, passes.reference_kg, 0.0)
    same = (passes.group[:, :, None] == passes.group[:, None, :]) & passes.axle[:, None, :]
    size = np.where(passes.axle, same.sum(axis=2), 0)
    first = passes.axle & ~np.tril(same, -1).any(axis=2)
    single, grouped = size == 1, size > 1
    leads = first & grouped
    sums = [(same * load[:, None, :]).sum(axis=2) for load in (measured, reference)]
    return {
        Criterion.GROSS: Errors(measured.sum(axis=1), reference.sum(axis=1)),
        Criterion.GROUP: Errors(sums[0][leads], sums[1][leads]),
        Criterion.SINGLE: Errors(measured[single], reference[single]),
        Criterion.IN_GROUP: Errors(measured[grouped], reference[grouped]),
    }


def accuracy_report(
    passes: WeighedPasses,
    *,
    stage: Stage = Stage.IN_SERVICE,
    repetition: Repetition = Repetition.R1,
    environment: Environment = Environment.I,
    rigid: bool = False,
) -> AccuracyReport:
    """Return how accurate the station is.

    Parameters
    ----------
    stage : errors allowed at verification or in service
    repetition, environment : how the test was made (COST 323); the strictest unless said
    rigid : the passes are all of a two-axle rigid reference vehicle (R 134-1 judges its axles more strictly)
    """
    found = errors_by_criterion(passes)
    criteria = tuple(
        _criterion(criterion, errors, stage, repetition, environment, rigid=rigid)
        for criterion, errors in found.items()
    )
    occurring = [each for each in criteria if each.count]
    return AccuracyReport(
        passes=len(passes),
        stage=stage,
        repetition=repetition,
        environment=environment,
        criteria=criteria,
        cost_class=_worst([each.cost.name if each.cost else NOT_DETERMINED for each in occurring]),
        r134_gross=criteria[0].r134,
    )


def _criterion(
    criterion: Criterion,
    errors: Errors,
    stage: Stage,
    repetition: Repetition,
    environment: Environment,
    *,
    rigid: bool,
) -> CriterionReport:
    percent = errors.percent
    r134 = _r134(criterion, percent, stage, rigid=rigid) if len(percent) >= MIN_MEASUREMENTS else None
    count = len(percent)
    mean = float(percent.mean()) if count else np.nan
    sd = float(percent.std(ddof=1)) if count > 1 else np.nan
    enough = count >= MIN_MEASUREMENTS
    return CriterionReport(
        criterion=criterion,
        count=count,
        mean=mean,
        sd=sd,
        worst=float(np.abs(percent).max()) if count else np.nan,
        cost=_cost(criterion, percent, stage, cost_confidence_required(count, repetition, environment))
        if enough
        else None,
        r134=r134.name if r134 else NONE if enough else NOT_DETERMINED,
        r134_mark=r134.mark if r134 else None,
        astm=_astm(criterion, errors) if enough else (),
    )


def _cost(criterion: Criterion, percent: Floats, stage: Stage, required: float) -> CostVerdict:
    mean, sd, count = float(percent.mean()), float(percent.std(ddof=1)), len(percent)
    tolerance = reached = 0.0
    for name, gross_percent in COST_CLASSES:
        tolerance = cost_tolerance(gross_percent, criterion, stage)
        reached = cost_confidence_reached(mean, sd, count, tolerance)
        if reached >= required:
            return CostVerdict(name, tolerance, required, reached)
    return CostVerdict(NONE, tolerance, required, reached)


def _r134(criterion: Criterion, percent: Floats, stage: Stage, *, rigid: bool) -> ErrorClass | None:
    """Return the best class whose largest error no measurement passes; None where there is none."""
    classes: tuple[ErrorClass, ...] = GROSS_CLASSES
    if criterion is not Criterion.GROSS:
        classes = RIGID_AXLE_CLASSES if rigid else AXLE_CLASSES
    worst = float(np.abs(percent).max())
    return next((each for each in classes if worst <= each.allows(stage)), None)


def _astm(criterion: Criterion, errors: Errors) -> tuple[str, ...]:
    """Return the types whose tolerance 95 % of the errors keep."""
    return tuple(
        name
        for name, tolerances in ASTM_TYPES.items()
        if criterion in tolerances and _keeps(errors, tolerances[criterion])
    )


def _keeps(errors: Errors, tolerance: Tolerance) -> bool:
    judged = errors.reference_kg >= tolerance.from_kg
    if judged.sum() < MIN_MEASUREMENTS:
        return False
    if tolerance.percent is not None:
        within = np.abs(errors.percent[judged]) <= tolerance.percent
    else:
        off = np.abs(errors.measured_kg[judged] - errors.reference_kg[judged])
        within = off <= (tolerance.kg or 0.0)
    return float(within.mean()) >= ASTM_SHARE


def _worst(names: list[str]) -> str:
    if NOT_DETERMINED in names or not names:
        return NOT_DETERMINED
    order = [name for name, _ in COST_CLASSES] + [NONE]
    return max(names, key=order.index)
