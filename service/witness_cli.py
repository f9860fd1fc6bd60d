"""`zhichao witness`: a witness of somebody's log, run by itself and under another administration."""

import sys
from pathlib import Path

import click

from domain.errors import ConfigurationError, EvidenceBroken
from evidence import ED25519, Trust, VerifierKey
from evidence.witness_keys import create_witness_key, load_witness_key, published_witness_key
from service.command import explained
from service.lifeline import configure_logging, run_child
from service.witness_process import DEFAULT_HOST, DEFAULT_PORT, WitnessOptions, serve_witness

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group("witness")
def witness_group() -> None:
    """Run a witness: it cosigns a log's heads as long as the log shows one history only.

    A witness belongs under another administration than the log: another machine, other people. It reads
    no ZHICHAO_ setting and needs nothing of the log but its published key.
    """


@witness_group.command("init")
@click.option("--keys", type=_FOLDER, required=True, help="New folder of the witness's key.")
@click.option("--name", required=True, help="The witness's name, e.g. example.net/witness.")
@explained
def witness_init(keys: Path, name: str) -> None:
    """Make a witness's key, and print what goes into trust files."""
    click.echo(published_witness_key(create_witness_key(keys, name)))


@witness_group.command("key")
@click.option("--keys", type=_FOLDER, required=True, help="Folder of the witness's key.")
@explained
def witness_key(keys: Path) -> None:
    """Print the witness's published key, as it goes into trust files."""
    click.echo(published_witness_key(load_witness_key(keys)))


@witness_group.command("run")
@click.option("--keys", type=_FOLDER, required=True, help="Folder of the witness's key.")
@click.option(
    "--state",
    type=_FOLDER,
    required=True,
    help="Folder of the heads it remembers. If it is lost, make a new witness with a new key.",
)
@click.option("--log", "logs", multiple=True, help="A log's published key; may be given several times.")
@click.option(
    "--logs-of",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust file whose logs to witness.",
)
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=DEFAULT_PORT, show_default=True)
@explained
def witness_run(
    *, keys: Path, state: Path, logs: tuple[str, ...], logs_of: Path | None, host: str, port: int
) -> None:
    """Answer C2SP tlog-witness requests (POST /add-checkpoint) until Ctrl-C or SIGTERM."""
    configure_logging("INFO")
    known = [_log_key(text) for text in logs]
    if logs_of is not None:
        known += Trust.load(logs_of).logs
    options = WitnessOptions(keys, state, tuple(known), host, port)
    sys.exit(run_child(lambda announce: serve_witness(options, announce), supervised=False))


def _log_key(text: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except EvidenceBroken as error:
        raise ConfigurationError(f"--log: {error}") from None
    if key.kind != ED25519:
        raise ConfigurationError(f"--log: {key.name} is the key of a witness, not of a log")
    return key
