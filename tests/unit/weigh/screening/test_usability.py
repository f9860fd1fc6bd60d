"""Weighings that cannot be relied on, passages no case may rest on, and which comes first."""

from typing import Any

import pytest

from domain.errors import ConfigurationError
from domain.events import Axle, DrivingFlag, WeighRecord
from domain.law import limit_tables
from domain.screening import Outcome, Screening
from tests.unit.weigh.vehicles import CERTIFICATE, DAY, context, vehicle
from weigh import DecisionRule, screen_records

TABLES = limit_tables(DAY)


def screened(record: WeighRecord, **more: Any) -> Screening:
    """Screen one passage."""
    [screening] = screen_records([record], [context(**more)], tables=TABLES, rule=DecisionRule())
    return screening


def overloaded(**more: Any) -> WeighRecord:
    """Return a two-axle truck far over its limit, yet with possible axle loads."""
    return vehicle("sd", more.pop("spacings_mm", (4_800,)), 40_000, **more)


@pytest.mark.parametrize("flag", list(DrivingFlag))
def test_every_driving_flag_makes_the_weighing_unusable(flag: DrivingFlag) -> None:
    screening = screened(overloaded(flags=(flag,)))
    assert (screening.outcome, screening.reasons) == (Outcome.UNUSABLE, (flag.value,))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"speed_m_h": 499}, "speed-outside-certificate"),
        ({"speed_m_h": 100_001}, "speed-outside-certificate"),
        ({"axles": (Axle(load_kg=17_299), Axle(load_kg=22_701))}, "axle-load-implausible"),
        ({"axles": (Axle(load_kg=19_600), Axle(load_kg=19_999))}, "axle-sum-mismatch"),
        ({"spacings_mm": (1_979,)}, "wheelbase-implausible"),
        ({"length_mm": 61_001}, "length-implausible"),
        ({"length_mm": 4_649}, "length-implausible"),
    ],
)
def test_a_measurement_that_cannot_be_is_unusable(more: dict[str, Any], reason: str) -> None:
    assert screened(overloaded()).outcome is Outcome.OVERLOADED
    screening = screened(overloaded(**more))
    assert (screening.outcome, screening.reasons) == (Outcome.UNUSABLE, (reason,))


@pytest.mark.parametrize(
    "more",
    [
        {"speed_m_h": 500},
        {"speed_m_h": 100_000},
        {"axles": (Axle(load_kg=17_300), Axle(load_kg=22_700))},
        {"axles": (Axle(load_kg=19_600), Axle(load_kg=20_000))},
        {"spacings_mm": (1_980,)},
        {"length_mm": 61_000},
        {"length_mm": 4_650},
    ],
)
def test_the_edge_itself_is_usable(more: dict[str, Any]) -> None:
    assert screened(overloaded(**more)).outcome is Outcome.OVERLOADED


def test_first_spacing_spares_twin_steering_axles() -> None:
    def reasons(spacing_mm: int) -> tuple[str, ...]:
        return screened(vehicle("ssdd", (spacing_mm, 4_300, 1_350))).reasons

    assert reasons(1_650) == ()
    assert reasons(1_370) == ()
    assert reasons(1_369) == ("first-spacing-implausible",)


def test_a_lane_that_the_certificate_does_not_cover_is_unusable() -> None:
    screening = screened(overloaded(lane=1), certificate=CERTIFICATE.model_copy(update={"lanes": (2,)}))
    assert (screening.outcome, screening.reasons) == (Outcome.UNUSABLE, ("lane-not-on-certificate",))


def test_nothing_weighed_is_implausible() -> None:
    assert screened(vehicle("sd", (4_800,), 0)).reasons == ("gross-implausible",)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"certificate": None}, "no-certificate"),
        ({"announcement": None}, "no-announcement"),
        ({"legal_basis": None}, "no-legal-basis"),
    ],
)
def test_without_its_legal_footing_a_passage_is_statistics_only(more: dict[str, Any], reason: str) -> None:
    screening = screened(overloaded(), **more)
    assert (screening.outcome, screening.reasons) == (Outcome.STATISTICS_ONLY, (reason,))
    assert screening.adjudication.over_kg > 0


@pytest.mark.parametrize(
    ("place", "registered", "reasons"),
    [
        ({"direction": "down"}, {}, ("direction-not-registered",)),
        ({"direction": "up"}, {"direction": "down"}, ("direction-not-registered",)),
        ({"direction": "unknown"}, {}, ("direction-not-registered",)),
        ({"direction": "unknown"}, {"direction": "unknown"}, ("direction-not-registered",)),
        ({"direction": "上行"}, {"direction": "上行"}, ()),
        ({"lane": 2}, {"lanes": 1}, ("lane-not-at-site",)),
        ({"lane": 2}, {"lanes": 2}, ()),
        ({"lane": 2, "direction": "down"}, {"lanes": 1}, ("direction-not-registered", "lane-not-at-site")),
    ],
)
def test_only_the_announced_direction_and_lanes_may_become_a_case(
    place: dict[str, Any], registered: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    screening = screened(overloaded(**place), **registered)
    assert screening.adjudication.over_kg > 0
    assert screening.reasons == reasons
    assert screening.outcome is (Outcome.STATISTICS_ONLY if reasons else Outcome.OVERLOADED)


def test_a_lane_neither_announced_nor_certified_is_unusable_first() -> None:
    screening = screened(overloaded(lane=3))
    assert screening.outcome is Outcome.UNUSABLE
    assert screening.reasons == ("lane-not-on-certificate", "lane-not-at-site")


def test_unusable_comes_before_statistics_only_and_both_say_why() -> None:
    record = overloaded(flags=(DrivingFlag.STRADDLING,), speed_m_h=200_000)
    screening = screened(record, certificate=None, legal_basis=None)
    assert screening.outcome is Outcome.UNUSABLE
    assert screening.reasons == ("straddling", "no-certificate", "no-legal-basis")


def test_an_axle_flag_alone_never_overloads() -> None:
    loads = tuple(Axle(load_kg=load) for load in (3_000, 14_900))
    screening = screened(vehicle("sd", (4_800,), 17_900, axles=loads))
    assert screening.axle_flags == (2,)
    assert screening.outcome is Outcome.WITHIN


def test_a_batch_keeps_its_order_over_different_tables() -> None:
    confirmed = limit_tables(DAY, confirmed_rows=frozenset(row.id for row in TABLES.axle))
    records = [vehicle("ndddd", (3_600, 6_500, 1_310, 1_310)), vehicle("sd", (4_800,))] * 2
    laws = [TABLES, confirmed, confirmed, TABLES]
    found = screen_records(records, [context()] * 4, tables=laws, rule=DecisionRule())
    assert [one.adjudication.limit_kg for one in found] == [43_000, 18_000, 42_500, 18_000]
    assert ["confirmed-rows" in one.tables for one in found] == [False, True, True, False]


def test_an_empty_batch_is_an_empty_list() -> None:
    assert screen_records([], [], tables=TABLES, rule=DecisionRule()) == []


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="one context"):
        screen_records([overloaded()], [], tables=TABLES, rule=DecisionRule())


def test_the_certificate_of_another_class_deducts_its_own_error() -> None:
    wide = CERTIFICATE.model_copy(update={"mpe_in_service_ppm": 100_000})
    assert screened(overloaded(), certificate=wide).adjudication.after_deduction_kg == 36_000
