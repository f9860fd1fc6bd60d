"""Whether a case may rest on what one passage's strips said, although they could be weighed.

A weighing that fails here keeps its figures and its u; it is held for statistics, and its codes say why.
"""

from dataclasses import dataclass

import numpy as np

from domain.errors import ConfigurationError
from domain.units import PPM
from weigh.weighing import Weighing

STRIPS_INCONSISTENT = "strips-inconsistent"
UNCERTAINTY_IMPLAUSIBLE = "uncertainty-implausible"
CODES = (STRIPS_INCONSISTENT, UNCERTAINTY_IMPLAUSIBLE)


@dataclass(frozen=True)
class TrustRule:
    """Limits, all of them settings.

    Attributes
    ----------
    strip_departure, reading_heavier, reading_lighter : standard deviations that a strip over all axles, and a
        strip at one axle, may depart by from what the other strips expect. Measured on simulated good
        traffic, so that at most 0.5 % of it is held on roads of class A and 1 % on class B, with the softest
        and stiffest tyres (`make bench NAME=consistency`). A reading too high makes its axle a heavy one,
        of which less bouncing is expected, and hides by that: it may accuse, and its limit is lower. From
        nine strips on a vehicle has more chances to depart, and the limits are multiplied with
        `many_strips`; where the site's pattern is known the model of what is left is less sure, and they
        are multiplied with `known_pattern`
    least_u_gross_ppm : relative standard uncertainty of a gross mass below which it is not believed. No
        published array of strips comes near 0.2 %; this software's own choice
    """

    strip_departure: float = 3.75
    reading_heavier: float = 5.0
    reading_lighter: float = 5.5
    many_strips: float = 1.15
    known_pattern: float = 1.3
    least_u_gross_ppm: int = 2_000

    def __post_init__(self) -> None:
        """Refuse limits that hold nothing or everything."""
        factors = (
            self.strip_departure,
            self.reading_heavier,
            self.reading_lighter,
            self.many_strips,
            self.known_pattern,
        )
        if not all(0.0 < factor < np.inf for factor in factors) or self.least_u_gross_ppm < 0:
            raise ConfigurationError("limits of trust must be positive and finite")


TRUST = TrustRule()
_MANY = 9


def held(weighing: Weighing, vehicle: int, rule: TrustRule = TRUST) -> tuple[str, ...]:
    """Return codes of why no case may rest on one vehicle's weighing; none for one not weighed at all."""
    if weighing.problem[vehicle]:
        return ()
    found = weighing.departures
    wider = (rule.many_strips if weighing.strips >= _MANY else 1.0) * (
        rule.known_pattern if found.pattern_known[vehicle] else 1.0
    )
    holds = (
        found.strip[vehicle] > rule.strip_departure * wider
        or found.heavier[vehicle] > rule.reading_heavier * wider
        or found.lighter[vehicle] > rule.reading_lighter * wider,
        weighing.u_gross_kg[vehicle] * PPM < rule.least_u_gross_ppm * weighing.gross_kg[vehicle],
    )
    return tuple(code for code, hold in zip(CODES, holds, strict=True) if hold)
