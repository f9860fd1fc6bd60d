"""The command `zhichao evidence recompute`: every number of a package again, beside what was decided."""

import sys
from pathlib import Path

import click

from domain.errors import ZhichaoError
from evidence.report import NOT_CHECKED, NOT_VERIFIED, VERIFIED
from service.settings import load_settings


@click.command("recompute")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object instead of lines.")
@click.option("--english", is_flag=True, help="In English; without it, in Chinese.")
def recompute_command(path: Path, json_wanted: bool, english: bool) -> None:
    """Compute everything in the package in folder PATH again, from the messages as received.

    Needs the package alone: no database, no network. Weights, uncertainty, findings and the
    proposed penalty are shown step by step beside what was decided. Whether the package is genuine is
    for `verify`.

    The exit status is 0 if every figure is equal to the last digit, 1 if one differs, and 2 if it
    cannot be told: no package of this format, or one decided by a version that this software does not have.
    """
    try:
        load_settings()  # says where compiled code is kept, before any is loaded; nothing else is used
        from service.recomputation import as_json, as_text, recompute  # noqa: PLC0415

        found = recompute(path)
    except ZhichaoError as error:
        click.echo(f"zhichao: not recomputed: {error}", err=True)
        sys.exit(NOT_CHECKED)
    click.echo(as_json(found) if json_wanted else as_text(found, "en" if english else "zh"))
    sys.exit(VERIFIED if found.equal else NOT_VERIFIED)
