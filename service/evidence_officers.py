"""The command `zhichao evidence officers`: which keys the log gives to which officer.

Whoever runs the service could register a key of their own in an officer's name. The log keeps that for
ever; this list lets an officer see it.
"""

import sys
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import click

from domain.errors import EvidenceBroken
from evidence import Trust
from evidence.acts import KeyEntry, RegisteredKey, officer_keys_of
from service.administration import open_database
from service.command import or_not_checked, run_to_end
from service.settings import Settings, load_settings
from store.officer_keys import LoggedKeyStatement, key_statements

BROKEN = 1
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("officers")
@click.option("--trust", type=_FILE, help="Trust file to check against; without it, the installation's own.")
@or_not_checked
def officers_command(trust: Path | None) -> None:
    """List the officers' keys that the log has statements on, with their places in the log.

    An officer who finds a key here that is not theirs should say so at once: acts signed by it are not their
    own. The exit status is 0 if every statement holds, 1 if one does not, and 2 if none could be checked.
    """
    settings = load_settings()
    services = [service.public_key for service in Trust.load(trust or settings.trust_path).services]
    lines = [_line(key_id, of_key, services) for key_id, of_key in run_to_end(_statements(settings))]
    for line in lines:
        click.echo(line)
    sys.exit(BROKEN if any(line.startswith("BROKEN") for line in lines) else 0)


async def _statements(settings: Settings) -> list[tuple[str, list[LoggedKeyStatement]]]:
    async with open_database(settings) as conn:
        stated = await key_statements(conn)
    of_key = attrgetter("key_id")
    return [(key_id, list(group)) for key_id, group in groupby(sorted(stated, key=of_key), key=of_key)]


def _line(key_id: str, stated: list[LoggedKeyStatement], services: list[bytes]) -> str:
    logged = [KeyEntry(one.leaf_index, one.envelope) for one in stated if one.leaf_index is not None]
    try:
        keys = officer_keys_of(logged, services)
    except EvidenceBroken as error:
        return f"BROKEN  {key_id}  {error}"
    waiting = len(logged) < len(stated)
    return _told(key_id, keys.get(key_id)) + (
        "; a statement on its end waits to be logged" if logged and waiting else ""
    )


def _told(key_id: str, key: RegisteredKey | None) -> str:
    if key is None:
        return f"waits   {key_id}  not in the log yet"
    ended = "in use" if key.ended_at is None else f"ended by entry {key.ended_at}"
    return f"holds   {key_id}  officer {key.officer}, given by entry {key.registered_at}, {ended}"
