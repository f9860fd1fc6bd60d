"""What the layers of one verification share: the package, what is trusted, and what was found so far."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from domain.errors import EvidenceBroken
from domain.ids import Sha256
from evidence.bag import BagInfo
from evidence.checkpoint import TlogProof
from evidence.durable import read_regular
from evidence.package import MAX_TAG_BYTES, SEAL
from evidence.parsing import Json
from evidence.policy import Policy
from evidence.report import Report
from evidence.timestamp import Stamp
from evidence.trust import Trust

_MAX_LISTED = 3

_Known = TypeVar("_Known")


@dataclass
class Inspection:
    """What the layers have found so far; a field stays None where its layer does not hold."""

    root: Path
    trust: Trust
    policy: Policy
    earlier: "Earlier | None" = None
    """What was found of the package that a supplement follows; None where that does not lie beside it."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Size in bytes of every regular file, by path in the package."""
    manifest: dict[str, Sha256] | None = None
    info: BagInfo | None = None
    event: Json | None = None
    stamp: Stamp | None = None
    proof: TlogProof | None = None
    witnessed_at: datetime | None = None

    def read(self, path: str) -> bytes:
        """Return a tag, seal or document file; payload of any size is only ever hashed."""
        return read_regular(self.root / path, max_bytes=MAX_TAG_BYTES)

    def seal(self, name: str) -> bytes:
        """Return a file of the seal."""
        return self.read(f"{SEAL}/{name}")


class Earlier(NamedTuple):
    """The package that a supplement follows, verified before it."""

    found: Inspection
    report: Report


def known(value: _Known | None, layer: str) -> _Known:
    """Return what an earlier layer found; raises `EvidenceBroken` where that layer does not hold."""
    if value is None:
        raise EvidenceBroken(f"not reached: it builds on {layer}, which does not hold")
    return value


def some(names: list[str]) -> str:
    """Return the first few of many names."""
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "") or "none"


def printable(text: str) -> str:
    """Return text fit for a terminal: names in a package are not ours."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
