"""How surely a strip with a wrong gain is noticed, and how often good traffic is held for one.

The roads are the estimator's, calibrated on 40 weighed passes each; then in every vehicle one strip has a
gain that is off by a factor. `detected` are the vehicles held for it, `shift` by how many of its u the
gross mass of those not held has moved at most (99 of 100), `false` the good vehicles held; with `_hand`
behind it, for a calibration that says nothing of the strips at the site. `ours` are vehicles a second
compared, of five axles over eight strips; the bound is weighing them by look-up.
"""

import argparse
import time
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from benchmarks._estimator_roads import NOISE, Floats, Scenario, calibrate, roads
from benchmarks.result import Result
from simulators.road.passes import PAIRS_8_M, SPEED_RANGE_M_S
from weigh.calibration.state import CalibrationState
from weigh.estimate import GlsTable, departures, look_up, places
from weigh.trust import STRIPS_INCONSISTENT, held
from weigh.weighing import Weighing, weigh_loads

ROADS = 20
VEHICLES = 200
FACTORS = (0.5, 0.75, 1.25, 1.5, 2.0)
COMPARED = 200_000
_FOUR_M: Floats = np.array([0.0, 4.1, 5.0, 9.1])

SCENARIOS = (
    Scenario(name="8_a", position_m=PAIRS_8_M),
    Scenario(name="8_a_soft", position_m=PAIRS_8_M, tyres="soft"),
    Scenario(name="8_a_stiff", position_m=PAIRS_8_M, tyres="stiff"),
    Scenario(name="8_a_one_dead", position_m=PAIRS_8_M, dead=(3,)),
    Scenario(name="8_a_one_died_since", position_m=PAIRS_8_M, died=(3,)),
    Scenario(name="8_a_15_k", position_m=PAIRS_8_M, swing_k=15.0),
    Scenario(name="8_b", position_m=PAIRS_8_M, road="B"),
    Scenario(name="8_b_soft", position_m=PAIRS_8_M, road="B", tyres="soft"),
    Scenario(name="8_b_stiff", position_m=PAIRS_8_M, road="B", tyres="stiff"),
    Scenario(name="16_a", position_m=np.arange(16.0)),
    Scenario(name="16_b_stiff", position_m=np.arange(16.0), road="B", tyres="stiff"),
    Scenario(name="4_a", position_m=_FOUR_M),
    Scenario(name="4_b_stiff", position_m=_FOUR_M, road="B", tyres="stiff"),
)


def main(arguments: list[str]) -> Result:
    """Run the benchmark; fewer `--roads` shorten it for a look."""
    parser = argparse.ArgumentParser(prog="consistency", description=__doc__)
    parser.add_argument("--roads", type=int, default=ROADS)
    parser.add_argument("--only", help="names of scenarios, commas between")
    options = parser.parse_args(arguments)
    figures: dict[str, float] = {"roads": options.roads, "vehicles_a_road": VEHICLES}
    for scenario in SCENARIOS:
        if options.only is None or scenario.name in options.only.split(","):
            figures |= _measure(scenario, options.roads)
    compared, looked_up = _speeds()
    return Result(
        name="consistency",
        unit="vehicles/s",
        ours=round(compared),
        peers={},
        bounds={"look_up": round(looked_up)},
        figures={name: round(float(value), 3) for name, value in figures.items()},
        ok=_claims(figures),
    )


def _claims(figures: dict[str, float]) -> dict[str, bool]:
    false = {name: value for name, value in figures.items() if name.startswith("false_percent")}
    on_a = [value for name, value in false.items() if "_b" not in name]
    doubled = [
        value
        for name, value in figures.items()
        if name.startswith("detected_percent_2.0") and "_hand_" not in name
    ]
    return {
        "good_traffic_held_at_most_0.5_percent_on_class_a": bool(max(on_a) <= 0.5),
        "good_traffic_held_at_most_1_percent": bool(max(false.values()) <= 1.0),
        "a_doubled_strip_held_98_in_100": bool(min(doubled) >= 98.0),
    }


