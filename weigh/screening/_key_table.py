"""The hash table of keys: open addressing, the words of a key and what is known of it.

A key's first word is never 0, as a vehicle has axles: 0 marks an empty slot.
"""

from typing import Any

import numpy as np

from weigh._jit import njit

KEY_WORDS = 3
"""Eight axles a word in the first two, a byte each; drive, kind and suspension in the third."""

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def home_slot(slots: Any, first: Any, second: Any, third: Any) -> Any:
    """Return the slot where a key stands unless others came first."""
    mixed = first * -7046029254386353131 + second * -4417276706812531889 + third * 1609587929392839161
    mixed = (mixed ^ ((mixed >> 32) & 0xFFFFFFFF)) * -4658895280553007687
    return (mixed >> 33) & (slots.shape[0] - 1)


@_compiled
def find_slot(slots: Any, first: Any, second: Any, third: Any) -> Any:
    """Return the slot of a key, or the empty one where it would stand."""
    slot = home_slot(slots, first, second, third)
    while slots[slot, 0] != 0 and not (
        slots[slot, 0] == first and slots[slot, 1] == second and slots[slot, 2] == third
    ):
        slot = (slot + 1) & (slots.shape[0] - 1)
    return slot


@_compiled
def distinct_keys(known: Any, keys: Any, seen: Any) -> Any:
    """Return the keys that are not in `known`, each once, in the order they come; `seen` is empty."""
    new = np.empty_like(keys)
    count = 0
    for row in range(len(keys)):
        one, two, three = keys[row, 0], keys[row, 1], keys[row, 2]
        if known[find_slot(known, one, two, three), 0] != 0:
            continue
        slot = find_slot(seen, one, two, three)
        if seen[slot, 0] == 0:
            seen[slot, :KEY_WORDS] = keys[row]
            new[count] = keys[row]
            count += 1
    return new[:count].copy()


@_compiled
def insert_keys(slots: Any, keys: Any, values: Any) -> None:
    """Add keys that are not there yet, with what is known of each."""
    for row in range(len(keys)):
        slot = find_slot(slots, keys[row, 0], keys[row, 1], keys[row, 2])
        slots[slot, :KEY_WORDS] = keys[row]
        slots[slot, KEY_WORDS] = values[row]


@_compiled
def rehash(old: Any, slots: Any) -> None:
    """Copy every entry into an empty table."""
    for row in range(len(old)):
        if old[row, 0] != 0:
            slots[find_slot(slots, old[row, 0], old[row, 1], old[row, 2])] = old[row]
