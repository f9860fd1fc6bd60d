"""The command `zhichao keys history`: what the log says of the installation's keys, beside the trust file.

The statements come from the database, with each entry looked up in the log as it lies there; or, where
others check them, from a folder that `--to` wrote: `statements/` as exports have it.
"""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from domain.units import utc_text
from evidence import Trust, leaf_hash, statement_leaf
from evidence.checkpoint import TlogProof
from evidence.exported.folder import STATEMENTS
from evidence.exported.statements import statements_of
from evidence.key_statements import KeyReader, KeyStatement, disagreements, remarks
from evidence.log import published_proof
from evidence.logged import Place, check_logged, check_published
from evidence.report import NOT_CHECKED, NOT_VERIFIED, STATUSES, VERIFIED
from evidence.verify.inspection import printable
from evidence.witnessed import witnessed
from service.administration import open_database
from service.chapters import Finding
from service.command import or_not_checked, run_to_end
from service.history_officers import officers_of, whole_log_by
from service.history_teller import Places
from service.settings import Settings, load_settings
from store.entry_proofs import KnownEntry, entries_known
from store.key_statements import LoggedStatement, all_key_statements

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KINDS = ("rotation", "revocation", "trust-file")
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class Record(NamedTuple):
    """A statement as it was found, and its entry in the log."""

    what: str
    envelope: bytes
    leaf_index: int | None
    """None while it waits to be logged."""
    inclusion: Finding
    seen_at: datetime | None = None
    """When a witness had seen it."""


class Told(NamedTuple):
    """A statement, read."""

    record: Record
    says: KeyStatement | None
    signature: Finding


class KeysHistory(NamedTuple):
    """What the log says of the installation's keys."""

    trust_digest: str
    statements: list[Told]
    disagreements: list[str]
    remarks: list[str]
    log: Finding

    @property
    def status(self) -> int:
        """Exit status: 0 all holds and agrees, 1 something does not, 2 something could not be checked.

        As in a passage's history, what waits to be logged does not hold yet.
        """
        findings = [one.signature for one in self.statements]
        findings += [one.record.inclusion for one in self.statements]
        if self.disagreements or any(one.ok is False for one in [self.log, *findings]):
            return NOT_VERIFIED
        return NOT_CHECKED if any(one.ok is None for one in findings) else VERIFIED


@click.command("history")
@click.option("--trust", type=_FILE, help="Trust file to compare; without it, the installation's own.")
@click.option("--from", "source", type=_FOLDER, help="Read what --to wrote, in place of the database.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="Write the statements to a new folder.")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object instead of lines.")
@or_not_checked
def history_command(
    trust: Path | None, source: Path | None, target: Path | None, *, json_wanted: bool
) -> None:
    """Tell what the log says of the installation's keys and trust files, and where the trust file differs.

    Each statement with its entry: keys followed by others, keys revoked, trust files published. Officers'
    keys are told by `zhichao evidence officers`. What --to writes, others check with --from and the trust
    file they have; whether statements are missing there, the log's auditor can tell.

    The exit status is 0 if everything holds and the trust file says the same, 1 if not, and 2 if it could
    not be checked, or is not in the log yet.
    """
    settings = load_settings()
    relied_on = Trust.load(trust or settings.trust_path)
    if source is not None:
        log = Finding(None, "not at hand: statements may be missing")
        records = _in_folder(source, relied_on)
    else:
        records, log = run_to_end(_stored(settings, relied_on))
    told = tell(records, relied_on, log)
    if target is not None:
        _write(records, target, settings.log_root)
    click.echo(as_json(told) if json_wanted else as_text(told))
    sys.exit(told.status)


def tell(records: Sequence[Record], trust: Trust, log: Finding) -> KeysHistory:
    """Return what statements, in the order of the log, say of keys, and how a trust file differs."""
    reader = KeyReader(trust)
    statements = [_told(one, reader, trust) for one in records]
    holding = [
        one.says for one in statements if one.says is not None and one.record.inclusion.ok is not False
    ]
    return KeysHistory(trust.digest, statements, disagreements(holding, trust), remarks(holding, trust), log)


def as_text(history: KeysHistory) -> str:
    """Return the history for a terminal."""
    lines = [f"trust file sha256 {history.trust_digest}", f"log        {_mark(history.log)}", ""]
    for one in history.statements:
        place = "-" if one.record.leaf_index is None else str(one.record.leaf_index)
        lines.append(f"{place:>8}  {one.record.what if one.says is None else _words(one.says)}")
        lines.append(f"{'':8}  {_mark(one.signature)}; {_mark(one.record.inclusion)}")
    lines += [f"note: {one}" for one in history.remarks]
    lines += [f"DISAGREES: {one}" for one in history.disagreements]
    verdict = (
        f"AGREES: {len(history.statements)} statements hold, and the trust file says the same",
        "BROKEN, or the trust file disagrees: see above",
        "NOT CHECKED: see above; that speaks neither for nor against it",
    )[history.status]
    return "\n".join([*lines, "", verdict])


def as_json(history: KeysHistory) -> str:
    """Return the history as one JSON object on one line."""
    document = {
        "ok": history.status == VERIFIED,
        "status": STATUSES[history.status],
        "trust_sha256": history.trust_digest,
        "log": history.log._asdict(),
        "statements": [_document(one) for one in history.statements],
        "disagreements": history.disagreements,
        "notes": history.remarks,
    }
    return json.dumps(document, ensure_ascii=False)


