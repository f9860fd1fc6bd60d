"""The oracle's golden cases: domain.md E2 and E3, the worked example of C6, and the favourable readings."""

from typing import Any

import pytest

from simulators.configurations import CONFIGURATIONS, Configuration
from simulators.oracle import Rule, SiteFacts, adjudged_kg, judge, limit_and_code

FACTS = SiteFacts(mpe_ppm=50_000, min_speed_m_h=5_000, max_speed_m_h=100_000)


def record(
    tyres: str,
    spacings_mm: list[int],
    *,
    gross_kg: int = 10_000,
    flags: tuple[str, ...] = (),
    speed_kmh: float = 60.0,
    u_gross_percent: float | None = 1.5,
    lane: int = 1,
    direction: str = "up",
    **vehicle: Any,
) -> dict[str, Any]:
    """Return a wire record; one letter an axle: s single, n single and narrow, w wide, d dual, ? unknown."""
    names = {"s": "single", "n": "single-under-425-mm", "w": "wide", "d": "dual", "?": "unknown"}
    return {
        "match_key": "k",
        "lane": lane,
        "direction": direction,
        "speed_kmh": speed_kmh,
        "gross_kg": gross_kg,
        "axles": [{"load_kg": gross_kg // len(tyres), "tyres": names[letter]} for letter in tyres],
        "spacings_mm": spacings_mm,
        "u_gross_percent": u_gross_percent,
        "vehicle": vehicle,
        "flags": list(flags),
    }


def exact(configuration: Configuration) -> dict[str, Any]:
    """Return what a perfect strip would report of a configuration."""
    return record(
        configuration.tyres,
        [low for low, _ in configuration.spacings_mm],
        kind=configuration.kind.value,
        drive_axles=list(configuration.drive_axles),
        air_suspension=configuration.air_suspension,
    )


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda each: each.name)
def test_every_configuration_gets_its_code_and_its_limit(configuration: Configuration) -> None:
    assert limit_and_code(exact(configuration)) == (configuration.limit_kg, configuration.code)


@pytest.mark.parametrize(
    ("code", "limit_kg"),
    [
        ("11", 18_000),
        ("12", 18_000),
        ("15", 25_000),
        ("112", 25_000),
        ("122", 27_000),
        ("115", 31_000),
        ("125", 36_000),
        ("152", 36_000),
        ("127", 43_000),
        ("155", 43_000),
        ("157", 49_000),
        ("1127", 46_000),
    ],
)
def test_every_code_of_the_table_is_simulated_at_its_limit(code: str, limit_kg: int) -> None:
    named = {each.name: each for each in CONFIGURATIONS}
    assert (named[code].code, named[code].limit_kg) == (code, limit_kg)


@pytest.mark.parametrize("steering_mm", [1800, 1950, 2100])
def test_twin_steering_axles_are_never_a_group(steering_mm: int) -> None:
    truck = record("ssdd", [steering_mm, 4400, 1350], kind="truck", drive_axles=[3, 4], air_suspension=False)
    assert limit_and_code(truck) == (31_000, "115")


def test_golden_112_and_1127() -> None:
    truck = record("ssd", [1900, 4400], kind="truck", drive_axles=[3], air_suspension=False)
    train = record("ssdddd", [1900, 3000, 6500, 1310, 1310], kind="train", air_suspension=False)
    assert limit_and_code(truck) == (25_000, "112")
    assert limit_and_code(train) == (46_000, "1127")


def test_the_worked_example_of_the_deduction() -> None:
    train = record(
        "sddddd", [3300, 1350, 6500, 1310, 1310], gross_kg=52_000, kind="train", drive_axles=[2, 3]
    )
    finding = judge(train, FACTS)
    assert (finding.limit_kg, finding.adjudged_kg, finding.over_kg) == (49_000, 49_400, 400)
    assert finding.outcome == "overloaded"


@pytest.mark.parametrize(
    ("measured", "mpe_ppm", "u_ppm", "k_milli", "expected"),
    [
        (52_000, 50_000, 15_000, 3_000, 49_400),  # the deduction is the smaller
        (52_000, 20_000, 15_000, 3_000, 49_660),  # the guard band is
        (1, 50_000, 15_000, 3_000, 0),  # both round to the party's favour
        (10_001, 0, 15_000, 3_000, 9_550),
        (49_000, 0, 0, 3_000, 49_000),
    ],
)
def test_adjudged_mass(measured: int, mpe_ppm: int, u_ppm: int, k_milli: int, expected: int) -> None:
    assert adjudged_kg(measured, mpe_ppm, u_ppm, k_milli) == expected


def test_exactly_at_the_limit_is_within_and_one_kilogram_more_is_not() -> None:
    plain = SiteFacts(mpe_ppm=0, min_speed_m_h=0, max_speed_m_h=100_000)
    no_guard = Rule(guard_k_milli=0)
    at = record("sd", [5000], gross_kg=18_000, kind="truck")
    above = record("sd", [5000], gross_kg=18_001, kind="truck")
    assert judge(at, plain, no_guard).outcome == "within"
    assert (judge(above, plain, no_guard).outcome, judge(above, plain, no_guard).over_kg) == ("overloaded", 1)


def test_the_default_uncertainty_stands_in_where_none_is_declared() -> None:
    tight = SiteFacts(mpe_ppm=0, min_speed_m_h=0, max_speed_m_h=100_000)
    silent = record("sd", [5000], gross_kg=20_000, kind="truck", u_gross_percent=None)
    declared = record("sd", [5000], gross_kg=20_000, kind="truck", u_gross_percent=3.0)
    assert judge(silent, tight).adjudged_kg == 19_100
    assert judge(declared, tight).adjudged_kg == 18_200


def test_the_sites_own_limit_lowers_and_never_raises() -> None:
    train = record("sddddd", [3300, 1350, 6500, 1310, 1310], kind="train", drive_axles=[2, 3])
    bridge = SiteFacts(mpe_ppm=50_000, min_speed_m_h=0, max_speed_m_h=100_000, site_limit_kg=40_000)
    generous = SiteFacts(mpe_ppm=50_000, min_speed_m_h=0, max_speed_m_h=100_000, site_limit_kg=90_000)
    assert judge(train, bridge).limit_kg == 40_000
    assert judge(train, generous).limit_kg == 49_000


@pytest.mark.parametrize(
    ("tyres", "spacings_mm", "vehicle", "limit_kg"),
    [
        ("sdd", [3500, 6500], {"kind": "unknown"}, 27_000),  # truck or train: the train
        ("sdd", [3500, 6500], {"kind": "truck"}, 27_000),  # the camera may have missed the trailer
        ("sddd", [3500, 6500, 1310], {"kind": "truck", "air_suspension": False}, 36_000),
        ("sdn", [3500, 6500], {"kind": "train", "air_suspension": False}, 25_000),  # or invented one
        ("????", [2250, 4300, 1350], {"kind": "truck", "air_suspension": False}, 31_000),
        ("????", [2251, 4300, 1350], {"kind": "truck", "air_suspension": False}, 36_000),
        ("sdd", [4200, 1350], {"kind": "truck", "air_suspension": None}, 26_000),
        ("ssdd", [1900, 4200, 1350], {"kind": "truck", "air_suspension": None}, 32_000),
        ("sddd", [3500, 7000, 1830], {"kind": "train", "air_suspension": None}, 37_000),
        ("sddd", [3500, 7000, 1350], {"kind": "train", "air_suspension": None}, 36_000),
        ("sddddd", [3300, 1350, 6500, 1310, 1310], {"kind": "train", "drive_axles": None}, 49_000),
        ("sddddd", [3300, 1350, 6500, 1310, 1310], {"kind": "train", "drive_axles": [3]}, 46_000),
        ("sdddnn", [3300, 1350, 6500, 1310, 1310], {"kind": "train", "drive_axles": [2, 3]}, 43_000),
        ("sdddss", [3300, 1350, 6500, 1310, 1310], {"kind": "train", "drive_axles": [2, 3]}, 49_000),
        ("sddwww", [3300, 1350, 6500, 1310, 1310], {"kind": "train", "drive_axles": [2, 3]}, 49_000),
        ("sdd???", [3300, 1350, 6500, 1310, 1310], {"kind": "train", "drive_axles": [2, 3]}, 49_000),
        ("nnn", [4200, 1350], {"kind": "truck", "drive_axles": [2], "air_suspension": False}, 22_000),
        ("nnn", [4200, 1350], {"kind": "truck", "drive_axles": [3], "air_suspension": False}, 25_000),
        ("nnn", [2250, 1350], {"kind": "truck", "drive_axles": [2], "air_suspension": False}, 25_000),
    ],
)
def test_what_is_unknown_is_read_to_the_partys_favour(
    tyres: str, spacings_mm: list[int], vehicle: dict[str, Any], limit_kg: int
) -> None:
    assert limit_and_code(record(tyres, spacings_mm, **vehicle))[0] == limit_kg


@pytest.mark.parametrize(
    ("changes", "facts", "outcome"),
    [
        ({"flags": ("straddling",)}, FACTS, "unusable"),
        ({"speed_kmh": 100.001}, FACTS, "unusable"),
        ({"speed_kmh": 4.999}, FACTS, "unusable"),
        ({"speed_kmh": 100.0}, FACTS, "overloaded"),
        (
            {},
            SiteFacts(50_000, 5_000, 100_000, case_basis_complete=False),
            "statistics-only",
        ),
        ({}, SiteFacts(50_000, 5_000, 100_000, direction="down"), "statistics-only"),
        ({"lane": 3}, SiteFacts(50_000, 5_000, 100_000, lanes=2), "statistics-only"),
        ({"lane": 2}, SiteFacts(50_000, 5_000, 100_000, lanes=2), "overloaded"),
        ({"direction": "unknown"}, SiteFacts(50_000, 5_000, 100_000, direction="unknown"), "statistics-only"),
        ({"lane": 3, "flags": ("straddling",)}, SiteFacts(50_000, 5_000, 100_000, lanes=2), "unusable"),
    ],
)
def test_what_may_not_become_a_case(changes: dict[str, Any], facts: SiteFacts, outcome: str) -> None:
    heavy = record("sd", [5000], gross_kg=30_000, kind="truck", **changes)
    assert judge(heavy, facts).outcome == outcome
