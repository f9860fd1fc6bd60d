"""The traffic: axle types by hand, loads that add up, springs within their published ranges."""

import numpy as np
import pytest

from domain.errors import ConfigurationError
from simulators.configurations import CONFIGURATIONS
from simulators.road.trucks import UNSPRUNG_KG, AxleType, axle_types, draw_trucks, lift_axle
from tests.counts import count

TYPES = {
    "11": "SD",
    "12": "SD",
    "15": "SDD",
    "15-air": "SDD",
    "112": "SSD",
    "122": "SDT",
    "115": "SSDD",
    "115-air": "SSDD",
    "125": "SDTT",
    "125-air-wide": "SDTT",
    "152": "SDDT",
    "127": "SDTTT",
    "155": "SDDTT",
    "157": "SDDTTT",
    "157-single-drive": "SDDTTT",
    "1127": "SSDTTT",
}
"""Written down by hand from the drawings of GB 1589: steer, drive (tractor or truck), trailer."""


def test_every_configurations_axles_do_what_its_drawing_says() -> None:
    letters = {each.name: "".join(kind.name[0] for kind in axle_types(each)) for each in CONFIGURATIONS}
    assert letters == TYPES


def test_loads_come_within_the_legal_ones_and_the_empty_ones_and_add_up() -> None:
    trucks = draw_trucks(np.random.default_rng(5), count(20_000, reduced=4_000))
    limits = np.array([each.limit_kg for each in CONFIGURATIONS])[trucks.configuration]
    assert np.nanmin(trucks.static_kg) > 1_600
    assert 0.2 < (trucks.gross_kg / limits).min() < 0.4
    assert 1.1 < (trucks.gross_kg / limits).max() <= 1.2001
    assert trucks.axle_count.min() == 2
    assert trucks.axle_count.max() == 6
    assert np.allclose(np.nansum(trucks.sprung_kg + trucks.unsprung_kg, axis=1), trucks.gross_kg)
    assert np.nanmin(trucks.sprung_kg) > 0


def test_a_load_factor_of_one_is_the_legal_limit() -> None:
    trucks = draw_trucks(np.random.default_rng(5), 500, load_factor=np.ones(500), codes=["157"])
    assert np.allclose(trucks.gross_kg, 49_000)
    assert np.allclose(trucks.static_kg.mean(axis=0) / 490, [12, 17, 17, 18, 18, 18], rtol=0.02)


@pytest.mark.parametrize("kind", [AxleType.STEER, AxleType.DRIVE, AxleType.TRAILER])
def test_springs_lie_within_their_published_ranges(kind: AxleType) -> None:
    trucks = draw_trucks(np.random.default_rng(5), 4_000)
    those = trucks.axle_type == kind
    body_hz = np.sqrt(trucks.suspension_n_m[those] / trucks.sprung_kg[those]) / (2 * np.pi)
    damping = trucks.damping_n_s_m[those] / (2 * np.sqrt(trucks.suspension_n_m * trucks.sprung_kg)[those])
    if kind is AxleType.STEER:
        assert ((body_hz >= 1.6) & (body_hz <= 2.6)).all()
    else:
        air = body_hz < 2.25
        assert 0.25 < air.mean() < 0.35
        assert (body_hz[air] >= 1.4).all()
        assert (body_hz[air] <= 2.1).all()
        assert (body_hz[~air] >= 2.4).all()
        assert (body_hz[~air] <= 3.6).all()
        assert (damping[air] >= 0.12).all()
        assert (damping[~air] <= 0.15).all()
    assert ((damping >= 0.05) & (damping <= 0.25)).all()
    assert (trucks.unsprung_kg[those] == UNSPRUNG_KG[kind]).all()
    tyre = trucks.tyre_n_m[those] / 1e6
    single = tyre < 2.7
    assert ((tyre[single] >= 1.8) & (tyre[single] <= 2.4)).all()
    assert ((tyre[~single] >= 3.0) & (tyre[~single] <= 4.2)).all()
    assert single.all() == (kind is AxleType.STEER)
    contact = trucks.contact_m[those]
    assert ((contact >= 0.20) & (contact <= 0.28)).all()


def test_axles_hop_where_axles_hop() -> None:
    """On its tyres alone the unsprung mass swings at 8.5 to 12.5 Hz; but a driven single-tyred axle less."""
    trucks = draw_trucks(np.random.default_rng(5), 2_000)
    there = (trucks.axle_type >= 0) & (trucks.configuration != 0)[:, None]
    assert CONFIGURATIONS[0].name == "11"
    hop_hz = np.sqrt(trucks.tyre_n_m / trucks.unsprung_kg)[there] / (2 * np.pi)
    assert hop_hz.min() > 8.5
    assert hop_hz.max() < 12.5


def test_soft_and_stiff_tyres_are_the_ends_of_the_range() -> None:
    soft, stiff = (draw_trucks(np.random.default_rng(5), 500, tyres=part) for part in ("soft", "stiff"))
    dual = soft.axle_type == AxleType.TRAILER
    assert np.nanmax(soft.tyre_n_m[dual]) <= 3.3e6
    assert np.nanmin(stiff.tyre_n_m[stiff.axle_type == AxleType.TRAILER]) >= 3.9e6


def test_a_lifted_axle_leaves_weight_and_places_as_they_were() -> None:
    trucks = draw_trucks(np.random.default_rng(5), 300, codes=["157", "115"])
    gone = trucks.axle_count - 1 - np.arange(300) % 2
    lifted = lift_axle(trucks, gone)
    assert np.allclose(lifted.gross_kg, trucks.gross_kg)
    assert (lifted.axle_count == trucks.axle_count - 1).all()
    for row in range(300):
        stays = [axle for axle in range(trucks.axle_count[row]) if axle != gone[row]]
        left = len(stays)
        assert np.allclose(lifted.offset_m[row, :left], trucks.offset_m[row, stays])
        assert np.isnan(lifted.static_kg[row, left:]).all()
        assert (lifted.axle_type[row, :left] == trucks.axle_type[row, stays]).all()
        gained = lifted.static_kg[row, :left] - trucks.static_kg[row, stays]
        away = np.abs(trucks.offset_m[row, stays] - trucks.offset_m[row, gone[row]])
        assert np.flatnonzero(gained > 1).tolist() == [away.argmin()], "its nearest neighbour carries it"
        assert gained.sum() == pytest.approx(trucks.static_kg[row, gone[row]])
    assert np.allclose(lifted.sprung_kg + lifted.unsprung_kg, lifted.static_kg, equal_nan=True)


def test_what_cannot_be_drawn_or_lifted_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="999"):
        draw_trucks(np.random.default_rng(5), 3, codes=["999"])
    with pytest.raises(ConfigurationError, match="first"):
        lift_axle(draw_trucks(np.random.default_rng(5), 2), np.zeros(2, dtype=np.int64))
