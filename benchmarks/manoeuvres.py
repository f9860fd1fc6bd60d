"""How surely spoilt passages are turned away, and how often good ones are, on simulated drives.

Sets of one manoeuvre each from `simulators.road`, on class A roads, eight strips in pairs at 2 kHz, with the
strips' own noise of 1.5 %. `detected` is the share of a spoilt set that is turned away for any reason;
`named` the share flagged with the manoeuvre's own name. `false_alarms` is the share of a good set turned
away. Both are told for a site without loops, too. `gross_error_u` is the largest error of the gross mass,
plain mean over the strips, of passages not turned away, in units of its root mean square over the normal set
(u, printed): a manoeuvre that slips through must not make a wrong mass.

Thresholds were chosen on seed 1; the figures in the docs are of the seed that is the default here.
"""

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.result import Result
from benchmarks.waveform import layout_of, loops_of
from domain.events import DrivingFlag
from simulators.road.driving import normal
from simulators.road.manoeuvres import DRIVES, make_set
from simulators.road.passes import STANDARD_GRAVITY_M_S2
from simulators.road.profile import Site
from simulators.road.recordings import Recording, Sensors
from simulators.road.setting import Setting
from simulators.road.signals import Lane
from weigh.waveform import MANOEUVRES, Loops, StripLoads, process

VEHICLES = 400
AT_A_TIME = 40
SEED = 2

NAMES = {
    "hard-braking": DrivingFlag.SPEED_CHANGE,
    "hard-accelerating": DrivingFlag.SPEED_CHANGE,
    "stopping": DrivingFlag.TAIL_LOST,
    "stop-and-go": DrivingFlag.STOP_AND_GO,
    "reversing": DrivingFlag.REVERSING,
    "wrong-way": DrivingFlag.WRONG_WAY,
    "straddling": DrivingFlag.STRADDLING,
    "leaving-lane": DrivingFlag.STRADDLING,
    "side-by-side": DrivingFlag.SIDE_BY_SIDE,
    "close-following": DrivingFlag.CLOSE_FOLLOWING,
    "tail-lost": DrivingFlag.TAIL_LOST,
}
"""What a manoeuvre is called where it is recognised; a stop that lasts is a recording that ends too early."""

USABLE = ("normal", "lifted-axle", "mild-acceleration")
"""Sets of the simulator that spoil nothing."""

GOOD: dict[str, dict[str, Any]] = {
    "slow, 4-10 m/s": {"speeds": (4.0, 10.0)},
    "fast, 25-33 m/s": {"speeds": (25.0, 33.0)},
}
"""Good sets beside those of `USABLE`."""


class Seen(NamedTuple):
    """What became of one set: turned away, also without loops, named, axles right, gross error; (B,) each."""

    turned_away: Any
    without_loops: Any
    named: Any
    count_right: Any
    gross_error: Any


def main(arguments: list[str]) -> Result:
    """Run the sets; `--vehicles` and `--seed` for another look."""
    parser = argparse.ArgumentParser(prog="manoeuvres", description=__doc__)
    parser.add_argument("--vehicles", type=int, default=VEHICLES)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    good = {name: look(options.seed, name, options.vehicles) for name in (*USABLE, *GOOD)}
    spoilt = {name: look(options.seed, name, options.vehicles) for name in DRIVES if name not in USABLE}
    u = float(np.sqrt(np.nanmean(good["normal"].gross_error ** 2)))
    table = _table(good, spoilt, u)
    detected = [row["detected_percent"] for name, row in table.items() if name in spoilt]
    false = [row["false_alarms_percent"] for name, row in table.items() if name in good]
    through = [row["gross_error_u"] for name, row in table.items() if name in spoilt]
    return Result(
        name="manoeuvres",
        unit="percent of spoilt passages turned away",
        ours=float(np.mean(detected)),
        figures={
            "vehicles_a_set": options.vehicles,
            "seed": options.seed,
            "u_percent": 100 * u,
            "sets": table,
        },
        ok={
            "each_detected_99_percent": min(detected) >= 99.0,
            "false_alarms_0_5_percent": max(false) <= 0.5,
            "no_gross_error_slips_through": max(through) <= 3.0,
            "axle_counts_of_good": all(seen.count_right[~seen.turned_away].all() for seen in good.values()),
        },
    )


def look(seed: int, name: str, vehicles: int) -> Seen:
    """Return what becomes of a set, a new road for every few vehicles."""
    parts = [_judge(name, recording) for recording in _recordings(seed, name, vehicles)]
    return Seen(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _recordings(seed: int, name: str, vehicles: int) -> Iterator[Recording]:
    kinds = [*DRIVES, *GOOD]
    for part in range(0, vehicles, AT_A_TIME):
        rng = np.random.default_rng([seed, kinds.index(name), part])
        site, wanted = Site.draw(rng, road_class="A"), min(AT_A_TIME, vehicles - part)
        if name in DRIVES:
            yield make_set(name, rng, site, wanted)
        else:
            setting = Setting(rng=rng, site=site, lane=Lane.pairs_8(window_s=12.0), sensors=Sensors())
            yield normal(setting, wanted, **GOOD[name])


def _judge(name: str, recording: Recording) -> Seen:
    lane, truth = recording.lane, recording.truth
    found = process(recording.samples, layout_of(lane), loops_of(recording.loops))
    static = np.nansum(truth.trucks.static_kg, axis=1)
    named = np.zeros(len(static), dtype=bool)
    if name in NAMES:
        named = found.flags[:, MANOEUVRES.index(NAMES[name])]
    blind = process(recording.samples, layout_of(lane), Loops.silent(len(static)))
    return Seen(
        turned_away=~found.weighed,
        without_loops=~blind.weighed,
        named=named,
        count_right=found.axle_count == truth.axle_count,
        gross_error=_gross_kg(found) / static - 1,
    )


def _gross_kg(found: StripLoads) -> Any:
    """Return the plain mean over strips, summed over axles; NaN of those turned away."""
    alive = found.alive[:, None, :]
    count = np.maximum(alive.sum(axis=2), 1)
    axles = np.where(alive, np.nan_to_num(found.load), 0.0).sum(axis=2) / count
    return np.where(found.weighed, axles.sum(axis=1) / STANDARD_GRAVITY_M_S2, np.nan)


def _table(good: dict[str, Seen], spoilt: dict[str, Seen], u: float) -> dict[str, dict[str, float]]:
    rows = {}
    for name, seen in {**good, **spoilt}.items():
        what = "detected" if name in spoilt else "false_alarms"
        row = {f"{what}_percent": 100 * float(seen.turned_away.mean())}
        row[f"{what}_without_loops_percent"] = 100 * float(seen.without_loops.mean())
        if name in spoilt:
            row["named_percent"] = 100 * float(seen.named.mean())
        row["gross_error_u"] = float(np.nanmax(np.abs(seen.gross_error), initial=0.0)) / u
        rows[name] = {key: round(value, 2) for key, value in row.items()}
    return rows
