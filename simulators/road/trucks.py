"""The traffic: Chinese truck configurations, true static loads first, then springs, dampers and tyres.

Ranges of the model of two degrees of freedom (weigh-in-motion handbooks; to be replaced where a site knows
better): unsprung 600 kg steer, 1000 drive, 700 trailer; body 1.6-2.6 Hz at the steer axle, else 1.4-2.1 Hz
with damping .12-.25 on air and 2.4-3.6 Hz with .05-.15 on steel leaf; tyres 1.8-2.4 MN/m an axle single,
3.0-4.2 dual; contact .2-.28 m. With these the axle hops at 9-12 Hz.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from domain.events import VehicleKind
from simulators.configurations import CONFIGURATIONS, Configuration

Floats = NDArray[np.float64]
Tyres = Literal["all", "soft", "stiff"]


class AxleType(IntEnum):
    """What an axle does; NONE pads vehicles of fewer axles."""

    NONE = -1
    STEER = 0
    DRIVE = 1
    TRAILER = 2


UNSPRUNG_KG = {AxleType.STEER: 600.0, AxleType.DRIVE: 1000.0, AxleType.TRAILER: 700.0}
TARE_KG = {
    AxleType.STEER: (3200.0, 5000.0),
    AxleType.DRIVE: (2200.0, 3200.0),
    AxleType.TRAILER: (1600.0, 2200.0),
}
"""Static load of an axle of an empty vehicle, smallest and largest; an assumption about the traffic."""

_STEER_BODY_HZ, _AIR_BODY_HZ, _LEAF_BODY_HZ = (1.6, 2.6), (1.4, 2.1), (2.4, 3.6)
_AIR_DAMPING, _LEAF_DAMPING = (0.12, 0.25), (0.05, 0.15)
_SINGLE_N_M, _DUAL_N_M = (1.8e6, 2.4e6), (3.0e6, 4.2e6)
_CONTACT_M = (0.20, 0.28)
_PART = {"all": (0.0, 1.0), "soft": (0.0, 0.25), "stiff": (0.75, 1.0)}


@dataclass(frozen=True)
class Trucks:
    """B vehicles of up to A axles; arrays of shape (B, A) unless said, NaN where there is no axle.

    Parameters
    ----------
    static_kg
        True static axle loads, drawn before everything else.
    axle_type
        int8, values of `AxleType`.
    spacing_m
        Distance from each axle to the next, shape (B, A - 1).
    sprung_kg, unsprung_kg, suspension_n_m, damping_n_s_m, tyre_n_m
        The two-degree-of-freedom model of the whole axle (both wheels).
    contact_m
        Length of the tyres' contact with the road.
    front_m, rear_m
        Overhang before the first and behind the last axle, shape (B,).
    cg_height_m
        Height of the centre of gravity, shape (B,): how much load moves to the front when braking.
    configuration
        int16 index into `CONFIGURATIONS`, shape (B,).
    """

    static_kg: Floats
    axle_type: NDArray[np.int8]
    spacing_m: Floats
    sprung_kg: Floats
    unsprung_kg: Floats
    suspension_n_m: Floats
    damping_n_s_m: Floats
    tyre_n_m: Floats
    contact_m: Floats
    front_m: Floats
    rear_m: Floats
    cg_height_m: Floats
    configuration: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.static_kg)

    @property
    def axle_count(self) -> NDArray[np.int64]:
        """Number of axles, shape (B,)."""
        return np.asarray((self.axle_type >= 0).sum(axis=1), dtype=np.int64)

    @property
    def gross_kg(self) -> Floats:
        """True gross mass in kg, shape (B,)."""
        return np.asarray(np.nansum(self.static_kg, axis=1), dtype=np.float64)

    @property
    def offset_m(self) -> Floats:
        """Distance of each axle behind the first, shape (B, A); NaN where there is no axle."""
        first = np.zeros((len(self), 1))
        return np.hstack([first, np.cumsum(self.spacing_m, axis=1)])

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Trucks":
        """Return some of the vehicles."""
        return Trucks(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def lift_axle(trucks: Trucks, axle: NDArray[np.int64]) -> Trucks:
    """Return the vehicles with one axle lifted off the road, its load on its nearest neighbour.

    Parameters
    ----------
    axle
        0-based number of the axle each vehicle lifts, shape (B,); not the first.

    Returns
    -------
    Trucks with one axle less: the static loads add up to the same gross mass, on the axles that stand.
    """
    rows = np.arange(len(trucks))
    if ((axle < 1) | (axle >= trucks.axle_count)).any():
        raise ConfigurationError("only an axle behind the first can be lifted")
    place = np.where(trucks.axle_type >= 0, trucks.offset_m, np.inf)
    away = np.abs(place - place[rows, axle][:, None])
    away[rows, axle] = np.inf
    heir = away.argmin(axis=1)
    static, sprung = trucks.static_kg.copy(), trucks.sprung_kg.copy()
    static[rows, heir] += static[rows, axle]
    sprung[rows, heir] += trucks.static_kg[rows, axle]
    kept = np.array([np.delete(np.arange(static.shape[1]), gone) for gone in axle])
    offset = _closed_up(np.where(np.isfinite(place), place, np.nan), kept)
    types = np.full_like(trucks.axle_type, AxleType.NONE)
    types[:, :-1] = np.take_along_axis(trucks.axle_type, kept, axis=1)
    return replace(
        trucks,
        static_kg=_closed_up(static, kept),
        axle_type=types,
        spacing_m=np.diff(offset, axis=1),
        sprung_kg=_closed_up(sprung, kept),
        unsprung_kg=_closed_up(trucks.unsprung_kg, kept),
        suspension_n_m=_closed_up(trucks.suspension_n_m, kept),
        damping_n_s_m=_closed_up(trucks.damping_n_s_m, kept),
        tyre_n_m=_closed_up(trucks.tyre_n_m, kept),
        contact_m=_closed_up(trucks.contact_m, kept),
    )


def _closed_up(values: Floats, kept: NDArray[np.int64]) -> Floats:
    """Return the kept axles' values moved to the left, NaN behind them."""
    out = np.full_like(values, np.nan)
    out[:, :-1] = np.take_along_axis(values, kept, axis=1)
    return out


