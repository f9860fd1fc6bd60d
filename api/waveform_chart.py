"""The waveform's picture: one line a strip, and where each axle was found on it.

The bytes are the message as it was received (docs/reference/mqtt.md, checked by the decoder then): they are
read here a second time with the standard library alone. Of all samples that fall on one pixel column the
least and the greatest are drawn, so that no peak is lost however long the window.
"""

import json
import math
import sys
from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from domain.weighing import Weighing

WIDTH = 420
ROW = 30
"""Height of a strip's line."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 26, 4, 14, 20
_SWING = 25
_HEAD = 12


@dataclass(frozen=True, slots=True)
class StripLine:
    """One strip: its number, what it said as an SVG path, where axles crossed it."""

    number: int
    path: str
    base: int
    marks: tuple[int, ...]
    used: bool
    """Whether the weighing rests on it."""


@dataclass(frozen=True, slots=True)
class TimeTick:
    """A line of the time scale."""

    x: int
    seconds: str


@dataclass(frozen=True, slots=True)
class WaveformChart:
    """All the template draws."""

    lines: tuple[StripLine, ...]
    ticks: tuple[TimeTick, ...]
    peak_kn: str
    """What the full swing of a line stands for."""
    width: int = WIDTH
    swing: int = _SWING

    @property
    def height(self) -> int:
        """Of the view box."""
        return _TOP + ROW * len(self.lines) + _BOTTOM


def waveform_chart(body: bytes, weighing: Weighing) -> WaveformChart:
    """Lay out the picture of one waveform message's body."""
    description, samples = _read(body)
    count, strips = description["samples"], description["strips"]
    seconds = count / description["sample_rate_hz"]
    rows = [_newtons(samples[place * count : (place + 1) * count], one) for place, one in enumerate(strips)]
    peak = max(max(high for _, high in row) for row in rows) or 1.0
    return WaveformChart(
        lines=tuple(
            StripLine(
                number=number,
                path=_path(row, base := _TOP + ROW * number - 2, peak),
                base=base,
                marks=tuple(
                    _x(at / seconds)
                    for at in _crossings_s(weighing, one["position_mm"])
                    if 0 <= at <= seconds
                ),
                used=weighing.axles[0].strip_loads_n[number - 1] is not None,
            )
            for number, (one, row) in enumerate(zip(strips, rows, strict=True), start=1)
        ),
        ticks=_ticks(seconds),
        peak_kn=f"{peak / 1_000:.0f}",
    )


def _read(body: bytes) -> tuple[dict[str, Any], "array[Any]"]:
    end = _HEAD + int.from_bytes(body[8:_HEAD], "big")
    description: dict[str, Any] = json.loads(body[_HEAD:end])
    samples: array[Any] = array("h" if description["dtype"] == "i2" else "f", body[end:])
    if sys.byteorder == "big":
        samples.byteswap()
    return description, samples


def _newtons(samples: "array[Any]", strip: dict[str, Any]) -> list[tuple[float, float]]:
    """Return the least and greatest force in each pixel column, above the strip's own resting level."""
    scale = (strip.get("scale_un") or 1_000_000) / 1_000_000
    columns = min(WIDTH - _LEFT - _RIGHT, len(samples))
    bounds = [len(samples) * column // columns for column in range(columns + 1)]
    parts = [samples[begin:end] for begin, end in pairwise(bounds)]
    extremes = [(min(part), max(part)) for part in parts]
    rest = sorted(low for low, _ in extremes)[columns // 2]
    return [((low - rest) * scale, (high - rest) * scale) for low, high in extremes]


def _path(row: list[tuple[float, float]], base: int, peak: float) -> str:
    """Return a line down and up through each column's extremes, to a tenth of a pixel; level parts once."""
    step = (WIDTH - _LEFT - _RIGHT) / len(row)
    points = [
        (f"{_LEFT + column * step:.1f}", f"{base - _SWING * force / peak:.1f}")
        for column, extremes in enumerate(row)
        for force in dict.fromkeys(extremes)
    ]
    kept = [
        point
        for before, point, after in zip([("", ""), *points], points, [*points[1:], ("", "")], strict=False)
        if not before[1] == point[1] == after[1]
    ]
    return "M" + "L".join(" ".join(point) for point in kept)


def _crossings_s(weighing: Weighing, position_mm: int) -> list[float]:
    """Return when each axle was over a strip: place + v t + a t^2 / 2 = position, t from the origin."""
    v, a = weighing.speed_mm_s, weighing.acceleration_mm_s2
    found = []
    for axle in weighing.axles:
        way = position_mm - axle.place_mm
        root = v * v + 2 * a * way
        if v == 0 or root < 0:
            continue
        # The form that loses no digits where a is small.
        found.append(weighing.origin_us / 1e6 + 2 * way / (v + math.copysign(math.sqrt(root), v)))
    return found


def _ticks(seconds: float) -> tuple[TimeTick, ...]:
    step = next((step for step in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if seconds <= step * 8), 10.0)
    return tuple(
        TimeTick(_x(number * step / seconds), f"{number * step:g}")
        for number in range(int(seconds / step) + 1)
    )


def _x(share: float) -> int:
    return _LEFT + round(share * (WIDTH - _LEFT - _RIGHT))
