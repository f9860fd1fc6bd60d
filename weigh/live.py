"""Waveforms as they arrive: one message a vehicle in, its weigh record and weighing out.

Rules

1. A signal that says nothing gives no figures: `Unweighed`, with the reason.
2. What it says without a calibration that fits gives figures at nominal gain, for statistics only: `held`
   says why. A drive that spoils the weighing is in the record's flags.
3. What the loops leave open (one vehicle or two, all of it on the strips or not) holds a passage likewise.
4. Tyres or driven axles of another number of axles than the signal shows mean that one of the two counted
   wrong: the weighing has failed.
5. Loads are rounded down and uncertainties up: to the party's favour.

Vehicles of one layout and calibration are weighed together; what comes out does not depend on who else is
in the batch.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError, InputRefused
from domain.events import Axle, DrivingFlag, Tyres, Waveform, WeighRecord
from domain.ids import DeviceId, StationId
from domain.units import PPM
from domain.weighing import CalibrationUse, WeighedAxle, WeighedGroup, Weighing
from weigh import trust
from weigh import weighing as masses
from weigh.assumptions import criteria_digest, digest_of, population_digest
from weigh.calibration.drift import DriftState, watch
from weigh.calibration.gain import MIN_PASSES
from weigh.calibration.state import ALGORITHM as CALIBRATION
from weigh.calibration.state import CalibrationState
from weigh.estimate import ASSUMED_POPULATION, Terms, u_group
from weigh.signals import Signals, kind_of, layout_of, loops_of, samples_of, scale_of, temperature_of
from weigh.waveform import ALGORITHM as STRIPS
from weigh.waveform import DOUBTS, Criteria, StripLoads, process

NO_CALIBRATION = "no-calibration"
CALIBRATION_MISMATCH = "calibration-mismatch"
TOO_FEW_PASSES = "calibration-too-few-passes"
TOO_OLD = "calibration-too-old"
"""Said by `service.steps.weigh`, which knows the age that is allowed."""
CALIBRATION_UNREADABLE = "calibration-unreadable"
HELD = (
    NO_CALIBRATION,
    CALIBRATION_MISMATCH,
    CALIBRATION_UNREADABLE,
    TOO_FEW_PASSES,
    TOO_OLD,
    *masses.PROBLEMS[1:],
    *DOUBTS,
    *trust.CODES,
)
"""Codes of why a passage makes statistics only; with the first three, and the problems of
`weigh.weighing`, it was weighed at nominal gain."""

FEWEST_PASSES = MIN_PASSES
"""Weighed passes without which no case rests on a calibration, however it came about."""

STANDARD_GRAVITY_M_S2 = 9.80665
"""Newtons a kilogram where no calibration says better (CGPM 1901)."""

_MOST_AXLE_KG = 100_000
_MOST_SPACING_MM = 60_000
_MOST_ACCELERATION_MM_S2 = 20_000
_MOST_U_PPM = 500_000

Floats = NDArray[np.float64]

log = logging.getLogger(__name__)


class Unweighed(NamedTuple):
    """A waveform without figures."""

    problem: str
    """One of `weigh.waveform.PROBLEMS`, or "out-of-range" for figures no vehicle has."""
    flags: tuple[DrivingFlag, ...]


@dataclass(frozen=True)
class Weighed:
    """A waveform with figures.

    Attributes
    ----------
    record : what a station that weighs by itself would have sent
    weighing : how it was weighed, without its groups
    held : codes of `HELD`; empty where a case may rest on the weighing
    terms : what the uncertainty of a group is made of, for this vehicle alone; None without calibration
    axle_kg : (1, A), before rounding
    """

    record: WeighRecord
    weighing: Weighing
    held: tuple[str, ...]
    terms: Terms | None
    axle_kg: Floats
    group_factor: float

    def with_groups(self, groups: Sequence[tuple[int, int]]) -> Weighing:
        """Return the weighing with its axle groups: each its first axle, from 1, and number of axles."""
        size = np.zeros(self.axle_kg.shape, dtype=np.int64)
        for first, count in groups:
            size[0, first - 1] = count
        u_kg = None
        if self.terms is not None and size.max() <= 3:
            u_kg = u_group(self.axle_kg, size, self.terms, self.group_factor)[1][0]
        loads = [axle.load_kg for axle in self.weighing.axles]
        return self.weighing.model_copy(
            update={
                "groups": tuple(
                    WeighedGroup(
                        first_axle=first,
                        axle_count=count,
                        load_kg=sum(loads[first - 1 : first - 1 + count]),
                        u_ppm=None
                        if u_kg is None
                        else _ppm(u_kg[first - 1], self.axle_kg[0, first - 1 : first - 1 + count].sum()),
                    )
                    for first, count in groups
                )
            }
        )


def watch_axles(state: DriftState, steer_kg: Sequence[int]) -> DriftState:
    """Return a drift test's state after further front axles, kg, in the order they passed."""
    return watch(state, np.array(steer_kg, dtype=np.float64))