async def _stored(settings: Settings, trust: Trust) -> tuple[list[Record], Finding]:
    async with open_database(settings) as conn:
        stated = await all_key_statements(conn)
        hashes = [leaf_hash(statement_leaf(one.envelope)) for one in stated]
        known = await entries_known(conn, hashes)
        places = Places(settings.evidence_root, settings.log_root)
        officers = await officers_of(conn, trust=trust, places=places)
        log = await whole_log_by(conn, officers, trust=trust, places=places)
    records = []
    for one, leaf in zip(stated, hashes, strict=True):
        look_up = partial(check_published, log_folder=settings.log_root, trust=trust)
        records.append(_stored_record(one, known.get(leaf), look_up))
    return sorted(records, key=lambda one: (one.leaf_index is None, one.leaf_index or 0)), log


def _stored_record(one: LoggedStatement, entry: KnownEntry | None, look_up: Callable[..., Place]) -> Record:
    if entry is None:
        never = Finding(False, "its entry was never queued for the log: other bytes were signed")
        return Record(one.what, one.envelope, None, never)
    if entry.leaf_index is None:
        return Record(one.what, one.envelope, None, Finding(None, "waits to be logged"))
    leaf = statement_leaf(one.envelope)
    found, seen_at = _placed(lambda: look_up(leaf, entry.leaf_index, kept=entry.proof))
    return Record(one.what, one.envelope, entry.leaf_index, found, seen_at)


def _in_folder(folder: Path, trust: Trust) -> list[Record]:
    """Read the statements in a folder; raises `ConfigurationError` where there are none."""
    try:
        found = statements_of(folder)
    except (EvidenceBroken, OSError) as error:
        raise ConfigurationError(f"no statements can be read in {folder}: {error}") from None
    records = []
    for one in found:
        inclusion, seen_at = Finding(None, "was not in the log when the folder was made"), None
        if one.leaf_index is not None:
            look_up = partial(_proved, statement_leaf(one.envelope), one.leaf_index, one.proof, trust)
            inclusion, seen_at = _placed(look_up)
        if one.what in _KINDS:
            records.append(Record(one.what, one.envelope, one.leaf_index, inclusion, seen_at))
    return sorted(records, key=lambda one: (one.leaf_index is None, one.leaf_index or 0))


def _proved(leaf: bytes, index: int, proof: bytes, trust: Trust) -> Place:
    if not witnessed(TlogProof.parse(proof).signed, trust).standing:
        raise ServiceUnavailable("only witnesses whose keys have ended vouch for it; ask for a newer folder")
    return check_logged(leaf, index, proof, trust)


def _placed(look_up: Callable[[], Place]) -> tuple[Finding, datetime | None]:
    try:
        place = look_up()
    except EvidenceBroken as error:
        return Finding(False, f"its entry is missing from the log: {printable(str(error))}"), None
    except ServiceUnavailable as error:
        return Finding(None, f"not checked: {error}"), None
    return Finding(
        True, f"in the log, seen by a witness at {utc_text(place.witnessed_at)}"
    ), place.witnessed_at


def _told(record: Record, reader: KeyReader, trust: Trust) -> Told:
    try:
        says = reader.read(record.envelope)
    except EvidenceBroken as error:
        return Told(record, None, Finding(False, printable(str(error))))
    signed = f"signed by the key {says.signer[:16]}..."
    life = trust.lives.get(says.signer)
    if life is not None and record.seen_at is not None:
        try:
            life.check(record.seen_at, "this key")
        except EvidenceBroken as error:
            # So it is wherever a stolen key was followed before it was revoked: the trust file decides.
            signed += f", by itself without weight ({error})"
    return Told(record, says, Finding(True, signed))


def _write(records: Sequence[Record], folder: Path, log_folder: Path) -> None:
    """Write statements for others, each with a proof in the log as it is published now."""
    try:
        statements = folder / STATEMENTS
        statements.mkdir(parents=True)
        for number, one in enumerate(records):
            place = f"waiting-{number}" if one.leaf_index is None else f"{one.leaf_index:09d}"
            (statements / f"{place}-{one.what}.dsse.json").write_bytes(one.envelope)
            if one.leaf_index is not None:
                proof = published_proof(log_folder, one.leaf_index)
                (statements / f"{place}-{one.what}.tlog-proof").write_bytes(proof)
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}; name a new folder") from None


def _words(one: KeyStatement) -> str:
    at = utc_text(one.made_at)
    match one.what:
        case "rotation":
            return f"{at}  {one.role} key {one.subject} followed by {one.follower}, ends {_time(one.ends_at)}"
        case "revocation":
            reason = printable(one.reason)
            return f"{at}  {one.role} key {one.subject} revoked from {_time(one.ends_at)} ({reason})"
    return f"{at}  trust file published, sha256 {one.subject}"


def _time(at: datetime | None) -> str | None:
    return None if at is None else utc_text(at)


def _mark(finding: Finding) -> str:
    return f"BROKEN: {finding.detail}" if finding.ok is False else finding.detail


def _document(told: Told) -> dict[str, object]:
    record, says = told.record, told.says
    document: dict[str, object] = {
        "what": record.what,
        "leaf_index": record.leaf_index,
        "witnessed_at": _time(record.seen_at),
        "signature": told.signature._asdict(),
        "inclusion": record.inclusion._asdict(),
    }
    if says is None:
        return document
    times = {"made_at": _time(says.made_at), "ends_at": _time(says.ends_at)}
    return document | says._asdict() | times
