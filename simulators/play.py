"""Plays a scenario: its stations side by side, each with its own spool and connection.

Progress, where asked for, is one JSON object a line on standard output:

    {"event": "progress", "passages": 12, "messages": 48, "sent": 47, "resent": 0, "receipted": 40,
     "refused": 0, "faults": 0, "spooled": 8, "connected": 3, "stations": 3}

and a last line with the same fields, "event": "done" and "refusals": what receipts refused.
"""

import hashlib
import json
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulators.link import Broker, Link
from simulators.passages import STRIP, Road, premake
from simulators.scenario import Scenario
from simulators.signing import signed, unsigned
from simulators.spool import Spool
from simulators.station import Counts, Pace, Station
from simulators.truth import TruthFile
from simulators.waveforms import WaveformRoad
from simulators.wire import time_text

_PROGRESS_EVERY_S = 0.5


@dataclass(frozen=True)
class PlayOptions:
    """How a scenario is played; `rate` is passages a second over all stations, 0 means unpaced.

    `passages` is the number for all stations together, earlier runs with the same spool included.
    """

    seed: int
    rate: float
    spool: Path
    truth: Path | None
    passages: int | None = None
    start: datetime | None = None
    stations: tuple[str, ...] = ()
    premade: bool = False
    window: int = 60
    progress: bool = False


def play(scenario: Scenario, broker: Broker, options: PlayOptions, stop: threading.Event) -> bool:
    """Play until all is made and receipted, or `stop`; return whether every message was receipted."""
    entries = [
        entry for entry in scenario.stations if entry.station in (options.stations or (entry.station,))
    ]
    traffic = WaveformRoad if scenario.waveforms else Road
    roads = [traffic(scenario, entry, options.seed) for entry in entries]
    if options.premade:
        for road in roads:
            premake(road)
    pace = Pace(
        every_s=len(roads) / options.rate if options.rate else 0.0,
        start=options.start,
        interval_ms=scenario.interval_ms,
        window=options.window,
    )
    truth = TruthFile(options.truth) if options.truth else None
    spools = [
        Spool(
            options.spool,
            road.station.station,
            new_epoch(options.seed, road.station.station, options.start),
            sign=signed if road.station.signs else unsigned,
        )
        for road in roads
    ]
    try:
        stations = [
            Station(
                road.station.station,
                make=road.passage,
                pace=pace,
                spool=spool,
                link=Link(broker, road.station.station, STRIP, signs=road.station.signs),
                truth=truth,
            )
            for road, spool in zip(roads, spools, strict=True)
        ]
        run_stations(stations, shares(options.passages, len(stations)), stop, progress=options.progress)
        return not any(len(spool) for spool in spools)
    finally:
        for spool in spools:
            spool.close()


def run_stations(
    stations: Sequence[Station],
    passages: Sequence[int | None],
    stop: threading.Event,
    *,
    progress: bool,
) -> None:
    """Run the stations in threads until all have ended; a station that fails ends the rest and is raised."""
    with ThreadPoolExecutor(len(stations), thread_name_prefix="station") as threads:
        running: set[Future[None]] = {
            threads.submit(station.run, stop, passages=count)
            for station, count in zip(stations, passages, strict=True)
        }
        while running:
            ended, running = wait(running, _PROGRESS_EVERY_S, FIRST_EXCEPTION)
            if progress:
                _print(_progress(stations) | {"event": "progress"})
            if any(future.exception() for future in ended):
                stop.set()
            for future in ended:
                future.result()
    if progress:
        refusals = [{"station": station.name, **each} for station in stations for each in station.refusals]
        _print(_progress(stations) | {"event": "done", "refusals": refusals})


def new_epoch(seed: int, station: str, start: datetime | None) -> str:
    """Return the epoch of a station that begins with an empty spool.

    It follows from the seed and from the time the station starts, so a replay with a fixed start has the same
    one again, while a live station that lost its spool never uses its old numbers for other content.
    """
    moment = time_text(start) if start else datetime.now(UTC).isoformat()
    return hashlib.sha256(f"{seed}/{station}/{moment}".encode()).hexdigest()[:16]


def shares(total: int | None, parts: int) -> list[int | None]:
    """Return how many of `total` passages each station makes.

    >>> shares(200, 3)
    [67, 67, 66]
    """
    if total is None:
        return [None] * parts
    return [total // parts + (part < total % parts) for part in range(parts)]


def _progress(stations: Sequence[Station]) -> dict[str, Any]:
    sums = {name: sum(getattr(station.counts, name) for station in stations) for name in asdict(Counts())}
    sums["spooled"] = sums.pop("waiting")
    return {
        "event": "",
        **sums,
        "connected": sum(station.connected for station in stations),
        "stations": len(stations),
    }


def _print(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
