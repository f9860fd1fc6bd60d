"""Commands on evidence packages: `zhichao evidence`; a further command is a module of its own."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from evidence import Policy, Trust, as_json, as_text, verify_package
from evidence.exported import is_export, verify_export
from evidence.policy import SM3_LAYER
from evidence.report import NOT_VERIFIED
from service.command import or_not_checked
from service.evidence_audit import audit
from service.evidence_export import correct_command, export_command
from service.evidence_history import history_command
from service.evidence_officers import officers_command
from service.evidence_recompute import recompute_command
from service.evidence_supplement import supplement_command
from service.retention_cli import hold_command, holds_command, release_command
from service.settings import load_settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("evidence")
def evidence_group() -> None:
    """Work with sealed evidence packages."""


@evidence_group.command("verify")
@click.argument("path", type=_FOLDER, nargs=-1, required=True)
@click.option("--policy", type=_FILE, help="JSON file that says which layers must hold; without it, all.")
@click.option("--trust", type=_FILE, help="Trust file to verify against; without it, the installation's own.")
@click.option("--sm3", is_flag=True, help="Check the second manifest too, by SM3 (GB/T 32905).")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object a line for each report.")
@or_not_checked
def verify(
    path: tuple[Path, ...], policy: Path | None, trust: Path | None, sm3: bool, json_wanted: bool
) -> None:
    """Verify the package or export in each folder PATH, layer by layer, offline.

    Of an export (`zhichao evidence export`) each package is reported, and last the export itself: its list
    of files, every statement in it with its officer's key and its entry in the log, and the act that hands
    it out. One of masked copies holds no package; its report says what cannot be told without it.

    The exit status is 0 if every required layer holds, 1 if one does not, and 2 if none is broken but
    something could not be checked: a trust file or policy that is missing or cannot be used, a signature
    that this machine's openssl does not know, a statement that was not in the log yet. With --json the
    member `status` says the same (verified, not-verified, not-checked), and `checked` is false in a layer
    that could not be checked.
    """
    keys = Trust.load(trust or load_settings().trust_path)
    wanted = Policy() if policy is None else Policy.load(policy)
    if sm3:
        wanted = replace(wanted, required_layers=wanted.required_layers | {SM3_LAYER})
    states = set()
    for package in path:
        export = is_export(package)
        reports = (
            verify_export(package, keys, policy=wanted)
            if export
            else [verify_package(package, keys, policy=wanted)]
        )
        for report in reports:
            # One after the other: a thousand packages may take minutes, and the first answer is needed first.
            click.echo(as_json(report) if json_wanted else as_text(report))
            states.add(report.status)
    sys.exit(NOT_VERIFIED if NOT_VERIFIED in states else max(states))


evidence_group.add_command(recompute_command)
evidence_group.add_command(supplement_command)


evidence_group.add_command(audit)


evidence_group.add_command(history_command)
evidence_group.add_command(officers_command)
evidence_group.add_command(export_command)
evidence_group.add_command(correct_command)


for _command in (hold_command, release_command, holds_command):
    evidence_group.add_command(_command)
