"""The compiled pass against the rule asked one vehicle at a time, at every edge; and what it refuses."""

from dataclasses import fields, replace
from fractions import Fraction
from math import floor
from random import Random
from typing import Any

import numpy as np
import pytest

from domain.errors import ConfigurationError, InputRefused
from domain.events import MAX_AXLES, VehicleKind, WeighRecord
from domain.law import LimitTables, limit_tables
from domain.registry import StationContext
from domain.screening import Formula
from domain.units import PPM
from tests.counts import count
from tests.unit.weigh.vehicles import (
    CERTIFICATE,
    DAY,
    SHAPES,
    context,
    context_choices,
    random_vehicle,
    tables_choices,
    vehicle,
)
from weigh import (
    DOUBTS,
    OUTCOMES,
    REASONS,
    BulkFindings,
    DecisionRule,
    RecordColumns,
    record_columns,
    screen_bulk,
    screen_records,
)
from weigh.screening import _screen_kernel
from weigh.screening import readings as readings_module
from weigh.screening._formulas import PPM as KERNEL_PPM
from weigh.screening._formulas import floor_divide
from weigh.screening._key_table import KEY_WORDS
from weigh.screening.columns import APART_MM, Configurations
from weigh.screening.readings import Readings, memory_for, spacing_edges_mm

TABLES = limit_tables(DAY)
ALL_CONFIRMED = limit_tables(DAY, confirmed_rows=frozenset(row.id for row in TABLES.axle))
RULE = DecisionRule()


def some_records(number: int, seed: str = "bulk") -> tuple[list[WeighRecord], list[StationContext]]:
    """Return random vehicles, each at a random place."""
    random = Random(seed)
    places = context_choices()
    records = [random_vehicle(random) for _ in range(number)]
    return records, [random.choice(places) for _ in records]


def same(one: BulkFindings, other: BulkFindings) -> bool:
    """Whether two findings are equal in every column."""
    names = [field.name for field in fields(BulkFindings)]
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def asked(records: list[WeighRecord], tables: LimitTables) -> Readings:
    """Ask the rule itself, with the spacings as they are."""
    columns = record_columns(records, [context()] * len(records))
    width = columns.width
    spacing = np.full((len(records), width), APART_MM, dtype=np.int64)
    spacing[:, :-1] = np.where(columns.spacing_mm.T > 0, columns.spacing_mm.T.astype(np.int64), APART_MM)
    driven = (columns.driven[:, None] >> np.arange(width) & 1).astype(np.bool_)
    configurations = Configurations(
        axle_count=columns.axle_count.astype(np.int64),
        tyres=np.ascontiguousarray(columns.tyres.T, dtype=np.int64),
        spacing_mm=spacing,
        kind=columns.kind.astype(np.int64),
        driven=driven,
        drive_known=np.asarray(driven.any(axis=1)),
        air=columns.air.astype(np.int64),
    )
    return Readings.of(configurations, tables)


@pytest.mark.parametrize("tables", [TABLES, ALL_CONFIRMED], ids=["unconfirmed", "confirmed"])
@pytest.mark.parametrize("gap", range(4))
def test_every_millimetre_is_read_as_the_rule_reads_it(tables: LimitTables, gap: int) -> None:
    shapes = [shape for shape in SHAPES if len(shape[1]) > gap]
    spacings = [*range(1, count(2_400, reduced=1)), *near_edges(tables), 3_000, 60_000]
    records = []
    for tyres, usual in shapes:
        for letters in (tyres, tyres.replace("d", "n"), "u" * len(tyres)):
            for mm in spacings:
                moved = (*usual[:gap], mm, *usual[gap + 1 :])
                records.append(vehicle(letters, moved, air_suspension=None if mm % 2 else True))
    found = screen_bulk(record_columns(records, [context()] * len(records)), tables, RULE)
    expected = asked(records, tables)
    assert np.array_equal(found.limit_kg, expected.single("limit_kg"))
    assert np.array_equal(found.train, expected.single("train"))
    assert np.array_equal(found.doubts & (1 << len(DOUBTS) - 1) - 1, expected.doubts)
    assert np.array_equal(found.unconfirmed_axle_sum_kg, expected.unconfirmed_axle_sum_kg)


