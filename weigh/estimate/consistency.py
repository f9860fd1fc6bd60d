"""Whether the strips of one passage tell of one vehicle: a strip, or one reading, that departs too far.

The estimate believes every strip: one whose gain has jumped pulls it along, and u does not know. So what
each strip says of each axle is compared with what the others expect of it (`weigh.estimate.contrasts`), in
standard deviations of what good strips on this road would do, lighter axles bouncing more. A wrong gain is
the same for all axles, which is why a strip's departures are averaged over them; a step or a spark in the
signal is not, which is why the largest single one is told too. What the road does at a strip to every axle
is taken out where weighed passes have shown it (`weigh.estimate.pattern`), and allowed for where not.

The variances are a model's, and good traffic departs further than a normal's quantiles: how far it may is a
limit measured on simulated good traffic, and a setting (`weigh.trust`).
Shapes: B vehicles, A axles, S strips.
"""

from dataclasses import dataclass

import numpy as np

from domain.errors import ConfigurationError
from weigh.estimate import _kernels
from weigh.estimate.contrasts import Contrasts
from weigh.estimate.kernel import Floats
from weigh.estimate.lookup import AnyFloats, Places, Types, Weighed
from weigh.estimate.pattern import StripPattern
from weigh.estimate.population import LOADS_KG
from weigh.estimate.table import Bools, GlsTable
from weigh.estimate.uncertainty import ALIKE


@dataclass(frozen=True)
class Departures:
    """The largest departures of each vehicle in standard deviations, (B,); 0 where none can be told.

    Attributes
    ----------
    strip : of one strip, over all axles
    heavier, lighter : of one strip at one axle, by what it reads above and below what the others expect
    pattern_known : whether the strips' mean departures at this site were known and taken out
    """

    strip: Floats
    heavier: Floats
    lighter: Floats
    pattern_known: Bools


def departures(
    load: AnyFloats,
    weighed: Weighed,
    axle_type: Types,
    at: Places,
    table: GlsTable,
    *,
    pattern: StripPattern | None = None,
) -> Departures:
    """Return how far the strips depart from one another.

    Parameters
    ----------
    load : (B, A, S), as `weighed` was looked up from
    axle_type : (B, A), -1 where there is no axle
    pattern : what the strips' mean departures are at this site; for other strips alive it says nothing
    """
    if load.shape != (*axle_type.shape, table.strips) or weighed.axle.shape != axle_type.shape:
        raise ConfigurationError("departures need the loads, axles and types that were weighed together")
    compared = [table.contrasts(mask) for mask in at.masks]
    known = np.array([pattern is not None and pattern.mask == mask for mask in at.masks], dtype=np.bool_)
    usual = [_usual(each, pattern if knows else None) for each, knows in zip(compared, known, strict=True)]
    strip, heavier, lighter = np.zeros((3, len(load)))
    found = Departures(strip, heavier, lighter, known[at.which])
    _kernels.find_departures(
        np.ascontiguousarray(load, dtype=np.float64),
        np.stack([each.weight for each in compared]),
        np.stack([each.own for each in compared]),
        np.stack([mean for mean, _ in usual]),
        np.stack([variance for _, variance in usual]),
        np.log(LOADS_KG),
        at.which,
        at.speed,
        np.ascontiguousarray(axle_type, dtype=np.int64),
        np.ascontiguousarray(weighed.axle, dtype=np.float64),
        np.ascontiguousarray(weighed.problem),
        ALIKE,
        found.strip,
        found.heavier,
        found.lighter,
    )
    return found


def _usual(compared: Contrasts, pattern: StripPattern | None) -> tuple[Floats, Floats]:
    """Return the strips' mean departures at this site and the variance of what is not known of them."""
    if pattern is None:
        return np.zeros_like(compared.common), compared.common
    if pattern.mean.shape != compared.common.shape or pattern.u.shape != compared.common.shape:
        raise ConfigurationError("a pattern of other strips than those compared")
    return pattern.mean, np.square(pattern.u)
