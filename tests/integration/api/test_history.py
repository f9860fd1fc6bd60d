"""The life of a case, told from signed statements: in order, and whatever does not hold is named."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from cases.claims import claim
from cases.ports import SealReport
from cases.review import Decision, decide
from domain.acts import Act, ActKind
from domain.casework import Verdict
from domain.errors import NotFound, NotPermitted, RuleViolation
from domain.ids import EventId, OfficerId, Sha256, sha256_of
from domain.units import utc_text
from evidence import (
    ED25519,
    Signer,
    TransparencyLog,
    Trust,
    VerifierKey,
    Witness,
    create_keys,
    leaf_hash,
    trust_bytes,
    trust_file,
)
from evidence.acts import envelope_digest, sign_act
from evidence.checkpoint import SignedCheckpoint, cosignature
from evidence.dsse import Envelope, sign_envelope
from evidence.exported import verify_export
from evidence.exported.folder import ACT_FILE, STATEMENTS, SUMS
from evidence.masked_copies import read_copies
from evidence.officer_keys import OfficerKey
from evidence.report import NOT_CHECKED
from evidence.statements import sign_decision
from service.evidence_history import as_json, as_text
from service.exporting import Desk, correct, export_evidence
from service.history import History, tell_history
from service.history_officers import officers_of
from service.history_teller import Places
from service.masking import disclose_masked
from service.officer_at_hand import ActingOfficer, acting_officer
from service.sequencer import sequence
from service.settings import Settings
from store.acts import add_act
from store.cases import PostgresCaseBook
from store.connection import Connection, connect
from store.outbox import enqueue, take_log
from store.transactions import transaction_on
from tests.fixtures.office import PASSWORD, Office, OpenedCase

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


class Life(NamedTuple):
    """A case with a life, and where to look at it."""

    office: Office
    case: OpenedCase
    conn: Connection

    async def told(
        self, name: str | None = None, *, log: Path | None = None, trust: Trust | None = None
    ) -> History:
        """Tell it."""
        deployment = self.office.deployment
        places = Places(deployment.evidence, log or deployment.folder / "log")
        name = name or self.case.case_id
        return await tell_history(self.conn, name, trust=trust or deployment.trust, places=places)


async def _adopt_package(conn: Connection, case: OpenedCase) -> None:
    """Have the database know the entry with which the office sealed its one package."""
    leaf = (case.package / "seal" / "entry.sha256").read_bytes()
    await enqueue(conn, kind="package", subject=case.package.name, leaf=leaf)
    await conn.execute("UPDATE log_outbox SET leaf_index = 1, logged_at = now() WHERE kind = 'package'")
    await conn.execute("UPDATE log_head SET tree_size = 2")
    await conn.execute("UPDATE package SET leaf = %s, leaf_sha256 = %s", [leaf, leaf_hash(leaf)])


async def _confirm(office: Office, case: OpenedCase, username: str) -> None:
    sign = await office.signing_as(username)

    async def verify(folder: str) -> SealReport:
        return office.deployment.verify(office.deployment.evidence / folder)

    async with office.pool.connection() as conn:
        book = PostgresCaseBook(conn)
        held = await claim(book, case.case_id, username=username, now=NOW)
        shown = await book.case(case.case_id)
        decision = Decision(
            case_id=case.case_id,
            username=username,
            fencing_token=held.fencing_token,
            version=shown.version,
            seen=dict(await book.on_screen(shown)),
            verdict=Verdict.CONFIRM,
            reason=None,
            note="",
            plate=case.plate,
            idempotency_key=f"{username}-0123456789abcdef",
        )
        await decide(book, decision, verify=verify, sign=sign, now=NOW)


def _disclosure(case: OpenedCase) -> Act:
    return Act(
        act_id="disclosure-1",
        kind=ActKind.DISCLOSURE,
        officer=OfficerId("YN-001"),
        licence="YN5301-001",
        event=case.event_id,
        subject=case.package.name,
        reason="asked for by the party",
        digests=(),
        made_at=NOW + timedelta(minutes=1),
    )


@pytest.fixture
async def life(office: Office, database_url: str) -> AsyncIterator[Life]:
    """A case that two officers confirmed; its package was disclosed, and the disclosure corrected."""
    conn = await connect(database_url, autocommit=True)
    case = await office.open_case(0, writer=conn)
    async with transaction_on(conn):
        await _adopt_package(conn, case)
    for username in ("limei", "wangjg"):
        await _confirm(office, case, username)
    sign = await office.signing_as("limei")
    disclosed = await sign(_disclosure(case))
    correction = replace(
        _disclosure(case),
        act_id="correction-1",
        kind=ActKind.CORRECTION,
        reason="sent to the wrong party",
        corrects=envelope_digest(disclosed.envelope),
        made_at=NOW + timedelta(minutes=2),
    )
    async with transaction_on(conn):
        await add_act(conn, _disclosure(case), disclosed)
        await add_act(conn, correction, await sign(correction))
    await office.log(conn)
    yield Life(office, case, conn)
    await conn.close()


async def test_the_whole_life_is_told_in_the_order_of_the_log_and_holds(life: Life) -> None:
    history = await life.told()
    assert history.broken == []
    assert [one.leaf_index for one in history.chapters] == list(range(8))
    assert [(one.what, one.officer) for one in history.chapters] == [
        ("captures", None),
        ("package", None),
        ("officer-key", "YN-001"),
        ("review", "YN-001"),
        ("officer-key", "YN-002"),
        ("review", "YN-002"),
        ("disclosure", "YN-001"),
        ("correction", "YN-001"),
    ]
    reviewed, corrected = history.chapters[3], history.chapters[7]
    assert (reviewed.licence, reviewed.reason, reviewed.at) == ("YN5301-001", "facts-clear", NOW)
    assert corrected.corrects == history.chapters[6].envelope_sha256
    assert all(one.witnessed_at is not None for one in history.chapters)
    assert "its 4 originals are those" in history.chapters[1].signature.detail
    for name in (life.case.event_id, life.case.package.name):
        assert await life.told(name) == history
    with pytest.raises(NotFound):
        await life.told("EV-" + "0" * 32)
    assert "HOLDS: 8 statements" in as_text(history)
    assert [one["leaf_index"] for one in json.loads(as_json(history))["life"]] == list(range(8))


async def _rewritten(life: Life, folder: Path, *, at: int, keep_later: bool = True) -> Path:
    """Write the log anew with its own key, another entry in the place of one."""
    deployment = life.office.deployment
    hashes = deployment.log.leaf_hashes(0, deployment.log.size)
    hashes = [*hashes[:at], bytes(32), *hashes[at + 1 :]] if keep_later else hashes[:at]
    witness = Witness(
        folder / "witness", deployment.keys.witness, VerifierKey.of(deployment.keys.log, ED25519)
    )
    TransparencyLog(folder / "log", deployment.keys.log, witness).append(hashes)
    return folder / "log"


async def test_one_missing_leaf_is_named(life: Life, tmp_path: Path) -> None:
    exchanged = await _rewritten(life, tmp_path / "exchanged", at=6)
    history = await life.told(log=exchanged)
    assert [(one.what, one.leaf_index) for one in history.broken] == [("disclosure", 6)]
    assert f"BROKEN: disclosure {life.case.package.name}, entry 6" in as_text(history)
    cut = await _rewritten(life, tmp_path / "cut", at=7, keep_later=False)
    assert [(one.what, one.leaf_index) for one in (await life.told(log=cut)).broken] == [("correction", 7)]


async def test_an_officers_key_whose_entry_is_gone_makes_their_acts_doubtful(
    life: Life, tmp_path: Path
) -> None:
    history = await life.told(log=await _rewritten(life, tmp_path / "other", at=4))
    assert [(one.what, one.leaf_index) for one in history.broken] == [("officer-key", 4), ("review", 5)]


async def _overwrite(conn: Connection, table: str, envelope: bytes, where: str) -> None:
    """Change an envelope as whoever owns the database can."""
    for statement in (
        f"ALTER TABLE {table} DISABLE TRIGGER USER",
        f"ALTER TABLE {table} ENABLE TRIGGER USER",
    ):
        await conn.execute(statement.encode())
        if "DISABLE" in statement:
            change = f"UPDATE {table} SET envelope = %s WHERE {where}"  # noqa: S608
            await conn.execute(change.encode(), [envelope])


async def test_a_tampered_reason_is_named(life: Life) -> None:
    row = await (await life.conn.execute("SELECT envelope FROM review WHERE round = 2")).fetchone()
    assert row is not None
    document = json.loads(row[0])
    statement = Envelope.parse(row[0]).statement
    statement["predicate"]["reason"] = "weighing-unreliable"
    forged = sign_envelope(statement, life.office.deployment.keys.service)
    document["payload"] = json.loads(forged)["payload"]
    kept = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    decision = sign_decision(
        {"case": life.case.case_id, "officer": "YN-002", "decided_at": utc_text(NOW)},
        life.office.deployment.keys.service,
    )
    missing = "an officer's signature is missing"
    for envelope, reason in ((kept, "does not hold"), (forged, missing), (decision, missing)):
        await _overwrite(life.conn, "review", envelope, "round = 2")
        entry, broken = (await life.told()).broken
        assert (entry.what, entry.leaf_index) == ("removed", 5)
        assert (broken.what, broken.inclusion.ok) == ("review", False)
        assert reason in broken.signature.detail


async def test_a_replayed_envelope_is_named(life: Life) -> None:
    row = await (await life.conn.execute("SELECT envelope FROM act WHERE act_id = 'disclosure-1'")).fetchone()
    assert row is not None
    await _overwrite(life.conn, "act", bytes(row[0]), "act_id = 'correction-1'")
    assert [one.what for one in (await life.told()).broken] == ["correction", "removed"]
    await _overwrite(life.conn, "review", bytes(row[0]), "round = 2")
    assert {"review", "correction"} <= {one.what for one in (await life.told()).broken}


@pytest.mark.parametrize(
    ("table", "where", "index"),
    [
        ("act", "act_id = 'correction-1'", 7),
        ("review", "round = 2", 5),
        ("capture_statement_subject", "true", 0),
    ],
)
async def test_a_statement_whose_row_was_removed_is_named(
    life: Life, table: str, where: str, index: int
) -> None:
    await life.conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
    await life.conn.execute(f"DELETE FROM {table} WHERE {where}".encode())  # noqa: S608
    history = await life.told()
    assert [(one.what, one.leaf_index) for one in history.broken] == [("removed", index)]
    assert (history.ok, json.loads(as_json(history))["ok"]) == (False, False)


async def test_a_statement_removed_with_its_entry_is_missed_in_the_count_of_the_log(life: Life) -> None:
    for table in ("act", "entry_proof", "log_outbox"):
        await life.conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
    await life.conn.execute("DELETE FROM act WHERE act_id = 'correction-1'")
    await life.conn.execute("DELETE FROM log_outbox WHERE leaf_index = 7")
    history = await life.told()
    assert (history.broken, history.ok) == ([], False)
    assert "BROKEN: the log has 1 entries of 8 that the database knows nothing of" in as_text(history)


async def test_a_statement_cut_out_with_its_entry_renamed_is_missed_by_the_log(life: Life) -> None:
    for table in ("act", "log_outbox"):
        await life.conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
    await life.conn.execute("DELETE FROM act WHERE act_id IN ('disclosure-1', 'correction-1')")
    await life.conn.execute("UPDATE log_outbox SET subject = 'x' WHERE leaf_index IN (6, 7)")
    history = await life.told()
    assert (history.broken, history.ok) == ([], False)
    assert "2 entries of 8 whose statement is stored no more: entry 6, 7" in as_text(history)


async def _forge(life: Life, act: Act, key: OfficerKey, service: Signer, *, index: int | None) -> None:
    """Put an act into the database as whoever owns it can, with an entry that the log never had."""
    signed = sign_act(act, key, service)
    await life.conn.execute("ALTER TABLE act DISABLE TRIGGER ALL")
    outbox_id = await enqueue(life.conn, kind="act", subject=act.subject, leaf=signed.leaf)
    await life.conn.execute(
        """UPDATE log_outbox SET leaf_index = %s, logged_at = CASE WHEN %s::bigint IS NULL THEN NULL
               ELSE now() END WHERE outbox_id = %s""",
        [index, index, outbox_id],
    )
    await life.conn.execute(
        """INSERT INTO act (act_id, kind, event_id, subject, officer_id, key_id, envelope, leaf_hash, made_at)
           SELECT %s, %s, %s, %s, %s, key_id, %s, %s, %s FROM officer_key LIMIT 1""",
        [
            act.act_id,
            act.kind,
            act.event,
            act.subject,
            act.officer,
            signed.envelope,
            leaf_hash(signed.leaf),
            act.made_at,
        ],
    )


@pytest.mark.parametrize("event", ["the passage's", "another's"])
async def test_a_forged_deletion_hides_no_entry(life: Life, tmp_path: Path, event: str) -> None:
    rows = await (
        await life.conn.execute("SELECT envelope FROM act WHERE act_id = 'correction-1'")
    ).fetchall()
    gone = envelope_digest(bytes(rows[0][0]))
    forged = replace(
        _disclosure(life.case),
        act_id="deletion-1",
        kind=ActKind.DELETION,
        event=life.case.event_id if event == "the passage's" else EventId("0" * 32),
        digests=(("correction-1", gone),),
    )
    nobody = OfficerKey.generate(OfficerId("YN-001"))
    await _forge(life, forged, nobody, create_keys(tmp_path / "keys").service, index=None)
    await life.conn.execute("DELETE FROM act WHERE act_id = 'correction-1'")
    await life.conn.execute("UPDATE log_outbox SET subject = 'x' WHERE leaf_index = 7")
    history = await life.told()
    assert history.log.ok is False
    assert "1 entries of 8 whose statement is stored no more: entry 7" in history.log.detail
    told = {one.what: one.signature for one in history.broken}
    if event == "the passage's":
        assert "no logged statement gives the key" in told["deletion"].detail


async def test_a_deletion_that_is_not_logged_yet_is_waited_for_and_not_broken(life: Life) -> None:
    names = await _names(life)
    act = replace(_disclosure(life.case), act_id="d", kind=ActKind.DELETION, digests=tuple(names))
    async with transaction_on(life.conn):
        await add_act(life.conn, act, await (await life.office.signing_as("limei"))(act))
    await _overwrite(life.conn, "review", b"", "true")
    life.case.package.rename(life.case.package.with_name("gone"))
    history = await life.told()
    assert (history.broken, history.log.ok, history.status) == ([], None, NOT_CHECKED)
    assert "2 entries were erased by deletions that are not in the log yet" in history.log.detail


@pytest.mark.parametrize(
    ("table", "change", "what"),
    [
        ("act", "event_id = %s", ["disclosure", "correction"]),
        ("review", "case_id = %s", ["review", "review"]),
        ("case_file", "event_id = %s", ["review", "review"]),
        ("package", "event_id = %s", ["package"]),
    ],
)
async def test_what_was_moved_to_another_event_is_told_in_its_own(
    life: Life, table: str, change: str, what: list[str]
) -> None:
    for name in (table, "log_outbox"):
        await life.conn.execute(f"ALTER TABLE {name} DISABLE TRIGGER ALL".encode())
    moved = f"UPDATE {table} SET {change}"  # noqa: S608
    await life.conn.execute(moved.encode(), ["0" * 32])
    kind = {"act": "act", "review": "decision", "case_file": "decision", "package": "package"}[table]
    await life.conn.execute("UPDATE log_outbox SET subject = 'x' WHERE kind = %s", [kind])
    history = await life.told(life.case.event_id)
    assert [one.what for one in history.broken if one.what in what] == what
    if table == "act":
        assert all("stored as of 0000" in one.signature.detail for one in history.broken)


def _own_log(life: Life, folder: Path) -> Path:
    """Copy the log, to be attacked there."""
    return Path(shutil.copytree(life.office.deployment.folder / "log", folder / "log"))


async def test_a_changed_tile_of_the_log_is_told(life: Life, tmp_path: Path) -> None:
    log = _own_log(life, tmp_path)
    for tile in (log / "tile" / "0").rglob("8"):
        tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    assert "other entries than the database from entry 0" in (await life.told(log=log)).log.detail


async def test_an_entry_changed_in_the_database_is_told(life: Life) -> None:
    await life.conn.execute("ALTER TABLE log_outbox DISABLE TRIGGER ALL")
    await life.conn.execute(
        "UPDATE log_outbox SET leaf_index = CASE leaf_index WHEN 6 THEN -7 ELSE -6 END WHERE leaf_index > 5"
    )
    await life.conn.execute("UPDATE log_outbox SET leaf_index = -leaf_index WHERE leaf_index < 0")
    finding = (await life.told()).log
    assert (finding.ok, "other entries than the database" in finding.detail) == (False, True)


async def test_entries_and_tiles_changed_alike_do_not_give_the_signed_root(
    life: Life, tmp_path: Path
) -> None:
    log, hashes = _own_log(life, tmp_path), life.office.deployment.log.leaf_hashes(0, 8)
    hashes[6], hashes[7] = hashes[7], hashes[6]
    for tile in (log / "tile" / "0").rglob("8"):
        tile.write_bytes(b"".join(hashes))
    await life.conn.execute("ALTER TABLE log_outbox DISABLE TRIGGER ALL")
    await life.conn.execute(
        "UPDATE log_outbox SET leaf_index = CASE leaf_index WHEN 6 THEN -7 ELSE -6 END WHERE leaf_index > 5"
    )
    await life.conn.execute("UPDATE log_outbox SET leaf_index = -leaf_index WHERE leaf_index < 0")
    finding = (await life.told(log=log)).log
    assert (finding.ok, "signed over other entries" in finding.detail) == (False, True)


async def test_a_log_that_was_cut_is_told_for_every_passage(life: Life, tmp_path: Path) -> None:
    cut = await _rewritten(life, tmp_path / "cut", at=7, keep_later=False)
    finding = (await life.told(log=cut)).log
    assert (finding.ok, "has 7 entries, and 8 were written" in finding.detail) == (False, True)


@pytest.mark.parametrize("cosigned", [True, False])
async def test_a_checkpoint_of_somebody_elses_keys_is_told(
    life: Life, tmp_path: Path, cosigned: bool
) -> None:
    log, theirs = _own_log(life, tmp_path), create_keys(tmp_path / "keys", name="test.invalid")
    head = SignedCheckpoint.parse((log / "checkpoint").read_bytes()).checkpoint
    signer = theirs.log if cosigned else life.office.deployment.keys.log
    note = head.sign(signer) + cosignature(head.text, theirs.witness, 1_790_000_000)
    (log / "checkpoint").write_bytes(note)
    finding = (await life.told(log=log)).log
    assert (finding.ok, "checkpoint is not to be believed" in finding.detail) == (False, True)


async def test_a_history_without_the_log_is_not_checked(life: Life, tmp_path: Path) -> None:
    history = await life.told(log=tmp_path / "nothing")
    assert history.log == (None, f"no log lies in {tmp_path / 'nothing'}")


async def test_the_end_of_a_key_moved_to_another_key_leaves_neither_in_use(life: Life) -> None:
    async with transaction_on(life.conn):
        assert await life.office.officer_keys.end(life.conn, "limei", reason="lost", now=NOW)
    await life.conn.execute("ALTER TABLE officer_key_statement DISABLE TRIGGER ALL")
    await life.conn.execute(
        """UPDATE officer_key_statement
           SET key_id = (SELECT key_id FROM officer_key WHERE username = 'wangjg')
           WHERE what = 'officer-key-end'"""
    )
    places = Places(life.office.deployment.evidence, life.office.deployment.folder / "log")
    officers = await officers_of(life.conn, trust=life.office.deployment.trust, places=places)
    assert officers.keys == {}


async def test_an_access_signed_by_the_service_alone_is_not_told_as_the_officers(life: Life) -> None:
    shown = replace(_disclosure(life.case), act_id="access-1", kind=ActKind.ACCESS, licence=None)
    async with transaction_on(life.conn):
        await add_act(life.conn, shown, sign_act(shown, None, life.office.deployment.keys.service))
    (told,) = [one for one in (await life.told()).chapters if one.what == "access"]
    assert told.signature == (True, "signed by the service alone, about officer YN-001")


async def test_a_service_key_that_ended_later_still_counts_and_one_that_ended_before_does_not(
    life: Life,
) -> None:
    seen = max(one.witnessed_at for one in (await life.told()).chapters if one.witnessed_at is not None)
    document = trust_file(life.office.deployment.keys)
    for ended, holds in ((seen + timedelta(days=1), True), (seen - timedelta(days=1), False)):
        bounded = {**document["services"][0], "valid_to": ended.strftime("%Y-%m-%dT%H:%M:%SZ")}
        trust = Trust.parse(trust_bytes({**document, "services": [bounded]}))
        history = await life.told(trust=trust)
        assert {one.what for one in history.broken} == (
            set() if holds else {one.what for one in history.chapters}
        )


async def test_what_waits_to_be_logged_is_told_as_waiting(life: Life) -> None:
    later = replace(_disclosure(life.case), act_id="disclosure-2", reason="court")
    async with transaction_on(life.conn):
        await add_act(life.conn, later, await (await life.office.signing_as("limei"))(later))
    history = await life.told()
    assert (history.broken, [one.reason for one in history.waiting]) == ([], ["court"])
    assert history.chapters[-1].leaf_index is None
    assert (history.status, history.ok) == (NOT_CHECKED, False)
    assert as_text(history).endswith(
        "NOT CHECKED: 1 not in the log yet; that speaks neither for nor against it"
    )


async def _delete(life: Life, names: Sequence[tuple[str, Sha256]]) -> None:
    """Delete package and reviews by an officer's act that names these digests, and log it."""
    act = replace(
        _disclosure(life.case),
        act_id="deletion-1",
        kind=ActKind.DELETION,
        reason="retention ended",
        digests=tuple(names),
        made_at=NOW + timedelta(days=1),
    )
    signed = await (await life.office.signing_as("limei"))(act)
    async with transaction_on(life.conn):
        await add_act(life.conn, act, signed)
        token = await take_log(life.conn)
    assert token is not None
    await sequence(life.conn, token, life.office.deployment.log, life.office.deployment.keys)
    await _overwrite(life.conn, "review", b"", "true")
    life.case.package.rename(life.case.package.with_name("gone"))