def near_edges(tables: LimitTables) -> list[int]:
    """Return every bound named in the rule or the tables, one and two millimetres about it, errors added."""
    named = {1_500, 2_000, 2_100, 1_800}
    for row in tables.axle:
        named |= {row.spacing_min_mm, row.spacing_max_mm or 0}
    around = {bound + error + by for bound in named for error in (-150, 0, 150) for by in range(-2, 3)}
    return sorted(mm for mm in around if mm > 0)


def test_two_spacings_of_one_class_are_read_alike_in_every_pair() -> None:
    edges = spacing_edges_mm(TABLES)
    random = Random("pairs")
    lowest, highest = [1, *edges], [*(edge - 1 for edge in edges), 60_000]
    low, high = [], []
    for _ in range(count(100_000, reduced=3_000)):
        record = random_vehicle(random)
        classes = [sum(edge <= mm for edge in edges) for mm in record.spacings_mm]
        low.append(record.model_copy(update={"spacings_mm": tuple(lowest[one] for one in classes)}))
        high.append(record.model_copy(update={"spacings_mm": tuple(highest[one] for one in classes)}))
    for tables in (TABLES, ALL_CONFIRMED):
        assert np.array_equal(asked(low, tables).table, asked(high, tables).table)


@pytest.mark.parametrize("formula", list(Formula))
def test_columns_and_documents_say_the_same(formula: Formula) -> None:
    records, places = some_records(count(10_000, reduced=400), formula)
    rule = DecisionRule(formula=formula, guard_k_milli=2_500)
    for tables in tables_choices():
        found = screen_bulk(record_columns(records, places), tables, rule)
        documents = screen_records(records, places, tables=tables, rule=rule)
        for row, document in enumerate(documents):
            flagged = [axle + 1 for axle in range(MAX_AXLES) if found.axle_flags[row] >> axle & 1]
            why = [code for bit, code in enumerate(REASONS) if found.reasons[row] >> bit & 1]
            doubts = [code for bit, code in enumerate(DOUBTS) if found.doubts[row] >> bit & 1]
            if lower := found.unconfirmed_axle_sum_kg[row]:
                doubts.append(f"axle-sum-unconfirmed:{lower}")
            adjudication = document.adjudication
            assert OUTCOMES[found.outcome[row]] is document.outcome
            assert (found.adjudged_kg[row], found.over_kg[row], found.limit_kg[row]) == (
                adjudication.adjudged_kg,
                adjudication.over_kg,
                adjudication.limit_kg,
            )
            assert (tuple(flagged), tuple(why), tuple(doubts)) == (
                document.axle_flags,
                document.reasons,
                document.doubts,
            )
            assert found.train[row] == (document.taken_as == VehicleKind.TRAIN)


def test_threads_and_what_is_remembered_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    records, places = some_records(3_000)
    columns = record_columns(records, places)
    columns = columns.take(np.tile(np.arange(3_000), 24))
    expected = screen_bulk(columns, TABLES, RULE, threads=1)
    assert same(screen_bulk(columns, TABLES, RULE, threads=3), expected)
    for keys in (1, 7, 500):
        monkeypatch.setattr(readings_module, "MAX_KEYS", keys)
        monkeypatch.setattr("weigh.screening.bulk.MAX_KEYS", keys)
        memory_for.cache_clear()
        few = columns.take(np.arange(keys * 20))
        assert same(screen_bulk(few, TABLES, RULE), screen_bulk(few, TABLES, RULE))
        assert np.array_equal(screen_bulk(few, TABLES, RULE).reasons, expected.reasons[: len(few)])
        assert np.array_equal(screen_bulk(few, TABLES, RULE).limit_kg, expected.limit_kg[: len(few)])
        documents = screen_records(records[:40], places[:40], tables=TABLES, rule=RULE)
        assert [one.adjudication.limit_kg for one in documents] == expected.limit_kg[:40].tolist()
        assert memory_for(TABLES).snapshot.keys <= max(keys, 40)
    memory_for.cache_clear()


