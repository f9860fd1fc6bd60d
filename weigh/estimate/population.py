"""Whom the strips are assumed to weigh: loads, springs and tyres of axles, sampled evenly.

The weights over the strips rest on how the tyre force of an average axle varies along the road, not on
any vehicle. The figures below are assumptions from general vehicle dynamics, confirmed by nobody for a
given fleet: they are configuration, to be replaced by a deployment that knows its own. Weights that are a
little wrong cost accuracy and not honesty: u is set right on weighed passes.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError

Range = tuple[float, float]
Floats = NDArray[np.float64]

MEMBERS = 16
"""Springs drawn of each kind."""


@dataclass(frozen=True)
class Springs:
    """One kind of suspension and tyre: each figure uniform between two bounds.

    Attributes
    ----------
    share : part of its axle type that is of this kind
    unsprung_kg : mass below the springs
    body_hz : natural frequency of the sprung mass on its springs
    damping : damping ratio of the sprung mass
    tyre_n_m : stiffness of the axle's tyres together, N/m
    contact_m : length of the contact patch
    """

    share: float
    unsprung_kg: Range
    body_hz: Range
    damping: Range
    tyre_n_m: Range
    contact_m: Range

    def __post_init__(self) -> None:
        """Refuse bounds that no axle has."""
        rows = [getattr(self, name) for name in _RANGES]
        if not all(0.0 < low <= high < np.inf for low, high in rows) or not 0.0 < self.share <= 1.0:
            raise ConfigurationError("springs and tyres: bounds must be positive, finite and in order")


_RANGES = tuple(field.name for field in fields(Springs)[1:])


@dataclass(frozen=True)
class AxlePopulation:
    """Axles of one type.

    Attributes
    ----------
    load_share : (L,), how much each load of `LOADS_KG` counts in the weights; 0 gets its own u and no say
    springs : kinds of suspension and tyre, their shares adding up to 1
    """

    load_share: tuple[float, ...]
    springs: tuple[Springs, ...]

    def __post_init__(self) -> None:
        """Refuse shares that do not add up."""
        if len(self.load_share) != len(LOADS_KG) or min(self.load_share) < 0.0:
            raise ConfigurationError(f"an axle type needs a share for each of {len(LOADS_KG)} loads")
        for shares in (self.load_share, [kind.share for kind in self.springs]):
            if abs(sum(shares) - 1.0) > 1e-9:
                raise ConfigurationError(f"shares of an axle type must add up to 1, not {sum(shares)}")
        if any(kind.unsprung_kg[1] >= LOADS_KG[0] for kind in self.springs):
            raise ConfigurationError("an axle must weigh more than its unsprung mass")


Population = tuple[AxlePopulation, AxlePopulation, AxlePopulation]
"""Steer, drive and trailer axles."""

LOADS_KG: tuple[float, ...] = (1_500.0, 2_200.0, 3_200.0, 4_600.0, 6_500.0, 9_000.0, 13_000.0)
"""Static loads at which an axle's bouncing is computed; between them it is interpolated."""

_TYRES: dict[str, tuple[Range, Range]] = {
    "single": ((1.8e6, 2.4e6), (0.20, 0.28)),
    "dual": ((3.0e6, 4.2e6), (0.20, 0.28)),
}
_AIR: tuple[Range, Range] = ((1.4, 2.1), (0.12, 0.25))
_LEAF: tuple[Range, Range] = ((2.4, 3.6), (0.05, 0.15))


def _behind(unsprung_kg: float) -> tuple[Springs, ...]:
    mass = (unsprung_kg, unsprung_kg)
    return tuple(Springs(0.5, mass, *spring, *_TYRES["dual"]) for spring in (_AIR, _LEAF))


ASSUMED_POPULATION: Population = (
    AxlePopulation(
        (0.0, 0.0, 0.0, 0.3, 0.6, 0.1, 0.0),
        (Springs(1.0, (600.0, 600.0), (1.6, 2.6), (0.08, 0.20), *_TYRES["single"]),),
    ),
    AxlePopulation((0.0, 0.0, 0.02, 0.08, 0.3, 0.4, 0.2), _behind(1_000.0)),
    AxlePopulation((0.0, 0.02, 0.02, 0.06, 0.4, 0.4, 0.1), _behind(700.0)),
)
"""Ranges as recalled from handbooks, not confirmed: air springs 1.4-2.1 Hz and steel leaves 2.4-3.6 Hz in
equal parts, single tyres steering and dual behind. Loaded axles have most of the say in the weights, since
they make cases; empty ones bounce far more and get the u they deserve."""


@dataclass(frozen=True)
class Members:
    """Springs that stand for one axle type, evenly drawn.

    Attributes
    ----------
    weight : (P,), sums to 1
    springs : (P, 5), unsprung mass, body frequency, damping, tyre stiffness, contact length
    """

    weight: Floats
    springs: Floats


def members(kinds: tuple[Springs, ...]) -> Members:
    """Return the springs that stand for a type: an even lattice over its ranges, the same at every call."""
    lattice = _lattice(MEMBERS, len(_RANGES))
    bounds = [np.array([getattr(kind, name) for name in _RANGES]) for kind in kinds]
    return Members(
        weight=np.concatenate([np.full(MEMBERS, kind.share / MEMBERS) for kind in kinds]),
        springs=np.concatenate([low + (high - low) * lattice for low, high in (two.T for two in bounds)]),
    )


def _lattice(count: int, dimensions: int) -> Floats:
    """Return points that fill the unit cube evenly: Kronecker's sequence on a generalised golden ratio."""
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    step = root ** -np.arange(1.0, dimensions + 1)
    return np.asarray((0.5 + np.outer(np.arange(1, count + 1), step)) % 1.0)