async def _names(life: Life) -> list[tuple[str, Sha256]]:
    rows = await (await life.conn.execute("SELECT round, envelope FROM review ORDER BY round")).fetchall()
    manifest = sha256_of((life.case.package / "tagmanifest-sha256.txt").read_bytes())
    reviews = [(f"review-{number}", envelope_digest(bytes(envelope))) for number, envelope in rows]
    return [(life.case.package.name, manifest), *reviews]


async def test_after_a_deletion_that_names_all_of_it_the_life_still_holds(life: Life) -> None:
    before = (await life.told()).chapters
    await _delete(life, await _names(life))
    history = await life.told()
    assert history.broken == []
    assert [one.leaf_index for one in history.chapters] == [0, 1, 2, 3, 5, 6, 7, 8]
    kept = [one.envelope_sha256 for one in before if one.leaf_index != 4]
    assert [one.envelope_sha256 for one in history.chapters[:-1]] == kept


@pytest.mark.parametrize(("unnamed", "what"), [(0, "package"), (2, "review")])
async def test_what_is_gone_without_a_deletion_that_names_it_is_named(
    life: Life, unnamed: int, what: str
) -> None:
    names = await _names(life)
    del names[unnamed]
    await _delete(life, names)
    assert {one.what for one in (await life.told()).broken} - {"removed"} == {what}


