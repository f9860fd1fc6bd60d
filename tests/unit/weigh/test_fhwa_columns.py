"""W records as columns: what the reader of single lines says of each line, nothing more, nothing less."""

from decimal import ROUND_HALF_EVEN
from random import Random
from typing import Any

import numpy as np
import pytest

from ingest import fhwa
from ingest.fhwa import DIRECTIONS, HourMark, RejectedLine, WRecord, read_w_line, read_w_records, weigh_record
from tests.components import shared
from tests.counts import count
from tests.unit.ingest.w_lines import any_line, good_line, metric_line
from weigh import fhwa_columns
from weigh.fhwa_columns import _KG_PER_LB, _MM_PER_TENTH_FOOT, WColumns, _converted, parse_w_lines

GENERATED = count(1_000_000, reduced=100_000)


def records_of(columns: WColumns) -> list[WRecord]:
    """The columns as the reader's records."""
    digits = list(DIRECTIONS)
    axles, gaps = columns.axle_offset.tolist(), columns.spacing_offset.tolist()
    weights, spacings = columns.weight_lb.tolist(), columns.spacing_tenth_ft.tolist()
    days = columns.day.astype("datetime64[D]").tolist()
    codes = [bytes(code).decode("ascii") for code in columns.code]
    rows: Any = zip(
        columns.line.tolist(),
        codes,
        columns.direction.tolist(),
        columns.lane.tolist(),
        days,
        columns.hour.tolist(),
        columns.vehicle_class.tolist(),
        columns.gross_lb.tolist(),
        strict=True,
    )
    return [
        WRecord(
            line_number=line + 1,
            state=code[:2],
            station=code[2:].strip(),
            direction=DIRECTIONS[digits[(direction - 1) % 10]],
            lane=lane,
            year=day.year,
            month=day.month,
            day=day.day,
            hour=hour,
            vehicle_class=vehicle_class,
            gross_lb=gross,
            axle_weights_lb=tuple(weights[axles[row] : axles[row + 1]]),
            spacings_tenth_ft=tuple(spacings[gaps[row] : gaps[row + 1]]),
        )
        for row, (line, code, direction, lane, day, hour, vehicle_class, gross) in enumerate(rows)
    ]


def assert_the_same(data: bytes) -> WColumns:
    """Hold the columns against the reader, line by line."""
    raw = data.split(b"\n")
    if raw[-1] == b"":
        raw.pop()
    found = [read_w_line(line, number) for number, line in enumerate(raw, start=1)]
    columns = parse_w_lines(data)
    assert columns.lines == len(raw)
    assert records_of(columns) == [one for one in found if isinstance(one, WRecord)]
    marks = [one.missing for one in found if isinstance(one, HourMark)]
    assert (columns.hours_missing, columns.hours_without_trucks) == (marks.count(True), marks.count(False))
    assert columns.blank == found.count(None)
    again = [read_w_line(data[start:end], line + 1) for line, start, end in columns.rejected.tolist()]
    assert again == [one for one in found if isinstance(one, RejectedLine)]
    return columns


def test_the_shared_samples() -> None:
    columns = assert_the_same(shared("fhwa/w_record_samples.txt").read_bytes())
    assert columns.gross_kg.tolist() == [26_257, 8_324]
    assert columns.load_kg[:5].tolist() == [5_085, 5_579, 6_228, 4_452, 4_913]
    assert columns.spacing_mm[:4].tolist() == [4_602, 1_372, 6_523, 1_463]
    assert columns.rejected[:, 0].tolist() == [2]


def test_generated_and_spoilt_lines() -> None:
    """Every line ends as the reader ends it, whatever it holds."""
    random = Random(20_261_123)
    block = 20_000
    kinds = [0, 0, 0, 0, 0]
    for _ in range(0, GENERATED, block):
        ends = (b"\n", b"\r\n", b" \n", b" " * 70 + b"\n")
        data = b"".join(any_line(random) + random.choice(ends) for _ in range(block))
        columns = assert_the_same(data)
        seen = (len(columns.line), columns.blank, columns.hours_missing, columns.hours_without_trucks)
        for at, number in enumerate((*seen, len(columns.rejected))):
            kinds[at] += number
    assert min(kinds) > GENERATED // 200, "some kind of line was hardly met"