def axle_types(configuration: Configuration) -> tuple[AxleType, ...]:
    """Return what each axle of a configuration does.

    Single-tyred axles in front that are not driven steer; a train's axles behind its longest spacing are the
    trailer's; all others stand under the truck or tractor with its drive.
    """
    middles = [low + high for low, high in configuration.spacings_mm]
    trailer_from = len(configuration.tyres)
    if configuration.kind is VehicleKind.TRAIN:
        trailer_from = middles.index(max(middles)) + 1
    types = []
    for index, tyre in enumerate(configuration.tyres):
        if index >= trailer_from:
            types.append(AxleType.TRAILER)
        elif tyre == "s" and index + 1 not in configuration.drive_axles:
            types.append(AxleType.STEER)
        else:
            types.append(AxleType.DRIVE)
    return tuple(types)


def draw_trucks(
    rng: np.random.Generator,
    vehicles: int,
    *,
    codes: Sequence[str] | None = None,
    load_factor: Floats | None = None,
    empty_share: float = 0.1,
    air_share: float = 0.3,
    tyres: Tyres = "all",
) -> Trucks:
    """Draw vehicles: configuration and static loads first, the springs afterwards.

    Parameters
    ----------
    codes
        Names of configurations to draw from (see `simulators.configurations`); all of them if None.
    load_factor
        0 empty, 1 loaded to the legal limit, shape (B,). Drawn if None: `empty_share` of the vehicles from
        0-0.3, the others from 0.5-1.2.
    air_share
        Share of vehicles whose drive and trailer axles ride on air; those of the others on steel leaf.
    tyres
        "soft" and "stiff" take tyre stiffness from the lowest and the highest quarter of its range.
    """
    known = {each.name: index for index, each in enumerate(CONFIGURATIONS)}
    names = list(known) if codes is None else list(codes)
    if not names or any(name not in known for name in names):
        raise ConfigurationError(f"configurations {names} are not all among {', '.join(known)}")
    drawn = rng.choice([known[name] for name in names], size=vehicles).astype(np.int16)
    if load_factor is None:
        empty = rng.random(vehicles) < empty_share
        load_factor = np.where(empty, rng.uniform(0, 0.3, vehicles), rng.uniform(0.5, 1.2, vehicles))
    static, types, spacing, dual = _bodies(rng, drawn, load_factor)
    return Trucks(
        static_kg=static,
        axle_type=types,
        spacing_m=spacing,
        **_springs(rng, static, types, dual, air_share=air_share, part=_PART[tyres]),
        front_m=rng.uniform(1.2, 1.5, vehicles),
        rear_m=rng.uniform(1.0, 1.9, vehicles),
        cg_height_m=rng.uniform(1.2, 2.0, vehicles),
        configuration=drawn,
    )


