"""A CUSUM alarm on steer axles: whether the station still weighs as it did when it was calibrated.

The steer axle of a loaded five- or six-axle truck varies little from truck to truck. Means of `BATCH` such
axles, standardised, run through Page's two cumulative sums (E. S. Page, Biometrika 41, 1954):

    high' = max(0, high + z - k),  low' = max(0, low - z - k);  an alarm where either passes h

1. The first `learning_batches` after a calibration say what is normal: their mean and their deviation.
2. Meanwhile a cruder test runs: every `BLOCK` batches are held against the first `EARLY`, and batches that
   scatter more than traffic does teach nothing. Either is an alarm: a drift must not be learnt as normal.
3. From then on every full batch moves both sums. An alarm names its direction and stands.
4. Only a state begun for a new calibration version is without alarm again.

What has not filled a batch yet is kept, so that any splitting of the stream gives the same figures to the
last bit. The mean steer axle itself moves by 1-2 % with the season: an alarm asks for weighed passes, it
does not correct anything.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from weigh.calibration.document import read_document
from weigh.calibration.run_length import MOST_SLACK, threshold

Floats = NDArray[np.float64]

BATCH = 50
EARLY, BLOCK = 20, 10
"""Batches: the first ones, and those whose mean is held against theirs while what is normal is learnt."""
_PPM = 1e-6
_LEAST_SD = 1e-4
"""A deviation below a hundredth per cent of the mean is no traffic's: a stuck sensor must not divide by 0."""


class Alarm(StrEnum):
    """Whether the station drifts, and which way."""

    LEARNING = "learning"
    """What is normal is not known yet: only a large shift gives an alarm."""
    QUIET = "quiet"
    HIGH = "high"
    """Weighs more than when it was calibrated."""
    LOW = "low"
    """Weighs less than when it was calibrated."""
    UNSTEADY = "unsteady"
    """Scattered so much while what is normal was to be learnt that nothing was."""


class DriftRule(BaseModel):
    """What the alarm looks for. Configuration, in scaled units."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    shift_ppm: Annotated[int, Field(gt=0, le=100_000)] = 10_000
    """The shift of the mean to be found soonest."""
    run_length_axles: Annotated[int, Field(ge=1_000, le=10**8)] = 40_000
    """Axles between false alarms, on average, where nothing drifts."""
    learning_batches: Annotated[int, Field(ge=20, le=1_000)] = 120
    learning_shift_ppm: Annotated[int, Field(gt=0, le=500_000)] = 30_000
    """Shift of a block's mean during learning that is an alarm. Five standard deviations where front axles
    vary by 11 %; no source gives a figure, nor for the next."""
    most_scatter_ppm: Annotated[int, Field(gt=0, le=500_000)] = 30_000
    """Deviation of batches' means beyond which they teach nothing; simulated traffic has half of it."""
    min_gross_kg: Annotated[int, Field(ge=0, le=100_000)] = 30_000
    """A truck below this is not taken as loaded. No source gives a figure."""
    axle_counts: tuple[int, ...] = (5, 6)


class DriftState(BaseModel):
    """Where the alarm of one lane's strips stands; immutable. Loads in kg.

    Attributes
    ----------
    calibration_version : the calibration it watches
    pending : axles that have not filled a batch yet
    batches : batches seen, learning included
    learnt_sum, learnt_squares : sums over the learning batches' means, about the first of them
    origin_kg : the first learning batch's mean
    early_sum, block_sum : sums over the first `EARLY` batches' means and over those of the block under way,
        likewise; 0 until there are any
    reference_kg, sd_kg : mean and standard deviation of a batch's mean, once learnt; else 0
    high, low : the two sums, in standard deviations
    alarm, alarm_batch : the alarm, and the number of the batch that raised it (0: none)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    calibration_version: Annotated[int, Field(ge=1)]
    rule: DriftRule = DriftRule()
    pending: Annotated[tuple[float, ...], Field(max_length=BATCH - 1)] = ()
    batches: Annotated[int, Field(ge=0)] = 0
    learnt_sum: float = 0.0
    learnt_squares: float = 0.0
    origin_kg: float = 0.0
    early_sum: float = 0.0
    block_sum: float = 0.0
    reference_kg: float = 0.0
    sd_kg: float = 0.0
    high: Annotated[float, Field(ge=0)] = 0.0
    low: Annotated[float, Field(ge=0)] = 0.0
    alarm: Alarm = Alarm.LEARNING
    alarm_batch: Annotated[int, Field(ge=0)] = 0

    @property
    def alarmed(self) -> bool:
        """Whether the station may produce statistics only, until it is calibrated anew."""
        return self.alarm in (Alarm.HIGH, Alarm.LOW, Alarm.UNSTEADY)

    @property
    def slack(self) -> float:
        """k: half the shift looked for, in standard deviations of a batch's mean."""
        return min(0.5 * self.rule.shift_ppm * _PPM * self.reference_kg / self.sd_kg, MOST_SLACK)

    def to_document(self) -> dict[str, object]:
        """Return the state as a JSON document."""
        return self.model_dump(mode="json")

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Self:
        """Return the state a document says; an unfit field is refused by name."""
        return read_document(cls, document, "drift state")


