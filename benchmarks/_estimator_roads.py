"""Simulated sites never used for tuning: calibrated on weighed passes of their own, then put to the test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import _estimator_peers as peers
from domain.ids import DeviceId, Sha256, StationId
from domain.units import PPM
from simulators.road.passes import SPEED_RANGE_M_S, dynamic_rms, strip_passes
from simulators.road.profile import RoadClass, Site
from simulators.road.trucks import Trucks, draw_trucks
from weigh.calibration.apply import gain_factors
from weigh.calibration.fit import Installation, fit_calibration
from weigh.calibration.passes import WeighedPasses
from weigh.calibration.state import CalibrationState
from weigh.estimate import inverse_variance_weights, look_up, places
from weigh.estimate.conformal import TWO_SIDED
from weigh.weighing import table_of, weigh_loads

Floats = NDArray[np.float64]

SEED = 20_261_125
"""Of the roads that figures are measured on; none of them was ever looked at for tuning."""

REFERENCE_K = 293.15
NOISE = 0.015
GAIN_SPREAD = 0.05
"""Standard deviation of the strips' true gains, which the weighed passes must find."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One setting of the experiment; every road of it has its own seed.

    `dead` strips are known at calibration, `died` ones fail after it. With `swing_k` the strips are of
    piezo polymer and the temperature uniform within it, for the weighed passes as for the traffic. With
    `gain_scatter` all strips together read every vehicle wrong alike (one sigma), which no model knows.
    """

    name: str
    position_m: Floats
    road: RoadClass = "A"
    tyres: Literal["all", "soft", "stiff"] = "all"
    dead: tuple[int, ...] = ()
    died: tuple[int, ...] = ()
    swing_k: float = 0.0
    gain_scatter: float = 0.0
    weighed: int = 40


@dataclass
class Score:
    """Sums over roads: mean squares by method, coverage by road."""

    squares: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    coverage: dict[str, list[float]] = field(default_factory=dict)
    loaded: list[float] = field(default_factory=list)
    dynamic: list[float] = field(default_factory=list)

    def rms_percent(self, method: str) -> tuple[float, float]:
        """Return the root mean square error of axle loads and of gross masses over all roads."""
        axle, gross = np.sqrt(np.mean(self.squares[method], axis=0)) * 100.0
        return float(axle), float(gross)

    def covered_percent(self, what: str) -> tuple[float, float]:
        """Return the share of intervals that hold the truth: over all roads, and at their 10th percentile."""
        by_road = np.array(self.coverage[what]) * 100.0
        return float(by_road.mean()), float(np.percentile(by_road, 10))


@dataclass(frozen=True)
class Road:
    """Passes over one site: the first of them weighed, the others traffic. NaN where there is no axle."""

    trucks: Trucks
    load: Floats
    speed_m_s: Floats
    temperature_k: Floats
    dynamic_rms: float


def roads(scenario: Scenario, count: int, vehicles: int) -> Iterator[Road]:
    """Drive vehicles over the scenario's roads, one at a time; scenarios of a road class share them."""
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        site = Site.draw(rng, scenario.road)
        trucks = draw_trucks(rng, scenario.weighed + vehicles, tyres=scenario.tyres)
        speed = rng.uniform(*SPEED_RANGE_M_S, len(trucks))
        warmer = rng.uniform(-scenario.swing_k, scenario.swing_k, len(trucks))
        per_k = rng.uniform(0.005, 0.012, len(scenario.position_m))
        load = strip_passes(
            rng,
            site,
            trucks,
            speed,
            scenario.position_m,
            noise=NOISE,
            gain=rng.normal(1.0, GAIN_SPREAD, len(scenario.position_m)),
            warmer_k=warmer,
            temperature_per_k=per_k,
            dead=np.isin(np.arange(len(scenario.position_m)), scenario.dead),
        )
        if scenario.gain_scatter:
            load *= np.exp(rng.normal(0.0, scenario.gain_scatter, (len(trucks), 1, 1)))
        rms = float(np.sqrt(np.nanmean(np.square(dynamic_rms(site, trucks, speed)))))
        yield Road(trucks, load, speed, REFERENCE_K + warmer, rms)


def measure(scenario: Scenario, count: int, vehicles: int) -> Score:
    """Calibrate and weigh on every road, by every method."""
    score = Score()
    for road in roads(scenario, count, vehicles):
        state = calibrate(scenario, road)
        _ours(score, scenario, road, state)
        if not (scenario.dead or scenario.died or scenario.swing_k):
            _peers(score, scenario, road, state)
        score.dynamic.append(road.dynamic_rms)
    return score


