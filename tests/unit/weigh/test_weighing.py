"""Strip loads and a calibration in, masses out: on simulated roads, and for every way it can go wrong."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from domain.events import SampleType
from domain.ids import DeviceId, Sha256, StationId
from domain.units import PPM
from simulators.road.passes import PAIRS_8_M, strip_passes
from simulators.road.profile import Site
from simulators.road.trucks import Trucks, draw_trucks
from weigh.calibration.passes import WeighedPasses
from weigh.calibration.state import CalibrationState
from weigh.estimate.conformal import WITHOUT_PROOF
from weigh.estimate.table import speed_index
from weigh.waveform.layout import Layout
from weigh.waveform.strip_loads import DOUBTS, MANOEUVRES, StripLoads
from weigh.weighing import (
    PROBLEMS,
    SPEED_BOUNDS_M_H,
    Weighing,
    table_of,
    weigh_loads,
    weigh_strips,
    with_site,
)

Floats = NDArray[np.float64]

LAYOUT = Layout(position_m=PAIRS_8_M)
WARM_K = 293.15


def blank(strips: int = 8) -> CalibrationState:
    """Return a calibration of right strips on a site of which nothing is known."""
    return CalibrationState(
        version=1,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        station=StationId("s1"),
        device=DeviceId("strips"),
        lane=1,
        passes=0,
        passes_sha256=Sha256(""),
        strip_position_mm=tuple(int(place) for place in np.rint(PAIRS_8_M[:strips] * 1_000)),
        strip_width_um=53_000,
        sample_type=SampleType.FLOAT32,
        strip_scale_un=(),
        other_unit=1,
        strip_alive=tuple(1 for _ in range(strips)),
        strip_gain_ppm=(PPM,) * strips,
        temperature_reference_mk=293_150,
        temperature_slope_ppb_k=(0,) * strips,
        temperature_curve_ppb_k2=(0,) * strips,
        temperature_min_mk=273_150,
        temperature_max_mk=313_150,
        strip_noise_ppm=(15_000,) * strips,
        speed_bound_m_h=(),
        site_bias_ppm=((0,), (0,), (0,)),
        u_site_ppm=((0,), (0,), (0,)),
        u_site_gross_ppm=(0,),
        u_gain_temperature_mk=(293_150,),
        u_gain_ppm=(0,),
        conformal_axle_milli=1_000,
        conformal_group_milli=1_000,
        conformal_gross_milli=1_000,
    )


class Station:
    """A simulated site, the trucks that passed it, and its calibration on the first forty."""

    def __init__(self) -> None:
        rng = np.random.default_rng(20_260_101)
        site = Site.draw(rng)
        self.trucks: Trucks = draw_trucks(rng, 240)
        self.speed_m_s: Floats = rng.uniform(14.0, 25.0, 240)
        self.load: Floats = strip_passes(rng, site, self.trucks, self.speed_m_s, PAIRS_8_M)
        self.state = with_site(blank(), self.passes(40))

    def passes(self, number: int) -> WeighedPasses:
        """Return the first passes as weighed ones."""
        trucks = self.trucks.take(slice(number))
        kind = trucks.axle_type
        return WeighedPasses(
            reference_kg=trucks.static_kg,
            measured_kg=np.full_like(trucks.static_kg, np.nan),
            strip_load=self.load[:number].copy(),
            axle_type=kind,
            group=np.where(kind < 0, -1, np.cumsum(np.diff(kind, axis=1, prepend=-1) != 0, axis=1)),
            speed_m_s=self.speed_m_s[:number],
            temperature_k=np.full(number, WARM_K),
        )

    def strips(self) -> StripLoads:
        """Return what the waveforms' processing would say of all passes."""
        count = len(self.trucks)
        return StripLoads(
            axle_count=self.trucks.axle_count,
            speed_m_s=self.speed_m_s.copy(),
            acceleration_m_s2=np.zeros(count),
            spacing_m=self.trucks.spacing_m,
            load=self.load.copy(),
            alive=np.ones((count, 8), dtype=np.bool_),
            flags=np.zeros((count, len(MANOEUVRES)), dtype=np.bool_),
            doubts=np.zeros((count, len(DOUBTS)), dtype=np.bool_),
            problem=np.zeros(count, dtype=np.int64),
            residual_m=np.zeros(count),
            origin_s=np.zeros(count),
            place_m=-self.trucks.offset_m,
        )

    def weigh(self, strips: StripLoads, state: CalibrationState | None = None) -> Weighing:
        """Weigh at the reference temperature."""
        return weigh_strips(strips, state or self.state, LAYOUT, np.full(len(strips.speed_m_s), WARM_K))