def watch(state: DriftState, steer_kg: Floats) -> DriftState:
    """Return the state after further steer axles, (N,), in the order they passed."""
    if not (np.isfinite(steer_kg).all() and (steer_kg > 0.0).all()):
        raise InputRefused(RefusalCode.NOT_FINITE, "a steer axle load is not a positive figure")
    loads = np.concatenate([np.array(state.pending, dtype=np.float64), steer_kg])
    full = len(loads) // BATCH
    for mean in loads[: full * BATCH].reshape(full, BATCH).mean(axis=1):
        state = _after_batch(state, float(mean))
    return state.model_copy(update={"pending": tuple(loads[full * BATCH :].tolist())})


def _after_batch(state: DriftState, mean_kg: float) -> DriftState:
    batches = state.batches + 1
    if batches <= state.rule.learning_batches:
        return _learn(state, mean_kg, batches)
    z = (mean_kg - state.reference_kg) / state.sd_kg
    high = max(0.0, state.high + z - state.slack)
    low = max(0.0, state.low - z - state.slack)
    moved: dict[str, object] = {"batches": batches, "high": high, "low": low}
    bound = threshold(state.slack, state.rule.run_length_axles / BATCH, state.rule.learning_batches)
    if not state.alarmed and max(high, low) > bound:
        moved |= {"alarm": Alarm.HIGH if high >= low else Alarm.LOW, "alarm_batch": batches}
    return state.model_copy(update=moved)


def _learn(state: DriftState, mean_kg: float, batches: int) -> DriftState:
    origin = mean_kg if batches == 1 else state.origin_kg
    total = state.learnt_sum + (mean_kg - origin)
    squares = state.learnt_squares + (mean_kg - origin) ** 2
    block, alarm = _block(state, mean_kg, batches)
    moved: dict[str, object] = {
        "batches": batches,
        "block_sum": block,
        "origin_kg": origin,
        "learnt_sum": total,
        "learnt_squares": squares,
    }
    last = batches == state.rule.learning_batches
    if last or batches == EARLY:
        variance = (squares - total**2 / batches) / (batches - 1)
        reference = origin + total / batches
        sd = max(math.sqrt(max(variance, 0.0)), _LEAST_SD * reference)
        moved |= {"reference_kg": reference, "sd_kg": sd} if last else {"early_sum": total}
        if sd > state.rule.most_scatter_ppm * _PPM * reference:
            alarm = Alarm.UNSTEADY
        elif last and alarm is Alarm.LEARNING:
            alarm = Alarm.QUIET
    if alarm in (Alarm.HIGH, Alarm.LOW, Alarm.UNSTEADY) and not state.alarmed:
        moved["alarm_batch"] = batches
    return state.model_copy(update=moved | {"alarm": state.alarm if state.alarmed else alarm})


def _block(state: DriftState, mean_kg: float, batches: int) -> tuple[float, Alarm]:
    """Return the sum of the block under way, and what a full one says against the first batches."""
    if batches <= EARLY:
        return 0.0, Alarm.LEARNING
    total = state.block_sum + (mean_kg - state.origin_kg)
    if (batches - EARLY) % BLOCK:
        return total, Alarm.LEARNING
    early = state.origin_kg + state.early_sum / EARLY
    shift = (state.origin_kg + total / BLOCK) / early - 1.0
    if abs(shift) <= state.rule.learning_shift_ppm * _PPM:
        return 0.0, Alarm.LEARNING
    return 0.0, Alarm.HIGH if shift > 0.0 else Alarm.LOW
