"""How fast millions of records are screened by the whole rule, and that each flag is the oracle's.

The bound beside it is a sum over exactly the input columns, types and threads: the memory read once. polars
and pandas compute the same rule and must find the same (`benchmarks._whole_rule`); a much simplified one
(`benchmarks._frames`) shows how fast polars and DuckDB are at a task that suits them. Peers that are slow get
fewer rows. The oracle is the slow one in plain Python of the tests. Times are the best of five. Findings are
written to new memory each time, which the bound has no part of; `reused_output_records_s` is the rate where
they are written over those of the run before.

    make bench NAME=screening
    make bench NAME=screening ARGS="--records 1000000 --oracle 20000"
    make bench NAME=screening ARGS="--plot docs/images/screening.svg"
"""

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from benchmarks._frames import duckdb_job, frame, pandas_job, polars_job
from benchmarks._records import DIRECTIONS, places, records
from benchmarks._whole_rule import RESULTS as WHOLE_RESULTS
from benchmarks.result import Result
from domain.events import Axle, WeighRecord
from domain.law import limit_tables
from tests.oracles.weigh_oracle import Judgement, screen
from weigh import DOUBTS, OUTCOMES, REASONS, BulkFindings, DecisionRule, RecordColumns, screen_bulk
from weigh.screening.columns import FLAGS, KINDS, TYRES
from weigh.screening.readings import memory_for
from weigh.screening.record_columns import DTYPES

SEED = 20261123
RECORDS = 11_000_000
"""Enough for a gigabyte of columns."""

TABLES = limit_tables(date(2026, 11, 23))
RULE = DecisionRule()
REPEATS = 5
_ORACLE_PART = 10_000
_ENGINES: tuple[Any, ...] = ("in-memory", "streaming")


def main(arguments: list[str]) -> Result:
    """Run the benchmark; fewer records, or fewer for the oracle, make it a look."""
    parser = argparse.ArgumentParser(prog="screening", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--peers", type=int, default=1_000_000)
    parser.add_argument("--oracle", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(arguments)
    columns = records(options.records, SEED)
    input_bytes = sum(getattr(columns, name).nbytes for name in DTYPES)
    rates = _rates(columns, options.threads)
    memory = memory_for(TABLES).snapshot
    peers, agree = _peers(columns.take(slice(0, options.peers)), options.threads)
    found = screen_bulk(columns.take(slice(0, options.oracle)), TABLES, RULE)
    differing = _differing(columns, found, options.oracle, options.threads)
    ours = rates["warm"]
    result = Result(
        name="screening",
        unit="records/s",
        ours=round(ours),
        peers={name: round(rate) for name, rate in peers.items()},
        bounds={"memory_read": round(rates["memory_read"])},
        figures={
            "records": options.records,
            "threads": options.threads,
            "input_bytes": input_bytes,
            "bytes_a_record": round(input_bytes / options.records, 1),
            "memory_read_gb_s": round(rates["memory_read"] * input_bytes / options.records / 1e9, 2),
            "reused_output_records_s": round(rates["reused"]),
            "one_thread_records_s": round(rates["one_thread"]),
            "cold_records_s": round(rates["cold"]),
            "distinct_keys": memory.keys,
            "readings": len(memory.readings.table),
            "missed_per_million_of_new_records": round(1e6 * rates["missed_of_new"]),
            "outcome_percent": _percent(found.outcome, len(OUTCOMES), [one.value for one in OUTCOMES]),
            "doubt_percent": _bit_percent(found.doubts, DOUBTS),
            "oracle_records": options.oracle,
            "oracle_differing": differing,
        },
        ok={
            "oracle": differing == 0,
            "peers_agree": agree,
            "a_gigabyte": input_bytes >= 1e9,
            "of_memory_read": ours >= 0.4 * rates["memory_read"],
            "vs_polars": ours >= 12 * peers["polars"],
        },
    )
    if options.plot:
        from benchmarks._screening_plot import draw  # noqa: PLC0415 - slow to import, seldom wanted

        draw(result, options.plot)
    return result


def _rates(columns: RecordColumns, threads: int) -> dict[str, float]:
    """Records a second: nothing remembered, all remembered, on one thread, and the memory read once."""
    count = len(columns)
    screen_bulk(columns.take(slice(0, 10)), TABLES, RULE)  # the compiler's time is not counted
    memory_for.cache_clear()
    cold = _seconds(lambda: screen_bulk(columns, TABLES, RULE, threads=threads), 1)
    known = memory_for(TABLES).snapshot.keys
    new = records(1_000_000, SEED + 1)
    screen_bulk(new, TABLES, RULE, threads=threads)
    missed = (memory_for(TABLES).snapshot.keys - known) / len(new)
    warm, reused, read = float("inf"), float("inf"), float("inf")
    out = screen_bulk(columns, TABLES, RULE, threads=threads)
    for _ in range(REPEATS):  # in turns, so that what else runs on the machine meets both
        warm = min(warm, _seconds(lambda: screen_bulk(columns, TABLES, RULE, threads=threads), 1))
        again = _seconds(lambda: screen_bulk(columns, TABLES, RULE, threads=threads, out=out), 1)
        reused = min(reused, again)
        read = min(read, _seconds(lambda: read_once(columns, threads), 1))
    alone = _seconds(lambda: screen_bulk(columns, TABLES, RULE, threads=1), 2)
    return {
        "cold": count / cold,
        "warm": count / warm,
        "reused": count / reused,
        "memory_read": count / read,
        "one_thread": count / alone,
        "missed_of_new": missed,
    }


def read_once(columns: RecordColumns, threads: int) -> int:
    """Sum every value of every column, in the same shares as the screening."""
    arrays = [getattr(columns, name).reshape(-1) for name in DTYPES]
    share = 1 << 20
    parts = [(array, first) for array in arrays for first in range(0, len(array), share)]
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda part: int(_sum(part[0][part[1] : part[1] + share])), parts))


