"""Standard uncertainty of axles, groups and gross mass: u^2 = u_vehicle^2 + u_site^2 + u_gain^2.

What is a vehicle's own differs from axle to axle, but not quite independently: its axles have springs of
one kind and bear loads alike. The site's bias is common to axles of a type, and the gain to all of them:
over a group or a vehicle these two add up as they are.
Shapes: B vehicles, A axles.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from weigh.estimate.kernel import Floats

ALIKE = 0.2
"""Correlation of the own deviations of two axles of a vehicle. An assumption, set on simulated trucks."""

_LONGEST_GROUP = 3


@dataclass(frozen=True)
class Terms:
    """Relative standard uncertainties.

    Attributes
    ----------
    vehicle : (B, A), each axle's own, the strips' noise included
    site : (B, A), of the site's bias
    site_gross : (B,), of the site's bias of the gross mass
    gain : (B,), of the gain common to all strips
    """

    vehicle: Floats
    site: Floats
    site_gross: Floats
    gain: Floats

    def __post_init__(self) -> None:
        if not (
            self.vehicle.shape == self.site.shape
            and self.vehicle.shape[:1] == self.site_gross.shape == self.gain.shape
        ):
            raise ConfigurationError("uncertainties must be (B, A) by axle and (B,) by vehicle")


def u_axle(axle_kg: Floats, terms: Terms, factor: float = 1.0) -> Floats:
    """Return the standard uncertainty of each axle load, kg, (B, A)."""
    squares = np.square(terms.vehicle) + np.square(terms.site) + np.square(terms.gain)[:, None]
    return np.asarray(factor * axle_kg * np.sqrt(squares))


def u_gross(axle_kg: Floats, terms: Terms, factor: float = 1.0) -> Floats:
    """Return the standard uncertainty of the gross mass, kg, (B,)."""
    deviation = terms.vehicle * axle_kg
    own = _together(np.square(deviation).sum(axis=1), deviation.sum(axis=1))
    common = np.square(terms.site_gross) + np.square(terms.gain)
    return np.asarray(factor * np.sqrt(own + common * np.square(axle_kg.sum(axis=1))))


def u_group(
    axle_kg: Floats, size: NDArray[np.integer[Any]], terms: Terms, factor: float = 1.0
) -> tuple[Floats, Floats]:
    """Return load and standard uncertainty of axle groups at the first axle of each, kg, both (B, A).

    Parameters
    ----------
    size : (B, A), number of axles of the group that begins at an axle, up to 3; 0 elsewhere
    """
    if size.shape != axle_kg.shape or size.min(initial=0) < 0 or size.max(initial=0) > _LONGEST_GROUP:
        raise ConfigurationError(f"groups must be (B, A), of 0 to {_LONGEST_GROUP} axles")
    load = _over_group(axle_kg, size)
    deviation = terms.vehicle * axle_kg
    own = _together(_over_group(np.square(deviation), size), _over_group(deviation, size))
    site = _over_group(terms.site * axle_kg, size)
    return load, factor * np.sqrt(own + np.square(site) + np.square(terms.gain[:, None] * load))


def _together(squares: Floats, total: Floats) -> Floats:
    """Return the variance of a sum of alike deviations, from the sum of their squares and their sum."""
    return np.asarray((1.0 - ALIKE) * squares + ALIKE * np.square(total))


def _over_group(figures: Floats, size: NDArray[np.integer[Any]]) -> Floats:
    width = figures.shape[1]
    padded = np.pad(figures, ((0, 0), (0, _LONGEST_GROUP - 1)))
    total = np.zeros_like(figures)
    for member in range(_LONGEST_GROUP):
        total += np.where(size > member, padded[:, member : member + width], 0.0)
    return total
