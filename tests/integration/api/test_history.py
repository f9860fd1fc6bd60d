"""The life of a case, told from signed statements: in order, and whatever does not hold is named."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.acts import ActKind
from domain.errors import NotFound
from domain.units import utc_text
from evidence import (
    Trust,
    trust_bytes,
    trust_file,
)
from evidence.acts import sign_act
from evidence.dsse import Envelope, sign_envelope
from evidence.report import NOT_CHECKED
from evidence.statements import sign_decision
from service.evidence_history import as_json, as_text
from store.acts import add_act
from store.transactions import transaction_on
from tests.fixtures.life import NOW, Life, disclosure, overwrite, rewritten_log

pytestmark = pytest.mark.anyio


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


async def test_one_missing_leaf_is_named(life: Life, tmp_path: Path) -> None:
    exchanged = await rewritten_log(life, tmp_path / "exchanged", at=6)
    history = await life.told(log=exchanged)
    assert [(one.what, one.leaf_index) for one in history.broken] == [("disclosure", 6)]
    assert f"BROKEN: disclosure {life.case.package.name}, entry 6" in as_text(history)
    cut = await rewritten_log(life, tmp_path / "cut", at=7, keep_later=False)
    assert [(one.what, one.leaf_index) for one in (await life.told(log=cut)).broken] == [("correction", 7)]


async def test_an_officers_key_whose_entry_is_gone_makes_their_acts_doubtful(
    life: Life, tmp_path: Path
) -> None:
    history = await life.told(log=await rewritten_log(life, tmp_path / "other", at=4))
    assert [(one.what, one.leaf_index) for one in history.broken] == [("officer-key", 4), ("review", 5)]


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
        await overwrite(life.conn, "review", envelope, "round = 2")
        entry, broken = (await life.told()).broken
        assert (entry.what, entry.leaf_index) == ("removed", 5)
        assert (broken.what, broken.inclusion.ok) == ("review", False)
        assert reason in broken.signature.detail


async def test_a_replayed_envelope_is_named(life: Life) -> None:
    row = await (await life.conn.execute("SELECT envelope FROM act WHERE act_id = 'disclosure-1'")).fetchone()
    assert row is not None
    await overwrite(life.conn, "act", bytes(row[0]), "act_id = 'correction-1'")
    assert [one.what for one in (await life.told()).broken] == ["correction", "removed"]
    await overwrite(life.conn, "review", bytes(row[0]), "round = 2")
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


async def test_an_access_signed_by_the_service_alone_is_not_told_as_the_officers(life: Life) -> None:
    shown = replace(disclosure(life.case), act_id="access-1", kind=ActKind.ACCESS, licence=None)
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
    later = replace(disclosure(life.case), act_id="disclosure-2", reason="court")
    async with transaction_on(life.conn):
        await add_act(life.conn, later, await (await life.office.signing_as("limei"))(later))
    history = await life.told()
    assert (history.broken, [one.reason for one in history.waiting]) == ([], ["court"])
    assert history.chapters[-1].leaf_index is None
    assert (history.status, history.ok) == (NOT_CHECKED, False)
    assert as_text(history).endswith(
        "NOT CHECKED: 1 not in the log yet; that speaks neither for nor against it"
    )
