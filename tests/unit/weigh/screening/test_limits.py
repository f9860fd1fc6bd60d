"""Limits by configuration: every row of domain.md E2 and every golden case of E3, and what bounds them."""

from typing import Any

import pytest

from domain.events import VehicleKind, WeighRecord
from domain.law import limit_tables
from domain.screening import Screening
from tests.unit.weigh.vehicles import DAY, context, vehicle
from weigh import DecisionRule, screen_records

TABLES = limit_tables(DAY)
ALL_CONFIRMED = limit_tables(DAY, confirmed_rows=frozenset(row.id for row in TABLES.axle))
TRUCK, TRAIN = VehicleKind.TRUCK, VehicleKind.TRAIN


def screened(record: WeighRecord, **more: Any) -> Screening:
    """Screen one passage where everything is in force."""
    tables = more.pop("tables", TABLES)
    [screening] = screen_records([record], [context(**more)], tables=tables, rule=DecisionRule())
    return screening


def limit(record: WeighRecord, **more: Any) -> int:
    """Return the limit that decided."""
    return screened(record, **more).adjudication.limit_kg


@pytest.mark.parametrize(
    ("code", "tyres", "spacings_mm", "taken_as", "limit_kg"),
    [
        ("11", "ss", (3_600,), "truck", 18_000),
        ("12", "sd", (4_800,), "truck", 18_000),
        ("15", "sdd", (4_200, 1_350), "truck", 25_000),
        ("112", "ssd", (1_900, 4_500), "truck", 25_000),
        ("122", "sdd", (3_500, 6_500), "train", 27_000),
        ("115", "ssdd", (1_950, 4_300, 1_350), "truck", 31_000),
        ("125", "sddd", (3_500, 6_800, 1_350), "train", 36_000),
        ("152", "sddd", (3_400, 1_350, 7_000), "train", 36_000),
        ("127", "sdddd", (3_600, 6_500, 1_310, 1_310), "train", 43_000),
        ("155", "sdddd", (3_400, 1_350, 6_800, 1_350), "train", 43_000),
        ("157", "sddddd", (3_300, 1_350, 6_500, 1_310, 1_310), "train", 49_000),
        ("1127", "ssdddd", (1_900, 3_000, 6_500, 1_310, 1_310), "train", 46_000),
    ],
)
def test_every_configuration_has_its_code_and_limit(
    code: str, tyres: str, spacings_mm: tuple[int, ...], taken_as: str, limit_kg: int
) -> None:
    screening = screened(vehicle(tyres, spacings_mm))
    assert (screening.vehicle_code, screening.taken_as) == (code, taken_as)
    assert screening.adjudication.limit_kg == limit_kg


@pytest.mark.parametrize("spacing_mm", [1_800, 1_950, 2_100])
def test_twin_steering_axles_are_never_a_group(spacing_mm: int) -> None:
    screening = screened(vehicle("ssdd", (spacing_mm, 4_300, 1_350)))
    assert screening.vehicle_code == "115"
    assert screening.adjudication.limit_kg == 31_000
    assert [group.steering_pair for group in screening.groups] == [True, True, False]
    assert "order62-3-single-tyre" not in [step.row for step in screening.limit_steps]


@pytest.mark.parametrize("spacing_mm", [1_800, 1_950, 2_100])
def test_twin_steering_leaves_the_other_golden_limits(spacing_mm: int) -> None:
    assert limit(vehicle("ssd", (spacing_mm, 4_500))) == 25_000
    assert limit(vehicle("ssdddd", (spacing_mm, 3_000, 6_500, 1_310, 1_310))) == 46_000


@pytest.mark.parametrize("spacing_mm", [1_800, 1_950, 2_100])
def test_twin_steering_axles_of_unknown_tyres_are_read_as_such_where_nothing_is_gained(
    spacing_mm: int,
) -> None:
    screening = screened(vehicle("uuuu", (spacing_mm, 4_300, 1_350), kind=TRUCK, drive_axles=(3, 4)))
    assert (screening.vehicle_code, screening.adjudication.limit_kg) == ("115", 31_000)
    assert "tyres-unknown" in screening.doubts