def _bodies(
    rng: np.random.Generator, drawn: NDArray[np.int16], load_factor: Floats
) -> tuple[Floats, NDArray[np.int8], Floats, NDArray[np.bool_]]:
    """Return static loads, axle types, spacings and where tyres are dual."""
    axles = max(each.axle_count for each in CONFIGURATIONS)
    static = np.full((len(drawn), axles), np.nan)
    types = np.full((len(drawn), axles), int(AxleType.NONE), dtype=np.int8)
    spacing = np.full((len(drawn), axles - 1), np.nan)
    dual = np.zeros((len(drawn), axles), dtype=bool)
    for index in np.unique(drawn):
        each = CONFIGURATIONS[index]
        rows, count = np.flatnonzero(drawn == index), each.axle_count
        kinds = axle_types(each)
        low, high = np.array([TARE_KG[kind] for kind in kinds]).T
        tare = rng.uniform(low, high, (len(rows), count))
        # As the cargo lies further forward or back, each axle's share varies by up to 6 % of itself.
        shares = np.array(each.shares) * rng.uniform(0.94, 1.06, (len(rows), count))
        full = each.limit_kg * shares / shares.sum(axis=1, keepdims=True)
        static[rows, :count] = tare + load_factor[rows, None] * np.maximum(full - tare, 0)
        types[rows, :count] = kinds
        dual[rows, :count] = [letter == "d" for letter in each.tyres]
        nearest, farthest = np.array(each.spacings_mm).T / 1000
        spacing[rows, : count - 1] = rng.uniform(nearest, farthest, (len(rows), count - 1))
    return static, types, spacing, dual


def _springs(
    rng: np.random.Generator,
    static: Floats,
    types: NDArray[np.int8],
    dual: NDArray[np.bool_],
    *,
    air_share: float,
    part: tuple[float, float],
) -> dict[str, Floats]:
    """Return the fields of the two-degree-of-freedom model."""
    shape, missing = static.shape, types < 0

    def between(low_high: tuple[float, float], within: tuple[float, float] = (0.0, 1.0)) -> Floats:
        low, high = low_high
        return np.asarray(low + (high - low) * rng.uniform(*within, shape), dtype=np.float64)

    air = (rng.random(len(static)) < air_share)[:, None]
    body_hz = np.where(air, between(_AIR_BODY_HZ), between(_LEAF_BODY_HZ))
    body_hz = np.where(types == AxleType.STEER, between(_STEER_BODY_HZ), body_hz)
    damping = np.where(air, between(_AIR_DAMPING), between(_LEAF_DAMPING))
    tyre = np.where(dual, between(_DUAL_N_M, part), between(_SINGLE_N_M, part))
    unsprung = np.choose(np.maximum(types, 0), [UNSPRUNG_KG[kind] for kind in UNSPRUNG_KG])
    sprung = static - unsprung
    suspension = sprung * (2 * np.pi * body_hz) ** 2
    made = {
        "sprung_kg": sprung,
        "unsprung_kg": unsprung,
        "suspension_n_m": suspension,
        "damping_n_s_m": 2 * damping * np.sqrt(suspension * sprung),
        "tyre_n_m": tyre,
        "contact_m": between(_CONTACT_M),
    }
    return {name: np.where(missing, np.nan, values) for name, values in made.items()}
