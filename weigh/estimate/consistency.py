"""Whether the strips of one passage tell of one vehicle: a strip, or one reading, that departs too far.

The estimate believes every strip: one whose gain has jumped pulls it along, and u does not know. So what
each strip says of each axle is compared with what the others expect of it (`weigh.estimate.contrasts`), in
standard deviations of what good strips on this road would do, lighter axles bouncing more. A wrong gain is
the same for all axles, which is why a strip's departures are averaged over them; a step or a spark in the
signal is not, which is why the largest single one is told too.

The variances are a model's, and good traffic departs further than a normal's quantiles: how far it may is a
limit measured on simulated good traffic, and a setting (`weigh.trust`).
Shapes: B vehicles, A axles, S strips.
"""

from dataclasses import dataclass

import numpy as np

from domain.errors import ConfigurationError
from weigh.estimate import _kernels
from weigh.estimate.kernel import Floats
from weigh.estimate.lookup import AnyFloats, Places, Types, Weighed
from weigh.estimate.population import LOADS_KG
from weigh.estimate.table import GlsTable
from weigh.estimate.uncertainty import ALIKE


@dataclass(frozen=True)
class Departures:
    """The largest departures of each vehicle in standard deviations, (B,); 0 where none can be told.

    Attributes
    ----------
    strip : of one strip, over all axles
    reading : of one strip at one axle
    """

    strip: Floats
    reading: Floats


def departures(
    load: AnyFloats, weighed: Weighed, axle_type: Types, at: Places, table: GlsTable
) -> Departures:
    """Return how far the strips depart from one another.

    Parameters
    ----------
    load : (B, A, S), as `weighed` was looked up from
    axle_type : (B, A), -1 where there is no axle
    """
    if load.shape != (*axle_type.shape, table.strips) or weighed.axle.shape != axle_type.shape:
        raise ConfigurationError("departures need the loads, axles and types that were weighed together")
    compared = [table.contrasts(mask) for mask in at.masks]
    found = Departures(np.zeros(len(load)), np.zeros(len(load)))
    _kernels.find_departures(
        np.ascontiguousarray(load, dtype=np.float64),
        np.stack([each.weight for each in compared]),
        np.stack([each.own for each in compared]),
        np.stack([each.common for each in compared]),
        np.log(LOADS_KG),
        at.which,
        at.speed,
        np.ascontiguousarray(axle_type, dtype=np.int64),
        np.ascontiguousarray(weighed.axle, dtype=np.float64),
        np.ascontiguousarray(weighed.problem),
        ALIKE,
        found.strip,
        found.reading,
    )
    return found