def calibrate(scenario: Scenario, road: Road) -> CalibrationState:
    """Return a calibration from the weighed passes: gains, temperature where it varies, bias and factors."""
    first = slice(scenario.weighed)
    trucks = road.trucks.take(first)
    kind = trucks.axle_type
    passes = WeighedPasses(
        reference_kg=trucks.static_kg,
        measured_kg=np.full_like(trucks.static_kg, np.nan),
        strip_load=road.load[first],
        axle_type=kind,
        group=np.where(kind < 0, -1, np.cumsum(np.diff(kind, axis=1, prepend=-1) != 0, axis=1)),
        speed_m_s=road.speed_m_s[first],
        temperature_k=road.temperature_k[first],
    )
    installation = Installation(
        station=StationId("benchmark"),
        device=DeviceId("strips"),
        lane=1,
        strip_position_mm=tuple(int(place) for place in np.rint(scenario.position_m * 1_000)),
        strip_width_um=53_000,
        strip_noise_ppm=round(NOISE * PPM),
        follows_temperature=scenario.swing_k > 0.0,
        other_unit=True,
    )
    return fit_calibration(
        passes,
        installation,
        version=1,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        passes_sha256=Sha256(""),
    )


def _ours(score: Score, scenario: Scenario, road: Road, state: CalibrationState) -> None:
    test = slice(scenario.weighed, None)
    trucks, load, speed = road.trucks.take(test), road.load[test], road.speed_m_s[test]
    alive = np.ones((len(speed), load.shape[2]), dtype=np.bool_)
    alive[:, list(scenario.died)] = False
    weighing = weigh_loads(load, trucks.axle_type, speed, state, road.temperature_k[test], alive=alive)
    there = trucks.axle_type >= 0
    _note(score, "ours", weighing.axle_kg, trucks)
    heavy = there & (trucks.static_kg >= 4_000.0)
    score.loaded.append(float(np.square(weighing.axle_kg / trucks.static_kg - 1.0)[heavy].mean()))
    size = group_sizes(trucks)
    first = size > 0
    group, u = weighing.groups(size)
    true_group = group_sums(trucks.static_kg, size)
    errors = {
        "axle": (np.abs(weighing.axle_kg - trucks.static_kg)[there], weighing.u_axle_kg[there]),
        "group": (np.abs(group - true_group)[first], u[first]),
        "gross": (np.abs(weighing.gross_kg - trucks.gross_kg), weighing.u_gross_kg),
    }
    heaviest = trucks.gross_kg >= 30_000.0
    errors["gross_from_30_t"] = (errors["gross"][0][heaviest], errors["gross"][1][heaviest])
    for what, (error, u_of) in errors.items():
        score.coverage.setdefault(what, []).append(float((error <= TWO_SIDED * u_of).mean()))


def group_sizes(trucks: Trucks) -> NDArray[np.int64]:
    """Return the size of the run of axles of one type that begins at an axle, 0 elsewhere, (B, A)."""
    kind = trucks.axle_type
    run = np.where(kind < 0, -1, np.cumsum(np.diff(kind, axis=1, prepend=-1) != 0, axis=1))
    begins = (kind >= 0) & (np.diff(run, axis=1, prepend=0) != 0)
    size = (run[:, :, None] == run[:, None, :]).sum(axis=2)
    return np.where(begins & (size <= 3), size, 0)


def group_sums(load: Floats, size: NDArray[np.int64]) -> Floats:
    """Return the sums of loads over groups at the first axle of each, (B, A), summed plainly."""
    total = np.zeros_like(load)
    for vehicle, axle in zip(*np.nonzero(size), strict=True):
        total[vehicle, axle] = load[vehicle, axle : axle + size[vehicle, axle]].sum()
    return total


def _peers(score: Score, scenario: Scenario, road: Road, state: CalibrationState) -> None:
    trucks, kind = road.trucks, road.trucks.axle_type
    right = road.load * gain_factors(state, road.temperature_k)[:, None]
    load = np.where(kind[..., None] < 0, 1.0, right)
    strips = load.shape[2]
    alive = np.ones(strips, dtype=np.bool_)
    first = slice(scenario.weighed)
    variance = peers.strip_variance(right[first], trucks.static_kg[first])
    table = table_of(state)
    at = places(np.broadcast_to(alive, load.shape[::2]), road.speed_m_s, table)
    estimates = {
        "mean": load.mean(axis=-1),
        "inverse_variance": load @ inverse_variance_weights(variance, alive),
        "sinusoid": peers.sinusoid_fit(load, road.speed_m_s, scenario.position_m),
        "gls_plain_bias": look_up(load, kind, at, table).axle.astype(np.float64),
    }
    for name, estimate in estimates.items():
        bias = peers.type_bias(estimate[first], trucks.static_kg[first], kind[first])
        axle = np.where(kind < 0, 0.0, peers.without_type_bias(estimate, bias, kind))
        test = slice(scenario.weighed, None)
        _note(score, name, axle[test], trucks.take(test))


def _note(score: Score, method: str, axle_kg: Floats, trucks: Trucks) -> None:
    there = trucks.axle_type >= 0
    axle = np.square(axle_kg / trucks.static_kg - 1.0)[there].mean()
    gross = np.square(axle_kg.sum(axis=1) / trucks.gross_kg - 1.0).mean()
    score.squares.setdefault(method, []).append((float(axle), float(gross)))
