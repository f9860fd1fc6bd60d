"""Commands on evidence packages: `zhichao evidence`; a further command is a module of its own."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from domain.errors import ZhichaoError
from evidence import Policy, Trust, as_json, as_text, verify_package
from evidence.policy import SM3_LAYER
from service.evidence_recompute import recompute_command
from service.settings import load_settings

NOT_VERIFIED = 1
NOT_CHECKED = 2
"""Exit status of `verify`; 2 is also what a wrong command line ends with."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

P = ParamSpec("P")
R = TypeVar("R")


@click.group("evidence")
def evidence_group() -> None:
    """Work with sealed evidence packages."""


def _or_not_checked(command: Callable[P, R]) -> Callable[P, R]:
    """Say in one sentence, and by exit status 2, that nothing could be checked: never "not verified"."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ZhichaoError as error:
            click.echo(f"zhichao: not checked: {error}", err=True)
            sys.exit(NOT_CHECKED)

    return run


@evidence_group.command("verify")
@click.argument("path", type=_FOLDER, nargs=-1, required=True)
@click.option("--policy", type=_FILE, help="JSON file that says which layers must hold; without it, all.")
@click.option("--trust", type=_FILE, help="Trust file to verify against; without it, the installation's own.")
@click.option("--sm3", is_flag=True, help="Check the second manifest too, by SM3 (GB/T 32905).")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object a line for each package.")
@_or_not_checked
def verify(
    path: tuple[Path, ...], policy: Path | None, trust: Path | None, sm3: bool, json_wanted: bool
) -> None:
    """Verify the package in each folder PATH, layer by layer, offline.

    The exit status is 0 if every required layer of every package holds, 1 if one does not, and 2 if it
    could not be checked: a trust file or policy that is missing or cannot be used.
    """
    keys = Trust.load(trust or load_settings().trust_path)
    wanted = Policy() if policy is None else Policy.load(policy)
    if sm3:
        wanted = replace(wanted, required_layers=wanted.required_layers | {SM3_LAYER})
    verified = True
    for package in path:
        report = verify_package(package, keys, policy=wanted)
        # One after the other: a thousand packages may take minutes, and the first answer is needed first.
        click.echo(as_json(report) if json_wanted else as_text(report))
        verified &= report.ok
    sys.exit(0 if verified else NOT_VERIFIED)


evidence_group.add_command(recompute_command)
