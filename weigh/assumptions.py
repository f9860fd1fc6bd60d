"""Which assumptions weighed a vehicle, by their digests: sealed with it, so that nobody has to guess.

A figure of `Criteria` or of the assumed axles decides results as much as a calibration does, and may be set
anew without any algorithm changing. The digest is SHA-256 of canonical JSON (RFC 8785: keys sorted, no
white space) of the figures in millionths of their units, all integers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from domain.errors import ConfigurationError
from domain.ids import Sha256, sha256_of
from weigh.estimate.population import LOADS_KG, MEMBERS, Population
from weigh.waveform.criteria import Criteria

_PARTS = 1_000_000

Figures = Mapping[str, Any]


@lru_cache(maxsize=8)
def criteria_digest(criteria: Criteria) -> Sha256:
    """Return the digest of the thresholds that signals are read by.

    >>> criteria_digest(Criteria()) == criteria_digest(Criteria(fewest_strips=3))
    False
    """
    return digest_of(criteria._asdict())


@lru_cache(maxsize=8)
def population_digest(population: Population) -> Sha256:
    """Return the digest of the axles that the weights over the strips are made for."""
    axles = [asdict(kind) for kind in population]
    return digest_of({"axles": axles, "loads_kg": LOADS_KG, "members": MEMBERS})


def digest_of(figures: Figures) -> Sha256:
    """Return the digest of named figures, which may be nested; one finer than a millionth is refused."""
    text = json.dumps(_in_parts(figures), sort_keys=True, separators=(",", ":"))
    return sha256_of(text.encode())


def _in_parts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _in_parts(part) for name, part in value.items()}
    if isinstance(value, Sequence):
        return [_in_parts(part) for part in value]
    parts = round(value * _PARTS)
    if parts / _PARTS != value:
        raise ConfigurationError(f"the assumption {value!r} is finer than a millionth; round it")
    return parts
