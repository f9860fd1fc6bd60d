"""The axle chart's geometry: loads and limits over the vehicle's axles at their true spacing.

Everything is computed here in whole pixels of the view box, so that the template only draws and the
style sheet only colours. Whiskers span twice the declared standard uncertainty (95 %).
"""

from collections.abc import Callable
from dataclasses import dataclass

from domain.events import WeighRecord
from domain.screening import AxleGroup, Screening
from domain.units import PPM

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT = 44, 20
_TOP, _BASE = 30, 206
_WHEEL = 9
_MIN_BAR = 26


@dataclass(frozen=True, slots=True)
class Whisker:
    """Vertical extent of an uncertainty interval."""

    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One axle group: bar, limit mark, whisker and label."""

    x: int
    width: int
    top: int
    height: int
    limit_y: int
    centre: int
    load_kg: int
    limit_kg: int
    over: bool
    whisker: Whisker | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale."""

    y: int
    tonnes: int


@dataclass(frozen=True, slots=True)
class AxleChart:
    """All the template draws."""

    bars: tuple[Bar, ...]
    wheels: tuple[int, ...]
    ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    base: int = _BASE
    wheel: int = _WHEEL


def axle_chart(screening: Screening, record: WeighRecord) -> AxleChart:
    """Lay out the chart of one passage."""
    positions = [0]
    for spacing in record.spacings_mm:
        positions.append(positions[-1] + spacing)
    span_mm = max(positions[-1], 1)
    usable = WIDTH - _LEFT - _RIGHT - _MIN_BAR
    xs = [_LEFT + _MIN_BAR // 2 + round(usable * at / span_mm) for at in positions]
    top_kg = round(max(max(group.load_kg, group.limit_kg) for group in screening.groups) * 1.15)

    def y(kilograms: int) -> int:
        return _BASE - round((_BASE - _TOP) * kilograms / top_kg)

    bars = tuple(_bar(group, xs, y, record.u_axle_ppm) for group in screening.groups)
    step = 5 if top_kg < 30_000 else 10
    ticks = tuple(Tick(y(tonnes * 1000), tonnes) for tonnes in range(0, top_kg // 1000 + 1, step))
    return AxleChart(bars, tuple(xs), ticks)


def _bar(group: AxleGroup, xs: list[int], y: Callable[[int], int], u_axle_ppm: int | None) -> Bar:
    first, last = xs[group.first_axle - 1], xs[group.first_axle + group.axle_count - 2]
    left, right = first - _MIN_BAR // 2, last + _MIN_BAR // 2
    whisker = None
    if u_axle_ppm is not None:
        half = 2 * group.load_kg * u_axle_ppm // PPM
        whisker = Whisker(max(y(group.load_kg + half), 2), y(max(group.load_kg - half, 0)))
    top = y(group.load_kg)
    return Bar(
        x=left,
        width=right - left,
        top=top,
        height=_BASE - top,
        limit_y=y(group.limit_kg),
        centre=(left + right) // 2,
        load_kg=group.load_kg,
        limit_kg=group.limit_kg,
        over=group.over_kg > 0,
        whisker=whisker,
    )
