"""Who writes into the database or the log's files as they like is told in the life of a case."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from domain.acts import Act, ActKind
from domain.ids import EventId, OfficerId
from evidence import (
    Signer,
    create_keys,
    leaf_hash,
)
from evidence.acts import envelope_digest, sign_act
from evidence.checkpoint import SignedCheckpoint, cosignature
from evidence.officer_keys import OfficerKey
from evidence.report import NOT_CHECKED
from service.history_officers import officers_of
from service.history_teller import Places
from store.acts import add_act
from store.outbox import enqueue
from store.transactions import transaction_on
from tests.fixtures.life import NOW, Life, disclosure, names_in, overwrite, rewritten_log

pytestmark = pytest.mark.anyio


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
        disclosure(life.case),
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
    names = await names_in(life)
    act = replace(disclosure(life.case), act_id="d", kind=ActKind.DELETION, digests=tuple(names))
    async with transaction_on(life.conn):
        await add_act(life.conn, act, await (await life.office.signing_as("limei"))(act))
    await overwrite(life.conn, "review", b"", "true")
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
    cut = await rewritten_log(life, tmp_path / "cut", at=7, keep_later=False)
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
