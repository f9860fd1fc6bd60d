"""`zhichao evidence audit`: follow a log from outside, keep its last head, compare it with others'."""

import sys
from pathlib import Path

import click

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from evidence import COSIGNATURE, Trust, VerifierKey
from evidence.audit import Auditor, OtherHead
from evidence.audit_report import AuditReport, audit_json, audit_text, keep_contradictions
from evidence.durable import make_folders, read_regular, replace
from evidence.log_copy import CHECKPOINT, MAX_NOTE_BYTES, copy_at
from service.command import or_not_checked
from service.settings import load_settings

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("audit")
@click.argument("place", metavar="LOG")
@click.option(
    "--trust", type=_FILE, help="Trust file with the log's key; without it, the installation's own."
)
@click.option("--state", type=_FILE, help="File of the head seen last; made the first time, replaced since.")
@click.option("--other", "others", multiple=True, help="Head seen by others: a checkpoint's file, or a copy.")
@click.option("--witness", "witnesses", multiple=True, help="Published key of a witness that must cosign.")
@click.option("--full", is_flag=True, help="Recompute the root from every entry; check every stamped head.")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object instead of lines.")
@or_not_checked
def audit(
    *,
    place: str,
    trust: Path | None,
    state: Path | None,
    others: tuple[str, ...],
    witnesses: tuple[str, ...],
    full: bool,
    json_wanted: bool,
) -> None:
    """Audit the log at LOG: a folder, or the http, https or file address of its static files.

    With --state the audit goes on from the head seen last: run it daily. Two heads that contradict each
    other are kept, signed as they are, in the folder STATE.proofs: they prove it to anybody. The exit status
    is 0 if everything holds, 1 if something does not, and 2 if something could not be checked.
    """
    keys = Trust.load(trust or load_settings().trust_path)
    last = read_regular(state, max_bytes=MAX_NOTE_BYTES) if state is not None and state.exists() else None
    report = Auditor(copy_at(place), keys).audit(
        last=last,
        others=[_other(one) for one in others],
        witnesses=[_witness_key(text) for text in witnesses],
        full=full,
    )
    if state is not None:
        _remember(report, state)
    click.echo(audit_json(report) if json_wanted else audit_text(report))
    sys.exit(report.status)


def _remember(report: AuditReport, state: Path) -> None:
    """Keep the head if it is one to go on from, and what proves that it is not."""
    for kept in keep_contradictions(report, state.with_name(f"{state.name}.proofs")):
        click.echo(f"zhichao: the proof is kept in {kept}", err=True)
    if report.head is not None and report.may_be_followed:
        make_folders(state.absolute().parent)
        replace(state.absolute(), report.head)


def _other(place: str) -> OtherHead:
    file = Path(place)
    if file.is_file():
        return OtherHead(place, read_regular(file, max_bytes=MAX_NOTE_BYTES))
    copy = copy_at(place)
    note = copy.read(CHECKPOINT, max_bytes=MAX_NOTE_BYTES)
    if note is None:
        raise ServiceUnavailable(f"{place} has no checkpoint to compare with")
    return OtherHead(place, note, copy)


def _witness_key(text: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except EvidenceBroken as error:
        raise ConfigurationError(f"--witness: {error}") from None
    if key.kind != COSIGNATURE:
        raise ConfigurationError(f"--witness: {key.name} is the key of a log")
    return key
