"""From samples to strip loads: a batch of vehicles in, or a batch of one as it arrives."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from weigh.waveform import axles, pulses
from weigh.waveform.axles import Matched, match_axles
from weigh.waveform.blocks import block_samples, zero_of
from weigh.waveform.checks import checked_samples, checked_scale, checked_service, loops_impossible
from weigh.waveform.criteria import Criteria
from weigh.waveform.doubts import doubts
from weigh.waveform.layout import Layout, Loops
from weigh.waveform.manoeuvres import manoeuvres
from weigh.waveform.pulses import Pulses, Strips, find_pulses
from weigh.waveform.quiet import STRETCH
from weigh.waveform.strip_loads import PROBLEMS, StripLoads

ALGORITHM = "strip-area-1"
"""Named in evidence: a change of any figure needs a new name."""

LEAST_STRETCHES = 4
"""A record shorter than this holds no pulse with a quiet stretch beside it."""

_AT_A_TIME = 128
"""Vehicles whose pulses are held at once: they then stay in the cache until they are matched."""

_OUTCOME = {
    axles.OK: "ok",
    axles.DISAGREE: "strips-disagree",
    axles.TOO_FEW_STRIPS: "too-few-strips",
    axles.NO_PULSES: "no-vehicle",
    axles.TOO_FEW_AXLES: "too-few-axles",
    axles.TOO_MANY_AXLES: "too-many-axles",
    axles.UNCLEAR_ORDER: "strip-order",
    axles.UNCLEAR_MOTION: "motion-unclear",
}
_CODE = {name: code for code, name in enumerate(PROBLEMS)}
_CODE_OF_OUTCOME = np.array([_CODE[_OUTCOME[outcome]] for outcome in range(len(_OUTCOME))])

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def process(
    samples: NDArray[Any],
    layout: Layout,
    loops: Loops,
    scale: Floats | None = None,
    *,
    in_service: NDArray[np.bool_] | None = None,
    criteria: Criteria | None = None,
    threads: int = 1,
) -> StripLoads:
    """Return what the strips say of each vehicle, or why they say nothing.

    Parameters
    ----------
    samples : (B, S, N) float32 or int16
        B recordings of all strips; newton, or counts with a `scale`.
    layout
        Of the lane's strips and loops.
    loops
        Of each vehicle; `Loops.silent(B)` where there are none.
    scale : (S,)
        Newtons a count; needed for int16.
    in_service : (S,)
        Strips to use; those not used are not looked at, whatever they hold.
    criteria
        Thresholds; the defaults where None.
    threads
        Vehicles are shared out among so many threads; results do not depend on it.

    Returns
    -------
    Loads, speed, spacings, manoeuvres and problems of each vehicle, in order.

    Raises
    ------
    InputRefused
        If the batch as a whole does not fit the layout. What is wrong with one record is its `problem`.

    Notes
    -----
    W = (v / L) x integral of (s - baseline), the area method for strips narrower than the contact patch
    (COST 323). Safe to call from several threads at once.
    """
    rules = Criteria() if criteria is None else criteria
    samples = checked_samples(samples, layout, loops)
    vehicles, count, length = samples.shape
    strips = _strips(samples, layout, scale, in_service, rules)
    if threads < 1:
        raise ConfigurationError(f"{threads} threads; at least one is needed")
    matched = Matched.room(vehicles, count)
    if length < LEAST_STRETCHES * STRETCH * strips.block:
        problem = np.full(vehicles, _CODE["too-few-samples"])
    else:
        _share_out(samples, layout, strips, matched, threads)
        problem = _problems(matched, loops, rules)
    flags = manoeuvres(matched, layout, loops, rules, length / layout.sample_rate_hz)
    return _strip_loads(matched, flags, doubts(matched, layout, loops, rules), problem)


def read_pulses(
    samples: NDArray[Any],
    layout: Layout,
    scale: Floats | None = None,
    *,
    in_service: NDArray[np.bool_] | None = None,
    criteria: Criteria | None = None,
) -> Pulses:
    """Return the pulses of every strip, not yet matched: for pictures and for looking into a record.

    Parameters and errors are those of `process`.
    """
    rules = Criteria() if criteria is None else criteria
    samples = checked_samples(samples, layout, Loops.silent(len(samples)))
    found = Pulses.room(len(samples), layout.strips)
    find_pulses(samples, _strips(samples, layout, scale, in_service, rules), found)
    return found


def _strips(
    samples: NDArray[Any],
    layout: Layout,
    scale: Floats | None,
    in_service: NDArray[np.bool_] | None,
    rules: Criteria,
) -> Strips:
    """Return how the samples are to be read."""
    whole_numbers = samples.dtype.kind == "i"
    full_scale = np.inf if layout.full_scale is None else layout.full_scale
    if whole_numbers:
        full_scale = min(full_scale, float(np.iinfo(samples.dtype).max))
    return Strips(
        in_service=checked_service(in_service, layout.strips),
        scale=checked_scale(samples, scale, layout.strips),
        full_scale=float(full_scale),
        step_s=1.0 / layout.sample_rate_hz,
        block=block_samples(layout, rules),
        zero=zero_of(samples.dtype),
        quantum=1.0 if whole_numbers else 0.0,
        rules=rules,
    )


def _share_out(samples: NDArray[Any], layout: Layout, strips: Strips, matched: Matched, threads: int) -> None:
    """Fill `matched`, each thread some of the vehicles."""
    vehicles = len(samples)

    def work(part: int) -> None:
        first, stop = part * vehicles // threads, (part + 1) * vehicles // threads
        room = Pulses.room(min(_AT_A_TIME, stop - first), samples.shape[1])
        for begin in range(first, stop, _AT_A_TIME):
            rows = slice(begin, min(begin + _AT_A_TIME, stop))
            found = Pulses._make(values[: rows.stop - rows.start] for values in room)
            find_pulses(samples[rows], strips, found)
            into = Matched._make(values[rows] for values in matched)
            match_axles(found, layout.position_m, layout.width_m, strips.rules.fewest_strips, into)

    if threads == 1:
        work(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))


def _problems(matched: Matched, loops: Loops, rules: Criteria) -> Codes:
    """Return which of `PROBLEMS` each vehicle has, (B,)."""
    problem = np.asarray(_CODE_OF_OUTCOME[matched.outcome])
    absent = np.isin(matched.outcome, (axles.NO_PULSES, axles.TOO_FEW_STRIPS))
    for bit, name in (
        (pulses.NO_QUIET_ZONE, "no-quiet-zone"),
        (pulses.CLIPPED, "clipped"),
        (pulses.FLAT, "flat-strip"),
    ):
        problem[absent & ((matched.bits & bit) > 0)] = _CODE[name]
    with np.errstate(invalid="ignore"):  # NaN compares false
        out_of_range = (matched.slowest_m_s < rules.slowest_m_s) | (matched.fastest_m_s > rules.fastest_m_s)
        out_of_range |= np.abs(matched.speed_m_s) < rules.slowest_m_s
        spacing = _spacing_m(matched)
        unclear = (matched.residual_m > rules.residual_m) | np.any(spacing <= 0, axis=1)
    problem[(problem == 0) & out_of_range] = _CODE["speed-range"]
    problem[(problem == 0) & unclear] = _CODE["motion-unclear"]
    problem[(problem == 0) & (matched.most > matched.axle_count)] = _CODE["strips-disagree"]
    problem[(matched.bits & pulses.NOT_FINITE) > 0] = _CODE["not-finite"]
    problem[loops_impossible(loops)] = _CODE["loop-times"]
    return problem


def _spacing_m(matched: Matched) -> Floats:
    """Return the distance from each axle to the next, (B, MAX_AXLES - 1)."""
    return np.asarray(-np.diff(matched.place_m, axis=1) * matched.order[:, None])


def _strip_loads(
    matched: Matched, flags: NDArray[np.bool_], doubted: NDArray[np.bool_], problem: Codes
) -> StripLoads:
    """Return the figures of those without a problem, as narrow as the most axles need."""
    sound = problem == 0
    count = np.where(sound, matched.axle_count, 0)
    width = max(2, int(count.max(initial=0)))

    def kept(values: Floats) -> Floats:
        return np.where(sound.reshape((-1,) + (1,) * (values.ndim - 1)), values, np.nan)

    return StripLoads(
        axle_count=count,
        speed_m_s=kept(matched.speed_m_s),
        acceleration_m_s2=kept(matched.acceleration_m_s2),
        spacing_m=kept(_spacing_m(matched)[:, : width - 1]),
        load=kept(matched.load[:, :width]),
        alive=matched.alive & sound[:, None],
        flags=flags,
        doubts=doubted,
        problem=problem,
        origin_s=kept(matched.origin_s),
        place_m=kept(matched.place_m[:, :width]),
        residual_m=kept(matched.residual_m),
    )
