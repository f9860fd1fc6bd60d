"""The whole life of a passage as evidence, told from what was signed: each signature and each entry checked.

Nothing is taken from the database but the signed bytes and where to look: who acted, when and why stands in
the envelopes; whose a key is, in logged statements, which are told too; the order is the log's. An entry is
looked up in the log as it lies there today, and dated by the proof that was kept when a witness first saw it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from domain.acts import Act, ActKind
from domain.errors import EvidenceBroken
from domain.ids import EventId, Sha256
from evidence import (
    CAPTURES,
    DECISION,
    Trust,
    check_statement,
    leaf_hash,
    statement_leaf,
    verify_package,
)
from evidence.acts import (
    KeyEntry,
    RegisteredKey,
    check_act,
    envelope_digest,
    leaf_of_digest,
    officer_keys_of,
    subjects_of,
)
from evidence.dsse import Envelope
from evidence.logged import check_published, check_signers_alive
from evidence.parsing import Json, moment_of
from evidence.statements import KEYS, PACKAGE
from evidence.verify.inspection import printable
from store.connection import Connection
from store.entry_proofs import KnownEntry, entries_known
from store.life import SignedRecord, event_named, life_of
from store.officer_keys import LoggedKeyStatement, key_statements

_NEVER_LOGGED = 2**62
"""Stands for the place of what waits: after every entry there is."""


class Finding(NamedTuple):
    """Whether something holds; None where it cannot be told yet."""

    ok: bool | None
    detail: str


class Chapter(NamedTuple):
    """One signed statement of a life."""

    what: str
    subject: str
    leaf_index: int | None
    at: datetime
    """As its signer says, or where it says none, as it was stored."""
    witnessed_at: datetime | None
    """When a witness had seen it."""
    officer: str | None
    licence: str | None
    reason: str
    envelope_sha256: str
    corrects: str | None
    signature: Finding
    inclusion: Finding


class History(NamedTuple):
    """A passage's life."""

    event_id: EventId
    trust_digest: str
    chapters: list[Chapter]

    @property
    def broken(self) -> list[Chapter]:
        """What does not hold."""
        return [one for one in self.chapters if False in (one.signature.ok, one.inclusion.ok)]

    @property
    def waiting(self) -> list[Chapter]:
        """What is not in the log yet."""
        return [one for one in self.chapters if one.inclusion.ok is None]


class Places(NamedTuple):
    """Where a history is looked up."""

    evidence: Path
    log: Path


class _Signed(NamedTuple):
    """What a record's envelope says, checked or not."""

    finding: Finding
    at: datetime | None = None
    officer: str | None = None
    licence: str | None = None
    reason: str = ""
    corrects: str | None = None


async def tell_history(conn: Connection, name: str, *, trust: Trust, places: Places) -> History:
    """Return the life of a passage.

    Parameters
    ----------
    conn
        The installation's database.
    name
        Id of a case, an event or a package.
    trust
        Keys, from outside.
    places
        The evidence folder and the log's.

    Raises
    ------
    NotFound
        Nothing here has this id.
    """
    event = await event_named(conn, name)
    records, given = _with_erased(await life_of(conn, event)), await key_statements(conn)
    known = [SignedRecord(one.what, one.key_id, one.what, one.envelope, None, one.made_at) for one in given]
    leaves = [leaf for leaf in map(_leaf, [*records, *known]) if leaf is not None]
    teller = _Teller(trust, places, await entries_known(conn, [leaf_hash(leaf) for leaf in leaves]))
    keys = [teller.key_chapter(one) for one in known]
    officers = _registered(given, keys, trust)
    teller.learn_deleted(records, officers)
    chapters = [teller.chapter(one, officers) for one in records]
    acting = {key_id for record in records for key_id in _signers(record.envelope)}
    told = sorted([*chapters, *(key for key in keys if key.subject in acting)], key=_order)
    return History(event, trust.digest, _without_replays(told))


