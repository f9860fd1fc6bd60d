"""What an auditor found of a log, for people and for programs, and what proves it to others."""

import hashlib
import json
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from domain.ids import Sha256
from evidence.durable import make_folders, replace
from evidence.report import NOT_CHECKED, NOT_VERIFIED, VERIFIED


class Verdict(StrEnum):
    """What came of one check."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNCHECKED = "unchecked"
    """It could not be looked at; nothing is said against the log."""
    ABSENT = "absent"
    """There is nothing to look at, and there need not be."""


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    detail: str


class Contradiction(NamedTuple):
    """Two heads, both signed by the log, that cannot both be of one history."""

    first: bytes
    second: bytes
    detail: str


class AuditReport(NamedTuple):
    """Everything that was looked at of one log."""

    place: str
    head: bytes | None
    """The note of the head that was audited, where it could be read and is signed by the log."""
    trust_digest: Sha256
    checks: list[Check]
    contradictions: list[Contradiction]

    @property
    def status(self) -> int:
        """0: everything holds; 1: something does not; 2: nothing is broken, but not all could be checked."""
        verdicts = {check.verdict for check in self.checks}
        if Verdict.BROKEN in verdicts:
            return NOT_VERIFIED
        return NOT_CHECKED if Verdict.UNCHECKED in verdicts else VERIFIED

    @property
    def may_be_followed(self) -> bool:
        """Whether the next audit may begin at this head: it is signed, has its root, continues the last."""
        own = [check.verdict for check in self.checks if check.name in ("checkpoint", "root", "continues")]
        return all(verdict is Verdict.HOLDS for verdict in own)


def audit_text(report: AuditReport) -> str:
    """Return the report for a terminal."""
    width = max(len(check.name) for check in report.checks)
    lines = [f"log        {report.place}", f"trust file sha256 {report.trust_digest}", ""]
    lines += [f"{_mark(check):9} {check.name:{width}}  {check.detail}" for check in report.checks]
    verdict = ("HOLDS: one history", "BROKEN: do not rely on this log", "NOT ALL WAS CHECKED")[report.status]
    proofs = [f"proof: {found.detail}" for found in report.contradictions]
    return "\n".join([*lines, "", *proofs, verdict])


def audit_json(report: AuditReport) -> str:
    """Return the report as one JSON object on one line, with the notes that contradict each other."""
    document = {
        "log": report.place,
        "status": report.status,
        "head": None if report.head is None else report.head.decode(),
        "trust_sha256": report.trust_digest,
        "checks": [check._asdict() for check in report.checks],
        "contradictions": [
            {"detail": found.detail, "first": found.first.decode(), "second": found.second.decode()}
            for found in report.contradictions
        ],
    }
    return json.dumps(document, ensure_ascii=False)


def keep_contradictions(report: AuditReport, folder: Path) -> list[Path]:
    """Write both notes of every contradiction into a folder, each once, and return their own folders."""
    kept = []
    for found in report.contradictions:
        digest = hashlib.sha256(found.first + found.second).hexdigest()[:16]
        make_folders(folder / digest)
        replace(folder / digest / "first.checkpoint", found.first)
        replace(folder / digest / "second.checkpoint", found.second)
        replace(folder / digest / "detail.txt", f"{found.detail}\n".encode())
        kept.append(folder / digest)
    return kept


def _mark(check: Check) -> str:
    return check.verdict.upper() if check.verdict is Verdict.BROKEN else check.verdict.value
