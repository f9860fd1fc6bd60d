"""The command `zhichao evidence officers`: which keys the log gives to which officer.

Whoever runs the service could register a key of their own in an officer's name. The log keeps that for
ever; this list lets an officer see it.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import click

from evidence import Trust
from evidence.acts import RegisteredKey
from evidence.report import NOT_CHECKED, NOT_VERIFIED, VERIFIED
from service.administration import open_database
from service.chapters import Chapter, Finding
from service.command import or_not_checked, run_to_end
from service.history_officers import Officers, officers_of, whole_log_by
from service.history_teller import Places
from service.settings import Settings, load_settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("officers")
@click.option("--trust", type=_FILE, help="Trust file to check against; without it, the installation's own.")
@or_not_checked
def officers_command(trust: Path | None) -> None:
    """List the officers' keys that the log has statements on, with their places in the log.

    Each statement is looked up in the log as it lies there. The last line says whether every entry of the
    log is that of a statement stored: a key whose statement was removed is told there.

    An officer who finds a key here that is not theirs should say so at once: acts signed by it are not their
    own. The exit status is 0 if everything holds, 1 if something does not, and 2 if it could not be checked,
    or is not in the log yet.
    """
    settings = load_settings()
    officers, log = run_to_end(_told(settings, Trust.load(trust or settings.trust_path)))
    lines = [*_lines(officers), _log_line(log)]
    for line in lines:
        click.echo(line)
    sys.exit(_status(lines))


async def _told(settings: Settings, trust: Trust) -> tuple[Officers, Finding]:
    places = Places(settings.evidence_root, settings.log_root)
    async with open_database(settings) as conn:
        officers = await officers_of(conn, trust=trust, places=places)
        return officers, await whole_log_by(conn, officers, trust=trust, places=places)


def _status(lines: Sequence[str]) -> int:
    if any(line.startswith("BROKEN") for line in lines):
        return NOT_VERIFIED
    return VERIFIED if all(line.startswith("holds") for line in lines) else NOT_CHECKED


def _lines(officers: Officers) -> Iterator[str]:
    of_key = attrgetter("subject")
    for key_id, chapters in groupby(sorted(officers.chapters, key=of_key), key=of_key):
        yield _line(key_id, list(chapters), officers.keys.get(key_id))


def _line(key_id: str, stated: Sequence[Chapter], key: RegisteredKey | None) -> str:
    """Return the line of one key; it holds only once each statement on it does and is in the log."""
    broken = [
        finding.detail for one in stated for finding in (one.signature, one.inclusion) if finding.ok is False
    ]
    if broken:
        return f"BROKEN  {key_id}  {broken[0]}"
    if key is None:
        return f"BROKEN  {key_id}  its statements do not follow from each other"
    if stated[0].leaf_index is None:
        return f"waits   {key_id}  not in the log yet"
    told = f"{key_id}  officer {key.officer}, given by entry {key.registered_at}"
    if any(one.leaf_index is None for one in stated):
        return f"waits   {told}, in use; a statement on its end waits to be logged"
    return f"holds   {told}, {'in use' if key.ended_at is None else f'ended by entry {key.ended_at}'}"


def _log_line(log: Finding) -> str:
    mark = {True: "holds  ", False: "BROKEN ", None: "waits  "}[log.ok]
    return f"{mark} log  {log.detail}"
