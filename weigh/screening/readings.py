"""What the law says of each configuration, computed once and remembered.

Everything that decides how a vehicle is read is discrete, but for the spacings; and these enter only
through comparisons with a few bounds. Two vehicles with the same tyres, drive, suspension and kind, each
of whose spacings lies between the same bounds, are one configuration to the law: one key. The rule
itself (`weigh.screening.limits`) is asked once for each key, with a spacing of each class.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from domain.events import MAX_AXLES
from domain.law import LimitTables
from weigh.screening._key_table import KEY_WORDS, distinct_keys, insert_keys, rehash
from weigh.screening._screen_kernel import (
    EDGES_AT_ONCE,
    GROUP_BITS,
    GROUP_WORDS,
    GROUPS_A_WORD,
    HEAD,
    LIMIT_MASK,
    NO_EDGE,
    PART_BITS,
    SIZE_SHIFT,
    Memory,
)
from weigh.screening.axle_groups import JOIN_MM, SHIFTS_MM, SPACING_ERROR_MM, TRIDEM_MM, TWIN_STEERING_MM
from weigh.screening.columns import APART_MM, TYRES, Configurations, Ints
from weigh.screening.doubts import configuration_doubts
from weigh.screening.limits import WIDE_SEMI_TRAILER_MM, read_limits

MAX_KEYS = 1 << 18
"""Configurations remembered at most; when they are more, the memory begins anew."""

_READ_AT_ONCE = 4_096
_FEWEST_SLOTS = 4_096
_TYRES = len(TYRES)
_MAX_CLASS = (255 - _TYRES) // _TYRES
"""A byte holds the class of a gap and the tyres before it."""

_SINGLES = (
    "limit_kg",
    "train",
    "gross_row",
    "air_truck",
    "air_articulated",
    "axle_sum_kg",
    "axle_sum_counts",
)
_BY_AXLE = ("reduced", "size", "pair", "group_limit_kg", "group_row")
_DOUBTS = len(_SINGLES)
_AXLES_FROM = _DOUBTS + 1


def spacing_edges_mm(tables: LimitTables) -> tuple[int, ...]:
    """Return every spacing at which some comparison of the rule changes, ascending.

    Where the rule says `s >= bound`, the edge is that bound; where it says `s <= bound`, the next
    millimetre. No spacing is below 1 mm.
    """
    up_to = {bound - shift for bound in (JOIN_MM, TRIDEM_MM) for shift in SHIFTS_MM}
    up_to |= {JOIN_MM + SPACING_ERROR_MM, TWIN_STEERING_MM + SPACING_ERROR_MM}
    at_least = {WIDE_SEMI_TRAILER_MM - SPACING_ERROR_MM}
    for row in tables.axle:
        for error in (0, SPACING_ERROR_MM):
            at_least.add(row.spacing_min_mm - error)
            if row.spacing_max_mm is not None:
                up_to.add(row.spacing_max_mm + error)
    return tuple(sorted(edge for edge in at_least | {bound + 1 for bound in up_to} if edge > 1))


@dataclass(frozen=True)
class Readings:
    """Deciding readings, K of them, as rows of one table; fields as in `weigh.screening.limits.Limits`."""

    table: NDArray[np.int32]

    def single(self, name: str) -> NDArray[np.int32]:
        """Return a field of one figure a vehicle, (K,)."""
        return self.table[:, _SINGLES.index(name)]

    def by_axle(self, name: str) -> NDArray[np.int32]:
        """Return a field of one figure an axle, (K, MAX_AXLES)."""
        first = _AXLES_FROM + MAX_AXLES * _BY_AXLE.index(name)
        return self.table[:, first : first + MAX_AXLES]

    @property
    def doubts(self) -> NDArray[np.int32]:
        """Bits over `weigh.screening.doubts.CONFIGURATION_DOUBTS`, (K,)."""
        return self.table[:, _DOUBTS]

    @property
    def unconfirmed_axle_sum_kg(self) -> NDArray[np.int32]:
        """The lower limit that unconfirmed rows would give, or 0, (K,)."""
        axle_sum = self.single("axle_sum_kg")
        lower = (axle_sum > 0) & (self.single("axle_sum_counts") == 0) & (axle_sum < self.single("limit_kg"))
        return np.where(lower, axle_sum, 0)

    def columns(self) -> dict[str, NDArray[np.int32]]:
        """Return all fields by name."""
        singles = {name: self.single(name) for name in _SINGLES}
        return singles | {name: self.by_axle(name) for name in _BY_AXLE}

    def take(self, rows: NDArray[np.int32]) -> "Readings":
        """Return some of the readings, in the order of `rows`."""
        return Readings(self.table[rows])

    @classmethod
    def of(cls, columns: Configurations, tables: LimitTables) -> "Readings":
        """Ask the rule itself."""
        limits = read_limits(columns, tables)
        doubts = configuration_doubts(columns, limits, tables)
        count, width = columns.tyres.shape
        table = np.zeros((count, _AXLES_FROM + MAX_AXLES * len(_BY_AXLE)), dtype=np.int32)
        readings = cls(table)
        for name in _SINGLES:
            readings.single(name)[:] = getattr(limits, name)
        for name in _BY_AXLE:
            readings.by_axle(name)[:, :width] = getattr(limits, name)
        readings.doubts[:] = doubts @ (1 << np.arange(doubts.shape[1]))
        return readings


@dataclass(frozen=True)
class Snapshot:
    """What is remembered at one moment, as the compiled pass reads it; never changed once made.

    Attributes
    ----------
    slots : (S, 4) int64, a hash table: three words of key, and where what is known of it stands
    heads : (H, 4) int32, legal limit, unconfirmed axle sum, doubts, train: each combination once
    groups : (G, GROUP_WORDS) int64, size and limit of the group that begins at each axle, each row once
    where : (K,) int64, for each reading its number plus one and the rows of its head and groups
    readings : the readings in full, which differ in more than decides
    keys : how many keys are known
    generation : how often the memory began anew: only within one are the numbers of readings the same
    """

    slots: Ints
    heads: NDArray[np.int32]
    groups: Ints
    where: Ints
    readings: Readings
    keys: int
    generation: int


class _Distinct:
    """Rows of which each is kept once."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def add(self, rows: NDArray[Any]) -> tuple[Ints, NDArray[Any]]:
        """Return the number of each row, and the rows that were not known."""
        numbers, fresh = np.empty(len(rows), dtype=np.int64), []
        for row, content in enumerate(rows):
            key = content.tobytes()
            if key not in self._numbers:
                self._numbers[key] = len(self._numbers)
                fresh.append(row)
            numbers[row] = self._numbers[key]
        return numbers, rows[fresh]


