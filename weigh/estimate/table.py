"""Weights over the strips as a look-up: by speed, axle type and which strips are alive.

Generalised least squares: with K the covariance of the strips' relative deviations and the strips' own
noise on its diagonal, the static load is estimated best by w = K^-1 1 / (1' K^-1 1), with variance
1 / (1' K^-1 1). Nothing in w depends on the vehicle's load, so that a table holds all weights there are.
A strip that is not alive has weight zero and is never read.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from weigh.estimate.contrasts import Contrasts, contrasts
from weigh.estimate.kernel import (
    MIN_SPEED_M_S,
    SPEED_COUNT,
    SPEED_STEP_M_S,
    Floats,
    strip_kernels,
    weighted_apart,
)
from weigh.estimate.population import ASSUMED_POPULATION, Population

MAX_STRIPS = 64
_KEPT_MASKS = 64
_MOST_CONDITION = 1e10

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskWeights:
    """Weights for one set of strips alive; `V` speeds of the table, three axle types, `S` strips.

    Attributes
    ----------
    weight : (V, 3, S), sums to 1 over the strips, 0 at those not alive
    u_vehicle : (V, 3, L), relative standard uncertainty of what differs from vehicle to vehicle, the strips'
        noise included, for axles of `LOADS_KG`
    u_common : (V, 3), what all axles of a type do alike there, which weighed passes can tell
    """

    weight: Floats
    u_vehicle: Floats
    u_common: Floats


@dataclass(frozen=True)
class GlsTable:
    """Weights of a layout of strips, made for each set of strips alive when it is first met.

    Parameters
    ----------
    position_m : (S,), strips along travel, increasing
    noise : (S,), each strip's own relative standard deviation
    roughness_m3 : displacement density of the road at 0.1 cycle/m
    population : axles the covariance is averaged over
    """

    position_m: Floats
    noise: Floats
    roughness_m3: float
    population: Population = ASSUMED_POPULATION
    _kernel: Floats = field(init=False, repr=False)
    _common: Floats = field(init=False, repr=False)
    _made: "OrderedDict[int, MaskWeights]" = field(init=False, repr=False, default_factory=OrderedDict)
    _compared: "OrderedDict[int, Contrasts]" = field(init=False, repr=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Refuse a layout without positive noise, and prepare its covariance."""
        if not 0 < len(self.position_m) <= MAX_STRIPS or self.noise.shape != self.position_m.shape:
            raise ConfigurationError(f"a table needs 1 to {MAX_STRIPS} strips and a noise for each")
        if not (np.isfinite(self.noise).all() and (self.noise >= 0.0).all()):
            raise ConfigurationError("the noise of strips must be finite and not negative")
        if not (np.isfinite(self.roughness_m3) and self.roughness_m3 >= 0.0):
            raise ConfigurationError("roughness must be finite and not negative")
        whole, common = strip_kernels(self.position_m, self.population)
        object.__setattr__(self, "_kernel", whole * self.roughness_m3 + np.diag(np.square(self.noise)))
        object.__setattr__(self, "_common", common * self.roughness_m3)

    @property
    def strips(self) -> int:
        """Number of strips."""
        return len(self.position_m)

    @property
    def kernel(self) -> Floats:
        """Covariance of the strips' relative deviations, their noise included, (V, 3, S, S)."""
        return self._kernel

    @property
    def common(self) -> Floats:
        """The part of it that all axles of a type have in common, (V, 3, S, S)."""
        return self._common

    def weights(self, mask: int) -> MaskWeights:
        """Return the weights for the strips whose bits are set, the first strip's the lowest.

        Raises
        ------
        ConfigurationError
            No strip is alive, or the covariance of those that are cannot be solved.
        """
        found = self._made.get(mask)
        if found is None:
            found = self._solve(mask)
            self._made[mask] = found
            if len(self._made) > _KEPT_MASKS:
                self._made.popitem(last=False)
        return found

    def contrasts(self, mask: int) -> Contrasts:
        """Return how the strips whose bits are set are compared with one another."""
        found = self._compared.get(mask)
        if found is None:
            found = contrasts(
                self._kernel,
                self._common,
                self._alive(mask),
                position_m=self.position_m,
                noise=self.noise,
                roughness_m3=self.roughness_m3,
                population=self.population,
            )
            self._compared[mask] = found
            if len(self._compared) > _KEPT_MASKS:
                self._compared.popitem(last=False)
        return found

    def u_moved(self, mask: int, fitted: int) -> Floats:
        """Return by how much the common part may have moved since it was fitted with other strips, (V, 3).

        A bias fitted with the weights of one mask is not that of another. The standard deviation of the
        difference follows from both weights and the common covariance.
        """
        change = self.weights(mask).weight - self.weights(fitted).weight
        return _root(_quadratic(change, self._common))

    def _solve(self, mask: int) -> MaskWeights:
        alive = self._alive(mask)
        if mask >> self.strips or not alive.any():
            raise ConfigurationError(f"mask {mask:b}: no strip is alive, or one that the layout has not")
        kernel = self._kernel[:, :, alive][..., alive]
        if np.linalg.cond(kernel).max() > _MOST_CONDITION:
            raise ConfigurationError(f"mask {mask:b}: strips stand too close or have no noise: no weights")
        solved = np.linalg.solve(kernel, np.ones((*kernel.shape[:2], alive.sum(), 1)))[..., 0]
        weight = np.zeros((*kernel.shape[:2], self.strips))
        weight[..., alive] = solved / solved.sum(axis=-1, keepdims=True)
        own = np.square(weight) @ np.square(self.noise)
        apart = weighted_apart(weight, self.position_m, self.population) * self.roughness_m3
        return MaskWeights(
            weight=weight,
            u_vehicle=np.sqrt(own[..., None] + apart),
            u_common=_root(_quadratic(weight, self._common)),
        )

    def _alive(self, mask: int) -> Bools:
        return np.array([mask >> strip & 1 for strip in range(self.strips)], dtype=np.bool_)


def mask_of(alive: Bools) -> int:
    """Return the key of a set of strips, (S,): bit i is strip i."""
    return sum(1 << int(strip) for strip in np.flatnonzero(alive))


def speed_index(speed_m_s: Floats) -> NDArray[np.int64]:
    """Return the table's nearest speed, (B,); -1 where it has none or the speed is not a number."""
    place = (
        np.where(np.isfinite(speed_m_s), np.clip(speed_m_s, -1e6, 1e6), -1.0) - MIN_SPEED_M_S
    ) / SPEED_STEP_M_S
    at = np.floor(place + 0.5).astype(np.int64)
    return np.where((at >= 0) & (at < SPEED_COUNT), at, -1)


def mean_weights(alive: Bools) -> Floats:
    """Return the weights of the plain mean over the strips alive, (S,)."""
    return inverse_variance_weights(np.ones(len(alive)), alive)


def inverse_variance_weights(variance: Floats, alive: Bools) -> Floats:
    """Return weights by each strip's own variance, deviations taken as independent, (S,)."""
    if not alive.any() or not (np.isfinite(variance[alive]).all() and (variance[alive] > 0.0).all()):
        raise ConfigurationError("a mean needs a strip alive, and a positive variance for each")
    weight = np.zeros(len(alive))
    weight[alive] = 1.0 / variance[alive]
    return np.asarray(weight / weight.sum())


def _quadratic(weight: Floats, kernel: Floats) -> Floats:
    return np.asarray(np.einsum("vts,vtsr,vtr->vt", weight, kernel, weight, optimize=True))


def _root(variance: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))
