"""From the loads of the strips to the masses of a vehicle, with one calibration.

Each strip's load is put right by its gain at the temperature, the loads are weighed by the table of
`weigh.estimate` for the strips alive, the site's bias is divided out, and u is added up from vehicle, site
and gain. How far the strips depart from one another is told beside it. The calibration's integers, the
assumed population of axles and `ALGORITHM` determine the result.
Shapes: B vehicles, A axles, S strips.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from domain.units import PPM
from weigh.calibration import apply
from weigh.calibration.passes import WeighedPasses
from weigh.calibration.state import CalibrationState
from weigh.estimate import (
    PROBLEMS as ESTIMATE_PROBLEMS,
)
from weigh.estimate import (
    Departures,
    GlsTable,
    Passes,
    Places,
    StripPattern,
    Terms,
    axle_types,
    departures,
    fit_site,
    look_up,
    mask_of,
    places,
    roughness_m3,
    strip_pattern,
    u_axle,
    u_gross,
    u_group,
    u_vehicle,
)
from weigh.estimate.kernel import SPEEDS_M_S, Floats
from weigh.estimate.population import ASSUMED_POPULATION
from weigh.waveform.layout import Layout
from weigh.waveform.strip_loads import StripLoads

ALGORITHM = "zhichao-weigh/1"
"""Name and version of what is computed here: a change of any result is a new version."""

PROBLEMS = (*ESTIMATE_PROBLEMS, "waveform-not-read", "temperature-not-covered")
"""Why a vehicle was not weighed; index 0 is none. It has NaN in place of every mass."""

WAVEFORM_NOT_READ, TEMPERATURE_NOT_COVERED = range(len(ESTIMATE_PROBLEMS), len(PROBLEMS))

SPEED_BOUNDS_M_H = tuple(round(float(bound) * 3_600) for bound in (SPEEDS_M_S[1:] + SPEEDS_M_S[:-1]) / 2)
"""Inner bounds of the speed classes a site is fitted in: those of the table."""

_MM3 = 1e-9
_MILLI = 1_000
_LARGEST_FACTOR = 100_000

Codes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Weighing:
    """Masses of vehicles and their standard uncertainties, kg.

    Attributes
    ----------
    axle_kg, u_axle_kg : (B, A), 0 where there is no axle
    gross_kg, u_gross_kg : (B,)
    axle_type : (B, A), what each axle was taken for; -1 where there is none
    problem : (B,), index into `PROBLEMS`; a vehicle with one has NaN throughout
    terms : what u was made of, relative and before the conformal factors
    group_factor : the factor on the u of groups
    departures : how far the strips depart from one another, which u knows nothing of
    strips : number of strips of the layout
    """

    axle_kg: Floats
    gross_kg: Floats
    u_axle_kg: Floats
    u_gross_kg: Floats
    axle_type: NDArray[np.int8]
    problem: NDArray[np.uint8]
    terms: Terms
    group_factor: float
    departures: Departures
    strips: int

    def groups(self, size: Codes) -> tuple[Floats, Floats]:
        """Return load and u of axle groups, kg, (B, A), at the first axle of each.

        Parameters
        ----------
        size : (B, A), number of axles of the group that begins at an axle, 0 elsewhere
        """
        return u_group(self.axle_kg, size, self.terms, self.group_factor)

    def problem_of(self, vehicle: int) -> str:
        """Return why one vehicle was not weighed; "ok" if it was."""
        return PROBLEMS[self.problem[vehicle]]


def weigh_strips(
    strips: StripLoads, state: CalibrationState, layout: Layout, temperature_k: Floats
) -> Weighing:
    """Return masses from what the strips said.

    Parameters
    ----------
    strips : loads by axle and strip; the gains of `state` turn their unit into kilograms
    layout : where the strips lie, which must be where the calibration found them
    temperature_k : (B,), of the strips; NaN where not measured

    Raises
    ------
    ConfigurationError
        The calibration is of other strips than the layout's.
    """
    found = np.round(layout.position_m * 1_000)
    if len(found) != len(state.strip_position_mm) or (found != np.array(state.strip_position_mm)).any():
        raise ConfigurationError(
            "the calibration is of strips at other places than the layout's: calibrate anew"
        )
    return weigh_loads(
        strips.load,
        axle_types(strips.axle_count, strips.spacing_m),
        strips.speed_m_s,
        state,
        temperature_k,
        alive=strips.alive,
        unread=strips.problem != 0,
    )


def weigh_loads(
    load: Floats,
    axle_type: NDArray[np.int8],
    speed_m_s: Floats,
    state: CalibrationState,
    temperature_k: Floats,
    *,
    alive: NDArray[np.bool_] | None = None,
    unread: NDArray[np.bool_] | None = None,
) -> Weighing:
    """Return masses from strip loads (B, A, S) of axles whose types (B, A) are known.

    `alive` (B, S) are strips to be used for each vehicle, besides what the calibration says of them;
    `unread` (B,) vehicles of which nothing is to be believed.
    """
    table = table_of(state)
    own = apply.alive(state)
    used = np.broadcast_to(own, (len(load), len(own))) if alive is None else alive & own
    factor = apply.gain_factors(state, temperature_k)
    gain = apply.u_gain(state, temperature_k)
    at = _places(used, speed_m_s, table, np.isfinite(factor[:, own]).all(axis=1) & np.isfinite(gain), unread)
    right = load * factor[:, None, :]
    weighed = look_up(right, axle_type, at, table)
    bad = weighed.problem != 0
    bias = np.where(axle_type < 0, 0.0, apply.site_bias(state, axle_type, speed_m_s))
    axle_kg = weighed.axle / (1.0 + bias)
    site, site_gross = _site(axle_kg, axle_type, speed_m_s, at, state)
    terms = Terms(u_vehicle(weighed, axle_type, at, table), site, site_gross, gain)
    axle_kg[bad] = np.nan
    return Weighing(
        axle_kg=axle_kg,
        gross_kg=axle_kg.sum(axis=1),
        u_axle_kg=u_axle(axle_kg, terms, state.conformal_axle_milli / _MILLI),
        u_gross_kg=u_gross(axle_kg, terms, state.conformal_gross_milli / _MILLI),
        axle_type=axle_type,
        problem=weighed.problem,
        terms=terms,
        group_factor=state.conformal_group_milli / _MILLI,
        departures=departures(right, weighed, axle_type, at, table, pattern=_pattern(state)),
        strips=table.strips,
    )


def with_site(state: CalibrationState, passes: WeighedPasses | None) -> CalibrationState:
    """Return a calibration with the site's roughness, bias, pattern and factors fitted on weighed passes.

    Gains, temperature and noise must be in `state` already. A pass in which a strip alive said nothing,
    or whose temperature or speed the calibration does not cover, is left out. Where none is left, or none
    was given, the bias is nothing and u says so. Version, date and number of passes are the caller's to set.
    """
    alive = apply.alive(state)
    ready = _no_passes(len(alive)) if passes is None else _calibrated(passes, state)
    position, noise = _position_m(state), np.array(state.strip_noise_ppm) / PPM
    found = roughness_m3(ready, alive, noise, position, ASSUMED_POPULATION)
    roughness = state.road_roughness_mm3 if found is None else round(found / _MM3)
    table = table_of(state.model_copy(update={"road_roughness_mm3": roughness}))
    fit = fit_site(ready, alive, table)
    pattern = strip_pattern(ready, alive, table) if len(ready) else None
    fitted = {
        "road_roughness_mm3": roughness,
        "speed_bound_m_h": list(SPEED_BOUNDS_M_H),
        "site_bias_ppm": _ppm(fit.bias.bias),
        "u_site_ppm": _ppm(fit.bias.u_site),
        "u_site_gross_ppm": _ppm(fit.u_gross),
        "strip_pattern_ppm": [] if pattern is None else _rows(pattern.mean),
        "u_strip_pattern_ppm": [] if pattern is None else _rows(pattern.u),
        "conformal_axle_milli": _milli(fit.axle_factor),
        "conformal_group_milli": _milli(fit.group_factor),
        "conformal_gross_milli": _milli(fit.gross_factor),
    }
    return CalibrationState.from_document(state.to_document() | fitted)


def table_of(state: CalibrationState) -> GlsTable:
    """Return the table of weights for a calibration; kept, since it is the same for all its vehicles."""
    return _table(state.strip_position_mm, state.strip_noise_ppm, state.road_roughness_mm3)


@lru_cache(maxsize=256)
def _table(position_mm: tuple[int, ...], noise_ppm: tuple[int, ...], roughness_mm3: int) -> GlsTable:
    return GlsTable(np.array(position_mm) / 1_000, np.array(noise_ppm) / PPM, roughness_mm3 * _MM3)


def _pattern(state: CalibrationState) -> StripPattern | None:
    known = apply.strip_pattern(state, SPEEDS_M_S)
    return None if known is None else StripPattern(mask_of(apply.alive(state)), *known)


def _places(
    used: NDArray[np.bool_],
    speed_m_s: Floats,
    table: GlsTable,
    covered: NDArray[np.bool_],
    unread: NDArray[np.bool_] | None,
) -> Places:
    at = places(used, speed_m_s, table)
    problem = np.where((at.problem == 0) & ~covered, TEMPERATURE_NOT_COVERED, at.problem)
    if unread is not None:
        problem = np.where(unread, WAVEFORM_NOT_READ, problem)
    return Places(at.masks, at.which, at.speed, problem.astype(np.uint8))


def _site(
    axle_kg: Floats, axle_type: NDArray[np.int8], speed_m_s: Floats, at: Places, state: CalibrationState
) -> tuple[Floats, Floats]:
    """Return u of the site's bias by axle (B, A) and of the gross mass (B,).

    Strips that died since the calibration change the weights: what the bias may have moved by is added.
    """
    none = axle_type < 0
    table, fitted = table_of(state), mask_of(apply.alive(state))
    shifts = np.stack(
        [
            table.u_moved(mask, fitted) if mask not in {0, fitted} else np.zeros((len(SPEEDS_M_S), 3))
            for mask in at.masks
        ]
    )
    row = (at.which[:, None], np.maximum(at.speed, 0)[:, None], np.clip(axle_type, 0, 2))
    moved = np.where(none, 0.0, shifts[row])
    with np.errstate(invalid="ignore"):
        moved_gross = (moved * axle_kg).sum(axis=1) / axle_kg.sum(axis=1)
    site = np.where(none, 0.0, apply.u_site(state, axle_type, speed_m_s))
    return np.hypot(site, moved), np.hypot(apply.u_site_gross(state, speed_m_s), moved_gross)


def _calibrated(passes: WeighedPasses, state: CalibrationState) -> Passes:
    """Return the passes that can be fitted on, their loads put right by gain and temperature."""
    load = passes.strip_load * apply.gain_factors(state, passes.temperature_k)[:, None, :]
    there = passes.axle[:, :, None] & apply.alive(state)
    fit = (np.isfinite(load) | ~there).all(axis=(1, 2)) & (
        places(np.ones((len(passes), load.shape[2]), dtype=np.bool_), passes.speed_m_s, table_of(state)).speed
        >= 0
    )
    group, axle = passes.group[fit], passes.axle[fit]
    begins = axle & (group != np.pad(group, ((0, 0), (1, 0)), constant_values=-1)[:, :-1])
    size = (group[:, :, None] == group[:, None, :]).sum(axis=2)
    return Passes(
        load_kg=load[fit],
        reference_kg=passes.reference_kg[fit],
        axle_type=passes.axle_type[fit],
        group_size=np.where(begins & (size <= 3), size, 0),
        speed_m_s=passes.speed_m_s[fit],
    )


def _no_passes(strips: int) -> Passes:
    none = np.zeros((0, 1))
    return Passes(np.zeros((0, 1, strips)), none, none.astype(np.int8), none.astype(np.int64), np.zeros(0))


def _position_m(state: CalibrationState) -> Floats:
    return np.array(state.strip_position_mm) / 1_000


def _ppm(figures: Floats) -> Any:
    return np.rint(figures * PPM).astype(np.int64).tolist()


def _rows(figures: Floats) -> Any:
    """Return figures (V, 3, S) in ppm as rows by type, then strip, of speeds."""
    return _ppm(np.clip(figures, -1.0, 1.0).transpose(1, 2, 0).reshape(-1, len(figures)))


def _milli(factor: float) -> int:
    return min(max(round(factor * _MILLI), 1), _LARGEST_FACTOR)
