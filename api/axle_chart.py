"""The axle chart's geometry: loads and limits over the vehicle's axles at their true spacing.

Everything is computed here in whole pixels of the view box, so that the template only draws and the
style sheet only colours. The view box is about as wide as the page's column, so that text keeps its size.
Whiskers span twice the declared standard uncertainty (95 %). Figures stand above bar and whisker, moved up
where another figure, bar or limit would touch them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from domain.screening import AxleGroup
from domain.units import PPM

WIDTH, HEIGHT = 420, 224
_LEFT, _RIGHT = 30, 8
_TOP, _BASE = 26, 180
_MIN_BAR, _MAX_BAR = 8, 44
_GAP = 4
_WHEEL = 9
LABEL_HEIGHT = 13
_DIGIT_WIDTH = 8
_SCALE_STEPS_T = (2, 5, 10, 20, 50)
_MOST_TICKS = 5


class Box(NamedTuple):
    """A rectangle on the chart; y grows downwards."""

    left: int
    top: int
    right: int
    bottom: int

    def meets(self, other: "Box") -> bool:
        """Say whether the two have a point in common."""
        return (
            self.left <= other.right
            and other.left <= self.right
            and self.top <= other.bottom
            and other.top <= self.bottom
        )


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
    label_y: int
    """Base line of the figure."""

    @property
    def label(self) -> str:
        """The load in tonnes."""
        return f"{self.load_kg / 1000:.1f}"

    @property
    def label_box(self) -> Box:
        """What the figure covers."""
        half = len(self.label) * _DIGIT_WIDTH // 2
        return Box(self.centre - half, self.label_y - LABEL_HEIGHT, self.centre + half, self.label_y)

    @property
    def body(self) -> Box:
        """What bar and whisker cover."""
        top = self.top if self.whisker is None else min(self.whisker.top, self.top)
        return Box(self.x, top, self.x + self.width, self.top + self.height)

    @property
    def limit_line(self) -> Box:
        """What the limit's mark covers."""
        return Box(self.x - 3, self.limit_y - 1, self.x + self.width + 3, self.limit_y + 1)


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
    top: int
    """Upper edge of the view box: 0, or less where stacked figures need the room."""
    wheel: int
    """Radius of a wheel."""
    width: int = WIDTH
    bottom: int = HEIGHT
    base: int = _BASE


def axle_chart(
    groups: Sequence[AxleGroup], *, spacings_mm: Sequence[int], u_axle_ppm: int | None
) -> AxleChart:
    """Lay out the chart of one passage.

    Parameters
    ----------
    groups
        The axle groups, first axle first, which together are all axles of the vehicle.
    spacings_mm
        Spacings of neighbouring axles, one fewer than axles.
    u_axle_ppm
        Standard uncertainty of an axle load, relative; None where the station declares none.
    """
    positions = [0]
    for spacing in spacings_mm:
        positions.append(positions[-1] + spacing)
    span_mm = max(positions[-1], 1)
    usable = WIDTH - _LEFT - _RIGHT - _MAX_BAR
    xs = [_LEFT + _MAX_BAR // 2 + round(usable * at / span_mm) for at in positions]
    wide_ppm = 2 * (u_axle_ppm or 0)
    top_kg = max(max(group.load_kg + group.load_kg * wide_ppm // PPM, group.limit_kg) for group in groups)

    def y(kilograms: int) -> int:
        return _BASE - round((_BASE - _TOP) * kilograms / top_kg)

    width = _bar_width(groups, xs)
    bars = _labelled([_bar(group, xs, width, y, u_axle_ppm) for group in groups])
    step = next((step for step in _SCALE_STEPS_T if top_kg <= step * 1000 * _MOST_TICKS), _SCALE_STEPS_T[-1])
    ticks = tuple(Tick(y(tonnes * 1000), tonnes) for tonnes in range(0, top_kg // 1000 + 1, step))
    closest = min((later - earlier for earlier, later in pairwise(xs)), default=WIDTH)
    return AxleChart(
        bars=bars,
        wheels=tuple(xs),
        ticks=ticks,
        top=min(0, *(bar.label_box.top for bar in bars)),
        wheel=max(3, min(_WHEEL, closest // 2 - 1)),
    )


def _bar_width(groups: Sequence[AxleGroup], xs: list[int]) -> int:
    """Return how wide a bar is beyond its axles: as wide as the nearest two groups leave room for."""
    starts = [group.first_axle - 1 for group in groups[1:]]
    nearest = min((xs[start] - xs[start - 1] for start in starts), default=WIDTH)
    return max(_MIN_BAR, min(_MAX_BAR, nearest - _GAP))


def _bar(
    group: AxleGroup, xs: list[int], bar_width: int, y: Callable[[int], int], u_axle_ppm: int | None
) -> Bar:
    first, last = xs[group.first_axle - 1], xs[group.first_axle + group.axle_count - 2]
    left, right = first - bar_width // 2, last + bar_width // 2
    whisker = None
    if u_axle_ppm is not None:
        half = 2 * group.load_kg * u_axle_ppm // PPM
        whisker = Whisker(y(group.load_kg + half), y(max(group.load_kg - half, 0)))
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
        label_y=top,
    )


def _labelled(bars: list[Bar]) -> tuple[Bar, ...]:
    """Return the bars, every figure raised until it touches nothing."""
    taken = [box for bar in bars for box in (bar.body, bar.limit_line)]
    placed = []
    for bar in bars:
        raised = bar
        while hit := [box.top for box in taken if box.meets(raised.label_box)]:
            raised = replace(raised, label_y=min(*hit, raised.label_y) - 2)
        taken.append(raised.label_box)
        placed.append(raised)
    return tuple(placed)
