"""How well strips weigh: error by method on unseen roads, coverage of the intervals, speed of the look-up.

Every road is a simulated ISO 8608 profile never used for tuning, calibrated on 40 weighed passes of its
own and then driven over by other vehicles. The peers get the same strip loads and the same weighed passes.
`ours`, the peer and the bound are vehicles a second: a vehicle is five axles over eight strips, float32,
weighed to axle loads and gross mass; the bound reads the same loads once and adds them up.

With `--plot FILE` the figures are drawn as well.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

from benchmarks import _estimator_peers as peers
from benchmarks._estimator_roads import NOISE, Floats, Scenario, Score, measure
from benchmarks.result import Result
from simulators.road.passes import PAIRS_8_M, SPEED_RANGE_M_S
from weigh.estimate import GlsTable, look_up, places

ROADS = 60
VEHICLES = 200
LOOKED_UP = 1_000_000
FITTED = 20_000

SIXTEEN_M: Floats = np.arange(16, dtype=np.float64)

SCENARIOS = (
    Scenario(name="8", position_m=PAIRS_8_M),
    Scenario(name="16", position_m=SIXTEEN_M),
    Scenario(name="8_uniform", position_m=1.6 * SIXTEEN_M[:8]),
    Scenario(name="8_class_b", position_m=PAIRS_8_M, road="B"),
    Scenario(name="16_class_b", position_m=SIXTEEN_M, road="B"),
    Scenario(name="8_soft_tyres", position_m=PAIRS_8_M, tyres="soft"),
    Scenario(name="8_stiff_tyres", position_m=PAIRS_8_M, tyres="stiff"),
    Scenario(name="8_one_dead", position_m=PAIRS_8_M, dead=(3,)),
    Scenario(name="8_two_dead", position_m=PAIRS_8_M, dead=(2, 5)),
    Scenario(name="8_one_died_since", position_m=PAIRS_8_M, died=(3,)),
    Scenario(name="8_gain_scatter", position_m=PAIRS_8_M, gain_scatter=0.02),
    Scenario(name="8_15_k", position_m=PAIRS_8_M, swing_k=15.0),
    Scenario(name="8_15_k_200_weighed", position_m=PAIRS_8_M, swing_k=15.0, weighed=200),
)
HEADLINES = ("8", "16")


def main(arguments: list[str]) -> Result:
    """Run the benchmark; fewer `--roads` and `--vehicles` shorten it for a look."""
    parser = argparse.ArgumentParser(prog="estimator", description=__doc__)
    parser.add_argument("--roads", type=int, default=ROADS)
    parser.add_argument("--vehicles", type=int, default=VEHICLES)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(arguments)
    scores = {each.name: measure(each, options.roads, options.vehicles) for each in SCENARIOS}
    if options.plot:
        from benchmarks._estimator_plot import draw  # noqa: PLC0415 - slow to import, seldom wanted

        draw(scores, options.plot)
    ours, sinusoid, read = _speeds()
    figures = _figures(scores)
    return Result(
        name="estimator",
        unit="vehicles/s",
        ours=round(ours),
        peers={"sinusoid_fit": round(sinusoid)},
        bounds={"memory_read": round(read)},
        figures={"roads": options.roads, "vehicles_a_road": options.vehicles, **figures},
        ok=_claims(figures, ours),
    )


def _figures(scores: dict[str, Score]) -> dict[str, float]:
    figures = {"dynamic_rms_percent": float(np.mean(scores["8"].dynamic)) * 100.0}
    for name, score in scores.items():
        for method in score.squares:
            prefix = "" if method == "ours" else f"{method}_"
            figures[f"{prefix}axle_rms_{name}"], figures[f"{prefix}gross_rms_{name}"] = score.rms_percent(
                method
            )
        figures[f"axle_from_4_t_rms_{name}"] = float(np.sqrt(np.mean(score.loaded))) * 100.0
        for what in score.coverage:
            overall, tenth = score.covered_percent(what)
            figures[f"coverage_95_{what}_{name}"], figures[f"coverage_95_{what}_p10_{name}"] = overall, tenth
    figures["coverage_95"], figures["coverage_95_p10"] = scores["8"].covered_percent("axle")
    return {name: round(value, 3) for name, value in figures.items()}


def _claims(figures: dict[str, float], vehicles_per_s: float) -> dict[str, bool]:
    covered = {
        f"coverage_95_{what}_{name}": 94.0 <= figures[f"coverage_95_{what}_{name}"] <= 96.0
        and figures[f"coverage_95_{what}_p10_{name}"] >= 88.0
        for name in HEADLINES
        for what in ("axle", "gross")
    }
    better = all(
        figures[f"{ours}{what}_rms_{name}"] < figures[f"mean_{what}_rms_{name}"]
        for ours in ("", "gls_plain_bias_")
        for what in ("axle", "gross")
        for name in HEADLINES
    )
    return {
        "dynamic_rms_7_to_11": 7.0 <= figures["dynamic_rms_percent"] <= 11.0,
        "mean_axle_rms_8_1.2_to_1.55": 1.2 <= figures["mean_axle_rms_8"] <= 1.55,
        "mean_gross_rms_8_0.75_to_1.0": 0.75 <= figures["mean_gross_rms_8"] <= 1.0,
        "gls_beats_mean": better,
        "axle_rms_8": figures["axle_rms_8"] <= 1.3,
        "gross_rms_8": figures["gross_rms_8"] <= 0.85,
        "axle_rms_16": figures["axle_rms_16"] <= 0.70,
        "gross_rms_16": figures["gross_rms_16"] <= 0.45,
        **covered,
        "look_up_10_million_a_second": vehicles_per_s >= 1e7,
    }


def _speeds() -> tuple[float, float, float]:
    """Return vehicles a second: look-up, sinusoid fit, and reading the loads once; best of five."""
    rng = np.random.default_rng(1)
    load = rng.normal(6_000.0, 500.0, (LOOKED_UP, 5, len(PAIRS_8_M))).astype(np.float32)
    kind = np.tile(np.array([0, 1, 1, 2, 2], dtype=np.int8), (LOOKED_UP, 1))
    speed = rng.uniform(*SPEED_RANGE_M_S, LOOKED_UP)
    alive = np.ones((LOOKED_UP, len(PAIRS_8_M)), dtype=np.bool_)
    table = GlsTable(PAIRS_8_M, np.full(len(PAIRS_8_M), NOISE), 16e-6)
    looked = _best(lambda: look_up(load, kind, places(alive, speed, table), table))
    few: Floats = load[:FITTED].astype(np.float64)
    fitted = _best(lambda: peers.sinusoid_fit(few, speed[:FITTED], PAIRS_8_M))
    read = _best(lambda: _read(load.ravel()))
    return LOOKED_UP / looked, FITTED / fitted, LOOKED_UP / read


def _best(run: Callable[[], object]) -> float:
    run()
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


@njit(fastmath=True)
def _read(values):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for at in range(len(values)):
        total += values[at]
    return total
