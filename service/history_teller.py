"""How one signed record becomes a chapter: who signed it, where it stands in the log, whether it holds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from domain.acts import Act, ActKind
from domain.errors import EvidenceBroken
from evidence import (
    CAPTURES,
    DECISION,
    Trust,
    check_statement,
    leaf_hash,
    sealed_event,
    statement_leaf,
    verify_package,
)
from evidence.acts import RegisteredKey, check_act, envelope_digest, leaf_of_digest, subjects_of
from evidence.capture_claims import Claim, claims_of, compare_package
from evidence.corrections import asked_by_officers
from evidence.dsse import Envelope
from evidence.logged import check_published, check_signers_alive
from evidence.parsing import Json, moment_of
from evidence.report import NOT_CHECKED
from evidence.statements import KEYS, PACKAGE
from evidence.verify.inspection import printable
from service.chapters import Chapter, Finding, Signed
from store.entry_proofs import KnownEntry
from store.life import SignedRecord


class Places(NamedTuple):
    """Where a history is looked up."""

    evidence: Path
    log: Path


class Teller:
    """Turns records into chapters: each signature and each entry checked, packages layer by layer."""

    def __init__(self, trust: Trust, places: Places, entries: Mapping[bytes, KnownEntry]) -> None:
        self._trust = trust
        self._services = [service.public_key for service in trust.services]
        self._places = places
        self._entries = entries
        self._deleted: dict[str, Act] = {}
        self._corrections: dict[str, Act] = {}
        self._claims: list[Claim] = []

    def learn_captures(self, records: Sequence[SignedRecord]) -> None:
        """Take note of what capture statements that hold say of originals, to compare packages with it."""
        for record in records:
            if record.what == "captures":
                told = self.chapter(record, {})
                if told.signature.ok:
                    index = told.leaf_index if told.inclusion.ok else None
                    with suppress(EvidenceBroken):
                        self._claims += claims_of(record.envelope, index, self._services)

    def learn_acts(self, records: Sequence[SignedRecord], officers: Mapping[str, RegisteredKey]) -> None:
        """Take note of what officers deleted at the end of retention, or had corrected, by acts that hold."""
        for record in records:
            if record.what in (ActKind.DELETION, ActKind.CORRECTION):
                with suppress(EvidenceBroken):
                    inclusion, index, _ = self._included(record)
                    act = check_act(record.envelope, index, officers=officers, services=self._services)
                    if inclusion.ok is False or act.event != record.event:
                        continue
                    if act.kind is ActKind.CORRECTION:
                        self._corrections[envelope_digest(record.envelope)] = act
                    elif act.kind is ActKind.DELETION:
                        self._deleted |= dict.fromkeys((name for name, _ in act.digests), act)

    def chapter(self, record: SignedRecord, officers: Mapping[str, RegisteredKey]) -> Chapter:
        """Tell of a statement on the passage."""
        if not record.envelope:
            return self._told(record, lambda _: Signed(self._erased(record)))
        return self._told(record, lambda index: self._signed(record, index, officers))

    def key_chapter(self, record: SignedRecord) -> Chapter:
        """Tell of a statement on an officer's key."""
        return self._told(record, lambda _: self._key(record))

    def _told(self, record: SignedRecord, check: Callable[[int | None], Signed]) -> Chapter:
        inclusion, index, seen_at = self._included(record)
        try:
            signed = check(index)
            if seen_at is not None and record.envelope:
                check_signers_alive(record.envelope, self._trust, seen_at)
        except EvidenceBroken as error:
            signed = Signed(Finding(False, printable(str(error))))
        return Chapter(
            what=record.what,
            subject=record.subject,
            leaf_index=index,
            at=signed.at or record.at,
            witnessed_at=seen_at,
            officer=signed.officer,
            licence=signed.licence,
            reason=signed.reason,
            envelope_sha256=_digest(record),
            corrects=signed.corrects,
            signature=signed.finding,
            inclusion=inclusion,
        )

    def _included(self, record: SignedRecord) -> tuple[Finding, int | None, datetime | None]:
        """Look an entry up in the log as it lies there, and date it by the proof that was kept."""
        leaf = leaf_of(record)
        if leaf is None:
            return Finding(None if record.envelope else False, "no entry is known of it"), None, None
        entry = self._entries.get(leaf_hash(leaf))
        if entry is None:
            return (
                Finding(False, "its entry was never queued for the log: other bytes were signed"),
                None,
                None,
            )
        index = entry.leaf_index
        if index is None:
            return Finding(None, "waits to be logged"), None, None
        try:
            place = check_published(leaf, index, self._places.log, entry.proof, self._trust)
        except EvidenceBroken as error:
            return (
                Finding(False, f"entry {index} is missing from the log: {printable(str(error))}"),
                index,
                None,
            )
        return Finding(True, f"entry {index}"), index, place.witnessed_at

    def _signed(
        self, record: SignedRecord, index: int | None, officers: Mapping[str, RegisteredKey]
    ) -> Signed:
        match record.what:
            case "captures":
                statement = check_statement(record.envelope, self._services, CAPTURES)
                at = moment_of(statement["predicate"].get("made_at"), "made_at")
                return Signed(Finding(True, "signed by the service"), at)
            case "package" | "supplement":
                _check_sealed_event(record)
                return Signed(self._package(record, index))
        if _type_of(record.envelope) == DECISION:
            return self._decided(record, index, officers)
        act = check_act(record.envelope, index, officers=officers, services=self._services)
        if (act.kind, act.subject) != (record.what, record.subject):
            raise EvidenceBroken(f"it is a {act.kind} of {act.subject}, stored as a {record.what} of another")
        if act.event != record.event:
            raise EvidenceBroken(f"it is signed as of event {act.event}, and stored as of {record.event}")
        finding = Finding(True, f"signed by {_signed_by(act, record.envelope)}")
        return Signed(finding, act.made_at, act.officer, act.licence, act.reason, act.corrects)

    def _decided(
        self, record: SignedRecord, index: int | None, officers: Mapping[str, RegisteredKey]
    ) -> Signed:
        """Tell of a review from before officers had keys; since the first of them the service signs none."""
        predicate = check_statement(record.envelope, self._services, DECISION)["predicate"]
        if (record.what, predicate.get("case")) != ("review", record.subject):
            raise EvidenceBroken(f"it decides another case, stored as a {record.what} of {record.subject}")
        first = min((key.registered_at for key in officers.values()), default=None)
        if first is not None and (index is None or index > first):
            raise EvidenceBroken("the service alone signed this review; an officer's signature is missing")
        return _decided(predicate)

    def _package(self, record: SignedRecord, index: int | None) -> Finding:
        """Verify the whole package where its files lie; its statement alone where they were removed."""
        folder = self._places.evidence / record.subject
        if not folder.is_dir() and record.subject in self._deleted:
            return self._deleted_package(record, self._deleted[record.subject])
        if not folder.is_dir():
            return Finding(False, "its files are not in the evidence folder")
        return self._whole_package(folder, index)

    def _whole_package(self, folder: Path, index: int | None) -> Finding:
        """Verify every layer, originals against capture statements, corrections against officers' acts."""
        report = verify_package(folder, self._trust)
        if report.broken:
            return Finding(False, f"broken: {', '.join(report.broken)}")
        captured = compare_package(folder, self._claims, package_index=index)
        if captured.contradicted:
            return Finding(False, captured.detail)
        if not asked_by_officers(sealed_event(folder), self._corrections):
            return Finding(False, "it corrects what was sealed, and no officer's act that holds asks for it")
        if report.status == NOT_CHECKED:
            return Finding(None, f"could not be checked here: {', '.join(report.not_checked)}")
        return Finding(True, f"every layer holds; {captured.detail}")

    def _deleted_package(self, record: SignedRecord, act: Act) -> Finding:
        """Check that what was deleted is the package that was sealed."""
        statement = check_statement(record.envelope, self._services, PACKAGE)
        sealed = [one["digest"]["sha256"] for one in statement["subject"]]
        if sealed != [dict(act.digests)[record.subject]]:
            return Finding(False, "another package was deleted than the one that was sealed")
        return Finding(True, f"signed by the service; deleted {act.made_at:%Y-%m-%d} under {act.reason}")

    def _erased(self, record: SignedRecord) -> Finding:
        """Check that words which are gone were erased by an act that names their digest."""
        act = self._deleted.get(record.name)
        if act is None or record.leaf != leaf_of_digest(dict(act.digests)[record.name]):
            return Finding(False, "its words are gone, and no deletion names it")
        return Finding(True, f"its words were erased {act.made_at:%Y-%m-%d}; the deletion names its digest")

    def _key(self, record: SignedRecord) -> Signed:
        statement = check_statement(record.envelope, self._services, KEYS)
        predicate = statement["predicate"]
        named = key_named_in(record.envelope)
        if named != record.subject:
            raise EvidenceBroken(f"it is about the key {named}, stored as about another")
        at = moment_of(predicate.get("made_at"), "made_at")
        return Signed(
            Finding(True, "signed by the service"),
            at,
            officer=str(predicate.get("officer")),
            reason=str(predicate.get("reason", "")),
        )


