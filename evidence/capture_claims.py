"""Whether a package's originals are those that capture statements fixed before anything was read of them.

A package vouches for what it was sealed with; the capture statement, older in the log, for what arrived.
Whoever holds the service's key could seal other originals, but not change what the log had before. The
record goes by the passage's event id, each capture by its own, which `arrival.json` lists. Captures are
compared as a whole, as which id is of which capture is not told there: an exchange of two of one package is
not seen here.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from domain.errors import EvidenceBroken
from domain.ids import Sha256
from evidence.acts import subjects_of
from evidence.parsing import Json
from evidence.sealed import sealed_document, sealed_event
from evidence.statements import CAPTURES, check_statement

ARRIVAL_FILE = "data/arrival.json"

RECORDS = ("data/wire/weigh.json", "data/wire/waveform.zcwf")
"""Where a package has the record, as it arrived."""


class Claim(NamedTuple):
    """What one subject of a capture statement that holds says."""

    name: str
    """Event id of a record or a capture."""
    sha256: Sha256
    leaf_index: int | None
    """Where its statement stands in the log; None while it waits."""


class Comparison(NamedTuple):
    """What capture statements say of a package's originals."""

    named: int
    """So many are named before the package was sealed."""
    contradicted: tuple[str, ...]
    """Event ids for which a statement names another digest: the package does not hold."""
    unnamed: tuple[Sha256, ...]
    """Originals that no statement named before: not checked, which speaks neither for nor against them."""

    @property
    def detail(self) -> str:
        """What was found, as the end of a sentence about the package."""
        if self.contradicted:
            return f"capture statements name other originals than it holds: of {', '.join(self.contradicted)}"
        if self.unnamed:
            return (
                f"no capture statement before it names {len(self.unnamed)} of its "
                f"{self.named + len(self.unnamed)} originals: {', '.join(self.unnamed)}"
            )
        return f"its {self.named} originals are those that capture statements had named before"


def claims_of(envelope: bytes, leaf_index: int | None, services: Sequence[bytes]) -> list[Claim]:
    """Return what a capture statement says.

    Parameters
    ----------
    envelope
        As it was stored.
    leaf_index
        Where its entry stands in the log; None where the log does not have it.
    services
        The trust file's service keys.

    Raises
    ------
    EvidenceBroken
        It is malformed, no capture statement, or not signed by the service.
    """
    subjects = subjects_of(check_statement(envelope, services, CAPTURES))
    return [Claim(name, digest, leaf_index) for name, digest in subjects]


def compare_package(folder: Path, claims: Iterable[Claim], *, package_index: int | None) -> Comparison:
    """Compare the originals of the package in a folder; parameters and errors as `compare_originals`."""
    arrival = sealed_document(folder, ARRIVAL_FILE)
    return compare_originals(sealed_event(folder), arrival, claims, package_index=package_index)


def compare_originals(
    event: Json, arrival: Json, claims: Iterable[Claim], *, package_index: int | None
) -> Comparison:
    """Compare a package's originals with what capture statements say of them.

    Parameters
    ----------
    event, arrival
        The package's `data/event.json` and `data/arrival.json`.
    claims
        Of capture statements whose signatures hold; a leaf index only where the log has the entry.
    package_index
        Where the package's own entry stands; None while it waits to be logged.

    Raises
    ------
    EvidenceBroken
        The documents do not list originals or captures as they should.
    """
    record_id, records, captures = _originals(event)
    allowed = dict.fromkeys(_capture_ids(arrival), captures) | {record_id: records}
    mine = [one for one in claims if one.name in allowed]
    contradicted = sorted({one.name for one in mine if one.sha256 not in allowed[one.name]})
    before = {(one.name == record_id, one.sha256) for one in mine if _is_before(one, package_index)}
    wanted = {(True, digest) for digest in records} | {(False, digest) for digest in captures}
    unnamed = sorted({digest for _, digest in wanted - before})
    return Comparison(len(wanted & before), tuple(contradicted), tuple(unnamed))


def _is_before(claim: Claim, package_index: int | None) -> bool:
    return claim.leaf_index is not None and (package_index is None or claim.leaf_index < package_index)


def _originals(event: Json) -> tuple[str, set[Sha256], set[Sha256]]:
    """Return the passage's id, the digest of its record and those of its captures."""
    try:
        named = event["originals"]
        captures = [*named["images"], *named.get("video", [])]
        records = {Sha256(str(one["sha256"])) for one in named["wire"] if one["path"] in RECORDS}
        return str(event["event_id"]), records, {Sha256(str(one["sha256"])) for one in captures}
    except (KeyError, TypeError, AttributeError):
        raise EvidenceBroken("data/event.json does not list its originals as it should") from None


def _capture_ids(arrival: Json) -> list[str]:
    try:
        return [str(one["event_id"]) for one in arrival.get("captures", [])]
    except (KeyError, TypeError, AttributeError):
        raise EvidenceBroken("data/arrival.json does not list its captures as it should") from None
