"""Several packages at once: which lie in a folder, and whether two of them claim the same event.

A package that verifies shows what was sealed, and not that nothing else was sealed of the same passage:
whoever holds the service's key can seal two. That is seen only where both lie before the verifier.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from domain.errors import EvidenceBroken, ServiceUnavailable
from domain.ids import EventId, Sha256, sha256_of
from evidence.bag import folder_name
from evidence.durable import read_regular
from evidence.exported import is_export
from evidence.package import MAX_TAG_BYTES, TAG_MANIFEST
from evidence.report import NOT_VERIFIED, Layer, Report
from evidence.sealed import sealed_event
from evidence.verify.inspection import printable

SAME_EVENT = "same-event"


class _Claim(NamedTuple):
    """Which package bears a name, by one that is here: itself, or the one that follows it."""

    name: str
    tagmanifest: Sha256
    by: Path


def folders_in(folder: Path) -> list[Path]:
    """Return the packages and exports at any depth of a folder, sorted; itself where it is one or has none.

    Raises
    ------
    ServiceUnavailable
        A folder cannot be read: what lies in it would be passed over.
    """
    folder = Path(os.path.abspath(folder))
    found = [] if _is_one(folder) else sorted(_below(folder))
    return found or [folder]


def _below(folder: Path) -> Iterator[Path]:
    for at, names, _ in os.walk(folder, onerror=_refuse):
        inside = [Path(at, name) for name in names]
        yield from filter(_is_one, inside)
        names[:] = [one.name for one in inside if not _is_one(one)]


def _refuse(error: OSError) -> None:
    raise ServiceUnavailable(f"{error.filename} cannot be read ({error.strerror}); let it be read, try again")


def _is_one(folder: Path) -> bool:
    return folder.name.startswith("EV-") or (folder / "bagit.txt").exists() or is_export(folder)


def same_event(reports: Iterable[tuple[Path, Report]]) -> list[Report]:
    """Return a finding for each name that two different packages claim; none that is broken claims one."""
    claims: dict[str, list[_Claim]] = {}
    digest = Sha256("")
    for folder, report in reports:
        digest = report.trust_digest
        if report.status != NOT_VERIFIED:
            with suppress(EvidenceBroken, OSError):
                for claim in _claims(folder):
                    claims.setdefault(claim.name, []).append(claim)
    return [_finding(each, digest) for each in claims.values() if len({one.tagmanifest for one in each}) > 1]


def _claims(folder: Path) -> Iterator[_Claim]:
    """Yield what a package that holds says of itself, and of the one it follows."""
    event = sealed_event(folder)
    event_id, supplement = EventId(event["event_id"]), int(event["supplement"])
    manifest = sha256_of(read_regular(folder / TAG_MANIFEST, max_bytes=MAX_TAG_BYTES))
    yield _Claim(folder_name(event_id, supplement), manifest, folder)
    if supplement:
        yield _Claim(folder_name(event_id, supplement - 1), Sha256(event["predecessor"]), folder)


def _finding(claims: list[_Claim], trust_digest: Sha256) -> Report:
    by = {claim.tagmanifest: printable(str(claim.by)) for claim in reversed(claims)}
    said = "; ".join(f"{manifest[:16]}... by {folder}" for manifest, folder in sorted(by.items()))
    detail = (
        f"{len(by)} different packages bear this name, each properly sealed, and none is the supplement of "
        f"another: tag manifest {said}; rely on none before the log's keeper has said which it is"
    )
    return Report(claims[0].name, trust_digest, [Layer(SAME_EVENT, False, detail)])
