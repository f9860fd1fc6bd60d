"""What an officer does with a passage's evidence from the command line: export it, correct what was done.

An export is a folder that needs nothing of this installation to be checked:

    EV-<id>/, EV-<id>.s<n>/      the sealed package and its supplements, byte for byte
    statements/<index>-<what>.dsse.json, .tlog-proof
                                 every other signed statement of its life, and those on
                                 the keys of the officers who acted, each with its entry's proof
    history.json                 what `zhichao evidence history --json` said of them
    trust.sha256                 digest of the trust file it was checked against, to be compared with the one
                                 published; no key is ever taken from an export
    SHA256SUMS                   of all these files
    export.dsse.json             the officer's act, which names the digest of SHA256SUMS

A disclosure of masked copies (`service.masking`) has these in place of the packages.

The caller commits the act before anybody is given the folder.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from cases.seals import refuse_unverified
from domain.acts import Act, ActKind, SignedAct
from domain.errors import ConfigurationError, NotFound, RuleViolation, ServiceUnavailable
from domain.ids import EventId, Sha256, sha256_of
from evidence import Signer, Trust, leaf_hash, statement_leaf, verify_package
from evidence.acts import sign_act
from evidence.dsse import Envelope, EnvelopeSignature
from evidence.exported.folder import ACT_FILE, HISTORY, STATEMENTS, SUMS
from evidence.package import TAG_MANIFEST
from service.chapters import Chapter
from service.evidence_history import as_json
from service.history import tell_history
from service.history_teller import Places
from service.officer_at_hand import ActingOfficer
from store.acts import add_act
from store.connection import Connection
from store.entry_proofs import entries_known
from store.life import SealedPackage, SignedRecord, event_named, life_of, sealed_packages
from store.officer_keys import key_statements


class Desk(NamedTuple):
    """Where and with whose keys an officer works."""

    conn: Connection
    trust: Trust
    places: Places
    service: Signer
    officer: ActingOfficer
    now: datetime


async def export_evidence(desk: Desk, name: str, folder: Path, *, recipient: str, reason: str) -> Act:
    """Export a passage's evidence into a new folder, in the caller's transaction; return the act.

    Raises
    ------
    NotFound
        Nothing sealed has this id.
    RuleViolation
        A copied package does not verify: an officer signs for no evidence that is broken.
    ConfigurationError
        The folder exists already, or cannot be written.
    """
    event, packages = await sealed_of(desk, name)

    def fill() -> list[tuple[str, Sha256]]:
        _copy([desk.places.evidence / one.folder for one in packages], folder)
        try:
            for one in packages:  # the copies: these are the bytes that the officer signs for
                refuse_broken(folder / one.folder, desk.trust)
        except (RuleViolation, ServiceUnavailable):
            shutil.rmtree(folder)
            raise
        return [(f"{one.folder}/{TAG_MANIFEST}", one.tagmanifest) for one in packages]

    act = handing_over(desk, ActKind.EXPORT, event, packages[0].folder, recipient=recipient, reason=reason)
    return await hand_over(desk, act, event, folder, fill)


async def sealed_of(desk: Desk, name: str) -> tuple[EventId, list[SealedPackage]]:
    """Return a passage and its packages; raises `NotFound` where nothing is sealed or its files are gone."""
    event = await event_named(desk.conn, name)
    packages = await sealed_packages(desk.conn, event)
    if not packages or not all((desk.places.evidence / one.folder).is_dir() for one in packages):
        raise NotFound(f"the evidence of {name} is not sealed, or its files are not here")
    return event, packages


async def hand_over(
    desk: Desk,
    act: Act,
    event: EventId,
    folder: Path,
    fill: Callable[[], Sequence[tuple[str, Sha256]]],
) -> Act:
    """Fill a new folder, put the passage's statements beside, and sign for all of it; return the act.

    Parameters
    ----------
    fill
        Makes the folder with what is handed over, and returns names and digests that the act names.

    Raises
    ------
    ConfigurationError
        The folder exists already, or cannot be written.
    """
    try:
        named = await asyncio.to_thread(fill)
        await _write_statements(desk, event, folder)
        sums = await asyncio.to_thread(_sums, folder)
        (folder / SUMS).write_bytes(sums)
        act = replace(act, digests=((SUMS, sha256_of(sums)), *named))
        signed = await _store(desk, act)
        (folder / ACT_FILE).write_bytes(signed.envelope)
        await asyncio.to_thread(_keep_from_others, folder)
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}; name another folder") from error
    return act


async def correct(desk: Desk, name: str, leaf_index: int, *, reason: str) -> Act:
    """State that an earlier act is corrected or taken back, in the caller's transaction; return the act.

    Raises
    ------
    NotFound
        No statement on this passage stands at this index of the log.
    """
    told = await tell_history(desk.conn, name, trust=desk.trust, places=desk.places)
    found = [one for one in told.chapters if one.leaf_index == leaf_index and one.what != "officer-key"]
    if not found:
        raise NotFound(f"entry {leaf_index} is no statement on {name}; see `zhichao evidence history {name}`")
    act = _correction(desk, told.event_id, found[0], reason)
    await _store(desk, act)
    return act


def refuse_broken(package: Path, trust: Trust) -> None:
    """Raise where a package does not verify: nobody signs for it. Errors as `refuse_unverified`."""
    refuse_unverified(verify_package(package, trust), package.name, "nothing is exported")


async def _store(desk: Desk, act: Act) -> SignedAct:
    # A token may take its time.
    signed = await asyncio.to_thread(sign_act, act, desk.officer.key, desk.service)
    await add_act(desk.conn, act, signed)
    return signed


async def _write_statements(desk: Desk, event: EventId, folder: Path) -> None:
    told = await tell_history(desk.conn, event, trust=desk.trust, places=desk.places)
    (folder / HISTORY).write_text(as_json(told) + "\n", encoding="utf-8")
    (folder / "trust.sha256").write_text(f"{desk.trust.digest}\n", encoding="ascii")
    records = [one for one in await life_of(desk.conn, event) if one.what not in ("package", "supplement")]
    written = [one for one in records if one.envelope]
    acting = {desk.officer.key.key_id} | {one.key_id for record in written for one in _signatures(record)}
    keys = [one for one in await key_statements(desk.conn) if one.key_id in acting]
    written += [SignedRecord(one.what, one.key_id, one.what, one.envelope, None, one.made_at) for one in keys]
    hashes = [leaf_hash(statement_leaf(one.envelope)) for one in written]
    entries = await entries_known(desk.conn, hashes)
    statements = folder / STATEMENTS
    statements.mkdir()
    for number, (record, leaf) in enumerate(zip(written, hashes, strict=True)):
        entry = entries.get(leaf)
        logged = entry is not None and entry.leaf_index is not None
        place = f"{entry.leaf_index:09d}" if logged and entry is not None else f"waiting-{number}"
        (statements / f"{place}-{record.what}.dsse.json").write_bytes(record.envelope)
        if entry is not None and entry.proof is not None:
            (statements / f"{place}-{record.what}.tlog-proof").write_bytes(entry.proof)


def _signatures(record: SignedRecord) -> tuple[EnvelopeSignature, ...]:
    return Envelope.parse(record.envelope).signatures


def _keep_from_others(folder: Path) -> None:
    """Let only its owner read an export: it holds pictures of people, whatever the umask."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)


