"""The command `zhichao`. What each command prints with --help is docs/reference/commands.md."""

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import click

from service import accounts, administration
from service.calibrate_cli import calibrate
from service.columns_cli import export_group, import_group, screen
from service.command import explained, read_password, read_settings, run_to_end
from service.doctor import Finding, examine
from service.evidence_cli import evidence_group
from service.keys_cli import keys_group
from service.lifeline import run_child
from service.quarantine_export import export_quarantined
from service.retention_cli import retention_command
from service.settings import load_settings
from service.supervisor import Supervisor
from service.system import EVERYTHING, Part, embeds_or_is_whole, sole_use_of, start_system
from service.witness_cli import witness_group


@click.group(context_settings={"max_content_width": 100})
def main() -> None:
    """Off-site truck overload enforcement (治超非现场执法).

    Settings are environment variables, listed in docs/reference/settings.md.
    """


@main.command()
@click.option(
    "--only",
    type=click.Choice([part.value for part in Part]),
    multiple=True,
    help="Run only this part, and what it needs; may be given several times.",
)
@explained
def serve(only: tuple[str, ...]) -> None:
    """Run everything: database and broker where none is configured, ingest, work and web.

    Each is a process of its own, started again if it dies. Ctrl-C or SIGTERM ends all of them. For a
    machine that runs the web alone: `zhichao serve --only web`, with ZHICHAO_DATABASE_URL set.
    """
    settings = read_settings()
    parts = frozenset(Part(name) for name in only) or EVERYTHING

    async def body(_announce: Callable[..., None]) -> None:
        supervisor = Supervisor()
        try:
            running = await start_system(supervisor, settings, parts=parts)
            if Part.WEB in parts:
                click.echo(f"the web is at {running.web_address}; Ctrl-C ends everything")
            await supervisor.wait()
        finally:
            await supervisor.stop()

    with sole_use_of(settings.data) if embeds_or_is_whole(settings, parts) else nullcontext():
        sys.exit(run_child(body, supervised=False))


@main.command()
@explained
def ingest() -> None:
    """Run one more ingester, for a broker with a shared subscription (ZHICHAO_BROKER_SHARE_GROUP)."""
    from service.ingest_process import ingest_forever  # noqa: PLC0415 (numpy and MQTT, not for --help)

    settings = read_settings()
    sys.exit(run_child(lambda announce: ingest_forever(settings, announce), supervised=False))


@main.command()
@explained
def work() -> None:
    """Run one more worker: reads plates, seals evidence, opens leads."""
    from service.worker import work_forever  # noqa: PLC0415 (the plate engine, not for --help)

    settings = read_settings()
    sys.exit(run_child(lambda announce: work_forever(settings, announce), supervised=False))


@main.command()
@explained
def migrate() -> None:
    """Bring the database at ZHICHAO_DATABASE_URL to this version's schema."""
    applied = run_to_end(administration.migrate_database(read_settings()))
    click.echo("\n".join(f"applied {name}" for name in applied) or "nothing to do")


@main.command()
@click.option("--json", "json_wanted", is_flag=True, help="One JSON list instead of lines.")
@explained
def doctor(json_wanted: bool) -> None:
    """Say what is wrong with this installation, and what to do.

    The exit status is 0 if nothing is wrong, 1 if something is. Warnings do not count.
    """
    findings = run_to_end(examine(load_settings()))
    if json_wanted:
        click.echo(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=2))
    else:
        for finding in findings:
            click.echo(_line(finding))
    sys.exit(1 if any(finding.verdict == "wrong" for finding in findings) else 0)


def _line(finding: Finding) -> str:
    advice = f"\n         {finding.advice}" if finding.advice else ""
    return f"{finding.verdict:<8} {finding.subject}: {finding.detail}{advice}"


@main.group()
def registry() -> None:
    """Sites, stations, devices, certificates, announcements, legal bases, officers."""


@registry.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@explained
def registry_load(file: Path) -> None:
    """Load the registry from a TOML FILE; what is there already is updated, nothing is deleted."""
    click.echo(run_to_end(administration.load_registry_file(read_settings(), file)))


@main.group()
def account() -> None:
    """People who may sign in to the web."""


