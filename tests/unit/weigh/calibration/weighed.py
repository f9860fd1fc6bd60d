"""Weighed passes of simulated trucks over one simulated road."""

import numpy as np
from numpy.typing import NDArray

from domain.ids import DeviceId, StationId
from simulators.road.passes import PAIRS_8_M, STANDARD_GRAVITY_M_S2, strip_passes
from simulators.road.profile import Site
from simulators.road.trucks import Trucks, draw_trucks
from weigh.calibration.fit import Installation
from weigh.calibration.passes import WeighedPasses

Floats = NDArray[np.float64]

STRIPS = len(PAIRS_8_M)
MEAN_K = 293.15

INSTALLATION = Installation(
    station=StationId("S1"),
    device=DeviceId("wim-1"),
    lane=1,
    strip_position_mm=tuple(round(place * 1_000) for place in PAIRS_8_M),
    strip_width_um=53_000,
)


def weighed(
    seed: int,
    count: int,
    *,
    gain: float = STANDARD_GRAVITY_M_S2,
    gain_sd: float = 0.0,
    per_k: float = 0.0,
    warmer_sd_k: float = 0.0,
    dead: tuple[int, ...] = (),
) -> WeighedPasses:
    """Return passes at a class A site of 8 strips; the road follows from the seed alone."""
    rng = np.random.default_rng(seed)
    site = Site.draw(rng, "A")
    gains = gain * (1 + gain_sd * rng.standard_normal(STRIPS))
    trucks = draw_trucks(rng, count)
    speed = rng.uniform(50, 90, count) / 3.6
    warmer = warmer_sd_k * rng.standard_normal(count)
    load = strip_passes(
        rng,
        site,
        trucks,
        speed,
        PAIRS_8_M,
        gain=gains,
        warmer_k=warmer,
        temperature_per_k=per_k,
        dead=np.isin(np.arange(STRIPS), dead),
    )
    return WeighedPasses(
        reference_kg=trucks.static_kg,
        measured_kg=np.full(trucks.static_kg.shape, np.nan),
        strip_load=load,
        axle_type=trucks.axle_type,
        group=groups(trucks),
        speed_m_s=speed,
        temperature_k=MEAN_K + warmer,
    )


def groups(trucks: Trucks) -> NDArray[np.int64]:
    """Number groups from 1: axles within 2 m of the one before are of its group, steering axles never."""
    far = np.ones(trucks.axle_type.shape, dtype=np.bool_)
    far[:, 1:] = (trucks.spacing_m > 2.0) | (trucks.axle_type[:, 1:] == 0)
    return np.where(trucks.axle_type >= 0, np.cumsum(far, axis=1), -1)
