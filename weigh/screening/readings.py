"""What the law says of each configuration, computed once and remembered.

Everything that decides how a vehicle is read is discrete, but for the spacings; and these enter only
through comparisons with a few bounds. Two vehicles with the same tyres, drive, suspension and kind, each
of whose spacings lies between the same bounds, are one configuration to the law: one key. The rule
itself (`weigh.screening.limits`) is asked once for each key, with a spacing of each class.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from domain.events import MAX_AXLES
from domain.law import LimitTables
from weigh.screening._screen_kernel import (
    KEY_WORDS,
    LIMIT_MASK,
    SIZE_SHIFT,
    distinct_keys,
    insert_keys,
    rehash,
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
    slots : (S, 4) int64, a hash table: three words of key, and the number of the reading plus one
    heads : (K, 4) int32, legal limit, unconfirmed axle sum, doubts, train
    groups : (K, MAX_AXLES) int32, limit and, above `SIZE_SHIFT`, size of the group that begins here
    readings : the readings in full
    keys : how many keys are known
    generation : how often the memory began anew: only within one are the numbers of readings the same
    """

    slots: Ints
    heads: NDArray[np.int32]
    groups: NDArray[np.int32]
    readings: Readings
    keys: int
    generation: int

    @classmethod
    def of(cls, slots: Ints, readings: Readings, keys: int, generation: int) -> "Snapshot":
        """Return the snapshot with what the compiled pass needs of the readings drawn out."""
        heads = (
            readings.single("limit_kg"),
            readings.unconfirmed_axle_sum_kg,
            readings.doubts,
            readings.single("train"),
        )
        group_limit = readings.by_axle("group_limit_kg")
        if (group_limit > LIMIT_MASK).any():
            raise ConfigurationError(
                f"an axle limit is above {LIMIT_MASK} kg; correct domain/law/gb1589.toml"
            )
        return cls(
            slots=slots,
            heads=np.ascontiguousarray(np.stack(heads, axis=1), dtype=np.int32),
            groups=np.ascontiguousarray(readings.by_axle("size") << SIZE_SHIFT | group_limit),
            readings=readings,
            keys=keys,
            generation=generation,
        )


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
        spacing = np.arange(self._edges[-1] + 1)
        known = 1 + np.searchsorted(self._edges, spacing, side="right")
        self.classes: NDArray[np.uint8] = (1 + _TYRES * np.where(spacing > 0, known, 0)).astype(np.uint8)
        self._lock = Lock()
        self._numbers: dict[bytes, int] = {}
        self.snapshot = self._begin(generation=0)

    def learn(self, keys: Ints) -> Snapshot:
        """Return a snapshot that knows all of these keys, (M, KEY_WORDS) with M up to `MAX_KEYS`."""
        with self._lock:
            known = self.snapshot
            new = distinct_keys(known.slots, keys, np.zeros((_slots_for(len(keys)), 4), dtype=np.int64))
            if known.keys + len(new) > MAX_KEYS:
                self._numbers.clear()
                known = self._begin(known.generation + 1)
                new = distinct_keys(known.slots, keys, np.zeros((_slots_for(len(keys)), 4), dtype=np.int64))
            if len(new):
                self.snapshot = self._extended(known, new)
            return self.snapshot

    def _begin(self, generation: int) -> Snapshot:
        nothing = Readings(np.zeros((0, _AXLES_FROM + MAX_AXLES * len(_BY_AXLE)), dtype=np.int32))
        slots = np.zeros((_FEWEST_SLOTS, KEY_WORDS + 1), dtype=np.int64)
        return Snapshot.of(slots, nothing, 0, generation)

    def _extended(self, known: Snapshot, new: Ints) -> Snapshot:
        found, numbers = [known.readings.table], []
        for part in _parts(new):
            table = Readings.of(self.configurations(part), self._tables).table
            fresh = []
            for row in range(len(table)):
                content = table[row].tobytes()
                if content not in self._numbers:
                    self._numbers[content] = len(self._numbers)
                    fresh.append(row)
                numbers.append(self._numbers[content])
            found.append(table[fresh])
        keys = known.keys + len(new)
        slots = np.zeros((max(_slots_for(keys), len(known.slots)), KEY_WORDS + 1), dtype=np.int64)
        rehash(known.slots, slots)
        insert_keys(slots, new, np.array(numbers, dtype=np.int64))
        return Snapshot.of(slots, Readings(np.concatenate(found)), keys, known.generation)

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


def _slots_for(keys: int) -> int:
    return max(_FEWEST_SLOTS, 1 << (2 * keys - 1).bit_length())


def _parts(keys: Ints) -> Iterator[Ints]:
    for first in range(0, len(keys), _READ_AT_ONCE):
        yield keys[first : first + _READ_AT_ONCE]