@pytest.fixture(scope="module")
def station() -> Station:
    return Station()


def test_masses_are_right_within_what_they_say(station: Station) -> None:
    weighing = station.weigh(station.strips())
    error = (weighing.gross_kg / station.trucks.gross_kg - 1.0)[40:]
    assert np.sqrt(np.mean(np.square(error))) < 0.011
    inside = np.abs(weighing.gross_kg - station.trucks.gross_kg) <= 1.96 * weighing.u_gross_kg
    assert inside[40:].mean() > 0.88
    assert weighing.u_gross_kg.max() < 0.06 * weighing.gross_kg.max()
    assert (weighing.problem == 0).all()


def test_groups_are_sums_of_their_axles(station: Station) -> None:
    weighing = station.weigh(station.strips())
    size = np.zeros_like(weighing.axle_kg, dtype=np.int64)
    size[:, 0] = 1
    size[:, 1] = 1
    load, u = weighing.groups(size)
    np.testing.assert_allclose(load[:, :2], weighing.axle_kg[:, :2])
    assert (u[:, :2] > 0.0).all()
    assert (u[:, 2:] == 0.0).all()


def test_the_documents_integers_decide_the_result(station: Station) -> None:
    again = CalibrationState.from_document(station.state.to_document())
    first, second = station.weigh(station.strips()), station.weigh(station.strips(), again)
    np.testing.assert_array_equal(first.axle_kg, second.axle_kg)
    np.testing.assert_array_equal(first.u_gross_kg, second.u_gross_kg)


def test_every_figure_of_the_site_counts(station: Station) -> None:
    before = station.weigh(station.strips())
    shifted = tuple(tuple(figure + 10_000 for figure in row) for row in station.state.site_bias_ppm)
    after = station.weigh(station.strips(), station.state.model_copy(update={"site_bias_ppm": shifted}))
    assert np.median(after.gross_kg / before.gross_kg) == pytest.approx(1.0 / 1.01, abs=2e-4)
    for name in ("u_site_gross_ppm", "u_gain_ppm"):
        worse = tuple(50_000 for _ in getattr(station.state, name))
        after = station.weigh(station.strips(), station.state.model_copy(update={name: worse}))
        factor = station.state.conformal_gross_milli / 1_000
        assert (after.u_gross_kg / after.gross_kg > 0.05 * factor).all()
    double = station.state.model_copy(
        update={"conformal_gross_milli": 2 * station.state.conformal_gross_milli}
    )
    np.testing.assert_allclose(station.weigh(station.strips(), double).u_gross_kg, 2 * before.u_gross_kg)


def test_gains_turn_the_signals_unit_into_kilograms(station: Station) -> None:
    strips = station.strips()
    newton = replace(strips, load=strips.load * 9.80665)
    gain = station.state.model_copy(update={"strip_gain_ppm": (round(PPM / 9.80665),) * 8})
    np.testing.assert_allclose(
        station.weigh(newton, gain).gross_kg, station.weigh(strips).gross_kg, rtol=1e-5
    )


def test_a_strip_that_died_since_is_never_read_and_costs_certainty(station: Station) -> None:
    strips = station.strips()
    whole = station.weigh(strips)
    strips.alive[:, 3] = False
    spoilt = strips.load.copy()
    spoilt[:, :, 3] = np.random.default_rng(1).choice([np.nan, np.inf, -1e12, 0.0], spoilt.shape[:2])
    died = station.weigh(strips)
    np.testing.assert_array_equal(station.weigh(replace(strips, load=spoilt)).axle_kg, died.axle_kg)
    moved = table_of(station.state).u_moved(0b11110111, 0b11111111)
    at = (speed_index(strips.speed_m_s)[:, None], np.maximum(died.axle_type, 0))
    there = died.axle_type >= 0
    np.testing.assert_allclose(died.terms.site[there], np.hypot(whole.terms.site, moved[at])[there])
    assert (died.terms.site_gross > whole.terms.site_gross).all()
    assert (died.u_gross_kg > whole.u_gross_kg).mean() > 0.95
    error = died.gross_kg - station.trucks.gross_kg
    assert (np.abs(error) <= 1.96 * died.u_gross_kg).mean() > 0.88