@pytest.mark.parametrize(
    ("tyres", "spacings_mm", "limit_kg"),
    [("sdd", (3_500, 6_500), 27_000), ("sddd", (3_500, 6_500, 1_310), 36_000)],
)
def test_a_train_that_a_camera_takes_for_a_truck_keeps_the_trains_limit(
    tyres: str, spacings_mm: tuple[int, ...], limit_kg: int
) -> None:
    """Truck for train is the classic error of such systems (domain.md A2)."""
    truck, train, unknown = (
        screened(vehicle(tyres, spacings_mm, 35_000, kind=kind))
        for kind in (TRUCK, TRAIN, VehicleKind.UNKNOWN)
    )
    assert [one.adjudication.limit_kg for one in (truck, train, unknown)] == [limit_kg] * 3
    assert truck.taken_as == "train"
    doubts = ("kind-unknown", "kind-against-axles")
    assert [[code for code in doubts if code in one.doubts] for one in (truck, train, unknown)] == [
        ["kind-against-axles"],
        [],
        ["kind-unknown"],
    ]


@pytest.mark.parametrize("kind", [TRUCK, VehicleKind.UNKNOWN])
@pytest.mark.parametrize(
    ("tyres", "spacings_mm", "limit_kg"),
    [
        ("sdd", (4_200, 1_350), 25_000),
        ("ssd", (2_250, 4_500), 25_000),
        ("ssdd", (2_250, 4_300, 1_350), 31_000),
        ("uuuu", (2_250, 4_300, 1_350), 31_000),
        ("sddd", (2_250, 4_300, 1_350), 31_000),
        ("sddd", (2_251, 4_300, 1_350), 36_000),
    ],
)
def test_a_truck_without_room_for_a_trailer_is_a_truck(
    tyres: str, spacings_mm: tuple[int, ...], limit_kg: int, kind: VehicleKind
) -> None:
    """No tractor's wheelbase is as short as a steering pair's, whatever the tyres of its second axle."""
    screening = screened(vehicle(tyres, spacings_mm, kind=kind))
    assert screening.adjudication.limit_kg == limit_kg
    assert ("kind-against-axles" in screening.doubts) == (kind is TRUCK and limit_kg == 36_000)


def test_a_report_of_a_train_never_costs_the_party() -> None:
    narrow = ("sdn", (3_500, 6_500))
    as_train = screened(vehicle(*narrow, kind=TRAIN))
    assert (as_train.taken_as, as_train.adjudication.limit_kg) == ("truck", 25_000)
    assert "kind-against-axles" in as_train.doubts


def test_one_driven_axle_of_a_tandem_is_a_single_drive_axle() -> None:
    tractor = ("sddddd", (3_300, 1_350, 6_500, 1_310, 1_310))
    assert limit(vehicle(*tractor, drive_axles=(3,))) == 46_000
    assert limit(vehicle(*tractor, drive_axles=(2, 3))) == 49_000


def test_each_single_tyred_trailer_axle_costs_3000() -> None:
    screening = screened(vehicle("sddnnn", (3_300, 1_350, 6_500, 1_310, 1_310)))
    assert screening.vehicle_code == "156"
    assert screening.adjudication.limit_kg == 40_000
    [_, reduction] = screening.limit_steps
    assert (reduction.row, reduction.amount_kg) == ("order62-3-single-tyre", -9_000)
    assert reduction.note == "single tyres on axle 4, 5, 6"
    assert "tyre-width-unknown" not in screening.doubts


def test_single_tyres_whose_width_nobody_measured_cost_nothing_and_leave_a_doubt() -> None:
    """A strip sees one tyre and not its width: as dangerous a guess as there is."""
    for tyres in ("sddsss", "sddnns", "sddwws"):
        screening = screened(vehicle(tyres, (3_300, 1_350, 6_500, 1_310, 1_310)))
        assert screening.vehicle_code == "156"
        assert screening.adjudication.limit_kg == 49_000 - 3_000 * tyres.count("n")
        assert "tyre-width-unknown" in screening.doubts


