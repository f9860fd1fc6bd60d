"""True static loads: drawn first, and never touched by what is measured afterwards.

Gross masses come in strata relative to the vehicle's limit, each stratum a fixed number of times in
every block, so that the promise "from 0.3 to 1.6 of the limit, at least a fifth within 6 % of it"
holds for every seed and not only on average.
"""

import random
from dataclasses import dataclass

from simulators.configurations import Configuration


@dataclass(frozen=True)
class Stratum:
    """Loads between two ratios of the limit (parts per million), `share` times in every block."""

    from_ppm: int
    to_ppm: int
    share: int


DEFAULT_STRATA = (
    Stratum(300_000, 940_000, 4),
    Stratum(940_000, 1_060_000, 3),
    Stratum(1_060_000, 1_600_000, 3),
)


def one_block(strata: tuple[Stratum, ...]) -> tuple[Stratum, ...]:
    """Return the strata with each repeated `share` times: one block of passages."""
    return tuple(stratum for stratum in strata for _ in range(stratum.share))


def draw_gross_kg(rng: random.Random, stratum: Stratum, limit_kg: int) -> int:
    """Return a true gross mass in kg within the stratum."""
    ratio_ppm = rng.randint(stratum.from_ppm, stratum.to_ppm)
    return limit_kg * ratio_ppm // 1_000_000


def draw_axle_loads_kg(rng: random.Random, configuration: Configuration, gross_kg: int) -> tuple[int, ...]:
    """Return true static axle loads in kg that add up to `gross_kg` exactly.

    Each axle's share varies by up to 6 % of itself, as the cargo lies further forward or back.
    """
    weights = [share * rng.randint(940, 1060) for share in configuration.shares]
    loads = [gross_kg * weight // sum(weights) for weight in weights[:-1]]
    return (*loads, gross_kg - sum(loads))
