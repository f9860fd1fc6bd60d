"""The waveform's picture: no peak is lost, and axles are marked where the signal has them."""

import re

import pytest

from api.waveform_chart import WIDTH, WaveformChart, waveform_chart
from tests.fixtures.waveforms import PLACES_MM, waveform_body, weighing_of

WEIGHING = weighing_of([6_800, 17_500, 17_600], [3_400, 1_350])


def _points(chart: WaveformChart, line: int) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.-]+)", chart.lines[line].path)]


@pytest.fixture(params=["f4", "i2"])
def chart(request: pytest.FixtureRequest) -> WaveformChart:
    """Return the picture of one message, in either type of sample."""
    return waveform_chart(waveform_body(WEIGHING, dtype=request.param), WEIGHING)


def test_each_strip_has_a_line_within_the_picture(chart: WaveformChart) -> None:
    assert [line.number for line in chart.lines] == [1, 2, 3]
    for place in range(len(PLACES_MM)):
        for x, y in _points(chart, place):
            assert 0 <= x <= WIDTH
            assert 0 < y < chart.height


def test_the_mark_of_an_axle_stands_where_the_signal_rises(chart: WaveformChart) -> None:
    for place, line in enumerate(chart.lines):
        points = _points(chart, place)
        assert len(line.marks) == len(WEIGHING.axles)
        for mark in line.marks:
            near = [y for x, y in points if abs(x - mark) <= 2]
            assert min(near) < line.base - 5
        between = [y for x, y in points if all(abs(x - mark) > 6 for mark in line.marks)]
        assert min(between) > line.base - 1.5


def test_the_highest_peak_takes_the_whole_swing(chart: WaveformChart) -> None:
    """Two thousand samples on under four hundred columns: a mean would lose it."""
    for place, line in enumerate(chart.lines):
        assert line.base - min(y for _, y in _points(chart, place)) == pytest.approx(chart.swing, abs=2.5)
    assert chart.peak_kn == "35"


def test_a_strip_left_out_is_told_apart(chart: WaveformChart) -> None:
    assert [line.used for line in chart.lines] == [True, True, False]


def test_the_time_scale_is_the_windows(chart: WaveformChart) -> None:
    assert [tick.seconds for tick in chart.ticks] == ["0", "0.5", "1", "1.5", "2"]
    assert (chart.ticks[0].x, chart.ticks[-1].x) == (26, WIDTH - 4)


def test_a_vehicle_against_the_direction_is_marked_too() -> None:
    backwards = WEIGHING.model_copy(update={"speed_mm_s": -17_000})
    chart = waveform_chart(waveform_body(WEIGHING), backwards)
    assert all(0 < len(line.marks) <= 3 for line in chart.lines)


def test_a_silent_waveform_is_flat() -> None:
    body = waveform_body(WEIGHING)
    end = 12 + int.from_bytes(body[8:12], "big")
    chart = waveform_chart(body[:end] + bytes(len(body) - end), WEIGHING)
    assert {y for place in range(3) for _, y in _points(chart, place)} == {
        float(one.base) for one in chart.lines
    }