class ReadingMemory:
    """The readings under one set of tables, learnt as their configurations come.

    Readers take `snapshot` and need no lock; who learns makes a new one.
    """

    def __init__(self, tables: LimitTables) -> None:
        self._tables = tables
        self._edges = np.array(spacing_edges_mm(tables), dtype=np.int64)
        if len(self._edges) >= _MAX_CLASS:
            raise ConfigurationError(
                f"the axle limits have {len(self._edges)} spacing bounds, and only {_MAX_CLASS - 1} can be "
                "told apart; join rows in domain/law/gb1589.toml"
            )
        self._edges_mm = _in_fives([1, *self._edges.clip(max=NO_EDGE)])
        self._limit_unit_kg = gcd(*(row.limit_kg for row in tables.axle))
        if any(row.limit_kg // self._limit_unit_kg > LIMIT_MASK for row in tables.axle):
            raise ConfigurationError(
                f"the axle limits are multiples of {self._limit_unit_kg} kg, and one is above {LIMIT_MASK} "
                "times that; round them in domain/law/gb1589.toml"
            )
        self._lock = Lock()
        self.snapshot = self._begin(generation=0)

    def compiled(self, snapshot: Snapshot) -> Memory:
        """Return a snapshot as the compiled pass reads it."""
        return Memory(
            self._edges_mm, snapshot.slots, snapshot.heads, snapshot.groups, self._limit_unit_kg, _TYRES
        )

    def learn(self, keys: Ints) -> Snapshot:
        """Return a snapshot that knows all of these keys, (M, KEY_WORDS) with M up to `MAX_KEYS`."""
        with self._lock:
            known = self.snapshot
            new = distinct_keys(known.slots, keys, np.zeros((_slots_for(len(keys)), 4), dtype=np.int64))
            if known.keys + len(new) > MAX_KEYS:
                known = self._begin(known.generation + 1)
                new = distinct_keys(known.slots, keys, np.zeros((_slots_for(len(keys)), 4), dtype=np.int64))
            if len(new):
                self.snapshot = self._extended(known, new)
            return self.snapshot

    def _begin(self, generation: int) -> Snapshot:
        self._readings, self._heads, self._groups = _Distinct(), _Distinct(), _Distinct()
        return Snapshot(
            slots=np.zeros((_FEWEST_SLOTS, KEY_WORDS + 1), dtype=np.int64),
            heads=np.zeros((0, HEAD), dtype=np.int32),
            groups=np.zeros((0, GROUP_WORDS), dtype=np.int64),
            where=np.zeros(0, dtype=np.int64),
            readings=Readings(np.zeros((0, _AXLES_FROM + MAX_AXLES * len(_BY_AXLE)), dtype=np.int32)),
            keys=0,
            generation=generation,
        )

    def _extended(self, known: Snapshot, new: Ints) -> Snapshot:
        tables, heads, groups = [known.readings.table], [known.heads], [known.groups]
        where, numbers = [known.where], []
        for part in _parts(new):
            number, fresh = self._readings.add(Readings.of(self.configurations(part), self._tables).table)
            head, fresh_heads = self._heads.add(_heads(Readings(fresh)))
            group, fresh_groups = self._groups.add(self._packed_groups(Readings(fresh)))
            reading = sum(map(len, where)) + np.arange(1, len(fresh) + 1)
            where.append(reading | head << PART_BITS | group << 2 * PART_BITS)
            numbers.append(number)
            tables.append(fresh)
            heads.append(fresh_heads)
            groups.append(fresh_groups)
        keys, all_where = known.keys + len(new), np.concatenate(where)
        slots = np.zeros((max(_slots_for(keys), len(known.slots)), KEY_WORDS + 1), dtype=np.int64)
        rehash(known.slots, slots)
        insert_keys(slots, new, all_where[np.concatenate(numbers)])
        return Snapshot(
            slots=slots,
            heads=np.concatenate(heads),
            groups=np.concatenate(groups),
            where=all_where,
            readings=Readings(np.concatenate(tables)),
            keys=keys,
            generation=known.generation,
        )

    def _packed_groups(self, readings: Readings) -> Ints:
        limit = readings.by_axle("group_limit_kg").astype(np.int64) // self._limit_unit_kg
        group = (readings.by_axle("size").astype(np.int64) << SIZE_SHIFT | limit).reshape(
            -1, GROUP_WORDS, GROUPS_A_WORD
        )
        return np.asarray((group << GROUP_BITS * np.arange(GROUPS_A_WORD)).sum(axis=2))

    def configurations(self, keys: Ints) -> Configurations:
        """Return one vehicle for each key, its spacings as far apart as their class begins."""
        code = (keys[:, np.arange(MAX_AXLES) >> 3] >> ((np.arange(MAX_AXLES) & 7) << 3)) & 0xFF
        width = max(int((code > 0).sum(axis=1).max()), 2)
        code, last = code[:, :width], keys[:, KEY_WORDS - 1]
        present = code > 0
        representative = np.array([APART_MM, self._edges[0] - 1, *self._edges], dtype=np.int64)
        driven = np.asarray((last[:, None] >> np.arange(width)) & 1, dtype=np.bool_)
        return Configurations(
            axle_count=present.sum(axis=1),
            tyres=np.where(present, (code - 1) % _TYRES, -1),
            spacing_mm=np.where(present, representative[np.maximum(code - 1, 0) // _TYRES], APART_MM),
            kind=(last >> 16) & 3,
            driven=driven,
            drive_known=np.asarray(driven.any(axis=1)),
            air=((last >> 18) & 3) - 1,
        )


@lru_cache(maxsize=4)
def memory_for(tables: LimitTables) -> ReadingMemory:
    """Return the memory for these tables; tables of other days with the same rows share it."""
    return ReadingMemory(tables)


def _heads(readings: Readings) -> NDArray[np.int32]:
    heads = (
        readings.single("limit_kg"),
        readings.unconfirmed_axle_sum_kg,
        readings.doubts,
        readings.single("train"),
    )
    return np.ascontiguousarray(np.stack(heads, axis=1), dtype=np.int32)


def _in_fives(edges_mm: list[int]) -> NDArray[np.uint16]:
    filler = [NO_EDGE] * (-len(edges_mm) % EDGES_AT_ONCE)
    return np.array([*edges_mm, *filler], dtype=np.uint16)


def _slots_for(keys: int) -> int:
    return max(_FEWEST_SLOTS, 1 << (2 * keys - 1).bit_length())


def _parts(keys: Ints) -> Iterator[Ints]:
    for first in range(0, len(keys), _READ_AT_ONCE):
        yield keys[first : first + _READ_AT_ONCE]
