"""How the strips' response follows the temperature: a ridge quadratic anchored on weighed passes.

Piezo-electric polymer strips change by +0.5 to +1.2 % a kelvin (published range), which makes the gain
the largest error of all where it is not followed. Ordinary traffic cannot anchor it, as the mean steer
axle itself moves with the season; weighed passes can. The array's common curve rests on all strips, and
each strip's own departs from it only as far as its passes say.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from weigh.calibration import robust
from weigh.calibration.gain import MIN_PASSES, StripGains, fit_gains

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_STEP_K = 10.0
"""Unit of temperature inside the fit, so that its columns are of one size."""


@dataclass(frozen=True)
class TemperaturePrior:
    """What is believed before any pass: standard deviations about no dependence. Configuration.

    The common slope's stands for the published range; the others are wide enough for the passes to
    decide and narrow enough to keep a short range from being carried far.
    """

    slope_per_k: float = 0.01
    curve_per_k2: float = 2e-4
    strip_slope_per_k: float = 0.002
    strip_curve_per_k2: float = 5e-5
    min_span_k: float = 5.0
    """Passes within less than this do not determine the dependence."""


@dataclass(frozen=True)
class TemperatureFit:
    """The strips' response: gains.response[s] * (1 + slope[s] d + curve[s] d^2), d from `reference_k`.

    Attributes
    ----------
    reference_k, low_k, high_k : median, least and greatest temperature of the passes
    determined : whether they span enough to say how the response depends on temperature
    gains : the strips at the reference temperature
    slope, curve : (S,), 1/K and 1/K^2, relative to the response at the reference
    covariance : (3, 3), of the common relative response in 1, d, d^2
    centre : (3,), means of 1, d, d^2 over the passes
    """

    reference_k: float
    low_k: float
    high_k: float
    determined: bool
    gains: StripGains
    slope: Floats
    curve: Floats
    covariance: Floats
    centre: Floats

    def u_gain(self, temperature_k: Floats) -> Floats:
        """Return the relative standard uncertainty that temperature adds to the gain, (B,).

        It is that of the response against its mean over the passes, which they know themselves and which
        the site's bias and its uncertainty rest on. It grows outside the passes' range.
        """
        powers = _powers(temperature_k - self.reference_k) - self.centre
        return np.asarray(np.sqrt(np.einsum("bi,ij,bj->b", powers, self.covariance, powers)))


def fit_temperature(
    ratio: Floats,
    temperature_k: Floats,
    *,
    prior: TemperaturePrior | None = None,
    min_passes: int = MIN_PASSES,
) -> TemperatureFit:
    """Return how the strips' response follows the temperature.

    Parameters
    ----------
    ratio : (P, S), strip load by reference load; NaN where a strip said nothing
    temperature_k : (P,), finite
    prior, min_passes : see `TemperaturePrior` and `fit_gains`

    Raises
    ------
    InputRefused
        No strip is determined.

    Notes
    -----
    With too short a span the fit stays near the prior, and so does its uncertainty away from the passes:
    that of not knowing. Strips then have no temperature of their own.
    """
    prior = prior or TemperaturePrior()
    reference = float(np.median(temperature_k))
    apart = temperature_k - reference
    determined = float(np.ptp(temperature_k)) >= prior.min_span_k
    first = fit_gains(ratio, min_passes=min_passes)
    if not first.determined.any():
        raise InputRefused(
            RefusalCode.OUT_OF_RANGE, "no strip says enough of the weighed passes to be calibrated"
        )
    common, covariance = _common(ratio / first.response, apart, prior)
    along = _powers(apart) @ np.array([1.0, *common])
    gains = fit_gains(ratio / along[:, None], min_passes=min_passes)
    own = np.zeros((2, ratio.shape[1]))
    if determined:
        for strip in np.flatnonzero(gains.determined):
            own[:, strip] = _own(ratio[:, strip] / (gains.response[strip] * along), apart, prior)
    return TemperatureFit(
        reference_k=reference,
        low_k=float(temperature_k.min()),
        high_k=float(temperature_k.max()),
        determined=determined,
        gains=gains,
        slope=common[0] + own[0],
        curve=common[1] + own[1] + common[0] * own[0],
        covariance=covariance,
        centre=_powers(apart).mean(axis=0),
    )


def _common(relative: Floats, apart: Floats, prior: TemperaturePrior) -> tuple[Floats, Floats]:
    """Return slope and curve of the mean over strips, and the covariance with its level."""
    said = np.isfinite(relative)
    heard = said.any(axis=1)
    array = np.where(said, relative, 0.0).sum(axis=1)[heard] / said.sum(axis=1)[heard]
    fitted = _quadratic(array, apart[heard], (prior.slope_per_k, prior.curve_per_k2))
    level, slope, curve = fitted.coefficient
    return np.array([slope, curve]) / level, fitted.covariance / level**2


def _own(relative: Floats, apart: Floats, prior: TemperaturePrior) -> Floats:
    """Return how slope and curve of one strip differ from the common ones."""
    said = np.isfinite(relative)
    fitted = _quadratic(relative[said], apart[said], (prior.strip_slope_per_k, prior.strip_curve_per_k2))
    return np.asarray(fitted.coefficient[1:] / fitted.coefficient[0])


def _quadratic(observed: Floats, apart: Floats, prior_sd: tuple[float, float]) -> robust.Fit:
    """Return the ridge quadratic, its coefficients and covariance in powers of a kelvin."""
    scale = np.array([1.0, 1.0 / _STEP_K, 1.0 / _STEP_K**2])
    fitted = robust.fit(
        _powers(apart) * scale, observed, np.array([np.inf, prior_sd[0], prior_sd[1]]) / scale
    )
    return robust.Fit(fitted.coefficient * scale, fitted.covariance * np.outer(scale, scale), fitted.sd)


def _powers(apart: Floats) -> Floats:
    return np.stack([np.ones_like(apart), apart, np.square(apart)], axis=1)