def test_findings_are_written_over_where_asked() -> None:
    first = record_columns(*some_records(300, "first"))
    second = record_columns(*some_records(300, "second"))
    out = screen_bulk(first, TABLES, RULE)
    arrays = list(vars(out).values())
    found = screen_bulk(second, TABLES, RULE, out=out)
    assert same(found, screen_bulk(second, TABLES, RULE))
    assert all(one is other for one, other in zip(vars(found).values(), arrays, strict=True))


def test_only_what_the_findings_fit_is_written_over() -> None:
    columns = record_columns(*some_records(5))
    found = screen_bulk(columns, TABLES, RULE)
    locked = found.limit_kg.copy()
    locked.flags.writeable = False
    wide: Any = np.zeros(5, np.int64)
    for limit_kg in (found.limit_kg[:4], np.zeros(10, np.int32)[::2], wide, locked):
        with pytest.raises(ConfigurationError, match="limit_kg"):
            screen_bulk(columns, TABLES, RULE, out=replace(found, limit_kg=limit_kg))


def test_nothing_and_one_are_batches_too() -> None:
    assert len(screen_bulk(record_columns([], []), TABLES, RULE).outcome) == 0
    one = record_columns([vehicle("sd", (4_000,), 30_000)], [context()])
    assert screen_bulk(one, TABLES, RULE).over_kg.tolist() == [28_500 - 18_000]


@pytest.mark.parametrize("at", [0, 8_191, 8_192, 8_999])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("axle_count", 1),
        ("axle_count", 4),
        ("gross_kg", -1),
        ("gross_kg", 1_000_001),
        ("speed_m_h", 300_001),
        ("length_mm", -5),
        ("u_gross_ppm", 500_001),
        ("u_axle_ppm", -1),
        ("kind", 3),
        ("air", 2),
        ("air", -2),
        ("flags", 1 << 15),
        ("lane", 0),
        ("lane", 17),
        ("context", 1),
        ("context", -1),
        ("load_kg", -1),
        ("load_kg", 100_001),
        ("tyres", 5),
        ("tyres", -1),
        ("spacing_mm", 0),
        ("spacing_mm", 60_001),
    ],
)
def test_a_row_that_no_record_can_be_is_named(name: str, value: int, at: int) -> None:
    good = record_columns([vehicle("sdd", (3_500, 1_350))], [context()]).take(np.zeros(9_000, dtype=np.int64))
    column = getattr(good, name).copy()
    column[..., at] = value
    with pytest.raises(InputRefused, match=rf"of row {at} is .*{value}"):
        screen_bulk(replace(good, **{name: column}), TABLES, RULE)


@pytest.mark.parametrize(("name", "value"), [("load_kg", 1), ("tyres", 0), ("spacing_mm", 1)])
def test_what_stands_behind_the_last_axle_is_refused(name: str, value: int) -> None:
    good = record_columns([vehicle("sd", (3_500,)), vehicle("sdd", (3_500, 1_350))], [context()] * 2)
    column = getattr(good, name).copy()
    column[-1, 0] = value
    with pytest.raises(InputRefused, match=f"{name} of row 0"):
        screen_bulk(replace(good, **{name: column}), TABLES, RULE)


@pytest.mark.parametrize(
    "change",
    [
        {"load_kg": np.zeros((3, 3), dtype=np.int64)},
        {"load_kg": np.zeros((17, 3), dtype=np.int32)},
        {"load_kg": np.zeros(3, dtype=np.int32)},
        {"gross_kg": np.zeros(2, dtype=np.int32)},
        {"gross_kg": np.zeros(3, dtype=np.float32)},
        {"lane": np.ones(6, dtype=np.uint8)[::2]},
        {"spacing_mm": np.zeros((3, 3), dtype=np.uint16)},
    ],
)
def test_arrays_of_another_type_shape_or_order_are_refused(change: dict[str, Any]) -> None:
    good = record_columns([vehicle("sdd", (3_500, 1_350))], [context()]).take(np.zeros(3, dtype=np.int64))
    with pytest.raises(ConfigurationError):
        replace(good, **change)


def test_a_certificate_of_an_impossible_error_is_refused() -> None:
    place = context(certificate=CERTIFICATE.model_copy(update={"mpe_in_service_ppm": 1_000_001}))
    with pytest.raises(ConfigurationError, match="error in service"):
        record_columns([vehicle("sd", (3_500,))], [place])


