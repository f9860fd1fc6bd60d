"""The command `zhichao evidence history`: the whole life of a passage as evidence."""

import json
import sys
from pathlib import Path

import click

from domain.units import utc_text
from evidence import Trust
from evidence.report import STATUSES
from service.administration import open_database
from service.chapters import Chapter, Finding
from service.command import or_not_checked, run_to_end
from service.history import History, tell_history
from service.history_teller import Places
from service.settings import Settings, load_settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("history")
@click.argument("name", metavar="ID")
@click.option("--trust", type=_FILE, help="Trust file to check against; without it, the installation's own.")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object instead of lines.")
@or_not_checked
def history_command(name: str, trust: Path | None, json_wanted: bool) -> None:
    """Tell the whole life of the case, event or package ID, in the order of the log.

    Capture statement, package, supplements, reviews, corrections, exports, disclosures: each with its log
    index, time, officer and licence, and whether its signatures and its place in the log hold. The keys of
    the officers who acted are told too. An entry of the log whose statement is not stored any more is told
    as removed.

    The exit status is 0 if everything holds, 1 if something does not, and 2 if it could not be checked, or
    is not in the log yet.
    """
    settings = load_settings()
    told = run_to_end(_told(settings, name, Trust.load(trust or settings.trust_path)))
    click.echo(as_json(told) if json_wanted else as_text(told))
    sys.exit(told.status)


async def _told(settings: Settings, name: str, trust: Trust) -> History:
    async with open_database(settings) as conn:
        return await tell_history(
            conn, name, trust=trust, places=Places(settings.evidence_root, settings.log_root)
        )


def as_text(history: History) -> str:
    """Return a history for a terminal."""
    lines = [
        f"event      {history.event_id}",
        f"trust file sha256 {history.trust_digest}",
        f"log        {_mark(history.log)}",
        "",
    ]
    for chapter in history.chapters:
        lines += _lines(chapter)
    return "\n".join([*lines, "", _verdict(history)])


def _verdict(history: History) -> str:
    if history.broken:
        return "BROKEN: " + "; ".join(_named(one) for one in history.broken)
    if history.log.ok is False:
        return f"BROKEN: {history.log.detail}"
    open_points = [_named(one) for one in history.unchecked]
    if history.waiting:
        open_points.append(f"{len(history.waiting)} not in the log yet")
    if history.log.ok is None:
        open_points.append(history.log.detail)
    if open_points:
        return f"NOT CHECKED: {'; '.join(open_points)}; that speaks neither for nor against it"
    return f"HOLDS: {len(history.chapters)} statements"


def as_json(history: History) -> str:
    """Return a history as one JSON object on one line."""
    return json.dumps(
        {
            "event_id": history.event_id,
            "ok": history.ok,
            "status": STATUSES[history.status],
            "trust_sha256": history.trust_digest,
            "log": history.log._asdict(),
            "life": [_document(chapter) for chapter in history.chapters],
        },
        ensure_ascii=False,
    )


def _lines(chapter: Chapter) -> list[str]:
    place = "-" if chapter.leaf_index is None else str(chapter.leaf_index)
    who = "" if chapter.officer is None else f"  officer {chapter.officer} licence {chapter.licence or '-'}"
    reason = f"  ({chapter.reason})" if chapter.reason else ""
    undone = f"  of {chapter.corrects[:16]}..." if chapter.corrects else ""
    return [
        f"{place:>8}  {utc_text(chapter.at)}  {chapter.what} {chapter.subject}{undone}{who}{reason}",
        f"{'':8}  {_mark(chapter.signature)}; {_mark(chapter.inclusion)}",
    ]


def _mark(finding: Finding) -> str:
    return f"BROKEN: {finding.detail}" if finding.ok is False else finding.detail


def _named(chapter: Chapter) -> str:
    place = "" if chapter.leaf_index is None else f", entry {chapter.leaf_index}"
    return f"{chapter.what} {chapter.subject}{place}"


def _document(chapter: Chapter) -> dict[str, object]:
    seen = chapter.witnessed_at
    return chapter._asdict() | {
        "at": utc_text(chapter.at),
        "witnessed_at": None if seen is None else utc_text(seen),
        "signature": chapter.signature._asdict(),
        "inclusion": chapter.inclusion._asdict(),
    }