def test_the_width_of_steering_and_driven_tyres_is_no_doubt() -> None:
    for tyres, spacings_mm in (("ssdd", (1_900, 4_300, 1_350)), ("sss", (4_200, 1_350)), ("ss", (3_600,))):
        assert "tyre-width-unknown" not in screened(vehicle(tyres, spacings_mm)).doubts


def test_wide_and_unknown_tyres_cost_nothing() -> None:
    for tyres in ("sddwww", "sdduuu"):
        screening = screened(vehicle(tyres, (3_300, 1_350, 6_500, 1_310, 1_310)))
        assert screening.adjudication.limit_kg == 49_000
        assert "tyre-width-unknown" not in screening.doubts


def test_an_axle_with_wide_or_unmeasured_tyres_may_carry_what_wide_tyres_may() -> None:
    for letter, limit_kg in (("n", 7_000), ("s", 10_000), ("w", 10_000)):
        [front, _] = screened(vehicle(letter + "d", (4_800,))).groups
        assert front.limit_kg == limit_kg


def test_a_driven_single_tyred_axle_costs_nothing_and_its_neighbour_does() -> None:
    truck = ("nnn", (4_200, 1_350))
    assert limit(vehicle(*truck, kind=TRUCK, drive_axles=(2, 3))) == 25_000
    assert limit(vehicle(*truck, kind=TRUCK, drive_axles=(3,))) == 25_000  # axles 1 and 2 may both steer
    assert limit(vehicle(*truck, kind=TRUCK, drive_axles=(2,))) == 22_000
    assert limit(vehicle("ndn", (4_200, 1_350), kind=TRUCK, drive_axles=(2,))) == 22_000
    assert limit(vehicle("ndn", (4_200, 1_350), kind=TRUCK)) == 25_000


@pytest.mark.parametrize("front", ["nn", "ss", "uu"])
def test_an_axle_reported_as_driven_does_not_steer_far_from_the_first(front: str) -> None:
    """Read as steering, axle 2 would leave axle 3 alone, and 3000 kg would not be taken off."""

    def found(spacing_mm: int, drive: tuple[int, ...]) -> tuple[int, bool]:
        record = vehicle(front + "n", (spacing_mm, 1_350), kind=TRUCK, drive_axles=drive)
        screening = screened(record)
        return screening.adjudication.limit_kg, screening.groups[0].steering_pair

    assert found(2_251, (2,)) == (22_000, False)
    assert found(2_250, (2,)) == (25_000, True)
    assert found(4_200, (3,))[0] == 25_000


@pytest.mark.parametrize(("air", "limit_kg"), [(True, 26_000), (None, 26_000), (False, 25_000)])
def test_air_suspension_of_a_truck(air: bool | None, limit_kg: int) -> None:
    truck = vehicle("sdd", (4_200, 1_350), air_suspension=air, drive_axles=(2, 3))
    assert limit(truck) == limit_kg


def test_air_suspension_raises_no_other_limit() -> None:
    for tyres, spacings_mm, limit_kg in (
        ("sd", (4_800,), 18_000),
        ("sdd", (3_500, 6_500), 27_000),
        ("sddd", (3_500, 6_800, 1_350), 36_000),
        ("sddd", (3_400, 1_350, 7_000), 36_000),
        ("sdddd", (3_600, 6_500, 1_310, 1_310), 43_000),
        ("sddddd", (3_300, 1_350, 6_500, 1_310, 1_310), 49_000),
    ):
        assert limit(vehicle(tyres, spacings_mm, air_suspension=True)) == limit_kg
    single_drive_tyres = vehicle("sss", (4_200, 1_350), air_suspension=True, drive_axles=(2, 3))
    assert limit(single_drive_tyres) == 25_000


@pytest.mark.parametrize(
    ("spacing_mm", "limit_kg"), [(1_400, 36_000), (1_649, 36_000), (1_650, 37_000), (1_800, 37_000)]
)
def test_37_t_of_the_articulated_begins_at_1800_mm_less_the_spacings_error(
    spacing_mm: int, limit_kg: int
) -> None:
    assert limit(vehicle("sddd", (3_500, 6_800, spacing_mm), air_suspension=True)) == limit_kg