@pytest.mark.parametrize(
    ("figures", "reasons"),
    [
        ({"max_speed_m_h": 10**9}, set()),
        ({"max_speed_m_h": 300_000}, set()),
        ({"max_speed_m_h": 299_999}, {"speed-outside-certificate"}),
        ({"max_speed_m_h": 10**9, "min_speed_m_h": 300_000}, set()),
        ({"max_speed_m_h": 10**9, "min_speed_m_h": 300_001}, {"speed-outside-certificate"}),
        ({"max_speed_m_h": 10**9, "min_speed_m_h": 10**9}, {"speed-outside-certificate"}),
        ({"certified": False}, set()),
        ({"max_speed_m_h": 10**9, "certified_lanes": (1 << 62) - 1 - (1 << 15)}, {"lane-not-on-certificate"}),
        ({"certified": False, "certified_lanes": 0}, set()),
        ({"max_speed_m_h": 10**9, "site_lanes": 10**6}, set()),
        ({"max_speed_m_h": 10**9, "site_lanes": 15}, {"lane-not-at-site"}),
        ({"max_speed_m_h": 10**9, "direction": -1}, {"direction-not-registered"}),
        ({"max_speed_m_h": 10**9, "direction": 1 << 16}, {"direction-not-registered"}),
        ({"max_speed_m_h": 10**9, "site_limit_kg": 10**12, "mpe_ppm": PPM}, set()),
    ],
)
def test_a_place_is_read_rightly_up_to_the_greatest_figures(
    figures: dict[str, Any], reasons: set[str]
) -> None:
    place = context(lanes=16, certificate=CERTIFICATE.model_copy(update={"lanes": (16,), "min_speed_m_h": 0}))
    one = record_columns([vehicle("sd", (4_000,), 30_000, speed_m_h=300_000, lane=16)], [place])
    contexts: dict[str, Any] = {
        name: np.array([value], dtype=getattr(one.contexts, name).dtype) for name, value in figures.items()
    }
    found = screen_bulk(replace(one, contexts=replace(one.contexts, **contexts)), TABLES, RULE)
    assert {code for bit, code in enumerate(REASONS) if found.reasons[0] >> bit & 1} == reasons
    assert found.limit_kg[0] == 18_000


def test_axle_limits_too_fine_for_the_compiled_pass_are_refused() -> None:
    rows = [row.model_copy(update={"limit_kg": row.limit_kg + 1}) for row in TABLES.axle]
    with pytest.raises(ConfigurationError, match="multiples of"):
        memory_for(replace(TABLES, axle=tuple(rows)))


def test_axles_reported_as_driven_that_cannot_be_are_not_counted() -> None:
    plain = record_columns([vehicle("sddd", (3_400, 1_350, 7_000))], [context()])
    odd = replace(plain, driven=np.array([0b1111_0000_0000_0001], dtype=np.uint16))
    assert same(screen_bulk(plain, TABLES, RULE), screen_bulk(odd, TABLES, RULE))


def test_the_division_is_exact_where_the_quotient_is_nearly_whole() -> None:
    random = Random("division")
    for _ in range(count(200_000, reduced=20_000)):
        by = random.choice((1_000_000, 1_000_000_000, random.randint(1, 2_000_000)))
        whole = random.randint(0, (2**53 - 2) // by) * by + random.choice((-1, 0, 1, by - 1))
        if 0 <= whole < 2**53:
            assert floor_divide(whole, by) == floor(Fraction(whole, by))


def test_the_compiled_pass_and_the_domain_mean_the_same_figures() -> None:
    assert _screen_kernel.MAX_AXLES == MAX_AXLES <= 8 * (KEY_WORDS - 1)
    assert KERNEL_PPM == PPM
    assert len(REASONS) <= 32
    assert len(DOUBTS) <= 16


def test_columns_keep_their_order_when_some_are_taken() -> None:
    records, places = some_records(200)
    columns = record_columns(records, places)
    rows = np.array([5, 3, 199, 3])
    taken = columns.take(rows)
    assert isinstance(taken, RecordColumns)
    whole, part = screen_bulk(columns, TABLES, RULE), screen_bulk(taken, TABLES, RULE)
    assert part.adjudged_kg.tolist() == whole.adjudged_kg[rows].tolist()
