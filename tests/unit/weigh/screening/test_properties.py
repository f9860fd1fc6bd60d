"""What must hold for every vehicle: not knowing favours the party, and more load is never less excess."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events import Axle, VehicleKind, WeighRecord
from domain.law import LimitTables, limit_tables
from domain.screening import Formula, Outcome, Screening
from tests.counts import count
from tests.unit.weigh.vehicles import DAY, LETTERS, context, vehicle
from weigh import DecisionRule, screen_records

TABLES = limit_tables(DAY)
ALL_CONFIRMED = limit_tables(DAY, confirmed_rows=frozenset(row.id for row in TABLES.axle))
EXAMPLES = settings(max_examples=count(2_000, reduced=200), deadline=None, derandomize=True)

SPACINGS_MM = st.one_of(
    st.sampled_from((1_300, 1_350, 1_400, 1_500, 1_650, 1_800, 1_850, 2_000, 2_100, 2_150, 2_250)),
    st.integers(1_000, 9_000),
)


def screen(*records: WeighRecord, tables: LimitTables = TABLES) -> list[Screening]:
    """Screen passages where everything is in force."""
    return screen_records(records, [context()] * len(records), tables=tables, rule=DecisionRule())


def limits(*records: WeighRecord, tables: LimitTables = TABLES) -> list[int]:
    """Return the limits that decided."""
    return [screening.adjudication.limit_kg for screening in screen(*records, tables=tables)]


@st.composite
def vehicles(draw: st.DrawFn) -> WeighRecord:
    """Return any vehicle of two to eight axles."""
    tyres = draw(st.text("sndwu", min_size=2, max_size=8))
    spacings = draw(st.lists(SPACINGS_MM, min_size=len(tyres) - 1, max_size=len(tyres) - 1))
    drive = draw(st.none() | st.lists(st.integers(2, len(tyres)), min_size=1, max_size=2, unique=True))
    return vehicle(
        tyres,
        spacings,
        draw(st.integers(2_000, 60_000)),
        kind=draw(st.sampled_from(VehicleKind)),
        drive_axles=None if drive is None else tuple(drive),
        air_suspension=draw(st.sampled_from((None, True, False))),
    )


def changed(record: WeighRecord, **more: Any) -> WeighRecord:
    """Return the record with some fields changed."""
    return record.model_copy(update=more)


def with_tyres(record: WeighRecord, tyres: str) -> WeighRecord:
    """Return the record with these tyres, one letter an axle."""
    axles = zip(record.axles, tyres, strict=True)
    return changed(
        record, axles=tuple(Axle(load_kg=axle.load_kg, tyres=LETTERS[letter]) for axle, letter in axles)
    )


@pytest.mark.parametrize("tables", [TABLES, ALL_CONFIRMED], ids=["unconfirmed", "confirmed"])
@EXAMPLES
@given(record=vehicles())
def test_unknown_suspension_is_as_good_as_air_and_no_better(tables: LimitTables, record: WeighRecord) -> None:
    unknown, air, steel = (changed(record, air_suspension=value) for value in (None, True, False))
    found = limits(unknown, air, steel, tables=tables)
    assert found[0] == found[1] >= found[2]


@pytest.mark.parametrize("tables", [TABLES, ALL_CONFIRMED], ids=["unconfirmed", "confirmed"])
@EXAMPLES
@given(record=vehicles(), driven=st.sets(st.integers(2, 8), min_size=1))
def test_unknown_drive_is_never_worse_than_any_drive(
    tables: LimitTables, record: WeighRecord, driven: set[int]
) -> None:
    some = tuple(axle for axle in driven if axle <= len(record.axles)) or None
    unknown, known = changed(record, drive_axles=None), changed(record, drive_axles=some)
    found = limits(unknown, known, tables=tables)
    assert found[0] >= found[1]


@pytest.mark.parametrize("tables", [TABLES, ALL_CONFIRMED], ids=["unconfirmed", "confirmed"])
@EXAMPLES
@given(record=vehicles(), letters=st.text("ndw", min_size=8, max_size=8), mask=st.integers(0, 255))
def test_unknown_tyres_are_never_worse_than_any_tyres(
    tables: LimitTables, record: WeighRecord, letters: str, mask: int
) -> None:
    count_axles = len(record.axles)
    known = letters[:count_axles]
    unmeasured = known.replace("n", "s").replace("w", "s")  # seen to be single, the width not known
    hidden = ["u" if mask >> axle & 1 else letter for axle, letter in enumerate(unmeasured)]
    records = [with_tyres(record, tyres) for tyres in ("".join(hidden), unmeasured, known)]
    found = limits(*records, tables=tables)
    assert found[0] >= found[1] >= found[2]


@EXAMPLES
@given(record=vehicles())
def test_a_report_of_the_kind_never_lowers_a_limit(record: WeighRecord) -> None:
    kinds = (VehicleKind.UNKNOWN, VehicleKind.TRUCK, VehicleKind.TRAIN)
    unknown, truck, train = screen(*(changed(record, kind=kind) for kind in kinds))
    assert truck.adjudication.limit_kg == unknown.adjudication.limit_kg <= train.adjudication.limit_kg
    assert ("kind-against-axles" in truck.doubts) >= (truck.taken_as == "train")
    assert ("kind-against-axles" in train.doubts) >= (train.taken_as == "truck")
    if "kind-against-axles" not in train.doubts:
        assert train.adjudication.limit_kg == unknown.adjudication.limit_kg


@pytest.mark.parametrize("formula", list(Formula))
@EXAMPLES
@given(record=vehicles(), more_kg=st.integers(1, 5_000))
def test_more_load_is_never_less_excess(formula: Formula, record: WeighRecord, more_kg: int) -> None:
    first = record.axles[0]
    heavier = changed(
        record,
        gross_kg=record.gross_kg + more_kg,
        axles=(Axle(load_kg=first.load_kg + more_kg, tyres=first.tyres), *record.axles[1:]),
    )
    rule = DecisionRule(formula=formula)
    light, heavy = screen_records([record, heavier], [context()] * 2, tables=TABLES, rule=rule)
    assert light.adjudication.limit_kg == heavy.adjudication.limit_kg
    assert light.adjudication.over_kg <= heavy.adjudication.over_kg
    assert light.adjudication.adjudged_kg <= record.gross_kg


@EXAMPLES
@given(record=vehicles())
def test_only_the_gross_mass_overloads(record: WeighRecord) -> None:
    [screening] = screen(record)
    over = screening.adjudication.over_kg > 0
    assert (screening.outcome is Outcome.OVERLOADED) <= over
    assert (screening.outcome is Outcome.WITHIN) <= (not over)


@EXAMPLES
@given(record=vehicles())
def test_confirming_rows_never_raises_a_limit(record: WeighRecord) -> None:
    [unconfirmed] = limits(record)
    [confirmed] = limits(record, tables=ALL_CONFIRMED)
    assert confirmed <= unconfirmed