@account.command("create")
@click.argument("username")
@click.option("--role", type=click.Choice(["reviewer", "supervisor", "administrator"]), required=True)
@click.option("--officer", help="Officer id in the registry; reviewers need one.")
@explained
def account_create(username: str, role: str, officer: str | None) -> None:
    """Create an account that can sign in to the web.

    The password is asked for, or read as one line from standard input where that is no terminal; it is
    never taken from the command line, which every user of the machine can see.
    """
    password = read_password("New password", new=True)
    run_to_end(
        accounts.create_account(read_settings(), username, role=role, officer=officer, password=password)
    )
    click.echo(f"created {role} {username}")


@account.command("disable")
@click.argument("username")
@explained
def account_disable(username: str) -> None:
    """Let an account sign in no more, and end its sessions at once. Its decisions stay.

    The officer's signing key is ended too, which the log shows: acts signed by it so far hold, later ones
    do not.
    """
    run_to_end(accounts.disable_account(read_settings(), username))
    click.echo(f"disabled {username}")


@account.command("enable")
@click.argument("username")
@explained
def account_enable(username: str) -> None:
    """Let a disabled account sign in again; an officer's next sign-in makes another signing key."""
    run_to_end(accounts.enable_account(read_settings(), username))
    click.echo(f"enabled {username}")


@account.command("password")
@click.argument("username")
@click.option("--own", is_flag=True, help="Ask for the present password first; the signing key is kept.")
@explained
def account_password(username: str, own: bool) -> None:
    """Set another password and end the account's sessions. The password is read as by `create`.

    Without --own the officer's signing key is ended too, which the log shows: it opened with the old
    password only. The next sign-in makes another.
    """
    settings = read_settings()
    if own:
        old, new = read_password("Present password"), read_password("New password", new=True)
        changing = accounts.change_own_password(settings, username, old=old, new=new)
    else:
        changing = accounts.change_password(settings, username, read_password("New password", new=True))
    run_to_end(changing)
    click.echo(f"changed the password of {username}")


@main.group()
def jobs() -> None:
    """Steps of a hit's way that keep failing."""


@jobs.command("list")
@explained
def jobs_list() -> None:
    """List jobs that were given up, or fail again and again, with their last error."""
    for job in run_to_end(administration.list_failed_jobs(read_settings())):
        state = "given up" if job.given_up else "still tried"
        click.echo(f"{job.job_id} {job.task} {job.event_id}: {state} after {job.attempts} attempts")
        click.echo(f"         {job.error or 'no error was recorded'}")


@jobs.command("retry")
@click.argument("job_id", metavar="[ID]", type=int, required=False)
@explained
def jobs_retry(job_id: int | None) -> None:
    """Try the failed job ID again, or all of them, once what they failed for is mended."""
    retried = run_to_end(administration.retry_failed_jobs(read_settings(), job_id))
    click.echo("\n".join(f"job {one} will be tried again" for one in retried) or "no job has failed")


@main.group()
def quarantine() -> None:
    """Messages that were refused, kept as received."""


@quarantine.command("export")
@click.argument("quarantine_id", metavar="ID", type=int)
@click.argument("file", type=click.Path(path_type=Path))
@explained
def quarantine_export(quarantine_id: int, file: Path) -> None:
    """Write what was sent, byte for byte, to the new FILE. The web's quarantine page shows the IDs.

    It may show a person: the log notes the access, with the machine's account that ran this.
    """
    click.echo(run_to_end(export_quarantined(read_settings(), quarantine_id, file)))


@quarantine.command("replay")
@click.argument("quarantine_id", metavar="[ID]...", type=int, nargs=-1)
@click.option("--code", help="Without IDs: only messages refused for this reason, e.g. unknown-station.")
@explained
def quarantine_replay(quarantine_id: tuple[int, ...], code: str | None) -> None:
    """Take refused messages again: a station registered late, or a storage failure mended.

    Each goes the way of every message, from its bytes, with the time at which it was received. What is
    accepted leaves quarantine; what is refused again stays. Without IDs: all there are.
    """
    from service.replaying import replay_quarantine  # noqa: PLC0415 (numpy and MQTT, not for --help)

    counts = run_to_end(replay_quarantine(read_settings(), quarantine_id, code=code, say=click.echo))
    click.echo(f"{counts['accepted']} accepted, {counts['kept']} kept")


main.add_command(calibrate)
main.add_command(witness_group)
main.add_command(evidence_group)
main.add_command(import_group)
main.add_command(keys_group)
main.add_command(retention_command)
main.add_command(screen)
main.add_command(export_group)


@main.command("version")
def print_version() -> None:
    """Print the version."""
    click.echo(f"zhichao {version('zhichao')}")


if __name__ == "__main__":
    main()
