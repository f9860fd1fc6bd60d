"""FHWA W records: the sample lines beside the checkout, and every way a line can be wrong."""

import pytest

from domain.events import VehicleKind
from domain.refusals import RefusalCode
from ingest.fhwa import HourMark, RejectedLine, WRecord, read_w_records, weigh_record
from tests.components import shared

FIVE_AXLES = (
    "W1701811531201211071609   057886"
    + "05"
    + "112100151"
    + "123000045"
    + "137300214"
    + "098150048"
    + "10831"
)


def _only(line: str) -> WRecord | HourMark | RejectedLine:
    (found,) = read_w_records([line])
    return found


def test_the_shared_samples() -> None:
    """Two lines add up; the third's axles say 119 189 lb where its total says 47 289 lb."""
    lines = shared("fhwa/w_record_samples.txt").read_text().splitlines()
    first, second, third = read_w_records(lines)
    assert isinstance(first, WRecord)
    assert (first.state, first.station, first.direction, first.lane) == ("17", "018115", "E", 1)
    assert (first.year, first.month, first.day, first.hour, first.vehicle_class) == (2012, 11, 7, 16, 9)
    assert first.axle_weights_lb == (11210, 12300, 13730, 9815, 10831)
    assert first.spacings_tenth_ft == (151, 45, 214, 48)
    assert sum(first.axle_weights_lb) == first.gross_lb == 57886
    assert isinstance(second, WRecord)
    assert (second.gross_lb, second.axle_weights_lb) == (18351, (8522, 9829))
    assert isinstance(third, RejectedLine)
    assert third.code is RefusalCode.AXLE_SUM_MISMATCH
    assert "119189 lb" in third.detail
    assert "47289 lb" in third.detail


def test_conversion_rounds_each_figure_on_its_own() -> None:
    found = _only(FIVE_AXLES)
    assert isinstance(found, WRecord)
    record = weigh_record(found)
    assert record.gross_kg == 26257  # 57 886 lb = 26 256.648 kg
    assert [axle.load_kg for axle in record.axles] == [5085, 5579, 6228, 4452, 4913]
    assert record.spacings_mm == (4602, 1372, 6523, 1463)  # 15.1 ft = 4 602.48 mm
    assert (record.kind, record.speed_m_h, record.lane) == (VehicleKind.TRAIN, 0, 1)


@pytest.mark.parametrize(("mark", "missing"), [(" m", True), ("d ", False), ("M ", True)])
def test_lines_about_hours_are_not_trucks(mark: str, missing: bool) -> None:
    assert _only("W17018115312012110716" + mark) == HourMark(1, missing=missing)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("S" + FIVE_AXLES[1:], RefusalCode.UNSUPPORTED_SCHEMA, "begins with 'W'"),
        (FIVE_AXLES[:-1], RefusalCode.FIELD_INVALID, "5 axles take 75 columns, the record has 74"),
        (FIVE_AXLES + "0048", RefusalCode.FIELD_INVALID, "the record has 79"),
        (FIVE_AXLES[:32], RefusalCode.FIELD_MISSING, "before its axles"),
        (FIVE_AXLES[:15] + "13" + FIVE_AXLES[17:], RefusalCode.OUT_OF_RANGE, "month"),
        (FIVE_AXLES[:36] + "x" + FIVE_AXLES[37:], RefusalCode.FIELD_INVALID, "weight of axle 1"),
        (FIVE_AXLES[:32] + "01" + "57886", RefusalCode.OUT_OF_RANGE, "number of axles"),
        (FIVE_AXLES[:10] + "0" + FIVE_AXLES[11:], RefusalCode.OUT_OF_RANGE, "lane"),
        (FIVE_AXLES[:9] + "x" + FIVE_AXLES[10:], RefusalCode.FIELD_INVALID, "direction"),
        (FIVE_AXLES[:26] + "０" + FIVE_AXLES[27:], RefusalCode.FIELD_INVALID, "ASCII"),
        (FIVE_AXLES[:24] + "\0" + FIVE_AXLES[25:], RefusalCode.FIELD_INVALID, "printable"),
        (FIVE_AXLES + "\u3000", RefusalCode.FIELD_INVALID, "ASCII"),
        (FIVE_AXLES[:15] + "0230" + FIVE_AXLES[19:], RefusalCode.OUT_OF_RANGE, "allowed: 1 to 29"),
        (FIVE_AXLES[:39] + "9999" + FIVE_AXLES[43:], RefusalCode.OUT_OF_RANGE, "spacing behind axle 1"),
        ("W17018115311", RefusalCode.OUT_OF_RANGE, "year"),
        ("W1701811531", RefusalCode.FIELD_INVALID, "year"),
    ],
)
def test_broken_lines_are_rejected_with_their_reason(line: str, code: RefusalCode, words: str) -> None:
    found = _only(line)
    assert isinstance(found, RejectedLine)
    assert found.code is code
    assert words in found.detail


def test_a_metric_record_of_2001_is_told_apart() -> None:
    """Two-digit year, tonnes and metres: never mixed with pounds and feet."""
    found = _only("W170181153101110716" + "09   " + "0262" + "05" + "051046056014062065045015049")
    assert isinstance(found, RejectedLine)
    assert found.code is RefusalCode.UNSUPPORTED_SCHEMA
    assert "metric" in found.detail


def test_rounding_to_hundreds_of_pounds_is_tolerated_and_no_more() -> None:
    head, tail = FIVE_AXLES[:26], FIVE_AXLES[32:]
    assert isinstance(_only(head + f"{57886 + 300:06d}" + tail), WRecord)
    assert isinstance(_only(head + f"{57886 + 301:06d}" + tail), RejectedLine)