def weigh_waveforms(vehicles: Sequence[Signals]) -> list[Weighed | Unweighed]:
    """Weigh vehicles, each by its own waveform; one result each, in order."""
    together: dict[Any, list[int]] = defaultdict(list)
    for place, vehicle in enumerate(vehicles):
        together[kind_of(vehicle)].append(place)
    found: dict[int, Weighed | Unweighed] = {}
    for places in together.values():
        results = _weigh_alike([vehicles[place] for place in places])
        found.update(zip(places, results, strict=True))
    return [found[place] for place in range(len(vehicles))]


class _Use(NamedTuple):
    """The calibration to be used, how it is named, and why none is."""

    state: CalibrationState | None
    name: CalibrationUse | None
    held: tuple[str, ...]


def _weigh_alike(vehicles: Sequence[Signals]) -> list[Weighed | Unweighed]:
    waves = [vehicle.waveform for vehicle in vehicles]
    use = _use(vehicles[0])
    try:
        layout = layout_of(waves[0])
        strips = process(
            samples_of(vehicles),
            layout,
            loops_of(waves),
            scale_of(waves[0]),
            in_service=None if use.state is None else np.array(use.state.strip_alive, dtype=np.bool_),
        )
    except (ConfigurationError, InputRefused):
        # The decoder lets no such waveform through; one vehicle's must not stop all others'.
        if len(vehicles) > 1:
            return _one_by_one(vehicles)
        return [Unweighed("layout", waves[0].flags)]
    calibrated = None
    if use.state is not None:
        try:
            calibrated = masses.weigh_strips(strips, use.state, layout, temperature_of(waves))
        except ConfigurationError as error:
            if len(vehicles) > 1:
                return _one_by_one(vehicles)
            # Figures that are fit one by one may have no weights together: this lane's matter, no other's.
            log.warning("the calibration %d of %s/%s, lane %d cannot be used: %s", *_name(use.state), error)
            use = _Use(None, None, (CALIBRATION_UNREADABLE,))
    return [_vehicle(wave, strips, row, calibrated, use) for row, wave in enumerate(waves)]


def _one_by_one(vehicles: Sequence[Signals]) -> list[Weighed | Unweighed]:
    return [result for vehicle in vehicles for result in _weigh_alike([vehicle])]


def _use(vehicle: Signals) -> _Use:
    wave, state = vehicle.waveform, vehicle.state
    if state is None:
        return _Use(None, None, (CALIBRATION_UNREADABLE if vehicle.unreadable else NO_CALIBRATION,))
    if not _is_of(state, wave):
        return _Use(None, None, (CALIBRATION_MISMATCH,))
    held = (TOO_FEW_PASSES,) if state.passes < FEWEST_PASSES else ()
    return _Use(state, CalibrationUse(version=state.version, digest=state.digest), held)


def _name(state: CalibrationState) -> tuple[int, StationId, DeviceId, int]:
    return state.version, state.station, state.device, state.lane


def _is_of(state: CalibrationState, wave: Waveform) -> bool:
    """Whether a calibration is of these strips and of the unit of this signal."""
    return (
        tuple(strip.position_mm for strip in wave.strips) == state.strip_position_mm
        and wave.strip_width_um == state.strip_width_um
        and wave.sample_type is state.sample_type
        and tuple(strip.scale_un for strip in wave.strips if strip.scale_un is not None)
        == state.strip_scale_un
    )


@dataclass(frozen=True)
class _Figures:
    """What one vehicle was found to weigh."""

    axle_kg: Floats
    u_axle_kg: Floats
    u_gross_kg: float
    calibration: CalibrationUse | None
    held: tuple[str, ...]
    terms: Terms | None
    group_factor: float


def _vehicle(
    wave: Waveform, strips: StripLoads, row: int, calibrated: masses.Weighing | None, use: _Use
) -> Weighed | Unweighed:
    seen = {*wave.flags, *strips.flags_of(row)}
    if strips.problem[row]:
        return Unweighed(strips.problem_of(row), _in_order(seen))
    figures = _figures(strips, row, calibrated, use)
    if not _is_possible(strips, row, figures.axle_kg):
        return Unweighed("out-of-range", _in_order(seen))
    weighing = _weighing(strips, row, figures)
    if not _counts_agree(wave, len(weighing.axles)) or _beyond_measure(weighing):
        seen.add(DrivingFlag.WEIGHING_FAILED)
    record = _record(wave, strips, row, weighing, _in_order(seen))
    return Weighed(
        record,
        weighing,
        (*figures.held, *strips.doubts_of(row)),
        figures.terms,
        figures.axle_kg[None, :],
        figures.group_factor,
    )


def _figures(strips: StripLoads, row: int, calibrated: masses.Weighing | None, use: _Use) -> _Figures:
    axles = int(strips.axle_count[row])
    if calibrated is None or calibrated.problem[row]:
        held = use.held if calibrated is None else (calibrated.problem_of(row),)
        nominal = np.nanmean(strips.load[row, :axles], axis=1) / STANDARD_GRAVITY_M_S2
        return _Figures(nominal, np.full(axles, np.nan), math.nan, None, held, None, 1.0)
    one, terms = slice(row, row + 1), calibrated.terms
    return _Figures(
        axle_kg=calibrated.axle_kg[row, :axles],
        u_axle_kg=calibrated.u_axle_kg[row, :axles],
        u_gross_kg=float(calibrated.u_gross_kg[row]),
        calibration=use.name,
        held=(*use.held, *trust.held(calibrated, row)),
        terms=Terms(
            terms.vehicle[one, :axles], terms.site[one, :axles], terms.site_gross[one], terms.gain[one]
        ),
        group_factor=calibrated.group_factor,
    )


