"""Real crops and photographs beside the checkout, read by every engine; run with -s to see the figures."""

import csv
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain.events import CaptureRole
from domain.plates import CaptureReading
from plate_recognition import ENGINES, PlateEngine, load_engine
from tests.components import shared
from tests.counts import count

_CROPS = 1000
_EXACT_SHARE = 0.985
_SAMPLING_SLACK = 2
"""Wrong crops allowed beyond the share where only a sample is read: its share scatters."""
_PHOTOS_RIGHT = 8


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> PlateEngine:
    """Each engine in turn."""
    return load_engine(request.param)


@dataclass(frozen=True)
class _Read:
    """One image with its truth, how it was read, and how long that took."""

    plate: str
    colour: str
    reading: CaptureReading
    took_ms: float


def _truth(name: str) -> list[dict[str, str]]:
    with shared(f"plates/dev/{name}").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read_all(engine: PlateEngine, rows: Sequence[dict[str, str]], role: CaptureRole) -> list[_Read]:
    folder: Path = shared("plates/dev")
    done = []
    for row in rows:
        image = (folder / row["file"]).read_bytes()
        started = time.perf_counter()
        reading = engine.read(image, role)
        done.append(_Read(row["plate"], row["colour"], reading, (time.perf_counter() - started) * 1000))
    return done


def _wrong(engine: PlateEngine, done: Sequence[_Read], what: str) -> list[str]:
    """Print the figures; return what was misread."""
    wrong = [f"{read.plate} read as {read.reading.text}" for read in done if read.reading.text != read.plate]
    colours = sum(read.reading.colour.value == read.colour for read in done)
    median_ms = statistics.median(read.took_ms for read in done)
    print(
        f"\n{engine.name}: {len(done) - len(wrong)} of {len(done)} {what} exact, "
        f"colour right of {colours}, median {median_ms:.0f} ms at 1 thread"
    )
    return wrong


def test_crops(engine: PlateEngine) -> None:
    rows = _truth("lprnet.csv")
    assert len(rows) == _CROPS
    sample = random.Random(20261123).sample(rows, count(_CROPS, reduced=150))
    done = _read_all(engine, sample, CaptureRole.PLATE)
    allowed = int(len(sample) * (1 - _EXACT_SHARE) + 1e-9) + (0 if len(sample) == _CROPS else _SAMPLING_SLACK)
    wrong = _wrong(engine, done, "crops")
    assert len(wrong) <= allowed, wrong
    assert sum(read.reading.colour.value == read.colour for read in done) >= 0.95 * len(done)


def test_photographs(engine: PlateEngine) -> None:
    done = _read_all(engine, _truth("ccpd.csv"), CaptureRole.FRONT)
    wrong = _wrong(engine, done, "photographs")
    assert len(done) - len(wrong) >= _PHOTOS_RIGHT, wrong
    assert all(read.reading.corners_px is not None for read in done)