@njit(cache=True, nogil=True)
def _sum(values: Any) -> int:
    total = 0
    for value in values:
        total += value
    return total


def _peers(columns: RecordColumns, threads: int) -> tuple[dict[str, float], bool]:
    """Return the peers' rates, and whether those that compute the whole rule find the same."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    data, count = frame(columns), len(columns)
    few = {name: values[: count // 4] for name, values in data.items()}
    found = screen_bulk(columns, TABLES, RULE, threads=threads)
    jobs = {engine: polars_job(data, engine, TABLES) for engine in _ENGINES}
    simple = [polars_job(data, engine, None) for engine in _ENGINES]
    pandas = pandas_job(few, TABLES)
    agree = _agrees(jobs["in-memory"](), found) and _agrees(pandas(), found)
    return {
        "polars": count / min(_seconds(job, REPEATS) for job in jobs.values()),
        "pandas": (count // 4) / _seconds(pandas, 2),
        "duckdb_simplified": (count // 4) / _seconds(duckdb_job(few, threads), 2),
        "polars_simplified": count / min(_seconds(job, REPEATS) for job in simple),
    }, agree


def _agrees(result: Any, found: BulkFindings) -> bool:
    """Whether a peer's columns are ours, as far as it went."""
    return all(
        np.array_equal(np.asarray(result[name]), getattr(found, name)[: len(result[name])])
        for name in WHOLE_RESULTS
    )


def _seconds(job: Callable[[], object], repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - begun)
    return best


def _differing(columns: RecordColumns, found: BulkFindings, count: int, threads: int) -> int:
    """Return how many of the first records the oracle sees otherwise, in any flag, mass or limit."""
    parts = [slice(first, min(first + _ORACLE_PART, count)) for first in range(0, count, _ORACLE_PART)]
    with ProcessPoolExecutor(threads) as pool:
        jobs = [
            pool.submit(
                _differing_part,
                columns.take(part),
                {name: values[part] for name, values in vars(found).items()},
            )
            for part in parts
        ]
        return sum(job.result() for job in jobs)


def _differing_part(columns: RecordColumns, found: dict[str, Any]) -> int:
    """Return how many records of one part differ."""
    stations, judgement = places(), Judgement()
    plain = {name: getattr(columns, name).T.tolist() for name in DTYPES}
    results = {name: values.tolist() for name, values in found.items()}
    differing = 0
    for row in range(len(columns)):
        expected = screen(_record(plain, row), stations[plain["context"][row]], TABLES, judgement)
        differing += _expected(expected) != {name: values[row] for name, values in results.items()}
    return differing


def _expected(document: dict[str, Any]) -> dict[str, Any]:
    """Return an oracle's document as a row of findings."""
    *doubts, last = document["doubts"] or [""]
    lower = int(last.partition(":")[2] or 0)
    if not lower and last:
        doubts.append(last)
    return {
        "outcome": [one.value for one in OUTCOMES].index(document["outcome"]),
        "limit_kg": document["adjudication"]["limit_kg"],
        "adjudged_kg": document["adjudication"]["adjudged_kg"],
        "over_kg": document["adjudication"]["over_kg"],
        "unconfirmed_axle_sum_kg": lower,
        "reasons": sum(1 << REASONS.index(code) for code in document["reasons"]),
        "doubts": sum(1 << DOUBTS.index(code) for code in doubts),
        "axle_flags": sum(1 << (axle - 1) for axle in document["axle_flags"]),
        "train": document["taken_as"] == "train",
    }


def _record(plain: dict[str, Any], row: int) -> WeighRecord:
    axles = plain["axle_count"][row]
    driven = [axle + 1 for axle in range(16) if plain["driven"][row] >> axle & 1]
    air = plain["air"][row]
    return WeighRecord.model_construct(
        match_key="m",
        lane=plain["lane"][row],
        direction=DIRECTIONS[plain["direction"][row]],
        speed_m_h=plain["speed_m_h"][row],
        gross_kg=plain["gross_kg"][row],
        axles=tuple(
            Axle.model_construct(load_kg=load, tyres=TYRES[tyres])
            for load, tyres in zip(plain["load_kg"][row][:axles], plain["tyres"][row][:axles], strict=True)
        ),
        spacings_mm=tuple(plain["spacing_mm"][row][: axles - 1]),
        length_mm=plain["length_mm"][row] or None,
        u_gross_ppm=plain["u_gross_ppm"][row] or None,
        u_axle_ppm=plain["u_axle_ppm"][row] or None,
        kind=KINDS[plain["kind"][row]],
        drive_axles=tuple(driven) or None,
        air_suspension=None if air < 0 else bool(air),
        flags=tuple(flag for bit, flag in enumerate(FLAGS) if plain["flags"][row] >> bit & 1),
    )


def _percent(codes: np.ndarray[Any, Any], kinds: int, names: list[str]) -> dict[str, float]:
    shares = np.bincount(codes, minlength=kinds) / len(codes)
    return {name: round(100 * float(share), 2) for name, share in zip(names, shares, strict=True)}


def _bit_percent(bits: np.ndarray[Any, Any], names: tuple[str, ...]) -> dict[str, float]:
    return {name: round(100 * float((bits >> bit & 1).mean()), 2) for bit, name in enumerate(names)}
