"""How fast and how exactly strip waveforms become strip loads: 8 strips, 1.5 s at 5 kHz, float32.

`ours` is the whole of `weigh.waveform.process`: baseline, pulses, matching, speed and acceleration, spacings,
strip loads, manoeuvres, doubts, problems. The bound is a numba sum over exactly the same samples by the same
number of threads: more than 1 GB, so that it reads memory and no cache. One thread of it takes all that the
memory gives, whereas ours is faster by another core: `of_memory_read` is told for `--threads`, and falls
where another process has one of them. Peers work a vehicle at a time in one thread, as they are written, and
are given ours in one thread to be measured against; all are the best of several rounds taken in turn. The
scipy loop does the checks ours does; `scipy_loop_unchecked` is the same loop without them. The aims are 100
times the scipy loop and 0.5 of the memory's speed; docs/explanation/weighing.md tells what was seen.

`weight_rms_percent` is what processing alone adds: every axle stands for its true load on every strip
(no bounce, no error of the strip's own), and what is left is the baseline (an offset and slow wandering by
strip), the converter's steps of 1 N, the window of the pulse and the speed. It is the root mean square of
measured by true load - 1 over all axles and strips, unladen ones too; `..._noise_20_n` is the same with 20 N
of white noise on every sample.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.drawing.waveform import draw
from benchmarks.peers import pywim_area, scipy_loop
from benchmarks.result import Result
from simulators.road.motion import Drive
from simulators.road.passes import STANDARD_GRAVITY_M_S2
from simulators.road.signals import Electronics, Lane, LoopTimes, approach_m, waveforms, whole_passage_m
from simulators.road.trucks import Trucks, draw_trucks
from weigh.waveform import Layout, Loops, StripLoads, process

DRAWN = 240
COPIES = 18
"""Of the vehicles drawn, 240 kB each: 1.04 GB in all, many times any cache."""
ROUNDS = 5
TURNS = 3
"""A round of ours takes a tenth of a second: it and the bound get so many turns where a peer gets one."""
FASTEST_M_S = 29.0
PEER_VEHICLES = 60

Floats = NDArray[np.float64]
Samples = NDArray[np.float32]


def main(arguments: list[str]) -> Result:
    """Run the benchmark; `--threads` for ours and the bound, `--plot` for a picture of one vehicle."""
    parser = argparse.ArgumentParser(prog="waveform", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, help="where to write a picture of one vehicle")
    options = parser.parse_args(arguments)
    lane = Lane.pairs_8(sample_rate_hz=5_000.0, window_s=1.5)
    layout = layout_of(lane)
    trucks, clean, loops = _recordings(options.seed, lane, noise_n=0.0)
    _, noisy, _ = _recordings(options.seed, lane, noise_n=20.0)
    exact, usual = process(clean, layout, loops), process(noisy, layout, loops)
    if options.plot:
        draw(options.plot, noisy, layout, usual, int(np.argmax(usual.axle_count)))
    many, many_loops = np.tile(noisy, (COPIES, 1, 1)), _tiled(loops)
    rates = _rates(many, layout, many_loops, options.threads)
    pywim, pywim_found, scipy, scipy_found = _peer_accuracy(noisy, layout, trucks)
    rms = _rms_percent(exact, trucks)
    return Result(
        name="waveform",
        unit="vehicles/s",
        ours=rates["ours"],
        peers={
            "scipy_loop": rates["scipy"] * rates["ours"] / rates["one_thread"],
            "scipy_loop_unchecked": rates["unchecked"] * rates["ours"] / rates["one_thread"],
            "pywim_area": rates["pywim"] * rates["ours"] / rates["one_thread"],
        },
        bounds={"memory_read": rates["bound"]},
        figures={
            "threads": options.threads,
            "one_thread": rates["one_thread"],
            "memory_read_gigabytes_s": rates["bound"] * many[0].nbytes / 1e9,
            "scipy_loop_one_thread": rates["scipy"],
            "scipy_loop_unchecked_one_thread": rates["unchecked"],
            "pywim_area_one_thread": rates["pywim"],
            "weight_rms_percent": rms,
            "weight_rms_percent_noise_20_n": _rms_percent(usual, trucks),
            "wheelbase_rms_percent_noise_20_n": _wheelbase_rms_percent(usual, trucks),
            "scipy_loop_axle_counts_percent": scipy_found,
            "scipy_loop_weight_rms_percent_noise_20_n": scipy,
            "pywim_area_axle_counts_percent": pywim_found,
            "pywim_area_axle_rms_percent": pywim,
            "megabytes": round(many.nbytes / 1e6),
        },
        ok={
            "axle_counts": bool((exact.axle_count == trucks.axle_count).all())
            and bool((usual.axle_count == trucks.axle_count).all()),
            "none_turned_away": bool(exact.weighed.all() and usual.weighed.all()),
            "weight_rms_within_0_1_percent": rms <= 0.1,
        },
    )


def layout_of(lane: Lane) -> Layout:
    """Return the simulated lane's layout as the weighing knows it."""
    return Layout(
        lane.strip_position_m,
        width_m=lane.width_m,
        sample_rate_hz=lane.sample_rate_hz,
        lead_loop_m=lane.lead_loop_m,
        trail_loop_m=lane.trail_loop_m,
        loop_length_m=lane.loop_length_m,
        left_loop=True,
        right_loop=True,
    )