def test_a_byte_that_is_no_text_moves_no_column() -> None:
    """Spelt out as four characters it would push the rest into the columns of another record."""
    line = b"W\x80" + b"W1701811531201211071609   05788605112100151123000045137300214098150048"[5:] + b"10831"
    columns = assert_the_same(line)
    assert (len(columns.line), len(columns.rejected)) == (0, 1)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_lines_of_one_length_and_a_last_one_without_its_end(ending: bytes, last: bytes) -> None:
    random = Random(1)
    lines = [line for line in (good_line(random) for _ in range(3_000)) if len(line) < 147]
    padded = ending.join(line.ljust(147) for line in lines) + last
    assert len(assert_the_same(padded).line) > 1_500
    assert len(assert_the_same(ending.join(lines) + last).line) > 1_500


def test_every_byte_everywhere() -> None:
    """One byte of a record replaced by each of the other 255, at each of its places."""
    line = b"W1701811531201211071609   05788605112100151123000045137300214098150048" + b"10831"
    assert isinstance(read_w_line(line, 1), WRecord)
    spoilt = [
        line[:at] + bytes((byte,)) + line[at + 1 :]
        for at in range(len(line))
        for byte in range(count(256, reduced=256))
        if byte != ord("\n")
    ]
    assert_the_same(b"\n".join(spoilt))


def test_every_prefix() -> None:
    line = b"W1701811531201211071609   05788605112100151123000045137300214098150048" + b"10831"
    assert_the_same(b"\n".join(line[:stop] for stop in range(len(line) + 1)))


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\n\n\n", b"W", b"W\n", b"x" * 1_000, b"\xff" * 300, b" " * 40]
)
def test_next_to_nothing(data: bytes) -> None:
    assert_the_same(data)


def test_a_file_of_the_old_guide_is_rejected_line_by_line() -> None:
    columns = assert_the_same(b"\n".join(metric_line(Random(seed)) for seed in range(500)))
    assert len(columns.rejected) == 500


def test_conversion_is_the_readers() -> None:
    random = Random(3)
    data = b"\n".join(good_line(random) for _ in range(5_000))
    columns = parse_w_lines(data)
    converted = [
        weigh_record(one) for one in read_w_records(data.decode().split("\n")) if isinstance(one, WRecord)
    ]
    assert columns.gross_kg.tolist() == [record.gross_kg for record in converted]
    assert columns.load_kg.tolist() == [axle.load_kg for record in converted for axle in record.axles]
    assert columns.spacing_mm.tolist() == [mm for record in converted for mm in record.spacings_mm]


def test_every_figure_a_field_can_hold_is_rounded_as_the_reader_rounds_it() -> None:
    """Half to even: no pounds below a million and no tenths of a foot lie halfway, so the two are one."""
    step = count(1, reduced=37)
    pounds = range(0, 1_000_000, step)
    exact = [int((lb * fhwa.KG_PER_LB).to_integral_value(ROUND_HALF_EVEN)) for lb in pounds]
    assert _converted(np.array(pounds, dtype=np.int32), *_KG_PER_LB).tolist() == exact
    tenths = range(10_000)
    exact = [int((gap * fhwa.MM_PER_TENTH_FOOT).to_integral_value(ROUND_HALF_EVEN)) for gap in tenths]
    assert _converted(np.array(tenths, dtype=np.int32), *_MM_PER_TENTH_FOOT).tolist() == exact


def test_both_know_the_same_bounds() -> None:
    assert fhwa_columns.SUM_TOLERANCE_LB_PER_FIGURE == fhwa.SUM_TOLERANCE_LB_PER_FIGURE
    assert fhwa_columns.MAX_SPACING_TENTH_FT == fhwa.MAX_SPACING_TENTH_FT
