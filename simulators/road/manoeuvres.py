"""Sets of passages of one kind each: normal ones, what spoils a weighing, and what only looks like it.

Every kind takes a `Setting` and a number of vehicles and gives a `Recording`. Speeds are such as the lane's
window has room for; stopping and going back need a long one (24 s). Figures of braking, gaps and detuning are
assumptions about drivers and loops, chosen wide.
"""

from collections.abc import Callable

import numpy as np

from domain.errors import ConfigurationError
from simulators.road.company import close_following, leaving_lane, side_by_side, straddling, tail_lost
from simulators.road.driving import (
    hard_accelerating,
    hard_braking,
    lifted_axle,
    mild_acceleration,
    normal,
    reversing,
    stop_and_go,
    stopping,
    wrong_way,
)
from simulators.road.profile import Site
from simulators.road.recordings import Recording, Sensors
from simulators.road.setting import Setting
from simulators.road.signals import Lane

DRIVES: dict[str, Callable[[Setting, int], Recording]] = {
    "normal": normal,
    "lifted-axle": lifted_axle,
    "mild-acceleration": mild_acceleration,
    "hard-braking": hard_braking,
    "hard-accelerating": hard_accelerating,
    "stopping": stopping,
    "stop-and-go": stop_and_go,
    "reversing": reversing,
    "wrong-way": wrong_way,
    "straddling": straddling,
    "side-by-side": side_by_side,
    "close-following": close_following,
    "leaving-lane": leaving_lane,
    "tail-lost": tail_lost,
}


def make_set(
    kind: str,
    rng: np.random.Generator,
    site: Site,
    vehicles: int,
    *,
    lane: Lane | None = None,
    sensors: Sensors | None = None,
    codes: tuple[str, ...] | None = None,
) -> Recording:
    """Return one set of recordings, the same again for the same generator.

    Parameters
    ----------
    kind
        A key of `DRIVES`.
    lane
        Eight strips in pairs at 2 kHz for 24 s if None, so that slow manoeuvres end within the window.
    codes
        Names of configurations to draw from; all if None.
    """
    if kind not in DRIVES:
        raise ConfigurationError(f"manoeuvre {kind!r} is not one of {', '.join(DRIVES)}")
    setting = Setting(
        rng=rng,
        site=site,
        lane=Lane.pairs_8(window_s=24.0) if lane is None else lane,
        sensors=Sensors() if sensors is None else sensors,
        codes=codes,
    )
    return DRIVES[kind](setting, vehicles)
