"""How each strip is compared with the others, and by how much good strips depart from one another.

With K the covariance of the strips' relative deviations and P = K^-1 - K^-1 1 1' K^-1 / (1' K^-1 1), the best
estimate of what a single strip s departs by is (P r)_s / P_ss, r being its load over the true one (data
snooping: Baarda, A testing procedure for use in geodetic networks, 1968). The rows of P add up to nothing, so
that neither the load nor what is common to all strips has any part in it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weigh.estimate.kernel import SPEED_COUNT, Floats, weighted_apart
from weigh.estimate.population import LOADS_KG, Population

_TYPES = 3


@dataclass(frozen=True)
class Contrasts:
    """Comparisons for one set of strips alive; `V` speeds of the table, three axle types, `L` loads.

    A strip not alive, or with no other to be compared with, has zeros throughout.

    Attributes
    ----------
    weight : (V, 3, S, S), of the strips in the departure of each; 1 for the strip itself, a row adds up to 0
    own : (V, 3, L, S), variance of a departure that differs from axle to axle, the strips' noise included
    common : (V, 3, S), variance of what all axles of a type do alike
    """

    weight: Floats
    own: Floats
    common: Floats


def contrasts(
    kernel: Floats,
    common: Floats,
    alive: NDArray[np.bool_],
    *,
    position_m: Floats,
    noise: Floats,
    roughness_m3: float,
    population: Population,
) -> Contrasts:
    """Return how the strips alive, (S,), are compared; covariances (V, 3, S, S) whole and in common."""
    strips = len(position_m)
    found = Contrasts(
        weight=np.zeros((SPEED_COUNT, _TYPES, strips, strips)),
        own=np.zeros((SPEED_COUNT, _TYPES, len(LOADS_KG), strips)),
        common=np.zeros((SPEED_COUNT, _TYPES, strips)),
    )
    among = np.flatnonzero(alive)
    if len(among) < 2:
        return found
    inverse = np.linalg.inv(kernel[:, :, among[:, None], among])
    summed = inverse.sum(axis=-1)
    projected = inverse - summed[..., None] * summed[..., None, :] / summed.sum(axis=-1)[..., None, None]
    own = np.diagonal(projected, axis1=-2, axis2=-1)
    found.weight[:, :, among[:, None], among] = projected / own[..., None]
    for strip in among:
        row = found.weight[:, :, strip]
        bounce = weighted_apart(row, position_m, population) * roughness_m3
        found.own[..., strip] = bounce + (np.square(row) @ np.square(noise))[..., None]
        alike = np.einsum("vts,vtsr,vtr->vt", row, common, row, optimize=True)
        found.common[..., strip] = np.maximum(alike, 0.0)
    return found
