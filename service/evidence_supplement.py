"""`zhichao evidence supplement`: ask for a package to be followed by another."""

import click

from domain.ids import EventId
from service.administration import open_database
from service.command import explained, read_settings, run_to_end
from service.settings import Settings
from store.jobs import Task, defer
from store.supplements import SupplementRequest, request_supplement


@click.command("supplement")
@click.argument("event_id", metavar="EVENT")
@click.option(
    "--reason",
    type=click.Choice(["re-read", "correction"]),
    required=True,
    help="Whether the plates are to be read again, or something sealed is to be put right.",
)
@click.option("--note", required=True, help="What is put right, or why it is read again; is sealed with it.")
@explained
def supplement_command(event_id: str, reason: str, note: str) -> None:
    """Have the package of EVENT followed by a supplement, which a worker seals.

    What is sealed is never changed: the supplement holds all images, read again, and the note.
    """
    run_to_end(_request(read_settings(), EventId(event_id), SupplementRequest(reason, note)))
    click.echo(f"a supplement of EV-{event_id} will be sealed")


async def _request(settings: Settings, event_id: EventId, request: SupplementRequest) -> None:
    async with open_database(settings) as conn:
        await request_supplement(conn, event_id, request)
        await defer(conn, Task.SUPPLEMENT_HIT, event_id)
