"""`zhichao evidence supplement`: ask for a package to be followed by another."""

from datetime import UTC, datetime

import click

from domain.ids import EventId
from service.administration import open_database
from service.command import explained, read_password, read_settings, run_to_end
from service.keys import ensure_keys
from service.officer_at_hand import acting_officer
from service.settings import Settings
from service.supplement_asking import ask_for_correction, ask_for_re_read


@click.command("supplement")
@click.argument("event_id", metavar="EVENT")
@click.option(
    "--reason",
    type=click.Choice(["re-read", "correction"]),
    required=True,
    help="Whether the plates are to be read again, or something sealed is to be put right.",
)
@click.option("--note", required=True, help="What is put right, or why it is read again; is sealed with it.")
@click.option("--officer", help="Account of the officer who signs for a correction.")
@explained
def supplement_command(event_id: str, reason: str, note: str, officer: str | None) -> None:
    """Have the package of EVENT followed by a supplement, which a worker seals.

    What is sealed is never changed: the supplement holds all images, read again, and the note. A
    correction is an act of the officer, signed with their own key and put into the log; the password is
    asked for, or read as one line from standard input.
    """
    if (reason == "correction") != (officer is not None):
        raise click.UsageError("a correction needs --officer, who signs for it; a re-read takes none")
    password = None if officer is None else read_password(f"Password of {officer}")
    run_to_end(_ask(read_settings(), EventId(event_id), note, officer, password))
    click.echo(f"a supplement of EV-{event_id} will be sealed")


async def _ask(
    settings: Settings, event: EventId, note: str, officer: str | None, password: str | None
) -> None:
    async with open_database(settings) as conn:
        if officer is None or password is None:
            await ask_for_re_read(conn, event, note)
            return
        service, now = ensure_keys(settings).service, datetime.now(UTC)
        acting = await acting_officer(conn, officer, password, service=service, now=now)
        await ask_for_correction(conn, event, note, officer=acting, service=service, now=now)