def handing_over(
    desk: Desk, kind: ActKind, event: EventId, subject: str, *, recipient: str, reason: str
) -> Act:
    """Return the act of giving evidence away, without digests yet."""
    return Act(
        act_id=f"{kind}-{uuid4().hex}",
        kind=kind,
        officer=desk.officer.key.officer,
        licence=desk.officer.licence,
        event=event,
        subject=subject,
        reason=reason,
        digests=(),
        made_at=desk.now,
        detail={"recipient": recipient, "trust_sha256": desk.trust.digest},
    )


def _correction(desk: Desk, event: EventId, corrected: Chapter, reason: str) -> Act:
    return Act(
        act_id=f"correction-{uuid4().hex}",
        kind=ActKind.CORRECTION,
        officer=desk.officer.key.officer,
        licence=desk.officer.licence,
        event=event,
        subject=corrected.subject,
        reason=reason,
        digests=((corrected.what, Sha256(corrected.envelope_sha256)),),
        made_at=desk.now,
        corrects=Sha256(corrected.envelope_sha256),
        detail={"entry": corrected.leaf_index},
    )


def _copy(sources: Sequence[Path], folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    for source in sources:
        shutil.copytree(source, folder / source.name, symlinks=True)


def _sums(folder: Path) -> bytes:
    files = sorted(one for one in folder.rglob("*") if one.is_file() and not one.is_symlink())
    lines = [f"{_sha256_of_file(one)}  {one.relative_to(folder).as_posix()}\n" for one in files]
    return "".join(lines).encode()


def _sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
