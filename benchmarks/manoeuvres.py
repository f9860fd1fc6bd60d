"""How surely spoilt passages are turned away, and how often good ones are, on simulated drives.

Sets of one manoeuvre each from `simulators.road`, on class A roads, eight strips in pairs at 2 kHz, with the
strips' own noise of 1.5 %. `detected` is the share of a spoilt set that is turned away for any reason;
`named` the share flagged with the manoeuvre's own name. `false_alarms` is the share of a good set turned
away. Both are told for a site without loops, too, and there what is left is `held` for statistics where the
loops that are not there leave it open. `case_error_u` is the largest error of the gross mass, plain mean over
the strips, of passages neither turned away nor held, in units of its root mean square over the normal set
(u, printed): whatever the loops, no manoeuvre that slips through may make a wrong mass that a case rests on.
`statistics_error_u_without_loops` is the same of passages held, to show what would become a case.

Thresholds were chosen on seed 1; the figures in the docs are of the seed that is the default here.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from benchmarks.result import Result
from benchmarks.waveform import layout_of, loops_of
from domain.events import DrivingFlag
from simulators.road.company import close_following
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
    "following, 4-30 m": DrivingFlag.CLOSE_FOLLOWING,
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

SPOILT: dict[str, dict[str, Any]] = {"following, 4-30 m": {"gaps_m": (4.0, 30.0)}}
"""Spoilt sets beside those of the simulator: another vehicle behind, wholly or partly in the recording."""


class Verdict(NamedTuple):
    """What became of one set, with some loops: turned away, held, and the relative gross error; (B,) each."""

    turned_away: Any
    held: Any
    error: Any

    @property
    def case_error(self) -> Any:
        """The errors a case may rest on; NaN of the others."""
        return np.where(self.turned_away | self.held, np.nan, self.error)


class Seen(NamedTuple):
    """What became of one set with all loops, and with none; whether named, and the axles right, (B,)."""

    loops: Verdict
    blind: Verdict
    named: Any
    count_right: Any


def main(arguments: list[str]) -> Result:
    """Run the sets; `--vehicles` and `--seed` for another look."""
    parser = argparse.ArgumentParser(prog="manoeuvres", description=__doc__)
    parser.add_argument("--vehicles", type=int, default=VEHICLES)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    good = {name: look(options.seed, name, options.vehicles) for name in (*USABLE, *GOOD)}
    names = [*(name for name in DRIVES if name not in USABLE), *SPOILT]
    spoilt = {name: look(options.seed, name, options.vehicles) for name in names}
    u = float(np.sqrt(np.nanmean(good["normal"].loops.case_error ** 2)))
    table = _table(good, spoilt, u)
    detected = [row["detected_percent"] for name, row in table.items() if name in spoilt]
    false = [row["false_alarms_percent"] for name, row in table.items() if name in good]
    held = [row["held_percent"] for name, row in table.items() if name in good]
    through = [row["case_error_u"] for name, row in table.items() if name in spoilt]
    blind = [row["case_error_u_without_loops"] for row in table.values()]
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
            "none_held_for_want_of_loops": max(held) == 0.0,
            "no_wrong_mass_makes_a_case": max(through) <= 3.0,
            "no_wrong_mass_makes_a_case_without_loops": max(blind) <= 3.0,
            "axle_counts_of_good": all(
                seen.count_right[~seen.loops.turned_away].all() for seen in good.values()
            ),
        },
    )


def look(seed: int, name: str, vehicles: int) -> Seen:
    """Return what becomes of a set, a new road for every few vehicles."""
    parts = [_judge(name, recording) for recording in _recordings(seed, name, vehicles)]

    def together(of: Any) -> Any:
        return np.concatenate([of(part) for part in parts])

    def verdict(of: Any) -> Verdict:
        return Verdict(*(together(lambda part, at=at: of(part)[at]) for at in range(len(Verdict._fields))))

    return Seen(
        loops=verdict(lambda part: part.loops),
        blind=verdict(lambda part: part.blind),
        named=together(lambda part: part.named),
        count_right=together(lambda part: part.count_right),
    )


def _recordings(seed: int, name: str, vehicles: int) -> Iterator[Recording]:
    kinds = [*DRIVES, *GOOD, *SPOILT]
    for part in range(0, vehicles, AT_A_TIME):
        rng = np.random.default_rng([seed, kinds.index(name), part])
        site, wanted = Site.draw(rng, road_class="A"), min(AT_A_TIME, vehicles - part)
        if name in DRIVES:
            yield make_set(name, rng, site, wanted)
            continue
        setting = Setting(rng=rng, site=site, lane=Lane.pairs_8(window_s=12.0), sensors=Sensors())
        if name in GOOD:
            yield normal(setting, wanted, **GOOD[name])
        else:
            yield close_following(setting, wanted, **SPOILT[name])


def _judge(name: str, recording: Recording) -> Seen:
    layout, truth = layout_of(recording.lane), recording.truth
    static = np.nansum(truth.trucks.static_kg, axis=1)
    found = process(recording.samples, layout, loops_of(recording.loops))
    bare = replace(layout, lead_loop_m=None, trail_loop_m=None, left_loop=False, right_loop=False)
    named = np.zeros(len(static), dtype=bool)
    if name in NAMES:
        named = found.flags[:, MANOEUVRES.index(NAMES[name])]
    return Seen(
        loops=_verdict(found, static),
        blind=_verdict(process(recording.samples, bare, Loops.silent(len(static))), static),
        named=named,
        count_right=found.axle_count == truth.axle_count,
    )


def _verdict(found: StripLoads, static_kg: Any) -> Verdict:
    return Verdict(
        turned_away=~found.weighed,
        held=found.weighed & ~found.beyond_doubt,
        error=_gross_kg(found) / static_kg - 1,
    )


def _gross_kg(found: StripLoads) -> Any:
    """Return the plain mean over strips, summed over axles; NaN of those turned away."""
    alive = found.alive[:, None, :]
    count = np.maximum(alive.sum(axis=2), 1)
    axles = np.where(alive, np.nan_to_num(found.load), 0.0).sum(axis=2) / count
    return np.where(found.weighed, axles.sum(axis=1) / STANDARD_GRAVITY_M_S2, np.nan)


def _table(good: dict[str, Seen], spoilt: dict[str, Seen], u: float) -> dict[str, dict[str, float]]:
    def percent(which: Any) -> float:
        return 100 * float(which.mean())

    def largest(error: Any) -> float:
        return float(np.nanmax(np.abs(error), initial=0.0)) / u

    rows = {}
    for name, seen in {**good, **spoilt}.items():
        what = "detected" if name in spoilt else "false_alarms"
        row = {f"{what}_percent": percent(seen.loops.turned_away), "held_percent": percent(seen.loops.held)}
        row[f"{what}_without_loops_percent"] = percent(seen.blind.turned_away)
        row["held_without_loops_percent"] = percent(seen.blind.held)
        if name in spoilt:
            row["named_percent"] = percent(seen.named)
        row["case_error_u"] = largest(seen.loops.case_error)
        row["case_error_u_without_loops"] = largest(seen.blind.case_error)
        row["statistics_error_u_without_loops"] = largest(seen.blind.error)
        rows[name] = {key: round(value, 2) for key, value in row.items()}
    return rows
