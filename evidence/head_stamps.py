"""Heads of the log, time-stamped day by day (RFC 3161), beside the log's tiles:

    heads/<date>.checkpoint   the head as it was published on that day (UTC)
    heads/<date>.tsr          the authority's token over those bytes
    heads/dates               the dates of which both are there, one a line

A witness bounds when an entry was logged; the token does so under a second, independent authority, once a
day. In an outage the head waits, and is stamped when the authority is back: the token says when. No clock of
ours ever takes its place.
"""

import fcntl
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from domain.errors import EvidenceBroken
from evidence.authority_life import check_living_token
from evidence.checkpoint import Checkpoint, SignedCheckpoint
from evidence.durable import make_folders, read_regular, replace
from evidence.log_copy import CHECKPOINT, MAX_NOTE_BYTES, LogCopy
from evidence.merkle import check_inclusion, inclusion_proof, leaf_hash
from evidence.parsing import lines_of
from evidence.tiles import Tiles
from evidence.timestamp import Stamp, TimeAuthority
from evidence.trust import Trust

DATES = "heads/dates"
RECENT_DAYS = 40
"""How many of the newest days are looked at unless all are asked for."""

_FOLDER = "heads"
_MAX_DATES_BYTES = 1_048_576
_MAX_TOKEN_BYTES = 65_536


def stamp_heads(log_folder: Path, authority: TimeAuthority, today: date) -> list[date]:
    """Have today's head stamped, and those of days on which the authority was away; return the dates.

    Raises
    ------
    ServiceUnavailable
        The authority did not answer; what waits is tried again by the next call.
    """
    if not (log_folder / CHECKPOINT).exists():
        return []
    folder = log_folder / _FOLDER
    make_folders(folder)
    with (folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return []  # another worker is at it
        note = folder / f"{today.isoformat()}.checkpoint"
        if not note.exists():
            replace(note, read_regular(log_folder / CHECKPOINT, max_bytes=MAX_NOTE_BYTES))
        try:
            return _stamp_waiting(folder, authority)
        finally:
            _list_dates(folder)


def stamped_dates(copy: LogCopy) -> bytes | None:
    """Return the list of days whose heads are stamped, None where there is none; errors as `LogCopy.read`."""
    return copy.read(DATES, max_bytes=_MAX_DATES_BYTES)


def newest_token(log_folder: Path) -> bytes | None:
    """Return the token over the newest stamped head, None where there is none; errors as `read_regular`."""
    newest = max((log_folder / _FOLDER).glob("????-??-??.tsr"), default=None)
    return None if newest is None else read_regular(newest, max_bytes=_MAX_TOKEN_BYTES)


def stamped_by(log_folder: Path, leaf: bytes, index: int, trust: Trust) -> datetime | None:
    """Return by when an authority has stamped a head that holds an entry; None where none is known.

    A stamp of an authority that was revoked since dates nothing: whoever has its key chooses the time.
    """
    dates = log_folder / DATES
    if not dates.exists():
        return None
    notes = [log_folder / _FOLDER / f"{day}.checkpoint" for day in dates.read_text("ascii").split()]
    first = bisect_right(notes, index, key=lambda note: _head_in(note).size)
    for note in notes[first:]:
        try:
            token = read_regular(note.with_suffix(".tsr"), max_bytes=_MAX_TOKEN_BYTES)
            found = check_living_token(token, read_regular(note, max_bytes=MAX_NOTE_BYTES), trust)
            head = _head_in(note)
            path = inclusion_proof(index, head.size, Tiles(log_folder).node)
            check_inclusion(leaf_hash(leaf), index, head.size, path, head.root)
        except EvidenceBroken:
            continue
        if not found.revoked:
            return found.stamp.made_at + found.stamp.accuracy
    return None


def check_stamped_heads(
    copy: LogCopy, listed: bytes, trust: Trust, check_head: Callable[[bytes], None], *, all_days: bool
) -> str:
    """Check the stamped heads of a log; return what a reader should know.

    Parameters
    ----------
    copy
        The log's files.
    listed
        What `stamped_dates` gave before the log's head was read: none of these is younger.
    trust
        Whose time stamps count.
    check_head
        Checks that a head is of the log's one history; raises `EvidenceBroken` where it is not.
    all_days
        Look at every day, not only at the newest.

    Raises
    ------
    EvidenceBroken
        A head, its token or the list does not hold.
    """
    days = [_day_of(line) for line in lines_of(listed, DATES)]
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise EvidenceBroken(f"{DATES} is not in order")
    looked_at = days if all_days else days[-RECENT_DAYS:]
    notes: dict[str, None] = {}
    for day in looked_at:
        newest, note = _check_day(copy, trust, check_head, day)
        notes |= {note: None} if note else {}
    missing = (days[-1] - days[0]).days + 1 - len(days)
    gaps = f", {missing} days between have none" if missing else ""
    return (
        f"{len(looked_at)} of {len(days)} days checked; the last at {newest.made_at.isoformat()}{gaps}"
        + "".join(f"; {note}" for note in notes)
    )


def _check_day(
    copy: LogCopy, trust: Trust, check_head: Callable[[bytes], None], day: date
) -> tuple[Stamp, str]:
    note = copy.read(f"{_FOLDER}/{day.isoformat()}.checkpoint", max_bytes=MAX_NOTE_BYTES)
    token = copy.read(f"{_FOLDER}/{day.isoformat()}.tsr", max_bytes=_MAX_TOKEN_BYTES)
    if note is None or token is None:
        raise EvidenceBroken(f"the head of {day} is listed as time-stamped, but not there")
    try:
        check_head(note)
        # No entry of the log holds this token, so only its own time can be held against its authority's life.
        stamp, told, _ = check_living_token(token, note, trust)
    except EvidenceBroken as error:
        error.args = (f"the head of {day}: {error}",)
        raise
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if stamp.made_at + stamp.accuracy < begins - timedelta(days=1):
        raise EvidenceBroken(f"the head of {day} was time-stamped before that day, at {stamp.made_at}")
    return stamp, told


def _head_in(note: Path) -> Checkpoint:
    return SignedCheckpoint.parse(read_regular(note, max_bytes=MAX_NOTE_BYTES)).checkpoint


def _stamp_waiting(folder: Path, authority: TimeAuthority) -> list[date]:
    stamped = []
    for note in sorted(folder.glob("????-??-??.checkpoint")):
        token = note.with_suffix(".tsr")
        if not token.exists():
            replace(token, authority.stamp(read_regular(note, max_bytes=MAX_NOTE_BYTES)))
            stamped.append(date.fromisoformat(note.stem))
    return stamped


def _list_dates(folder: Path) -> None:
    dates = sorted(token.stem for token in folder.glob("????-??-??.tsr"))
    text = "".join(f"{day}\n" for day in dates).encode()
    listed = folder / "dates"
    if dates and (not listed.exists() or listed.read_bytes() != text):
        replace(listed, text)


def _day_of(line: str) -> date:
    try:
        day = date.fromisoformat(line)
    except ValueError:
        raise EvidenceBroken(f"{DATES} holds {line[:20]!r}, which is no date") from None
    if day.isoformat() != line:
        raise EvidenceBroken(f"{DATES} holds {line[:20]!r}; dates are written like 2026-11-23")
    return day