def _measure(scenario: Scenario, count: int) -> dict[str, float]:
    holds: dict[str, list[NDArray[np.bool_]]] = defaultdict(list)
    shifts: dict[str, list[Floats]] = defaultdict(list)
    axles: list[NDArray[np.int64]] = []
    for number, road in enumerate(roads(scenario, count, VEHICLES)):
        fitted = calibrate(scenario, road)
        test = slice(scenario.weighed, None)
        kind, speed, kelvin = road.trucks.axle_type[test], road.speed_m_s[test], road.temperature_k[test]
        alive = np.ones((len(speed), road.load.shape[2]), dtype=np.bool_)
        alive[:, [*scenario.died, *scenario.dead]] = False
        axles.append(road.trucks.axle_count[test])
        strip = np.random.default_rng(number).choice(np.flatnonzero(alive[0]), len(speed))
        for suffix, state in (("", fitted), ("_hand", _by_hand(fitted))):
            good = weigh_loads(road.load[test], kind, speed, state, kelvin, alive=alive)
            holds[f"false{suffix}"].append(_held(good))
            for factor in FACTORS:
                load = road.load[test].copy()
                load[np.arange(len(speed)), :, strip] *= factor
                wrong = weigh_loads(load, kind, speed, state, kelvin, alive=alive)
                through = ~_held(wrong)
                holds[f"{factor}{suffix}"].append(~through)
                moved = np.abs(wrong.gross_kg - good.gross_kg) / good.u_gross_kg
                shifts[f"{factor}{suffix}"].append(moved[through])
    return _summary(scenario.name, holds, shifts, np.concatenate(axles))


def _summary(
    name: str,
    holds: dict[str, list[NDArray[np.bool_]]],
    shifts: dict[str, list[Floats]],
    axles: NDArray[np.int64],
) -> dict[str, float]:
    figures = {}
    for what, each in holds.items():
        share = np.concatenate(each)
        if what.startswith("false"):
            figures[f"{what.replace('false', 'false_percent')}_{name}"] = share.mean() * 100.0
            figures[f"worst_axle_count_{what}_{name}"] = 100.0 * max(
                share[axles == number].mean() for number in np.unique(axles)
            )
            continue
        figures[f"detected_percent_{what}_{name}"] = share.mean() * 100.0
        moved = np.concatenate(shifts[what])
        figures[f"shift_u_{what}_{name}"] = float(np.quantile(moved, 0.99)) if len(moved) else 0.0
    return figures


def _held(weighing: Weighing) -> NDArray[np.bool_]:
    return np.array(
        [STRIPS_INCONSISTENT in held(weighing, vehicle) for vehicle in range(len(weighing.gross_kg))]
    )


def _by_hand(state: CalibrationState) -> CalibrationState:
    """Return the calibration without what weighed passes said of the strips at this site."""
    return CalibrationState.from_document(
        state.to_document() | {"strip_pattern_ppm": [], "u_strip_pattern_ppm": []}
    )


def _speeds() -> tuple[float, float]:
    """Return vehicles a second: compared, and weighed by look-up; best of five."""
    rng = np.random.default_rng(1)
    load = rng.normal(6_000.0, 500.0, (COMPARED, 5, len(PAIRS_8_M)))
    kind = np.tile(np.array([0, 1, 1, 2, 2], dtype=np.int8), (COMPARED, 1))
    speed = rng.uniform(*SPEED_RANGE_M_S, COMPARED)
    table = GlsTable(PAIRS_8_M, np.full(len(PAIRS_8_M), NOISE), 16e-6)
    seconds: dict[str, list[float]] = {"compare": [], "look up": []}
    for _ in range(6):
        started = time.perf_counter()
        at = places(np.ones((COMPARED, len(PAIRS_8_M)), dtype=np.bool_), speed, table)
        weighed = look_up(load, kind, at, table)
        between = time.perf_counter()
        departures(load, weighed, kind, at, table)
        seconds["look up"].append(between - started)
        seconds["compare"].append(time.perf_counter() - between)
    return COMPARED / min(seconds["compare"]), COMPARED / min(seconds["look up"])
