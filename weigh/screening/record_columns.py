"""Weigh records as compact columns: the one shape in which few or millions of them are screened.

Shapes: `B` records, `N` axles (the most in the batch), `C` contexts. What has an axle's place comes
axle-major, so that one axle of all records lies together. Masses kg, lengths mm, speeds m/h, ratios ppm.
Zero stands for "not reported" where the domain has no zero (length, uncertainties).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from domain.events import MAX_AXLES, WeighRecord
from domain.registry import UNKNOWN_DIRECTION, StationContext
from domain.units import PPM
from weigh.screening.columns import FLAGS, KINDS, MISSING, TYRES

_TYRE_CODE = {tyres: code for code, tyres in enumerate(TYRES)}
_KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
_NOWHERE = -1


@dataclass(frozen=True)
class ContextTable:
    """The registry's facts, one row for each different context; records name their row.

    Attributes
    ----------
    certified : (C,) bool, a certificate is in force; where not, the next four are 0
    mpe_ppm, min_speed_m_h, max_speed_m_h : (C,) int64, from the certificate
    certified_lanes : (C,) int64, bit `lane - 1` for each lane on the certificate
    direction : (C,) int64, index into `directions`; -1 where the site's is unknown or not among them
    site_lanes : (C,) int64, number of lanes the site is registered with
    site_limit_kg : (C,) int64, the site's own limit, 0 where it has none
    missing : (C,) int64, bit i for `weigh.screening.columns.MISSING[i]`, what is not in force
    directions : the names that `direction` here and in the records stands for

    Raises
    ------
    ConfigurationError
        A certificate's error is below 0 or above 100 %.
    """

    certified: NDArray[np.bool_]
    mpe_ppm: NDArray[np.int64]
    min_speed_m_h: NDArray[np.int64]
    max_speed_m_h: NDArray[np.int64]
    certified_lanes: NDArray[np.int64]
    direction: NDArray[np.int64]
    site_lanes: NDArray[np.int64]
    site_limit_kg: NDArray[np.int64]
    missing: NDArray[np.int64]
    directions: tuple[str, ...]

    def __post_init__(self) -> None:
        if ((self.mpe_ppm < 0) | (self.mpe_ppm > PPM)).any():
            raise ConfigurationError("a certificate's error in service must be from 0 to 1000000 ppm")

    def __len__(self) -> int:
        """Return the number of contexts."""
        return len(self.certified)

    @classmethod
    def of(cls, contexts: Sequence[StationContext], directions: Sequence[str]) -> "ContextTable":
        """Return contexts as columns, for records whose directions are indices into `directions`."""
        certificates = [context.certificate for context in contexts]
        code = {name: number for number, name in enumerate(directions) if name != UNKNOWN_DIRECTION}
        missing = [
            sum(1 << bit for bit, name in enumerate(MISSING) if name in context.missing)
            for context in contexts
        ]
        return cls(
            certified=np.array([one is not None for one in certificates], dtype=np.bool_),
            mpe_ppm=_wide([one.mpe_in_service_ppm if one else 0 for one in certificates]),
            min_speed_m_h=_wide([one.min_speed_m_h if one else 0 for one in certificates]),
            max_speed_m_h=_wide([one.max_speed_m_h if one else 0 for one in certificates]),
            certified_lanes=_wide([_lane_bits(one.lanes) if one else 0 for one in certificates]),
            direction=_wide([code.get(context.site.direction, _NOWHERE) for context in contexts]),
            site_lanes=_wide([context.site.lanes for context in contexts]),
            site_limit_kg=_wide([context.site.gross_limit_kg or 0 for context in contexts]),
            missing=_wide(missing),
            directions=tuple(directions),
        )


@dataclass(frozen=True)
class RecordColumns:
    """A batch of weigh records and the context of each; arrays are C-contiguous.

    Attributes
    ----------
    axle_count : (B,) uint8, from 2 to N
    load_kg : (N, B) int32, 0 behind the last axle
    tyres : (N, B) int8, index into `weigh.screening.columns.TYRES`; -1 behind the last axle
    spacing_mm : (N - 1, B) uint16, from axle i to axle i + 1; 0 from the last axle on
    driven : (B,) uint16, bit i for axle i + 1; 0 where no drive axle was reported, the front axle and
        what lies behind the last are never counted
    kind : (B,) int8, index into `weigh.screening.columns.KINDS`
    air : (B,) int8, 1 air suspension, 0 none, -1 unknown
    gross_kg, speed_m_h : (B,) int32
    length_mm, u_gross_ppm, u_axle_ppm : (B,) int32, 0 where not reported
    flags : (B,) uint16, bit i for `weigh.screening.columns.FLAGS[i]`
    lane : (B,) uint8, from 1
    direction : (B,) uint16, index into `contexts.directions`
    context : (B,) int32, row of `contexts`
    contexts : the registry's facts

    Raises
    ------
    ConfigurationError
        An array has another type, shape or memory order.
    """

    axle_count: NDArray[np.uint8]
    load_kg: NDArray[np.int32]
    tyres: NDArray[np.int8]
    spacing_mm: NDArray[np.uint16]
    driven: NDArray[np.uint16]
    kind: NDArray[np.int8]
    air: NDArray[np.int8]
    gross_kg: NDArray[np.int32]
    speed_m_h: NDArray[np.int32]
    length_mm: NDArray[np.int32]
    u_gross_ppm: NDArray[np.int32]
    u_axle_ppm: NDArray[np.int32]
    flags: NDArray[np.uint16]
    lane: NDArray[np.uint8]
    direction: NDArray[np.uint16]
    context: NDArray[np.int32]
    contexts: ContextTable

    def __post_init__(self) -> None:
        width, count = np.shape(self.load_kg) if np.ndim(self.load_kg) == 2 else (0, 0)
        if not 2 <= width <= MAX_AXLES:
            raise ConfigurationError(f"loads need 2 to {MAX_AXLES} rows of axles, (N, B); they have {width}")
        shapes = {"load_kg": (width, count), "tyres": (width, count), "spacing_mm": (width - 1, count)}
        for name, dtype in DTYPES.items():
            array, shape = getattr(self, name), shapes.get(name, (count,))
            if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
                raise ConfigurationError(
                    f"column {name} must be a C-contiguous array of {np.dtype(dtype)} {shape}, "
                    f"not of {array.dtype} {array.shape}"
                )

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.axle_count)

    @property
    def width(self) -> int:
        """The most axles a record of this batch may have."""
        return len(self.load_kg)

    def take(self, rows: NDArray[np.int64] | slice) -> "RecordColumns":
        """Return some of the records, in the order of `rows`, over the same contexts."""
        taken = {name: np.ascontiguousarray(getattr(self, name)[..., rows]) for name in DTYPES}
        return RecordColumns(**taken, contexts=self.contexts)


DTYPES: dict[str, Any] = {
    field.name: dtype
    for field, dtype in zip(
        fields(RecordColumns),
        (
            *(np.uint8, np.int32, np.int8, np.uint16, np.uint16, np.int8, np.int8, np.int32, np.int32),
            *(np.int32, np.int32, np.int32, np.uint16, np.uint8, np.uint16, np.int32),
        ),
        strict=False,
    )
}
"""Type of each column of `RecordColumns`."""


ADMITTED: dict[str, tuple[int, int]] = {
    "axle_count": (2, MAX_AXLES),
    "load_kg": (0, 100_000),
    "tyres": (-1, len(TYRES) - 1),
    "spacing_mm": (0, 60_000),
    "kind": (0, len(KINDS) - 1),
    "air": (-1, 1),
    "gross_kg": (0, 1_000_000),
    "speed_m_h": (0, 300_000),
    "length_mm": (0, 120_000),
    "u_gross_ppm": (0, 500_000),
    "u_axle_ppm": (0, 500_000),
    "flags": (0, (1 << len(FLAGS)) - 1),
    "lane": (1, 16),
}
"""Least and greatest value of a column, as `domain.events.WeighRecord` admits them."""


def first_odd_row(columns: RecordColumns, begin: int) -> tuple[int, str]:
    """Return the first row from `begin` on that no weigh record can be, and the column that says so."""
    there = np.arange(columns.width)[:, None] < columns.axle_count[begin:]
    gap = np.arange(1, columns.width)[:, None] < columns.axle_count[begin:]
    wrong = {
        name: (getattr(columns, name)[..., begin:] < least) | (getattr(columns, name)[..., begin:] > most)
        for name, (least, most) in (ADMITTED | {"context": (0, len(columns.contexts) - 1)}).items()
    }
    wrong["axle_count"] |= columns.axle_count[begin:] > columns.width
    wrong["tyres"] |= (columns.tyres[:, begin:] >= 0) != there
    wrong["load_kg"] |= ~there & (columns.load_kg[:, begin:] != 0)
    wrong["spacing_mm"] |= (columns.spacing_mm[:, begin:] > 0) != gap
    first = {
        name: int(np.argmax(odd.any(axis=0) if odd.ndim == 2 else odd))
        for name, odd in wrong.items()
        if odd.any()
    }
    name = min(first, key=lambda one: first[one])
    return begin + first[name], name


def record_columns(records: Sequence[WeighRecord], contexts: Sequence[StationContext]) -> RecordColumns:
    """Return records and the context of each, in order, as columns."""
    width = max((len(record.axles) for record in records), default=2)
    directions = {name: code for code, name in enumerate(dict.fromkeys(r.direction for r in records))}
    table, rows = _distinct(contexts)
    columns: dict[str, Sequence[int]] = {
        "axle_count": [len(record.axles) for record in records],
        "driven": [_driven_bits(record) for record in records],
        "kind": [_KIND_CODE[record.kind] for record in records],
        "air": [-1 if r.air_suspension is None else int(r.air_suspension) for r in records],
        "gross_kg": [record.gross_kg for record in records],
        "speed_m_h": [record.speed_m_h for record in records],
        "length_mm": [record.length_mm or 0 for record in records],
        "u_gross_ppm": [record.u_gross_ppm or 0 for record in records],
        "u_axle_ppm": [record.u_axle_ppm or 0 for record in records],
        "flags": [_flag_bits(record) for record in records],
        "lane": [record.lane for record in records],
        "direction": [directions[record.direction] for record in records],
        "context": rows,
    }
    padded: dict[str, tuple[list[list[int]], int, int]] = {
        "load_kg": ([[axle.load_kg for axle in r.axles] for r in records], width, 0),
        "tyres": ([[_TYRE_CODE[axle.tyres] for axle in r.axles] for r in records], width, -1),
        "spacing_mm": ([list(r.spacings_mm) for r in records], width - 1, 0),
    }
    arrays = {name: np.array(values, dtype=DTYPES[name]) for name, values in columns.items()}
    arrays |= {name: _axle_major(*values, DTYPES[name]) for name, values in padded.items()}
    return RecordColumns(**arrays, contexts=ContextTable.of(table, tuple(directions)))


def _distinct(contexts: Sequence[StationContext]) -> tuple[list[StationContext], list[int]]:
    """Return the different contexts, and for each given one its place among them."""
    place: dict[int, int] = {}
    table: list[StationContext] = []
    rows = []
    for context in contexts:
        if id(context) not in place:
            place[id(context)] = len(table)
            table.append(context)
        rows.append(place[id(context)])
    return table, rows


def _axle_major(rows: list[list[int]], width: int, filler: int, dtype: Any) -> NDArray[Any]:
    padded = [[*row, *[filler] * (width - len(row))] for row in rows]
    return np.ascontiguousarray(np.array(padded, dtype=dtype).reshape(len(rows), width).T)


def _driven_bits(record: WeighRecord) -> int:
    bits = 0
    for number in record.drive_axles or ():
        if 2 <= number <= len(record.axles):
            bits |= 1 << (number - 1)
    return bits


def _flag_bits(record: WeighRecord) -> int:
    bits = 0
    for flag in record.flags:
        bits |= 1 << FLAGS.index(flag)
    return bits


def _lane_bits(lanes: Sequence[int]) -> int:
    bits = 0
    for lane in lanes:
        if 1 <= lane <= 62:
            bits |= 1 << (lane - 1)
    return bits


def _wide(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
