"""A CUSUM alarm on steer axles: whether the station still weighs as it did when it was calibrated.

The steer axle of a loaded five- or six-axle truck varies little from truck to truck. Means of `BATCH` such
axles, standardised, run through Page's two cumulative sums (E. S. Page, Biometrika 41, 1954):

    high' = max(0, high + z - k),  low' = max(0, low - z - k);  an alarm where either passes h

1. The first `learning_batches` after a calibration say what is normal: their mean and their deviation.
2. From then on every full batch moves both sums. An alarm names its direction and stands.
3. Only a state begun for a new calibration version is without alarm again.

What has not filled a batch yet is kept, so that any splitting of the stream gives the same figures to the
last bit. The mean steer axle itself moves by 1-2 % with the season: an alarm asks for weighed passes, it
does not correct anything.
"""

import json
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.errors import ConfigurationError, InputRefused
from domain.refusals import RefusalCode
from weigh.calibration.run_length import MOST_SLACK, threshold

Floats = NDArray[np.float64]

BATCH = 50
_PPM = 1e-6
_LEAST_SD = 1e-4
"""A deviation below a hundredth per cent of the mean is no traffic's: a stuck sensor must not divide by 0."""


class Alarm(StrEnum):
    """Whether the station drifts, and which way."""

    LEARNING = "learning"
    """What is normal is not known yet: no alarm can be given."""
    QUIET = "quiet"
    HIGH = "high"
    """Weighs more than when it was calibrated."""
    LOW = "low"
    """Weighs less than when it was calibrated."""


class DriftRule(BaseModel):
    """What the alarm looks for. Configuration, in scaled units."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    shift_ppm: Annotated[int, Field(gt=0, le=100_000)] = 10_000
    """The shift of the mean to be found soonest."""
    run_length_axles: Annotated[int, Field(ge=1_000, le=10**8)] = 40_000
    """Axles between false alarms, on average, where nothing drifts."""
    learning_batches: Annotated[int, Field(ge=20, le=1_000)] = 120
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
    reference_kg: float = 0.0
    sd_kg: float = 0.0
    high: Annotated[float, Field(ge=0)] = 0.0
    low: Annotated[float, Field(ge=0)] = 0.0
    alarm: Alarm = Alarm.LEARNING
    alarm_batch: Annotated[int, Field(ge=0)] = 0

    @property
    def alarmed(self) -> bool:
        """Whether the station may produce statistics only, until it is calibrated anew."""
        return self.alarm in (Alarm.HIGH, Alarm.LOW)

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
        try:
            return cls.model_validate_json(json.dumps(document))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(f"drift state: {field}: {first['msg']}") from None
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"drift state: not a JSON document: {error}") from None


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
    moved: dict[str, object] = {
        "batches": batches,
        "origin_kg": origin,
        "learnt_sum": total,
        "learnt_squares": squares,
    }
    if batches == state.rule.learning_batches:
        variance = (squares - total**2 / batches) / (batches - 1)
        reference = origin + total / batches
        moved |= {
            "reference_kg": reference,
            "sd_kg": max(math.sqrt(max(variance, 0.0)), _LEAST_SD * reference),
            "alarm": Alarm.QUIET,
        }
    return state.model_copy(update=moved)