def _digest(record: SignedRecord) -> str:
    if record.envelope or record.leaf is None:
        return envelope_digest(record.envelope)
    return record.leaf.decode().partition(" ")[0]


def _signed_by(act: Act, envelope: bytes) -> str:
    """Say who signed an act; one that names an officer is not therefore signed by them."""
    if len(Envelope.parse(envelope).signatures) > 1:
        return f"officer {act.officer}, countersigned by the service"
    return "the service alone" + ("" if act.officer is None else f", about officer {act.officer}")


def _decided(predicate: Json) -> Signed:
    """Tell of a decision from before officers had keys of their own."""
    return Signed(
        Finding(True, "signed by the service alone, before officers had keys"),
        moment_of(predicate.get("decided_at"), "decided_at"),
        str(predicate.get("officer")),
        str(predicate.get("licence")),
        str(predicate.get("reason")),
    )


def leaf_of(record: SignedRecord) -> bytes | None:
    """Return a record's entry in the log; None where none is known."""
    if record.what in ("package", "supplement") or not record.envelope:
        return record.leaf
    return statement_leaf(record.envelope)


def _check_sealed_event(record: SignedRecord) -> None:
    predicate = Envelope.parse(record.envelope).statement.get("predicate")
    named = predicate.get("event_id") if isinstance(predicate, dict) else None
    if record.event not in (None, named):
        raise EvidenceBroken(f"it was sealed as of event {named}, and is stored as of {record.event}")


def key_named_in(envelope: bytes) -> str:
    """Return the key that a statement on a key is about, believed or not; raises `EvidenceBroken`."""
    subjects = subjects_of(Envelope.parse(envelope).statement)
    if len(subjects) != 1:
        raise EvidenceBroken("a statement on an officer's key names not exactly one key")
    return subjects[0][1]


def _type_of(envelope: bytes) -> object:
    return Envelope.parse(envelope).statement.get("predicateType")
