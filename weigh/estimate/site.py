"""All that weighed passes say of a site: its roughness, its bias, and how far u can be trusted there.

Shapes: M passes, A axles, S strips.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from weigh.estimate.bias import LeftOut, SiteBias, fit_bias, prior_covariance
from weigh.estimate.conformal import conformal_factor
from weigh.estimate.kernel import Floats, strip_kernels
from weigh.estimate.lookup import PROBLEMS, look_up, places, u_vehicle
from weigh.estimate.population import Population
from weigh.estimate.table import GlsTable, mask_of, speed_index
from weigh.estimate.uncertainty import Terms, u_gross, u_group

Types = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]

HEAVY_ENOUGH_KG = 4_000.0
"""Lighter axles bounce in a way of their own, and say little of the road."""

ROUGHNESS_BOUNDS_M3 = (2e-6, 1024e-6)
"""From the lower bound of ISO 8608's class A, by a factor of four, to the upper bound of class D."""

USUAL_SHARE = (0.15, 0.35, 0.50)
"""Part of the gross mass on steer, drive and trailer axles where no weighed pass tells."""


@dataclass(frozen=True)
class Passes:
    """Weighed passes, calibrated for gain and temperature; axles padded right.

    Attributes
    ----------
    load_kg : (M, A, S)
    reference_kg : (M, A), static loads
    axle_type : (M, A), -1 where there is no axle
    group_size : (M, A), number of axles of the group that begins here, 0 elsewhere
    speed_m_s : (M,)
    """

    load_kg: Floats
    reference_kg: Floats
    axle_type: Types
    group_size: Types
    speed_m_s: Floats

    def __len__(self) -> int:
        return len(self.speed_m_s)


@dataclass(frozen=True)
class SiteFit:
    """What `fit_site` found; `V` speeds of the table.

    Attributes
    ----------
    bias : by type and speed, with its uncertainty
    u_gross : (V,), of the bias of the gross mass
    axle_factor, group_factor, gross_factor : what u is to be multiplied with
    """

    bias: SiteBias
    u_gross: Floats
    axle_factor: float
    group_factor: float
    gross_factor: float


def roughness_m3(
    passes: Passes, alive: Bools, noise: Floats, position_m: Floats, population: Population
) -> float | None:
    """Return the road's displacement density at 0.1 cycle/m, from how strips disagree; None if nothing tells.

    It needs no reference: what the strips say of one axle scatters about their mean by the trace of the
    centred covariance, which is the road's density times that of a road of unit density, plus the noise.
    """
    speed = speed_index(passes.speed_m_s)
    load = passes.load_kg[..., alive]
    mean = load.mean(axis=-1)
    with np.errstate(invalid="ignore"):
        tells = (passes.axle_type >= 0) & (mean >= HEAVY_ENOUGH_KG) & (speed >= 0)[:, None]
    if not tells.any():
        return None
    scatter = np.square(load[tells] / mean[tells][:, None] - 1.0).sum(axis=-1)
    whole, _ = strip_kernels(position_m[alive], population)
    strips = load.shape[-1]
    centred = np.trace(whole, axis1=-2, axis2=-1) - whole.sum(axis=(-2, -1)) / strips
    per_unit = centred[np.broadcast_to(speed[:, None], tells.shape)[tells], passes.axle_type[tells]]
    from_noise = np.square(noise[alive]).sum() * (1.0 - 1.0 / strips)
    if strips < 2 or not np.isfinite(scatter).all():
        return None
    found = (scatter - from_noise).sum() / per_unit.sum()
    return float(np.clip(found, *ROUGHNESS_BOUNDS_M3))


def fit_site(passes: Passes, alive: Bools, table: GlsTable) -> SiteFit:
    """Return the site's bias and the factors on u, with the weights for the strips alive, (S,)."""
    mask = mask_of(alive)
    at = places(np.broadcast_to(alive, (len(passes), table.strips)), passes.speed_m_s, table)
    weighed = look_up(passes.load_kg, passes.axle_type, at, table)
    known = passes.axle_type >= 0
    if weighed.problem.any():
        first = int(np.flatnonzero(weighed.problem)[0])
        raise ConfigurationError(f"weighed pass {first + 1}: {PROBLEMS[weighed.problem[first]]}")
    if not (passes.reference_kg[known] > 0.0).all():
        raise ConfigurationError("weighed passes: a reference load is missing or not positive")
    reference = np.where(known, passes.reference_kg, 0.0)
    residual = np.where(known, weighed.axle / np.where(known, reference, 1.0) - 1.0, 0.0)
    own = u_vehicle(weighed, passes.axle_type, at, table)
    bias, left = fit_bias(
        residual, np.square(own), passes.axle_type, passes.speed_m_s, prior_covariance(table, mask)
    )
    return SiteFit(
        bias,
        bias.u_gross(_share(reference, passes.axle_type)),
        *_factors(left, own, reference, passes.group_size, known),
    )


def _factors(
    left: LeftOut, own: Floats, reference: Floats, group_size: Types, known: Bools
) -> tuple[float, float, float]:
    """Return the factors on u of axles, groups and gross, from what each pass left out was wrong by."""
    site = np.sqrt(np.maximum(np.einsum("maa->ma", left.covariance), 0.0))
    gross = reference.sum(axis=1)
    common = np.einsum("ma,mab,mb->m", reference, left.covariance, reference) / np.square(gross)
    terms = Terms(own, site, np.sqrt(np.maximum(common, 0.0)), np.zeros(len(gross)))
    error = left.residual * reference
    axle = np.abs(left.residual[known]) / np.hypot(own, site)[known]
    first = group_size > 0
    wrong, _ = u_group(error, group_size, terms)
    _, u = u_group(reference, group_size, terms)
    return (
        conformal_factor(axle),
        conformal_factor(np.abs(wrong[first]) / u[first]),
        conformal_factor(np.abs(error.sum(axis=1)) / u_gross(reference, terms)),
    )


def _share(reference: Floats, axle_type: Types) -> Floats:
    if not len(reference):
        return np.array(USUAL_SHARE)
    part = reference / reference.sum(axis=1, keepdims=True)
    return np.array([np.where(axle_type == kind, part, 0.0).sum(axis=1).mean() for kind in range(3)])
