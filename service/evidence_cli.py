"""Commands on evidence packages: `zhichao evidence`; a further command is a module of its own."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from evidence import Policy, Report, Trust, as_json, as_text, verify_package
from evidence.exported import is_export, verify_export
from evidence.policy import SM3_LAYER
from evidence.report import NOT_VERIFIED
from evidence.several import folders_in, same_event
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
    """Verify the package or export in each folder PATH, or in any folder below it, layer by layer, offline.

    A supplement is verified with the packages before it, which must lie beside it; alone it is not checked.
    Where two different packages bear one name, each properly sealed, that is a finding of its own, at the
    end. One package alone does not show that there is no other.

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
    reports: list[tuple[Path, Report]] = []
    for folder in dict.fromkeys(found for given in path for found in folders_in(given)):
        for report in _reports(folder, keys, wanted):
            # One after the other: a thousand packages may take minutes, and the first answer is needed first.
            click.echo(as_json(report) if json_wanted else as_text(report))
            reports.append((folder if report.package == folder.name else folder / report.package, report))
    findings = same_event(reports)
    for finding in findings:
        click.echo(as_json(finding) if json_wanted else as_text(finding))
    states = {report.status for report in (*(one for _, one in reports), *findings)}
    sys.exit(NOT_VERIFIED if NOT_VERIFIED in states else max(states))


def _reports(folder: Path, trust: Trust, policy: Policy) -> list[Report]:
    if is_export(folder):
        return verify_export(folder, trust, policy=policy)
    return [verify_package(folder, trust, policy=policy)]


evidence_group.add_command(recompute_command)
evidence_group.add_command(supplement_command)


evidence_group.add_command(audit)


evidence_group.add_command(history_command)
evidence_group.add_command(officers_command)
evidence_group.add_command(export_command)
evidence_group.add_command(correct_command)


for _command in (hold_command, release_command, holds_command):
    evidence_group.add_command(_command)
