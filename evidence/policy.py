"""Which layers a verifier asks for, and how far apart in time the signatures may lie."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError, EvidenceBroken
from evidence.parsing import loose_document_of

LAYERS = (
    "layout",
    "manifest",
    "tag-manifest",
    "bag-info",
    "event",
    "derived",
    "predecessor",
    "statement",
    "time-stamp",
    "times",
    "entry",
    "inclusion",
    "checkpoint",
    "witness",
    "witness-time",
    "device",
    "keys",
)
"""In the order they are checked and reported; `verify/table.py` has the check of each."""

SM3_LAYER = "manifest-sm3"
SM2_LAYER = "sm2"
ON_REQUEST = (SM3_LAYER, SM2_LAYER)
"""Checked only where the policy names them, after the others."""

_MAX_S = 100 * 366 * 86_400


@dataclass(frozen=True)
class Policy:
    """What a package must fulfil. The defaults ask for everything but the layers on request."""

    required_layers: frozenset[str] = frozenset(LAYERS)
    allowed_delay_s: int = 31 * 86_400
    """From capture to time stamp: a station may spool for 30 days, and a day for sealing."""
    clock_tolerance_s: int = 1
    """How far a station's clock may be ahead of the authority's (GA/T 832-2014: at most 1.0 s)."""
    log_delay_s: int = 3 * 86_400
    """From time stamp to the witness's cosignature: sealing is resumed after an outage."""
    require_device_signature: bool = False
    """Whether every message must be signed by its device; else one that is not is told, and holds."""

    def __post_init__(self) -> None:
        unknown = self.required_layers - {*LAYERS, *ON_REQUEST}
        if unknown:
            raise ConfigurationError(f"the policy names unknown layers: {', '.join(sorted(unknown))}")

    @classmethod
    def load(cls, path: Path) -> "Policy":
        """Read a policy from a JSON file that holds any of this class's fields.

        Raises
        ------
        ConfigurationError
            It cannot be read, or names unknown fields or layers.
        """
        try:
            document = loose_document_of(path.read_bytes(), "the policy")
        except OSError as error:
            raise ConfigurationError(f"the policy {path} cannot be read: {error.strerror}") from None
        except EvidenceBroken as error:
            raise ConfigurationError(f"the policy {path} cannot be used: {error}") from None
        return cls(**{name: _setting(name, value) for name, value in document.items()})


def _setting(name: str, value: Any) -> Any:
    if name == "required_layers" and isinstance(value, list) and all(isinstance(part, str) for part in value):
        return frozenset(value)
    if name == "require_device_signature" and isinstance(value, bool):
        return value
    known = {field.name for field in fields(Policy)} - {"required_layers", "require_device_signature"}
    if name not in known or not isinstance(value, int) or isinstance(value, bool):
        raise ConfigurationError(f"the policy's {name} is unknown, or not of its kind")
    if not 0 <= value <= _MAX_S:
        raise ConfigurationError(f"the policy's {name} is not from 0 to {_MAX_S} seconds, a century")
    return value
