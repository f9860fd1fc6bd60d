"""Health of each strip, from ordinary traffic: every strip against the others on the same axles.

No reference load is needed. What all strips do together is not seen here: that is the drift alarm's
(`weigh.calibration.drift`) and the weighed passes'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from domain.units import PPM
from weigh.calibration import robust

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_RUN = 10
"""Axles in a row whose mean is taken as one observation: more than most vehicles have."""


class Verdict(StrEnum):
    """What is wrong with a strip, the worst first."""

    UNDETERMINED = "undetermined"
    """Too few axles, or too few other strips, to say anything."""
    DEAD = "dead"
    """Says nothing, or next to nothing, of most axles."""
    FLAT = "flat"
    """Says something, but the same of light and heavy axles."""
    NOISY = "noisy"
    """Scatters about the others far more than strips here do."""
    DRIFTING = "drifting"
    """Its share against the others has changed since the first axles looked at."""
    SOUND = "sound"


@dataclass(frozen=True)
class HealthRule:
    """From where on a strip is not sound. Configuration; the figures are this software's own choice."""

    min_axles: int = 200
    dead_share: float = 0.5
    """Dead if it is silent on more than this share of axles."""
    silent_below: float = 0.05
    """A load below this share of the others' median is silence."""
    flat_slope: float = 0.25
    """Flat if its load follows the others' by less than this; a sound strip's slope is about 1."""
    noise_factor: float = 2.0
    """Noisy if it scatters more than this many times the median of all strips."""
    drift_ratio: float = 0.02
    """Drifting if its share changed by more than this ..."""
    drift_errors: float = 5.0
    """... and by more than this many standard errors."""


@dataclass(frozen=True)
class StripHealth:
    """What was found of S strips.

    Attributes
    ----------
    verdict : one of `Verdict` for each strip
    silent : (S,), share of axles it was silent on
    slope : (S,), relative change of its load by relative change of the others'
    spread : (S,), relative standard deviation about the others
    change : (S,), relative change of its share, last third of the axles against the first
    """

    verdict: tuple[Verdict, ...]
    silent: Floats
    slope: Floats
    spread: Floats
    change: Floats

    @property
    def alive(self) -> tuple[int, ...]:
        """1 for strips to be used, as a calibration's mask: noisy and drifting ones are used."""
        unused = (Verdict.DEAD, Verdict.FLAT, Verdict.UNDETERMINED)
        return tuple(int(verdict not in unused) for verdict in self.verdict)


def strip_health(load: Floats, rule: HealthRule | None = None) -> StripHealth:
    """Return the strips' health.

    Parameters
    ----------
    load : (N, S), calibrated load of each axle on each strip, in the order the axles passed; NaN where a
        strip said nothing
    """
    rule = rule or HealthRule()
    if load.ndim != 2 or np.isinf(load).any():
        raise ConfigurationError("strip loads are finite, or NaN, in a table of axles by strips")
    strips = load.shape[1]
    silent, slope, spread, change, errors = (np.full(strips, np.nan) for _ in range(5))
    silence, others = _against_others(load, rule)
    judged = [strip for strip in range(strips) if np.isfinite(others[:, strip]).sum() >= rule.min_axles]
    for strip in judged:
        heard = np.isfinite(others[:, strip])
        silent[strip] = float(silence[heard, strip].mean())
        said = heard & ~silence[:, strip]
        if said.sum() >= rule.min_axles // 2:
            share = load[said, strip] / others[said, strip]
            slope[strip] = _slope(load[said, strip], others[said, strip])
            spread[strip] = robust.deviation(share) / float(np.median(share))
            change[strip], errors[strip] = _change(share)
    usual = float(np.nanmedian(spread)) if np.isfinite(spread).any() else np.nan
    verdicts = tuple(
        _verdict(silent[s], slope[s], spread[s] / usual, (change[s], errors[s]), rule) for s in range(strips)
    )
    return StripHealth(verdicts, silent, slope, spread, change)


def health_of_lists(
    loads: Sequence[Sequence[int | None]], gain_ppm: Sequence[int], rule: HealthRule | None = None
) -> StripHealth:
    """Return the strips' health from rows of whole numbers, as stored; None where a strip was left out."""
    table = np.array(
        [[np.nan if load is None else load for load in row] for row in loads], dtype=np.float64
    ).reshape(len(loads), len(gain_ppm))
    return strip_health(table * (np.array(gain_ppm) / PPM), rule)


def _verdict(
    silent: float, slope: float, spread: float, change: tuple[float, float], rule: HealthRule
) -> Verdict:
    if np.isnan(silent):
        return Verdict.UNDETERMINED
    findings = (
        (Verdict.DEAD, silent > rule.dead_share or np.isnan(slope)),
        (Verdict.FLAT, slope < rule.flat_slope),
        (Verdict.NOISY, spread > rule.noise_factor),
        (Verdict.DRIFTING, abs(change[0]) > max(rule.drift_ratio, rule.drift_errors * change[1])),
    )
    return next((verdict for verdict, holds in findings if holds), Verdict.SOUND)


def _against_others(load: Floats, rule: HealthRule) -> tuple[Bools, Floats]:
    """Return where each strip is silent, and the median of the other strips that speak, both (N, S)."""
    said = np.where(np.isfinite(load) & (load > 0.0), load, np.nan)
    strips = load.shape[1]
    others = np.full(load.shape, np.nan)
    for strip in range(strips):
        rest = np.delete(said, strip, axis=1)
        # Half of the others, and at least two, have to speak: one strip against one says not which is wrong.
        enough = np.isfinite(rest).sum(axis=1) >= max(2, (strips - 1) / 2)
        others[enough, strip] = np.nanmedian(rest[enough], axis=1)
    with np.errstate(invalid="ignore"):
        silence = ~np.isfinite(said) | (said < rule.silent_below * others)
    return silence, others


def _slope(load: Floats, others: Floats) -> float:
    """Return how a strip's load follows the others', both by their medians over light and heavy axles."""
    light = others <= np.median(others)
    if light.all():
        return np.nan
    rise = np.median(others[~light]) - np.median(others[light])
    own = np.median(load[~light]) - np.median(load[light])
    return float(own / np.median(load) / (rise / np.median(others)))


def _change(share: Floats) -> tuple[float, float]:
    """Return by how much the share differs between the last third and the first, and its error."""
    third = len(share) // 3
    first, last = robust.mean(share[:third]), robust.mean(share[-third:])
    level = float(first.coefficient[0])
    apart = float(np.sqrt(first.covariance[0, 0] + last.covariance[0, 0]))
    # Axles of one vehicle share its speed and its bounce: means of some axles scatter more than if each axle
    # were drawn anew. What differs between neighbouring means is that scatter, and no drift (von Neumann).
    runs = share[: len(share) // _RUN * _RUN].reshape(-1, _RUN).mean(axis=1)
    together = robust.deviation(np.diff(runs)) * float(np.sqrt(_RUN / third))
    return float(last.coefficient[0]) / level - 1.0, max(apart, together) / level