def loops_of(times: LoopTimes) -> Loops:
    """Return the simulated loops as the weighing knows them."""
    return Loops(**vars(times))


def _recordings(seed: int, lane: Lane, *, noise_n: float) -> tuple[Trucks, Samples, Loops]:
    """Return vehicles whose axles weigh their static load on every strip, as fast as the window needs."""
    rng = np.random.default_rng(seed)
    trucks = draw_trucks(rng, DRAWN)
    least = 1.03 * whole_passage_m(lane, trucks) / (lane.window_s - lane.lead_in_s)
    speed = np.asarray(rng.uniform(least, np.maximum(least, FASTEST_M_S)), dtype=np.float64)
    load = np.repeat(trucks.static_kg[..., None], len(lane.strip_position_m), axis=2)
    drive = Drive.steady(approach_m(lane, trucks, speed), speed)
    samples, times = waveforms(rng, lane, trucks, drive, load, electronics=Electronics(noise_n=noise_n))
    return trucks, np.rint(samples), loops_of(times)


def _tiled(loops: Loops) -> Loops:
    return Loops(**{name: np.tile(values, COPIES) for name, values in vars(loops).items()})


def _rms_percent(found: StripLoads, trucks: Trucks) -> float:
    true = STANDARD_GRAVITY_M_S2 * trucks.static_kg[:, : found.load.shape[1], None]
    return float(100 * np.sqrt(np.nanmean((found.load / true - 1) ** 2)))


def _wheelbase_rms_percent(found: StripLoads, trucks: Trucks) -> float:
    """Return the error of the wheelbase, which is that of speed and times together."""
    base = np.nansum(found.spacing_m, axis=1) / np.nansum(trucks.spacing_m, axis=1)
    return float(100 * np.sqrt(np.mean((base - 1) ** 2)))


@njit(cache=True, fastmath=True, nogil=True)
def _sum(values: Any) -> Any:
    total = np.float32(0)
    for i in range(values.size):
        total += values[i]
    return total


def _rates(samples: Samples, layout: Layout, loops: Loops, threads: int) -> dict[str, float]:
    """Return vehicles a second of ours, the bound and the peers, the best of rounds taken in turn."""
    flat = np.array_split(samples.reshape(-1), threads)
    few = samples[:PEER_VEHICLES]
    what = (layout.position_m, layout.width_m, layout.sample_rate_hz)
    with ThreadPoolExecutor(threads) as pool:
        tasks: dict[str, tuple[int, Callable[[], object]]] = {
            "bound": (len(samples), lambda: list(pool.map(_sum, flat))),
            "ours": (len(samples), lambda: process(samples, layout, loops, threads=threads)),
            "one_thread": (len(samples), lambda: process(samples, layout, loops)),
            "scipy": (len(few), lambda: [scipy_loop.weigh(one, *what) for one in few]),
            "unchecked": (len(few), lambda: [scipy_loop.weigh(one, *what, checked=False) for one in few]),
            "pywim": (len(few), lambda: [pywim_area.weigh(one, *what) for one in few]),
        }
        for _, task in tasks.values():
            task()
        best = dict.fromkeys(tasks, 0.0)
        for _ in range(ROUNDS):
            for name, (vehicles, task) in tasks.items():
                for _ in range(TURNS if vehicles > len(few) else 1):
                    begin = time.perf_counter()
                    task()
                    best[name] = max(best[name], vehicles / (time.perf_counter() - begin))
    return best


def _peer_accuracy(samples: Samples, layout: Layout, trucks: Trucks) -> tuple[float, float, float, float]:
    """Return in percent the error of pywim's axles and how often it finds all; the same of the scipy loop."""
    what = (layout.position_m, layout.width_m, layout.sample_rate_hz)
    pywim_errors, scipy_errors = [], []
    for row in range(PEER_VEHICLES):
        true = STANDARD_GRAVITY_M_S2 * trucks.static_kg[row, : trucks.axle_count[row]]
        axles = pywim_area.weigh(samples[row], *what)
        if axles is not None and len(axles) == len(true):
            pywim_errors.append(axles / true - 1)
        found = scipy_loop.weigh(samples[row], *what)
        if found is not None and len(found.load) == len(true) and not found.marks:
            scipy_errors.append((found.load / true[:, None] - 1).ravel())
    right = [100 * len(errors) / PEER_VEHICLES for errors in (pywim_errors, scipy_errors)]
    return _rms_of(pywim_errors), right[0], _rms_of(scipy_errors), right[1]


def _rms_of(errors: list[Floats]) -> float:
    return float(100 * np.sqrt(np.mean(np.concatenate(errors) ** 2))) if errors else float("nan")
