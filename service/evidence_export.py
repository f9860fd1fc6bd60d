"""The commands `zhichao evidence export` and `correct`: acts of an officer at the command line."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from domain.acts import Act
from domain.errors import ConfigurationError
from evidence import Trust
from service.administration import open_database
from service.command import explained, read_password, read_settings, run_to_end
from service.exporting import Desk, correct, export_evidence
from service.history_teller import Places
from service.keys import ensure_keys
from service.masking import disclose_masked
from service.officer_at_hand import acting_officer
from service.settings import Settings

_REASON = click.option("--reason", required=True, help="Why, as it stands in the signed act for ever.")
_OFFICER = click.option("--officer", required=True, help="Account of the officer who signs for it.")


@click.command("export")
@click.argument("name", metavar="ID")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--recipient", required=True, help="To whom the evidence goes.")
@_REASON
@_OFFICER
@click.option("--masked", is_flag=True, help="Masked copies of the images, and no package.")
@explained
def export_command(
    name: str, folder: Path, recipient: str, reason: str, officer: str, *, masked: bool
) -> None:
    """Copy all evidence of the case, event or package ID into the new FOLDER, for disclosure.

    Package, supplements, every signed statement with its proof, and the digest of the trust file. It is an
    act of the officer, signed with their own key and put into the log; the password is asked for, or read
    as one line from standard input.

    With --masked the folder holds copies of the latest images in place of the packages, and the act is a
    disclosure. Plates of other vehicles are masked where they are found, and in front images the part where
    the cab is (ZHICHAO_MASK_CAB_PERMILLE). No face is looked for: look at every copy before you give the
    folder away.
    """
    folder = folder.absolute()
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    if folder.exists() or unfinished.exists():
        raise ConfigurationError(f"{folder} or {unfinished.name} beside it exists already; name a new folder")
    password = read_password(f"Password of {officer}")

    async def work() -> Act:
        settings = read_settings()
        async with _desk(settings, officer, password) as desk:
            if not masked:
                return await export_evidence(desk, name, unfinished, recipient=recipient, reason=reason)
            return await disclose_masked(
                desk, name, unfinished, recipient=recipient, reason=reason, settings=settings
            )

    try:
        act = run_to_end(work())
        unfinished.rename(folder)  # only now: the act is stored, and on its way into the log
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if masked:
        click.echo("masked copies only; look at each before the folder is given away")
    click.echo(f"exported {act.subject} to {folder}; check it with: cd {folder} && sha256sum -c SHA256SUMS")


@click.command("correct")
@click.argument("name", metavar="ID")
@click.argument("entry", metavar="ENTRY", type=int)
@_REASON
@_OFFICER
@explained
def correct_command(name: str, entry: int, reason: str, officer: str) -> None:
    """State that what stands at ENTRY of the log on ID is corrected, or taken back.

    Nothing is changed or removed: the correction is an entry of its own, signed by the officer, that names
    the one it corrects. `zhichao evidence history ID` shows the numbers of entries. The password is asked
    for.
    """
    password = read_password(f"Password of {officer}")

    async def work() -> Act:
        async with _desk(read_settings(), officer, password) as desk:
            return await correct(desk, name, entry, reason=reason)

    act = run_to_end(work())
    click.echo(f"entry {entry} of {act.subject} is corrected; it stays in the log, the correction beside it")


@asynccontextmanager
async def _desk(settings: Settings, officer: str, password: str) -> AsyncIterator[Desk]:
    service, now = ensure_keys(settings).service, datetime.now(UTC)
    places = Places(settings.evidence_root, settings.log_root)
    async with open_database(settings) as conn:
        acting = await acting_officer(conn, officer, password, service=service, now=now)
        yield Desk(conn, Trust.load(settings.trust_path), places, service, acting, now)
