"""Seeded randomness that is the same on every machine: integers only, no libm, no hash seed.

`random.gauss` goes through log and cos of the C library, whose last bit differs between versions;
here a normal deviate is the sum of twelve uniform integers (Irwin-Hall), cut at 6 sigma by nature.
Each passage draws from its own stream, so a restarted station goes on where it stopped.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

_STEPS = 1_000_001


def stream(seed: int, *path: str | int) -> random.Random:
    """Return the random stream of one thing, named by its path below the seed."""
    return random.Random("/".join(str(part) for part in (seed, *path)))


def normal_ppm(rng: random.Random, sigma_ppm: int) -> int:
    """Return a normal deviate of mean 0 and the given sigma, both in parts per million."""
    total = sum(rng.randrange(_STEPS) for _ in range(12))
    return (total - 6 * (_STEPS - 1)) * sigma_ppm // (_STEPS - 1)


def from_block(items: Sequence[Item], index: int, seed: int, *path: str | int) -> Item:
    """Return item number `index` of an endless series in which every block holds each item once.

    Blocks are as long as `items` and shuffled each on its own, so every item is sure to occur.
    """
    block, place = divmod(index, len(items))
    order = list(range(len(items)))
    stream(seed, *path, block).shuffle(order)
    return items[order[place]]