def _desk(life: Life, officer: ActingOfficer) -> Desk:
    deployment = life.office.deployment
    places = Places(deployment.evidence, deployment.folder / "log")
    return Desk(life.conn, deployment.trust, places, deployment.keys.service, officer, NOW)


async def _officer(life: Life, username: str = "limei") -> ActingOfficer:
    service = life.office.deployment.keys.service
    async with transaction_on(life.conn):
        return await acting_officer(life.conn, username, PASSWORD, service=service, now=NOW)


def _attack_export(folder: Path, trust: Trust) -> None:
    """Each attack on a statement is told under its name, and not by the sums alone."""
    reviews = sorted((folder / STATEMENTS).glob("*-review.dsse.json"))
    keys = sorted((folder / STATEMENTS).glob("*-officer-key.dsse.json"))
    proof = reviews[0].with_name(reviews[0].name.replace(".dsse.json", ".tlog-proof"))
    altered = reviews[0].read_bytes().replace(b'"sig":"', b'"sig":"A', 1)
    for attacked, becomes, told in (
        (reviews[0], altered, reviews[0]),  # an act altered
        (reviews[0], reviews[1].read_bytes(), reviews[0]),  # another officer's act in its place
        (keys[0], None, reviews[0]),  # an officer-key statement left out
        (keys[0], keys[1].read_bytes(), reviews[0]),  # ... or exchanged
        (proof, None, reviews[0]),  # an act without its log entry
    ):
        kept = attacked.read_bytes()
        attacked.unlink()
        if becomes is not None:
            attacked.write_bytes(becomes)
        *_, report = verify_export(folder, trust)
        assert {SUMS, told.name} <= set(report.broken), (attacked.name, report)
        attacked.write_bytes(kept)
    assert verify_export(folder, trust)[-1].ok


