"""What each axle is likely to be, from the distances between axles: strips see no drive shaft."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from weigh.estimate.kernel import Floats
from weigh.estimate.lookup import DRIVE, NO_AXLE, STEER, TRAILER

TWIN_STEERING_M = 2.25
"""A second axle no farther behind steers too: 2.1 m is the widest pair named, plus 0.15 m of error."""


def axle_types(axle_count: NDArray[np.integer[Any]], spacing_m: Floats) -> NDArray[np.int8]:
    """Return the likely type of each axle, (B, A).

    The first axle steers, and so does a second close behind it. The rest stands under truck or tractor, but
    behind the longest gap, where that is not the one behind the steering axles, it stands under a trailer.

    Parameters
    ----------
    axle_count : (B,)
    spacing_m : (B, A - 1), from each axle to the next; what is behind the last axle does not matter
    """
    if spacing_m.ndim != 2 or axle_count.shape != spacing_m.shape[:1]:
        raise ConfigurationError("axle counts must be (B,), spacings (B, A - 1)")
    place = np.arange(spacing_m.shape[1] + 1)
    there = place < axle_count[:, None]
    gap = np.where(there[:, 1:] & (spacing_m > 0.0), spacing_m, 0.0)
    steering = np.ones(len(gap), dtype=np.int64)
    if gap.shape[1]:
        steering += (axle_count > 2) & (gap[:, 0] > 0.0) & (gap[:, 0] <= TWIN_STEERING_M)
        last_before = gap.argmax(axis=1) + 1
    else:
        last_before = steering
    trailer_from = np.where(last_before > steering, last_before, len(place))
    kind = np.where(place >= trailer_from[:, None], TRAILER, DRIVE)
    kind = np.where(place < steering[:, None], STEER, kind)
    return np.where(there, kind, NO_AXLE).astype(np.int8)


def types_of_spacings(spacings_mm: Sequence[int]) -> tuple[int, ...]:
    """Return the likely type of each axle of one vehicle, front to back, from whole millimetres."""
    spacing_m = np.array([spacings_mm], dtype=np.float64).reshape(1, -1) / 1_000
    kinds = axle_types(np.array([len(spacings_mm) + 1]), spacing_m)
    return tuple(int(kind) for kind in kinds[0])
