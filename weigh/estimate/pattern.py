"""What each strip of a site says too much or too little, axle after axle, because of the road right there.

All vehicles meet the same bump at a strip, so that its departure from the others (`weigh.estimate.contrasts`)
has a mean of its own by axle type and speed: with that known, a wrong gain shows several times as clearly. It
follows from weighed passes as the site's bias does, each strip's departure taking the bias's place and the
road's spectrum being the prior; references have no part in it, a departure being free of the load.
Shapes: V speeds of the table, S strips.
"""

from dataclasses import dataclass

import numpy as np

from weigh.estimate.bias import fit_bias
from weigh.estimate.kernel import SPEED_COUNT, Floats, weighted_common
from weigh.estimate.lookup import between_loads, look_up, places
from weigh.estimate.site import Passes
from weigh.estimate.table import Bools, GlsTable, mask_of

_TYPES = 3


@dataclass(frozen=True)
class StripPattern:
    """Mean departures of the strips, as long as those of `mask` are alive and no others.

    Attributes
    ----------
    mask : strips alive it was found with
    mean, u : (V, 3, S), relative, and the standard uncertainty of it; 0 for strips not alive
    """

    mask: int
    mean: Floats
    u: Floats


def strip_pattern(passes: Passes, alive: Bools, table: GlsTable) -> StripPattern:
    """Return the pattern that passes show; none give a mean of nothing with the prior's uncertainty.

    The passes are those of `weigh.estimate.fit_site`, which refuses what cannot be weighed.
    """
    mask = mask_of(alive)
    compared = table.contrasts(mask)
    apart, own = _departures(passes, alive, table)
    mean, u = np.zeros_like(compared.common), np.zeros_like(compared.common)
    for strip in np.flatnonzero(compared.weight[0, 0].any(axis=-1)):
        found, _ = fit_bias(
            apart[..., strip],
            own[..., strip],
            passes.axle_type,
            passes.speed_m_s,
            _prior(compared.weight[:, :, strip], table),
        )
        mean[..., strip], u[..., strip] = found.bias.T, found.u_site.T
    return StripPattern(mask, mean, u)


def _departures(passes: Passes, alive: Bools, table: GlsTable) -> tuple[Floats, Floats]:
    """Return how far strips depart at each axle, and what of the variance is its own, both (M, A, S)."""
    compared = table.contrasts(mask_of(alive))
    at = places(np.broadcast_to(alive, (len(passes), table.strips)), passes.speed_m_s, table)
    weighed = look_up(passes.load_kg, passes.axle_type, at, table)
    known = passes.axle_type >= 0
    axle = np.where(known, weighed.axle, 1.0)
    cell = at.speed[:, None], np.where(known, passes.axle_type, 0)
    load = np.where(known[..., None] & alive, passes.load_kg, 0.0)
    above, part = between_loads(axle)
    own = (1.0 - part[..., None]) * compared.own[(*cell, above - 1)] + part[..., None] * compared.own[
        (*cell, above)
    ]
    return np.einsum("masr,mar->mas", compared.weight[cell], load / axle[..., None]), own


def _prior(weight: Floats, table: GlsTable) -> Floats:
    """Return the covariance of one strip's mean departures, (3 V, 3 V), cells by type, then speed."""
    factors = weighted_common(weight, table.position_m, table.population)
    flat = factors.transpose(1, 0, 2).reshape(_TYPES * SPEED_COUNT, -1)
    parts = np.ascontiguousarray(flat).view(np.float64)  # Re F G* in half the work of a complex product
    return np.asarray(parts @ parts.T * table.roughness_m3)