async def test_an_export_is_checked_with_sha256sum_and_named_in_the_history(
    life: Life, tmp_path: Path
) -> None:
    folder = tmp_path / "for the court"
    desk = _desk(life, await _officer(life))
    async with transaction_on(life.conn):
        act = await export_evidence(desk, life.case.case_id, folder, recipient="法院", reason="asked for")
    sums = await asyncio.to_thread(
        subprocess.run, ["sha256sum", "-c", SUMS], cwd=folder, capture_output=True, check=False
    )
    assert (sums.returncode, sums.stderr) == (0, b"")
    assert life.office.deployment.verify(folder / life.case.package.name).ok
    assert {one.name.split("-", 1)[1] for one in (folder / "statements").glob("*.json")} == {
        "captures.dsse.json",
        "officer-key.dsse.json",
        "review.dsse.json",
        "disclosure.dsse.json",
        "correction.dsse.json",
    }
    assert len(list((folder / "statements").glob("*.tlog-proof"))) == 7
    assert {one.stat().st_mode & 0o077 for one in (folder, *folder.rglob("*"))} == {0}
    *_, report = verify_export(folder, life.office.deployment.trust)
    assert report.ok, report
    _attack_export(folder, life.office.deployment.trust)
    assert act.digests[0] == (SUMS, sha256_of((folder / SUMS).read_bytes()))
    assert (folder / "trust.sha256").read_text().strip() == life.office.deployment.trust.digest
    exported = (await life.told()).chapters[-1]
    assert (exported.what, exported.officer, exported.licence) == ("export", "YN-001", "YN5301-001")
    assert exported.envelope_sha256 == sha256_of((folder / ACT_FILE).read_bytes())


