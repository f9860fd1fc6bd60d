"""The site's bias by axle type and speed, from weighed passes, shrunk to nothing where they say nothing.

All vehicles drive over the same road, so that axles of a type at a speed err alike. How much they may err
alike, and how alike the errors of two speeds or two types are, follows from the road's spectrum and the
weights over the strips; with it as prior, the weighed passes' residuals give the bias as the mean of a
normal posterior (kriging; best linear unbiased prediction). No pass gives no bias and the prior's
uncertainty; many give their mean; few give something between.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from weigh.estimate.kernel import SPEED_COUNT, Floats, weighted_common
from weigh.estimate.table import GlsTable, speed_index

Types = NDArray[np.integer[Any]]

_TYPES = 3


@dataclass(frozen=True)
class SiteBias:
    """Bias of a site; `V` speeds of the table, cells ordered by type, then speed.

    Attributes
    ----------
    bias, u_site : (3, V), relative
    covariance : (3 V, 3 V), of what is not known of the bias
    """

    bias: Floats
    u_site: Floats
    covariance: Floats

    def u_gross(self, share: Floats) -> Floats:
        """Return the uncertainty of a gross mass's bias, (V,), where each type bears its `share`, (3,)."""
        blocks = self.covariance.reshape(_TYPES, SPEED_COUNT, _TYPES, SPEED_COUNT)
        variance = np.einsum("s,svrv,r->v", share, blocks, share)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


@dataclass(frozen=True)
class LeftOut:
    """What each weighed pass's axles would have been given, had the pass not been used for the fit.

    Attributes
    ----------
    residual : (M, A), relative error after the bias of all other passes; 0 where there is no axle
    covariance : (M, A, A), of that bias
    """

    residual: Floats
    covariance: Floats


def prior_covariance(table: GlsTable, mask: int) -> Floats:
    """Return the covariance of a site's biases before any pass was weighed, (3 V, 3 V)."""
    factors = weighted_common(table.weights(mask).weight, table.position_m, table.population)
    flat = factors.transpose(1, 0, 2).reshape(_TYPES * SPEED_COUNT, -1)
    return np.asarray((flat @ flat.conj().T).real * table.roughness_m3)


def fit_bias(
    residual: Floats, variance: Floats, axle_type: Types, speed_m_s: Floats, prior: Floats
) -> tuple[SiteBias, LeftOut]:
    """Return a site's bias from the residuals of weighed passes, and each pass's part left out.

    Parameters
    ----------
    residual : (M, A), estimated over true axle load less one, before any bias
    variance : (M, A), of what differs from vehicle to vehicle in it
    axle_type : (M, A), -1 where there is no axle
    speed_m_s : (M,)
    prior : (3 V, 3 V), from `prior_covariance`, for the weights the residuals were estimated with
    """
    speed, known = speed_index(speed_m_s), axle_type >= 0
    if not residual.shape == variance.shape == axle_type.shape or len(speed) != len(residual):
        raise ConfigurationError("weighed passes: residuals, variances and axle types must be (M, A)")
    if (speed < 0).any() or (axle_type >= _TYPES).any():
        raise ConfigurationError("weighed passes: a speed outside the table, or an unknown axle type")
    if not np.isfinite(residual[known]).all() or not (variance[known] > 0.0).all():
        raise ConfigurationError("weighed passes: a residual that is not finite, or without variance")
    cell = np.where(known, axle_type, 0).astype(np.int64) * SPEED_COUNT + speed[:, None]
    mean, covariance = _posterior(prior, cell[known], residual[known], 1.0 / variance[known])
    fitted = SiteBias(
        bias=mean.reshape(_TYPES, SPEED_COUNT),
        u_site=np.sqrt(np.maximum(np.diag(covariance), 0.0)).reshape(_TYPES, SPEED_COUNT),
        covariance=covariance,
    )
    apart = np.where(known, residual - mean[cell], 0.0)
    return fitted, _leave_out(apart, np.where(known, variance, 1.0), covariance, cell, known)


def _posterior(
    prior: Floats, cell: NDArray[np.int64], residual: Floats, precision: Floats
) -> tuple[Floats, Floats]:
    """Return mean and covariance of the cells; residuals of one cell count as their weighted mean."""
    certainty = np.bincount(cell, weights=precision, minlength=len(prior))
    seen = np.flatnonzero(certainty)
    if not len(seen):
        return np.zeros(len(prior)), prior
    average = np.bincount(cell, weights=precision * residual, minlength=len(prior))[seen] / certainty[seen]
    observed = prior[np.ix_(seen, seen)] + np.diag(1.0 / certainty[seen])
    gain = np.linalg.solve(observed, prior[seen]).T
    return gain @ average, prior - gain @ prior[seen]


def _leave_out(
    apart: Floats, variance: Floats, covariance: Floats, cell: NDArray[np.int64], known: NDArray[np.bool_]
) -> LeftOut:
    """Undo each pass's own part in the posterior: closed form, one small system a pass."""
    both = known[:, :, None] & known[:, None, :]
    spread = np.where(both, covariance[cell[:, :, None], cell[:, None, :]], 0.0)
    remaining = np.eye(apart.shape[1]) * variance[:, :, None] - spread
    left = variance * np.linalg.solve(remaining, apart[..., None])[..., 0]
    grown = spread + spread @ np.linalg.solve(remaining, spread)
    return LeftOut(np.where(known, left, 0.0), grown)
