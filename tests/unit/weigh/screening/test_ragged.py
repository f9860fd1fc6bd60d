"""Ragged columns are the same records, days keep their own law, and what held a passage back stays."""

from collections.abc import Sequence
from dataclasses import fields, replace
from random import Random
from typing import Any

import numpy as np
import pytest

from domain.errors import ConfigurationError, InputRefused
from domain.events import MAX_AXLES, VehicleKind, WeighRecord
from domain.law import LimitTables, limit_tables
from domain.screening import Outcome
from tests.counts import count
from tests.unit.weigh.vehicles import DAY, context_choices, random_vehicle
from weigh import DecisionRule, screen_bulk
from weigh.screening.bulk import OUTCOMES, BulkFindings
from weigh.screening.by_day import screen_by_day
from weigh.screening.columns import FLAGS, KINDS, TYRES
from weigh.screening.held import outcome_with_held, reasons_with_held
from weigh.screening.ragged import Ragged, RaggedRecords, bits_to_lists, record_columns_of
from weigh.screening.record_columns import DTYPES, record_columns
from weigh.screening.usability import REASONS

SEED = 20_261_123
RECORDS = count(20_000, reduced=1_500)


def lists(rows: Sequence[Sequence[int]]) -> Ragged:
    """Rows as a ragged column."""
    values = np.array([value for row in rows for value in row], dtype=np.int32)
    return values, np.cumsum([0, *map(len, rows)]).astype(np.int32)


def ragged_of(records: Sequence[WeighRecord], context: Sequence[int]) -> RaggedRecords:
    """Records as a column file holds them."""
    directions = list(dict.fromkeys(record.direction for record in records))
    return RaggedRecords(
        load_kg=lists([[axle.load_kg for axle in record.axles] for record in records]),
        tyres=lists([[TYRES.index(axle.tyres) for axle in record.axles] for record in records]),
        spacing_mm=lists([record.spacings_mm for record in records]),
        drive_axles=lists([record.drive_axles or () for record in records]),
        flags=lists([[FLAGS.index(flag) for flag in record.flags] for record in records]),
        kind=np.array([KINDS.index(record.kind) for record in records]),
        air=np.array([-1 if r.air_suspension is None else int(r.air_suspension) for r in records]),
        gross_kg=np.array([record.gross_kg for record in records]),
        speed_m_h=np.array([record.speed_m_h for record in records]),
        lane=np.array([record.lane for record in records]),
        length_mm=np.array([record.length_mm or 0 for record in records]),
        u_gross_ppm=np.array([record.u_gross_ppm or 0 for record in records]),
        u_axle_ppm=np.array([record.u_axle_ppm or 0 for record in records]),
        direction=np.array([directions.index(record.direction) for record in records]),
        directions=tuple(directions),
        context=np.array(context),
    )


def random_records(number: int = RECORDS) -> list[WeighRecord]:
    """Vehicles near the edges of the rules."""
    random = Random(SEED)
    return [random_vehicle(random) for _ in range(number)]


def test_ragged_records_are_the_records() -> None:
    records, contexts = random_records(), context_choices()
    chosen = [Random(row).randrange(len(contexts)) for row in range(len(records))]
    ours = record_columns_of(ragged_of(records, chosen), contexts)
    theirs = record_columns(records, [contexts[one] for one in chosen])
    for name in DTYPES:
        if name != "context":
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    tables = limit_tables(DAY)
    assert_equal(screen_bulk(ours, tables, DecisionRule()), screen_bulk(theirs, tables, DecisionRule()))


def assert_equal(one: BulkFindings, other: BulkFindings) -> None:
    """Hold findings against each other, column by column."""
    for field in fields(BulkFindings):
        np.testing.assert_array_equal(
            getattr(one, field.name), getattr(other, field.name), err_msg=field.name
        )


def other_tables(change_kg: int) -> LimitTables:
    """The limits of a day on which every gross limit was another."""
    tables = limit_tables(DAY)
    rows = tuple(row.model_copy(update={"limit_kg": row.limit_kg + change_kg}) for row in tables.gross)
    return replace(tables, gross=rows)


def test_each_record_is_screened_by_the_law_of_its_day() -> None:
    """Days in any order, some with one law and some with another, as one by one."""
    records, rule = random_records(), DecisionRule()
    columns = record_columns_of(ragged_of(records, [0] * len(records)), context_choices())
    tables = [limit_tables(DAY), other_tables(-2_000), limit_tables(DAY), other_tables(3_000)]
    day = np.array([Random(row).randrange(4) for row in range(len(records))])
    found = screen_by_day(columns, tables, day, rule)
    alone = [screen_bulk(columns, one, rule) for one in tables]
    for field in fields(BulkFindings):
        wanted = np.stack([getattr(one, field.name) for one in alone])[day, np.arange(len(records))]
        np.testing.assert_array_equal(getattr(found, field.name), wanted, err_msg=field.name)
    assert len({tuple(one.limit_kg.tolist()) for one in alone}) == 3
    assert_equal(screen_by_day(columns, tables[:1], day * 0, rule), alone[0])