class _Teller:
    """Turns records into chapters."""

    def __init__(self, trust: Trust, places: Places, entries: Mapping[bytes, KnownEntry]) -> None:
        self._trust = trust
        self._services = [service.public_key for service in trust.services]
        self._places = places
        self._entries = entries
        self._deleted: dict[str, Act] = {}

    def learn_deleted(self, records: Sequence[SignedRecord], officers: Mapping[str, RegisteredKey]) -> None:
        """Take note of packages that an officer deleted at the end of retention, by acts that hold."""
        for record in records:
            if record.what == ActKind.DELETION:
                with suppress(EvidenceBroken):
                    act = check_act(record.envelope, None, officers=officers, services=self._services)
                    self._deleted |= dict.fromkeys((name for name, _ in act.digests), act)

    def chapter(self, record: SignedRecord, officers: Mapping[str, RegisteredKey]) -> Chapter:
        """Tell of a statement on the passage."""
        if not record.envelope:
            return self._told(record, lambda _: _Signed(self._erased(record)))
        return self._told(record, lambda index: self._signed(record, index, officers))

    def key_chapter(self, record: SignedRecord) -> Chapter:
        """Tell of a statement on an officer's key."""
        return self._told(record, lambda _: self._key(record))

    def _told(self, record: SignedRecord, check: Callable[[int | None], _Signed]) -> Chapter:
        inclusion, index, seen_at = self._included(record)
        try:
            signed = check(index)
            if seen_at is not None and record.envelope:
                check_signers_alive(record.envelope, self._trust, seen_at)
        except EvidenceBroken as error:
            signed = _Signed(Finding(False, printable(str(error))))
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
        leaf = _leaf(record)
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
    ) -> _Signed:
        match record.what:
            case "captures":
                statement = check_statement(record.envelope, self._services, CAPTURES)
                at = moment_of(statement["predicate"].get("made_at"), "made_at")
                return _Signed(Finding(True, "signed by the service"), at)
            case "package" | "supplement":
                return _Signed(self._package(record))
        if _type_of(record.envelope) == DECISION:
            return self._decided(record, index, officers)
        act = check_act(record.envelope, index, officers=officers, services=self._services)
        if (act.kind, act.subject) != (record.what, record.subject):
            raise EvidenceBroken(f"it is a {act.kind} of {act.subject}, stored as a {record.what} of another")
        who = "the service" if act.officer is None else f"officer {act.officer}, countersigned by the service"
        finding = Finding(True, f"signed by {who}")
        return _Signed(finding, act.made_at, act.officer, act.licence, act.reason, act.corrects)

    def _decided(
        self, record: SignedRecord, index: int | None, officers: Mapping[str, RegisteredKey]
    ) -> _Signed:
        """Tell of a review from before officers had keys; since the first of them the service signs none."""
        predicate = check_statement(record.envelope, self._services, DECISION)["predicate"]
        if (record.what, predicate.get("case")) != ("review", record.subject):
            raise EvidenceBroken(f"it decides another case, stored as a {record.what} of {record.subject}")
        first = min((key.registered_at for key in officers.values()), default=None)
        if first is not None and (index is None or index > first):
            raise EvidenceBroken("the service alone signed this review; an officer's signature is missing")
        return _decided(predicate)

    def _package(self, record: SignedRecord) -> Finding:
        """Verify the whole package where its files lie; its statement alone where they were removed."""
        folder = self._places.evidence / record.subject
        if not folder.is_dir() and record.subject in self._deleted:
            return self._deleted_package(record, self._deleted[record.subject])
        if not folder.is_dir():
            return Finding(False, "its files are not in the evidence folder")
        report = verify_package(folder, self._trust)
        broken = ", ".join(report.broken)
        return Finding(report.ok, f"broken: {broken}" if broken else "every layer holds")

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

    def _key(self, record: SignedRecord) -> _Signed:
        statement = check_statement(record.envelope, self._services, KEYS)
        predicate = statement["predicate"]
        at = moment_of(predicate.get("made_at"), "made_at")
        return _Signed(
            Finding(True, "signed by the service"),
            at,
            officer=str(predicate.get("officer")),
            reason=str(predicate.get("reason", "")),
        )


def _registered(
    given: Sequence[LoggedKeyStatement], told: Sequence[Chapter], trust: Trust
) -> dict[str, RegisteredKey]:
    """Return the officers' keys that statements which hold give; a key with one that does not is left out."""
    services = [service.public_key for service in trust.services]
    by_key: dict[str, list[KeyEntry]] = {}
    doubtful: set[str] = set()
    for statement, chapter in zip(given, told, strict=True):
        place = _NEVER_LOGGED if statement.leaf_index is None else statement.leaf_index
        by_key.setdefault(statement.key_id, []).append(KeyEntry(place, statement.envelope))
        if False in (chapter.signature.ok, chapter.inclusion.ok):
            doubtful.add(statement.key_id)
    officers: dict[str, RegisteredKey] = {}
    for key_id, entries in by_key.items():
        if key_id not in doubtful:
            with suppress(EvidenceBroken):
                officers |= officer_keys_of(entries, services)
    return officers


def _with_erased(records: Sequence[SignedRecord]) -> list[SignedRecord]:
    """Return the records; one whose words were erased has the entry that a deletion's digest gives it."""
    named: dict[str, Sha256] = {}
    for record in records:
        if record.what == ActKind.DELETION:
            with suppress(EvidenceBroken):
                named |= dict(subjects_of(Envelope.parse(record.envelope).statement))
    return [
        replace(one, leaf=leaf_of_digest(named[one.name])) if not one.envelope and one.name in named else one
        for one in records
    ]


def _digest(record: SignedRecord) -> str:
    if record.envelope or record.leaf is None:
        return envelope_digest(record.envelope)
    return record.leaf.decode().partition(" ")[0]


def _decided(predicate: Json) -> _Signed:
    """Tell of a decision from before officers had keys of their own."""
    return _Signed(
        Finding(True, "signed by the service alone, before officers had keys"),
        moment_of(predicate.get("decided_at"), "decided_at"),
        str(predicate.get("officer")),
        str(predicate.get("licence")),
        str(predicate.get("reason")),
    )


def _without_replays(chapters: Sequence[Chapter]) -> list[Chapter]:
    """Return the chapters; an envelope told a second time is no act of its own."""
    seen: set[str] = set()
    told = []
    for chapter in chapters:
        again = chapter.envelope_sha256 in seen
        seen.add(chapter.envelope_sha256)
        finding = Finding(False, "the same envelope is stored before: a replay")
        told.append(chapter._replace(signature=finding) if again else chapter)
    return told


def _leaf(record: SignedRecord) -> bytes | None:
    if record.what in ("package", "supplement") or not record.envelope:
        return record.leaf
    return statement_leaf(record.envelope)


def _signers(envelope: bytes) -> list[str]:
    """Return the keys an envelope names, believed or not."""
    with suppress(EvidenceBroken):
        return [signature.key_id for signature in Envelope.parse(envelope).signatures]
    return []


def _type_of(envelope: bytes) -> object:
    return Envelope.parse(envelope).statement.get("predicateType")


def _order(chapter: Chapter) -> tuple[int, datetime]:
    return (_NEVER_LOGGED if chapter.leaf_index is None else chapter.leaf_index, chapter.at)