def test_a_strip_the_calibration_calls_dead_is_never_read(station: Station) -> None:
    dead = with_site(
        CalibrationState.from_document(blank().to_document() | {"strip_alive": [1, 1, 1, 0, 1, 1, 1, 1]}),
        station.passes(40),
    )
    strips = station.strips()
    spoilt = strips.load.copy()
    spoilt[:, :, 3] = np.nan
    np.testing.assert_array_equal(
        station.weigh(strips, dead).axle_kg, station.weigh(replace(strips, load=spoilt), dead).axle_kg
    )


def test_without_passes_there_is_no_bias_and_a_cautious_u(station: Station) -> None:
    bare = with_site(blank(), None)
    assert all(figure == 0 for row in bare.site_bias_ppm for figure in row)
    assert bare.speed_bound_m_h == SPEED_BOUNDS_M_H
    assert bare.conformal_gross_milli == round(1_000 * WITHOUT_PROOF)
    weighing = station.weigh(station.strips(), bare)
    error = np.abs(weighing.gross_kg - station.trucks.gross_kg)
    assert (error <= 1.96 * weighing.u_gross_kg).mean() > 0.95
    assert np.median(weighing.u_gross_kg) > 2 * np.median(station.weigh(station.strips()).u_gross_kg)


def test_a_pass_that_cannot_be_fitted_on_is_left_out(station: Station) -> None:
    passes = station.passes(40)
    passes.strip_load[5, 0, 2] = np.nan
    others = np.arange(40) != 5
    assert with_site(blank(), passes) == with_site(blank(), station.passes(40).take(others))


BROKEN: dict[str, Callable[[StripLoads], None]] = {
    "waveform-not-read": lambda s: s.problem.__setitem__(7, 3),
    "no-strip-alive": lambda s: s.alive.__setitem__(7, False),
    "speed-outside-table": lambda s: s.speed_m_s.__setitem__(7, -12.0),
    "no-axle": lambda s: s.axle_count.__setitem__(7, 0),
    "load-not-finite": lambda s: s.load.__setitem__((7, 0, 4), np.nan),
    "load-not-positive": lambda s: s.load.__setitem__((7, 0), -4_000.0),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_vehicle_that_cannot_be_weighed_has_no_figure_and_is_alone_in_it(
    station: Station, problem: str
) -> None:
    before = station.weigh(station.strips())
    strips = station.strips()
    BROKEN[problem](strips)
    after = station.weigh(strips)
    assert after.problem_of(7) == problem
    for figures in (after.axle_kg, after.u_axle_kg, after.gross_kg, after.u_gross_kg):
        assert np.isnan(figures[7]).all()
    others = np.arange(240) != 7
    np.testing.assert_array_equal(after.gross_kg[others], before.gross_kg[others])
    assert (after.problem[others] == 0).all()


def test_a_temperature_not_known_or_not_covered_gives_no_mass(station: Station) -> None:
    polymer = CalibrationState.from_document(
        station.state.to_document()
        | {
            "temperature_slope_ppb_k": [8_000_000] * 8,
            "u_gain_temperature_mk": [273_150, 313_150],
            "u_gain_ppm": [5_000, 5_000],
        }
    )
    strips = station.strips()
    temperature = np.full(240, WARM_K)
    temperature[[3, 4]] = np.nan, 350.0
    weighing = weigh_strips(strips, polymer, LAYOUT, temperature)
    assert [PROBLEMS[weighing.problem[vehicle]] for vehicle in (3, 4, 5)] == [
        "temperature-not-covered",
        "temperature-not-covered",
        "ok",
    ]
    assert np.isnan(weighing.gross_kg[[3, 4]]).all()


def test_a_calibration_of_other_strips_is_refused(station: Station) -> None:
    moved = Layout(position_m=np.append(PAIRS_8_M[:7], PAIRS_8_M[7] + 0.002))
    for state, layout in ((blank(7), LAYOUT), (blank(), moved)):
        with pytest.raises(ConfigurationError, match="calibrate anew"):
            weigh_strips(station.strips(), state, layout, np.full(240, WARM_K))


def test_loads_of_known_axle_types_need_no_spacings(station: Station) -> None:
    weighing = weigh_loads(
        station.load, station.trucks.axle_type, station.speed_m_s, station.state, np.full(240, WARM_K)
    )
    same = (weighing.axle_type == station.weigh(station.strips()).axle_type).all(axis=1)
    assert same.mean() > 0.9
    np.testing.assert_array_equal(weighing.gross_kg[same], station.weigh(station.strips()).gross_kg[same])