def test_no_records_at_all() -> None:
    columns = record_columns_of(ragged_of([], []), context_choices())
    day = np.array([], dtype=np.int64)
    assert len(screen_by_day(columns, [limit_tables(DAY)], day, DecisionRule()).outcome) == 0
    with pytest.raises(ConfigurationError, match="at least one day"):
        screen_by_day(columns, [], day, DecisionRule())


def test_what_held_a_passage_back_stays() -> None:
    """Statistics only instead of a hit, never instead of unusable; its codes stand behind those found."""
    records = random_records()
    found = screen_bulk(
        record_columns_of(ragged_of(records, [0] * len(records)), context_choices()),
        limit_tables(DAY),
        DecisionRule(),
    )
    held = [random.sample([0, 1], random.randint(0, 2)) for random in map(Random, range(len(records)))]
    outcomes = outcome_with_held(found, lists(held)).tolist()
    (values, offsets), words = reasons_with_held(found, lists(held), ["clock-unreliable", "drift-alarm"])
    unusable, statistics = OUTCOMES.index(Outcome.UNUSABLE), OUTCOMES.index(Outcome.STATISTICS_ONLY)
    for row, codes in enumerate(held):
        before = int(found.outcome[row])
        assert outcomes[row] == (statistics if codes and before != unusable else before)
        own = [code for bit, code in enumerate(REASONS) if int(found.reasons[row]) >> bit & 1]
        reasons = [words[value] for value in values[offsets[row] : offsets[row + 1]]]
        assert reasons == own + [("clock-unreliable", "drift-alarm")[code] for code in codes]
    assert {outcomes.count(one) > 0 for one in range(4)} == {True}


def test_bits_become_lists() -> None:
    bits = np.array([0, 1, 0b1010, 1 << 40], dtype=np.uint64)
    values, offsets = bits_to_lists(bits, first=1)
    assert (values.tolist(), offsets.tolist()) == ([1, 2, 4, 41], [0, 0, 1, 3, 4])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"load_kg": lists([[1_000, 2_000], [1_000]])}, "row 1 has fewer than 2 or more than 16 axles"),
        (
            {"load_kg": lists([[1_000, 2_000], [1] * (MAX_AXLES + 1)])},
            "row 1 has fewer than 2 or more than 16 axles",
        ),
        ({"tyres": lists([[0], [0, 0]])}, "row 0 has not one entry of tyres for each axle"),
        ({"spacing_mm": lists([[4_000], []])}, "row 1 has not one spacing fewer than axles"),
        ({"spacing_mm": lists([[4_000], [65_536 + 4_000]])}, "row 1 has a spacing of 69536"),
        ({"spacing_mm": lists([[0], [4_000]])}, "row 0 has a spacing of 0; allowed: 1 to 60000"),
        ({"load_kg": lists([[1_000, -1], [1_000, 2_000]])}, "row 0 has a load of -1"),
        ({"lane": np.array([1, 257])}, "row 1 has a lane outside 1 to 16"),
        ({"lane": np.array([0, 1])}, "row 0 has a lane outside 1 to 16"),
        ({"gross_kg": np.array([3_000, 2_000_000])}, "gross_kg of row 1 is 2000000"),
        ({"speed_m_h": np.array([-1, 60_000])}, "speed_m_h of row 0 is -1"),
        ({"u_gross_ppm": np.array([0, 500_001])}, "u_gross_ppm of row 1 is 500001"),
    ],
)
def test_what_no_record_can_be_is_refused_by_its_row(change: dict[str, Any], words: str) -> None:
    """Nothing is narrowed into another figure: 65 536 + 4 000 mm never becomes 4 000 mm."""
    record = WeighRecord(
        match_key="m",
        lane=1,
        direction="up",
        speed_m_h=60_000,
        gross_kg=3_000,
        axles=random_records(1)[0].axles[:2],
        spacings_mm=(4_000,),
        kind=VehicleKind.TRUCK,
    )
    good = ragged_of([record, record], [0, 0])
    assert len(record_columns_of(good, context_choices())) == 2
    with pytest.raises(InputRefused) as refusal:
        screen_bulk(
            record_columns_of(replace(good, **change), context_choices()), limit_tables(DAY), DecisionRule()
        )
    assert words in refusal.value.detail
