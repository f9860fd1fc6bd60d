"""The axle chart: every figure readable and on the chart, for vehicles of 2 to 16 axles."""

import random
from itertools import combinations

import pytest

from api.axle_chart import HEIGHT, WIDTH, axle_chart
from domain.screening import AxleGroup
from tests.counts import count
from tests.unit.cases.screenings import screening


def vehicle(rng: random.Random, axles: int) -> tuple[list[AxleGroup], list[int]]:
    """Return groups and spacings of axles grouped anyhow, with loads from light to far over."""
    groups: list[AxleGroup] = []
    first = 1
    while first <= axles:
        size = min(rng.choice((1, 1, 2, 3)), axles + 1 - first)
        load_kg, limit_kg = rng.randrange(900, 16_500) * size, rng.choice((7_000, 10_000, 11_500)) * size
        groups.append(_group(first, size, load_kg, limit_kg))
        first += size
    return groups, [rng.choice((600, 1_300, 1_350, 1_810, 3_300, 6_500, 9_000)) for _ in range(axles - 1)]


def _group(first: int, size: int, load_kg: int, limit_kg: int) -> AxleGroup:
    return (
        screening(5_000)
        .groups[0]
        .model_copy(
            update={
                "first_axle": first,
                "axle_count": size,
                "load_kg": load_kg,
                "limit_kg": limit_kg,
                "over_kg": max(0, load_kg - limit_kg),
            }
        )
    )


@pytest.mark.parametrize("axles", range(2, 17))
@pytest.mark.parametrize("u_axle_ppm", [None, 30_000, 100_000])
def test_every_figure_is_readable(axles: int, u_axle_ppm: int | None) -> None:
    rng = random.Random(f"{axles}/{u_axle_ppm}")
    for _ in range(count(200, reduced=20)):
        groups, spacings = vehicle(rng, axles)
        chart = axle_chart(groups, spacings_mm=spacings, u_axle_ppm=u_axle_ppm)
        figures = [bar.label_box for bar in chart.bars]
        marks = [box for bar in chart.bars for box in (bar.body, bar.limit_line)]
        assert not any(one.meets(other) for one, other in combinations(figures, 2))
        assert not any(figure.meets(mark) for figure in figures for mark in marks)
        for box in (*figures, *(bar.body for bar in chart.bars)):
            assert 0 <= box.left < box.right <= WIDTH
            assert chart.top <= box.top < box.bottom <= HEIGHT
        assert len(chart.wheels) == axles


def test_two_axles_have_wide_bars_and_their_whole_figures() -> None:
    groups = [_group(1, 1, 10_456, 7_000), _group(2, 1, 16_403, 10_000)]
    chart = axle_chart(groups, spacings_mm=[5_000], u_axle_ppm=30_000)
    assert [bar.label for bar in chart.bars] == ["10.5", "16.4"]
    for bar in chart.bars:
        assert bar.width >= 40
        assert bar.whisker is not None
        assert bar.label_y < bar.whisker.top < bar.top


def test_bars_of_different_groups_stand_apart_on_a_usual_train() -> None:
    groups = [_group(1, 1, 6_900, 7_000), _group(2, 2, 18_500, 18_000), _group(4, 3, 27_300, 24_000)]
    spacings = [3_300, 1_350, 6_800, 1_310, 1_310]
    chart = axle_chart(groups, spacings_mm=spacings, u_axle_ppm=30_000)
    assert not any(one.body.meets(other.body) for one, other in combinations(chart.bars, 2))
    assert [bar.over for bar in chart.bars] == [False, True, True]