async def test_masked_copies_leave_the_house_by_a_logged_disclosure_and_without_an_original(
    life: Life, tmp_path: Path
) -> None:
    folder, desk = tmp_path / "for the party", _desk(life, await _officer(life))
    async with transaction_on(life.conn):
        act = await disclose_masked(
            desk, life.case.case_id, folder, recipient="当事人", reason="asked for", settings=Settings()
        )
    copies = read_copies(folder)
    assert copies.originals == set(life.case.images)
    assert (act.kind, dict(act.digests).items() >= copies.digests.items()) == ("disclosure", True)
    there = [folder, *folder.rglob("*")]
    assert {one.stat().st_mode & 0o777 for one in there} == {0o700, 0o600}
    held = {sha256_of(one.read_bytes()) for one in there if one.is_file()}
    assert not list(folder.glob("EV-*"))
    assert not held & set(life.case.images)
    (report,) = verify_export(folder, life.office.deployment.trust)
    assert report.ok, report
    told = (await life.told()).chapters[-1]
    assert (told.what, told.officer) == ("disclosure", "YN-001")
    assert told.envelope_sha256 == sha256_of((folder / ACT_FILE).read_bytes())


async def test_no_officer_signs_for_evidence_that_does_not_verify(life: Life, tmp_path: Path) -> None:
    image = next((life.case.package / "data" / "images").iterdir())
    image.write_bytes(image.read_bytes()[:-1] + b"?")
    desk = _desk(life, await _officer(life))
    async with transaction_on(life.conn):
        with pytest.raises(RuleViolation, match="does not verify"):
            await export_evidence(
                desk, life.case.case_id, tmp_path / "broken", recipient="法院", reason="asked for"
            )
    assert not (tmp_path / "broken").exists()


async def test_a_correction_names_the_entry_it_corrects_and_changes_nothing(life: Life) -> None:
    before = (await life.told()).chapters
    async with transaction_on(life.conn):
        await correct(_desk(life, await _officer(life)), life.case.case_id, 5, reason="typed in haste")
        with pytest.raises(NotFound, match="entry 2"):
            await correct(_desk(life, await _officer(life)), life.case.case_id, 2, reason="a key")
    history = await life.told()
    assert history.broken == []
    assert history.chapters[:-1] == before
    assert history.chapters[-1].corrects == before[5].envelope_sha256


@pytest.mark.parametrize(
    ("username", "password"), [("limei", "wrong"), ("expired", PASSWORD), ("boss", PASSWORD)]
)
async def test_who_is_no_licensed_officer_or_has_the_wrong_password_exports_nothing(
    life: Life, username: str, password: str
) -> None:
    with pytest.raises(NotPermitted):
        await acting_officer(
            life.conn, username, password, service=life.office.deployment.keys.service, now=NOW
        )
