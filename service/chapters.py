"""The chapters of a passage's life as evidence: what each signed statement says, and whether it holds."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

NEVER_LOGGED = 2**62
"""Stands for the place of what waits: after every entry there is."""


class Finding(NamedTuple):
    """Whether something holds; None where it cannot be told yet, or here."""

    ok: bool | None
    detail: str


class Chapter(NamedTuple):
    """One signed statement of a life."""

    what: str
    subject: str
    leaf_index: int | None
    at: datetime
    """As its signer says, or where it says none, as it was stored."""
    witnessed_at: datetime | None
    """When a witness had seen it."""
    officer: str | None
    licence: str | None
    reason: str
    envelope_sha256: str
    corrects: str | None
    signature: Finding
    inclusion: Finding


class Signed(NamedTuple):
    """What a record's envelope says, checked or not."""

    finding: Finding
    at: datetime | None = None
    officer: str | None = None
    licence: str | None = None
    reason: str = ""
    corrects: str | None = None


def without_replays(chapters: Sequence[Chapter]) -> list[Chapter]:
    """Return the chapters; an envelope told a second time is no act of its own."""
    seen: set[str] = set()
    told = []
    for chapter in chapters:
        again = chapter.envelope_sha256 in seen
        seen.add(chapter.envelope_sha256)
        finding = Finding(False, "the same envelope is stored before: a replay")
        told.append(chapter._replace(signature=finding) if again else chapter)
    return told


def in_log_order(chapter: Chapter) -> tuple[int, datetime]:
    """Return by what chapters are put in order: their place in the log, then their time."""
    return (NEVER_LOGGED if chapter.leaf_index is None else chapter.leaf_index, chapter.at)