def test_unconfirmed_axle_rows_only_leave_a_doubt() -> None:
    tandem = vehicle("ndddd", (3_600, 6_500, 1_310, 1_310), drive_axles=(2,))
    screening = screened(tandem)
    assert screening.adjudication.limit_kg == 43_000
    assert "axle-sum-unconfirmed:42500" in screening.doubts
    confirmed = screened(tandem, tables=ALL_CONFIRMED)
    assert confirmed.adjudication.limit_kg == 42_500
    assert confirmed.limit_steps[-1].row == "order62-3-axle-sum"
    assert not [doubt for doubt in confirmed.doubts if doubt.startswith("axle-sum")]


def test_one_unconfirmed_row_in_the_sum_is_enough_not_to_lower() -> None:
    rows = {"gb1589-2-single-single", "gb1589-2-single-dual-drive"}
    some = limit_tables(DAY, confirmed_rows=frozenset(rows))
    assert limit(vehicle("sdddd", (3_600, 6_500, 1_310, 1_310)), tables=some) == 43_000


def test_the_site_lowers_and_never_raises() -> None:
    record = vehicle("sd", (4_800,))
    assert limit(record, site_limit_kg=60_000) == 18_000
    screening = screened(record, site_limit_kg=10_000)
    assert screening.adjudication.limit_kg == 10_000
    assert (screening.limit_steps[-1].row, screening.limit_steps[-1].amount_kg) == ("site-limit", -8_000)


@pytest.mark.parametrize(
    ("spacing_mm", "code"), [(2_000, "15"), (2_001, "122"), (1_501, "15"), (2_150, "122"), (2_151, "122")]
)
def test_a_tandem_ends_at_two_metres(spacing_mm: int, code: str) -> None:
    assert screened(vehicle("sdd", (4_200, spacing_mm))).vehicle_code == code


def test_a_tridem_ends_at_one_and_a_half_metres() -> None:
    def code(first_mm: int, second_mm: int) -> str:
        record = vehicle("sdddd", (3_600, 6_500, first_mm, second_mm), drive_axles=(2,))
        return screened(record).vehicle_code

    assert code(1_500, 1_500) == "127"
    assert code(1_501, 1_500) == "1252"
    assert code(1_500, 1_501) == "1252"


def test_spacing_near_a_threshold_is_read_to_the_partys_favour() -> None:
    def reduced(spacing_mm: int) -> int:
        return limit(vehicle("sdn", (4_200, spacing_mm), kind=TRUCK, drive_axles=(2,)))

    assert reduced(1_850) == 22_000  # surely a tandem, whose single-tyred axle costs 3000 kg
    assert reduced(1_851) == 25_000  # may be two axles apart
    assert "grouping-open" in screened(vehicle("sdd", (4_200, 1_900))).doubts


def test_axles_beyond_the_table_keep_the_tables_last_row() -> None:
    many = vehicle("sdd" + "d" * 13, (3_300, 1_350, 6_500) + (1_310,) * 12, 90_000)
    screening = screened(many, tables=ALL_CONFIRMED)
    assert screening.adjudication.limit_kg == 49_000
    assert "close-axles-beyond-table" in screening.doubts
    truck = screened(vehicle("sdddd", (3_600, 1_350, 1_350, 1_350), kind=TRUCK))
    assert (truck.taken_as, truck.adjudication.limit_kg) == ("train", 43_000)
    assert "kind-against-axles" in truck.doubts


def test_every_step_cites_its_row_and_clause_and_adds_up() -> None:
    record = vehicle("sddss", (3_400, 1_350, 6_800, 1_350), air_suspension=None)
    screening = screened(record, tables=ALL_CONFIRMED, site_limit_kg=30_000)
    rows = {row.id: row.clause for row in TABLES.rows} | {"site-limit": "Order 62 (2016) Art. 27"}
    running = 0
    for step in screening.limit_steps:
        running += step.amount_kg
        assert step.running_kg == running
        assert step.clause == rows[step.row]
    assert running == screening.adjudication.limit_kg
