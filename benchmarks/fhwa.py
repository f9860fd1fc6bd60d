"""W records to columns: records a second, against the reader of single lines and against reading the bytes.

`python -m benchmarks fhwa [--megabytes 256] [--repeat 5]`. The file is synthetic: trucks of 2 to 9 axles,
lines as long as their axles, one line in a hundred spoilt, no padding. One thread.

- `ours`: records a second of `weigh.fhwa_columns.parse_w_lines` over blocks as files are read in, the bytes
  in memory; the best of the repetitions.
- `vs_line_reader`: against `ingest.fhwa.read_w_line` on a part of the same lines.
- `of_memory_read`: against summing the same bytes once, eight at a time.
- `ok.identical`: on that part both gave the same records, and turned away the same lines.
- `figures`: lines and bytes; records a second into a Parquet file, reasons of rejected lines included.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from time import perf_counter

import numpy as np

from benchmarks.result import Result
from ingest.fhwa import RejectedLine, WRecord, read_w_line
from ingest.fhwa_files import BLOCK_BYTES, whole_lines
from service.fhwa_import import import_fhwa
from weigh.fhwa_columns import WColumns, parse_w_lines

DIFFERENT = 50_000
"""Lines drawn at random; the file repeats them."""


def main(arguments: Sequence[str]) -> Result:
    """Measure, and hold the fast reading against the slow one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fhwa")
    parser.add_argument("--megabytes", type=int, default=256, help="size of the file")
    parser.add_argument("--repeat", type=int, default=5, help="the best of so many counts")
    chosen = parser.parse_args(arguments)
    random = Random(20_261_123)
    part = b"".join(_line(random) for _ in range(DIFFERENT))
    data = part * max(1, chosen.megabytes * 1_000_000 // len(part))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.txt"
        path.write_bytes(data)
        blocks = list(whole_lines(path))
        trucks, lines = _parsed(blocks)
        parsing = _best(lambda: _parsed(blocks), chosen.repeat)
        reading = _best(lambda: np.frombuffer(data, np.uint8)[: len(data) // 8 * 8].view(np.int64).sum(), 5)
        slowly = _best(lambda: _read_slowly(part), 2)
        whole = _imported(path, Path(folder))
    part_trucks = len(parse_w_lines(part).line)
    return Result(
        name="fhwa",
        unit="records/s",
        ours=round(trucks / parsing),
        peers={"line_reader": round(part_trucks / slowly)},
        bounds={"memory_read": round(trucks / reading)},
        figures={
            "lines": lines,
            "megabytes": round(len(data) / 1e6, 1),
            "block_megabytes": round(BLOCK_BYTES / 1e6, 1),
            "gigabytes_per_s": round(len(data) / parsing / 1e9, 3),
            "rejected_percent": round(100 * (lines - trucks) / lines, 2),
            "into_parquet_records_per_s": round(trucks / whole),
        },
        ok={"identical": _identical(part)},
    )


def _line(random: Random) -> bytes:
    count = random.choice((2, 2, 3, 5, 5, 5, 5, 6, 7, 9))
    weights = [random.randint(2_000, 20_000) for _ in range(count)]
    gaps = [f"{random.randint(30, 400):04}" for _ in range(count - 1)] + [""]
    total = sum(weights) + (9_000 if random.random() < 0.01 else random.randint(-50, 50))
    head = (
        f"W17018115{random.randint(1, 8)}{random.randint(1, 4)}{random.randint(2013, 2025)}"
        f"{random.randint(1, 12):02}{random.randint(1, 28):02}{random.randint(0, 23):02}"
        f"{random.randint(4, 13):02}   {total:06}{count:02}"
    )
    return (head + "".join(f"{w:05}{gap}" for w, gap in zip(weights, gaps, strict=True)) + "\n").encode()


def _parsed(blocks: Sequence[bytes]) -> tuple[int, int]:
    trucks = lines = 0
    for block in blocks:
        found = parse_w_lines(block)
        trucks += len(found.line)
        lines += found.lines
    return trucks, lines


def _read_slowly(part: bytes) -> int:
    return sum(isinstance(read_w_line(line, at), WRecord) for at, line in enumerate(part.split(b"\n"), 1))


def _imported(path: Path, folder: Path) -> float:
    started = perf_counter()
    list(import_fhwa([path], folder / "w.parquet"))
    return perf_counter() - started


def _best(work: Callable[[], object], repeat: int) -> float:
    best = float("inf")
    for _ in range(repeat):
        started = perf_counter()
        work()
        best = min(best, perf_counter() - started)
    return best


def _identical(part: bytes) -> bool:
    """Whether both readings agree on every line, and on every figure of every record."""
    found = parse_w_lines(part)
    slow = [read_w_line(line, at) for at, line in enumerate(part.split(b"\n"), 1)]
    records = [one for one in slow if isinstance(one, WRecord)]
    turned_away = [one.line_number - 1 for one in slow if isinstance(one, RejectedLine)]
    return found.rejected[:, 0].tolist() == turned_away and _figures(found) == (
        [one.line_number - 1 for one in records],
        [one.gross_lb for one in records],
        [weight for one in records for weight in one.axle_weights_lb],
        [gap for one in records for gap in one.spacings_tenth_ft],
        [(one.hour, one.lane, one.vehicle_class) for one in records],
    )


def _figures(found: WColumns) -> tuple[list[object], ...]:
    facts = zip(found.hour.tolist(), found.lane.tolist(), found.vehicle_class.tolist(), strict=True)
    return (
        found.line.tolist(),
        found.gross_lb.tolist(),
        found.weight_lb.tolist(),
        found.spacing_tenth_ft.tolist(),
        list(facts),
    )
