"""From strip loads to axle loads and gross mass, by look-up. Shapes: B vehicles, A axles, S strips."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from weigh.estimate import _kernels
from weigh.estimate.kernel import MIN_SPEED_M_S, SPEED_COUNT, SPEED_STEP_M_S, Floats
from weigh.estimate.population import LOADS_KG
from weigh.estimate.table import Bools, GlsTable

STEER, DRIVE, TRAILER = range(3)
NO_AXLE = -1

PROBLEMS = (
    "ok",
    "no-strip-alive",
    "speed-outside-table",
    "no-axle",
    "axle-type-unknown",
    "load-not-finite",
    "load-not-positive",
)
"""Why a vehicle was not weighed; index 0 is none. A vehicle with a problem has NaN in place of masses."""

Codes = NDArray[np.int64]
Types = NDArray[np.integer[Any]]
AnyFloats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Weighed:
    """Masses by look-up, in the unit and dtype of the loads.

    Attributes
    ----------
    axle : (B, A), 0 where there is no axle, NaN throughout a vehicle with a problem
    gross : (B,)
    problem : (B,), index into `PROBLEMS`
    """

    axle: AnyFloats
    gross: AnyFloats
    problem: NDArray[np.uint8]


@dataclass(frozen=True)
class Places:
    """Where each vehicle stands in the table.

    Attributes
    ----------
    masks : the sets of strips alive that occur
    which : (B,), index into `masks`
    speed : (B,), index into the table's speeds
    problem : (B,), index into `PROBLEMS`: "ok", "no-strip-alive" or "speed-outside-table"
    """

    masks: tuple[int, ...]
    which: Codes
    speed: Codes
    problem: NDArray[np.uint8]


def places(alive: Bools, speed_m_s: Floats, table: GlsTable) -> Places:
    """Return where vehicles stand in the table; alive (B, S), speed (B,)."""
    if alive.ndim != 2 or alive.shape[1] != table.strips or speed_m_s.shape != alive.shape[:1]:
        raise ConfigurationError(f"alive must be (B, {table.strips}) and speed (B,), not {alive.shape}")
    codes, speed = np.zeros(len(alive), dtype=np.uint64), np.zeros(len(alive), dtype=np.int64)
    problem = np.zeros(len(alive), dtype=np.uint8)
    same = _kernels.find_places(
        np.ascontiguousarray(alive, dtype=np.bool_),
        np.ascontiguousarray(speed_m_s, dtype=np.float64),
        MIN_SPEED_M_S,
        SPEED_STEP_M_S,
        SPEED_COUNT,
        codes,
        speed,
        problem,
    )
    if same and len(codes):
        return Places((int(codes[0]),), np.zeros(len(codes), dtype=np.int64), speed, problem)
    found, which = np.unique(np.append(codes, np.uint64(0)), return_inverse=True)
    return Places(tuple(int(code) for code in found), which[: len(codes)], speed, problem)


def look_up(load: AnyFloats, axle_type: Types, at: Places, table: GlsTable) -> Weighed:
    """Return axle loads and gross masses.

    Parameters
    ----------
    load : (B, A, S), float64 or float32; what a strip not alive reads does not matter, be it NaN
    axle_type : (B, A), `STEER`, `DRIVE`, `TRAILER`, or `NO_AXLE` where there is none
    """
    if load.ndim != 3 or load.shape[2] != table.strips or load.dtype not in (np.float32, np.float64):
        raise ConfigurationError(
            f"loads must be floats of (B, A, {table.strips}), not {load.dtype} {load.shape}"
        )
    if axle_type.shape != load.shape[:2] or axle_type.dtype.kind != "i" or len(at.speed) != len(load):
        raise ConfigurationError("axle types must be signed integers of (B, A), places of the same vehicles")
    rows = [table.weights(mask).weight if mask else np.zeros_like(table.kernel[..., 0]) for mask in at.masks]
    axle, gross = np.zeros(load.shape[:2], dtype=load.dtype), np.zeros(len(load), dtype=load.dtype)
    problem = at.problem.copy()
    _kernels.weigh_axles(
        np.ascontiguousarray(load),
        np.stack(rows).astype(load.dtype),
        at.which,
        at.speed,
        np.ascontiguousarray(axle_type),
        axle,
        gross,
        problem,
    )
    bad = problem != _kernels.OK
    if bad.any():
        axle[bad] = gross[bad] = np.nan
    return Weighed(axle, gross, problem)


def u_vehicle(weighed: Weighed, axle_type: Types, at: Places, table: GlsTable) -> Floats:
    """Return the relative standard uncertainty that is each axle's own, (B, A); 0 where there is none.

    Between the loads of the table it is interpolated in the logarithm of the load, in kg; beyond them it
    is that of the nearest.
    """
    known = (axle_type >= 0) & (weighed.problem == _kernels.OK)[:, None]
    figures = np.stack([table.weights(mask).u_vehicle if mask else _NO_U for mask in at.masks])
    above, part = between_loads(np.where(known, weighed.axle, 1.0))
    row = (at.which[:, None], np.maximum(at.speed, 0)[:, None], np.where(known, axle_type, 0))
    found = (1.0 - part) * figures[(*row, above - 1)] + part * figures[(*row, above)]
    return np.where(known, found, 0.0)


def between_loads(load_kg: AnyFloats) -> tuple[Codes, Floats]:
    """Return of each load which of `LOADS_KG` lies above it, and how far it is towards that, 0 to 1."""
    load, knots = np.log(np.clip(load_kg, LOADS_KG[0], LOADS_KG[-1])), np.log(LOADS_KG)
    above = np.clip(np.searchsorted(knots, load), 1, len(knots) - 1)
    return above, (load - knots[above - 1]) / (knots[above] - knots[above - 1])


_NO_U = np.full((SPEED_COUNT, 3, len(LOADS_KG)), np.nan)