def _in_order(seen: set[DrivingFlag]) -> tuple[DrivingFlag, ...]:
    return tuple(flag for flag in DrivingFlag if flag in seen)


def _is_possible(strips: StripLoads, row: int, axle_kg: Floats) -> bool:
    """Whether a record can hold the figures; a load that is not a number is no load."""
    axles = len(axle_kg)
    spacing = np.rint(strips.spacing_m[row, : axles - 1] * 1_000)
    return bool(
        axles >= 2
        and ((axle_kg >= 0) & (axle_kg <= _MOST_AXLE_KG)).all()
        and ((spacing >= 1) & (spacing <= _MOST_SPACING_MM)).all()
        and abs(strips.acceleration_m_s2[row]) * 1_000 <= _MOST_ACCELERATION_MM_S2
    )


def _counts_agree(wave: Waveform, axles: int) -> bool:
    tyres = wave.tyres is None or len(wave.tyres) == axles
    return tyres and all(axle <= axles for axle in wave.drive_axles or ())


def _beyond_measure(weighing: Weighing) -> bool:
    """Whether an uncertainty is larger than a record can say."""
    known = [weighing.u_gross_ppm, *(axle.u_ppm for axle in weighing.axles)]
    return any(u is not None and u > _MOST_U_PPM for u in known)


def _weighing(strips: StripLoads, row: int, figures: _Figures) -> Weighing:
    total = figures.axle_kg.sum()
    algorithms = {"strips": STRIPS, "criteria": criteria_digest(Criteria())}
    if figures.calibration is not None:
        algorithms |= {
            "estimate": masses.ALGORITHM,
            "calibration": CALIBRATION,
            "population": population_digest(ASSUMED_POPULATION),
            "trust": digest_of(asdict(trust.TRUST)),
        }
    return Weighing(
        axles=tuple(
            WeighedAxle(
                load_kg=math.floor(load),
                place_mm=round(place * 1_000),
                u_ppm=_ppm(u, load),
                strip_loads_n=tuple(round(n) if math.isfinite(n) else None for n in newtons.tolist()),
            )
            for load, u, place, newtons in zip(
                figures.axle_kg.tolist(),
                figures.u_axle_kg.tolist(),
                strips.place_m[row].tolist(),
                strips.load[row],
                strict=False,
            )
        ),
        groups=(),
        gross_kg=math.floor(total),
        u_gross_ppm=_ppm(figures.u_gross_kg, total),
        speed_mm_s=round(float(strips.speed_m_s[row]) * 1_000),
        acceleration_mm_s2=round(float(strips.acceleration_m_s2[row]) * 1_000),
        origin_us=round(float(strips.origin_s[row]) * 1_000_000),
        calibration=figures.calibration,
        algorithms=algorithms,
    )


def _ppm(u_kg: float, load_kg: float) -> int | None:
    """Return a relative uncertainty, rounded up; None where there is none to tell."""
    if not math.isfinite(u_kg) or load_kg <= 0:
        return None
    return max(1, math.ceil(u_kg / load_kg * PPM))


def _record(
    wave: Waveform, strips: StripLoads, row: int, weighing: Weighing, flags: tuple[DrivingFlag, ...]
) -> WeighRecord:
    axles = len(weighing.axles)
    tyres = wave.tyres if wave.tyres and len(wave.tyres) == axles else (Tyres.UNKNOWN,) * axles
    drive = wave.drive_axles
    u_axles = [axle.u_ppm for axle in weighing.axles if axle.u_ppm is not None]
    return WeighRecord(
        match_key=wave.match_key,
        lane=wave.lane,
        direction=wave.direction,
        speed_m_h=min(300_000, round(abs(float(strips.speed_m_s[row])) * 3_600)),
        gross_kg=weighing.gross_kg,
        axles=tuple(
            Axle(load_kg=axle.load_kg, tyres=kind) for axle, kind in zip(weighing.axles, tyres, strict=True)
        ),
        spacings_mm=tuple(round(m * 1_000) for m in strips.spacing_m[row, : axles - 1].tolist()),
        length_mm=wave.length_mm,
        acceleration_mm_s2=weighing.acceleration_mm_s2,
        temperature_mk=wave.temperature_mk,
        u_gross_ppm=None if weighing.u_gross_ppm is None else min(weighing.u_gross_ppm, _MOST_U_PPM),
        u_axle_ppm=min(max(u_axles), _MOST_U_PPM) if len(u_axles) == axles else None,
        kind=wave.kind,
        drive_axles=drive if drive is None or all(axle <= axles for axle in drive) else None,
        air_suspension=wave.air_suspension,
        flags=flags,
        expected_captures=wave.expected_captures,
    )
