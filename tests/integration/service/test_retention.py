"""Retention: each rule deletes what it ends, nothing else, with its statement; what a hold covers stays."""

import hashlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import psycopg
import pytest

from api.auth import hash_password
from domain.acts import Act, ActKind, SignedAct
from domain.errors import EvidenceBroken, NotFound, RuleViolation
from domain.events import CaptureRole
from domain.ids import EventId, Sha256
from domain.retention import Rule, Term, terms_of
from domain.screening import Outcome
from evidence import statement_leaf
from evidence.acts import KeyEntry, check_act, officer_keys_of, sign_act
from evidence.checkpoint import TlogProof
from evidence.log import published_proof
from evidence.merkle import check_inclusion, leaf_hash
from evidence.removal import remove_package
from service import holding
from service.history import History, tell_history
from service.history_teller import Places
from service.officer_at_hand import ActingOfficer, acting_officer
from service.pipeline import complete, settle
from service.retention import Keeper, retain, stating, what_is_due
from service.supplementing import supplement
from store import retention as rows
from store.blob_deletion import GRACE
from store.holds import HoldKind, hold_of, holds, place_hold, release_hold
from store.intake import store_batch
from store.intake_batch import StoreOutcome
from store.officer_keys import key_statements
from store.quarantine import lock_unresolved, quarantined_payload, unresolved
from store.supplements import SupplementRequest, request_supplement
from store.transactions import transaction
from tests.fixtures.bench import EVENT, EXPECTED, ROLES, Bench, images_of, overdue
from tests.fixtures.noting_signer import NotingSigner
from tests.integration.store.messages import batch, capture, passage, refusal, waveform_passage

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
DAYS = {Rule.UNFLAGGED: 7, Rule.HIT: 100, Rule.REJECTED: 200, Rule.CONFIRMED: 300, Rule.QUARANTINE: 30}
HOUR = timedelta(hours=1)
PLATE = "云A12345"
PASSWORD = "a password of an officer"
PASSWORD_HASH = hash_password(PASSWORD)
_OFFICERS: WeakKeyDictionary[Bench, ActingOfficer] = WeakKeyDictionary()


async def officer_of(bench: Bench) -> ActingOfficer:
    """Return an officer who may delete evidence; made with an account the first time."""
    if bench in _OFFICERS:
        return _OFFICERS[bench]  # opening a key is slow on purpose
    service = bench.shop.seals.keys.service
    async with transaction(bench.shop.pool) as conn:
        await conn.execute(
            """INSERT INTO account (username, password_hash, role, officer_id)
               VALUES ('li.si', %s, 'supervisor', 'O1') ON CONFLICT DO NOTHING""",
            [PASSWORD_HASH],
        )
        _OFFICERS[bench] = await acting_officer(conn, "li.si", PASSWORD, service=service, now=NOW)
    return _OFFICERS[bench]


async def keeper_of(bench: Bench, *, alone: bool = False) -> Keeper:
    """Return what retention works with, on a bench."""
    shop = bench.shop
    officer = None if alone else await officer_of(bench)
    service = shop.seals.keys.service
    return Keeper(shop.pool, shop.blobs, shop.evidence_root, terms_of(DAYS), service, officer)


def after(days: int) -> datetime:
    """Return a moment so many days and an hour later."""
    return NOW + timedelta(days=days) + HOUR


async def deleted(bench: Bench, days: int) -> dict[Rule, int]:
    """Run one round so many days later; return the rules that deleted something."""
    done = await retain(await keeper_of(bench), after(days))
    return {rule: number for rule, number in done.rows.items() if number}


async def asked(bench: Bench, question: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    async with transaction(bench.shop.pool) as conn:
        return await (await conn.execute(question.encode(), values)).fetchall()


async def count(bench: Bench, table: str) -> int:
    """Return how many rows there are."""
    return len(await asked(bench, f"TABLE {table}"))


def files(root: Path) -> set[str]:
    """Return the names of all files below a folder."""
    return {path.name for path in root.rglob("*") if path.is_file()}


async def sealed(bench: Bench, *roles: CaptureRole) -> None:
    """Have the hit sealed, as a case where the images are complete."""
    await bench.arrive(overdue(passage(1, expected=EXPECTED, profile="standard")), *images_of(*roles))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)


async def decided(bench: Bench, state: str) -> None:
    """Have the case decided, as the reviews would."""
    plate = PLATE if state == "confirmed" else None
    async with transaction(bench.shop.pool) as conn:
        await conn.execute("UPDATE case_file SET state = %s, plate = %s", [state, plate])


async def reviewed(bench: Bench, plate: str) -> None:
    """Store a review in which an officer typed a plate."""
    await officer_of(bench)
    async with transaction(bench.shop.pool) as conn:
        await conn.execute(
            """INSERT INTO review (case_id, round, username, officer_id, licence, verdict, reason, note,
                   plate_typed, seen_digests, idempotency_key, envelope)
               SELECT case_id, 1, 'li.si', 'O1', 'L-2', 'confirm', 'clear', %(plate)s || '!', %(plate)s,
                   '{}', 'k', 'envelope'
               FROM case_file""",
            {"plate": plate},
        )


async def statements(bench: Bench) -> list[Act]:
    """Return the deletions, each checked by the keys of the service and of officers."""
    services = [key.public_key for key in bench.shop.seals.trust.services]
    async with transaction(bench.shop.pool) as conn:
        given = await key_statements(conn)
    entries = [KeyEntry(number, one.envelope) for number, one in enumerate(given)]
    officers = officer_keys_of(entries, services)
    return [
        check_act(bytes(row[0]), None, officers=officers, services=services)
        for row in await asked(
            bench, "SELECT envelope FROM deletion JOIN act USING (act_id) ORDER BY deletion_id"
        )
    ]


async def act_of(bench: Bench, kind: ActKind, subject: str = EVENT) -> tuple[Act, SignedAct]:
    """Return an act as an officer signs it."""
    officer = await officer_of(bench)
    act = Act(
        act_id=f"{kind}-{subject}-{uuid4()}",
        kind=kind,
        officer=officer.key.officer,
        licence=officer.licence,
        event=EVENT,
        subject=subject,
        reason="行政诉讼",
        digests=(),
        made_at=NOW,
    )
    return act, sign_act(act, officer.key, bench.shop.seals.keys.service)


async def hold(bench: Bench, kind: HoldKind, subject: str) -> int:
    """Place a hold."""
    act, signed = await act_of(bench, ActKind.HOLD, subject)
    async with transaction(bench.shop.pool) as conn:
        placed = await place_hold(conn, kind, subject, act=act, signed=signed, by="王一")
    return placed.hold_id


async def release(bench: Bench, hold_id: int) -> None:
    """Release a hold."""
    act, signed = await act_of(bench, ActKind.RELEASE)
    async with transaction(bench.shop.pool) as conn:
        await release_hold(conn, hold_id, act=act, signed=signed, by="王一")


async def history_of(bench: Bench) -> History:
    """Tell the life of the passage."""
    places = Places(bench.shop.evidence_root, bench.shop.log_root)
    async with transaction(bench.shop.pool) as conn:
        return await tell_history(conn, EVENT, trust=bench.shop.seals.trust, places=places)


async def hold_and_release(bench: Bench) -> None:
    """Hold and release the event, by what the commands do."""
    officer, service = await officer_of(bench), bench.shop.seals.keys.service
    async with transaction(bench.shop.pool) as conn:
        placed = await holding.hold(
            conn, f"EV-{EVENT}", None, reason="行政诉讼", officer=officer, service=service, now=NOW
        )
        await holding.release(
            conn, placed.hold_id, reason="判决生效", officer=officer, service=service, now=NOW
        )


async def test_captures_of_passages_never_flagged_go_after_their_days_and_weights_stay(bench: Bench) -> None:
    row, image = passage(1, outcome=Outcome.WITHIN), capture(1)
    await bench.arrive(row, image, capture(2))  # the second is of no passage at all
    before = await asked(bench, "SELECT gross_kg, axle_loads_kg, record, screening FROM passage")
    assert await deleted(bench, 6) == {}
    assert await deleted(bench, 7) == {Rule.UNFLAGGED: 3}
    assert await count(bench, "capture") == 0
    assert await asked(bench, "SELECT gross_kg, axle_loads_kg, record, screening FROM passage") == before
    assert await asked(bench, "SELECT wire_payload, wire_properties FROM passage") == [(b"", [])]
    # The files follow when their grace has ended.
    assert files(bench.shop.blobs.root) == {image.blob_sha256, capture(2).blob_sha256}
    await retain(await keeper_of(bench), after(7) + GRACE + HOUR)
    assert files(bench.shop.blobs.root) == set()


async def test_a_waveform_of_a_passage_never_flagged_goes_and_its_weighing_stays(bench: Bench) -> None:
    await bench.arrive(waveform_passage(1))
    async with transaction(bench.shop.pool) as conn:
        await conn.execute("DELETE FROM hit")
    await deleted(bench, 7)
    await retain(await keeper_of(bench), after(7) + GRACE + HOUR)
    assert files(bench.shop.blobs.root) == set()
    assert await asked(bench, "SELECT wire_blob, weighing IS NULL FROM passage") == [(None, False)]


async def test_captures_of_a_flagged_passage_outlive_the_short_rule(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    assert await deleted(bench, 99) == {}
    assert await count(bench, "capture") == 3


async def test_what_was_deleted_and_is_sent_again_is_a_duplicate_and_not_stored_again(bench: Bench) -> None:
    sent = batch(passage(1, outcome=Outcome.WITHIN), capture(1))
    await bench.arrive(*sent.passages, *sent.captures)
    await deleted(bench, 7)
    async with transaction(bench.shop.pool) as conn:
        found = await store_batch(conn, sent)
    assert [one.outcome for one in found] == [StoreOutcome.DUPLICATE] * 2
    assert await count(bench, "capture") == 0


async def test_a_slow_token_never_stops_the_loop_while_a_deletion_is_signed(bench: Bench) -> None:
    await bench.arrive(passage(1, outcome=Outcome.WITHIN), capture(1))
    keeper = await keeper_of(bench, alone=True)
    signer = NotingSigner(keeper.service)
    assert await retain(replace(keeper, service=signer), after(7))
    assert signer.threads
    assert threading.current_thread() not in signer.threads


async def test_a_capture_that_comes_after_the_erasure_joins_nothing_and_goes_too(bench: Bench) -> None:
    await bench.arrive(passage(1, outcome=Outcome.WITHIN))
    await deleted(bench, 7)
    await bench.arrive(capture(1))
    assert await asked(bench, "SELECT passage_event_id FROM capture") == [(None,)]
    assert await deleted(bench, 7) == {Rule.UNFLAGGED: 1}


@pytest.mark.parametrize("payload", [b"{", b"{" * 70_000])
async def test_what_a_refused_message_said_goes_and_why_it_was_refused_stays(
    bench: Bench, payload: bytes
) -> None:
    await bench.arrive(refusal(1, payload=payload))
    assert await deleted(bench, 29) == {}
    assert await deleted(bench, 30) == {Rule.QUARANTINE: 1}
    assert await asked(bench, "SELECT payload, properties, detail, code, station_id FROM quarantine") == [
        (None, [], "erased", "broken-json", "S1")
    ]
    await retain(await keeper_of(bench), after(31) + HOUR)
    assert files(bench.shop.blobs.root) == set()
    await bench.arrive(refusal(1, payload=payload))
    assert await count(bench, "quarantine") == 1


@pytest.mark.parametrize(
    ("state", "rule"), [(None, Rule.HIT), ("rejected", Rule.REJECTED), ("confirmed", Rule.CONFIRMED)]
)
async def test_a_package_goes_by_the_rule_of_what_became_of_it(
    bench: Bench, state: str | None, rule: Rule
) -> None:
    await sealed(bench, *(ROLES if state else ROLES[:1]))
    (package,) = await bench.packages()
    if state:
        await decided(bench, state)
    folder, images = bench.shop.evidence_root / package.folder, files(bench.shop.blobs.root)
    assert await deleted(bench, DAYS[rule] - 1) == {}
    assert folder.is_dir()
    assert await deleted(bench, DAYS[rule]) == {rule: 1}
    assert not folder.exists()
    assert (await count(bench, "reading"), await count(bench, "capture")) == (0, 0)
    await retain(await keeper_of(bench), after(DAYS[rule]) + GRACE + HOUR)
    assert images
    assert files(bench.shop.blobs.root) == set()
    # What stays: the figures, and what the package was.
    (kept,) = await bench.packages()
    assert kept == package
    assert await asked(bench, "SELECT gross_kg FROM passage") == [(26_000,)]
    (act,) = await statements(bench)
    assert (act.kind, act.event, act.subject) == (ActKind.DELETION, EVENT, package.folder)
    assert (act.officer, act.licence) == ("O1", "L-2")
    assert act.detail["rule"] == rule.value
    assert dict(act.digests)[package.folder] == package.tagmanifest
    assert set(images) <= set(dict(act.digests).values())


async def test_evidence_is_deleted_by_an_officer_only(bench: Bench) -> None:
    await sealed(bench, ROLES[0])
    await bench.arrive(capture(2))
    keeper = await keeper_of(bench, alone=True)
    done = await retain(keeper, after(36_000))
    assert {rule: number for rule, number in done.rows.items() if number} == {Rule.UNFLAGGED: 1}
    (act,) = await statements(bench)
    assert (act.kind, act.officer, act.detail["rule"]) == (ActKind.ERASURE, None, "unflagged")
    with pytest.raises(EvidenceBroken, match="the service alone cannot"):
        sign_act(replace(act, kind=ActKind.DELETION), None, keeper.service)


async def test_a_case_that_is_not_decided_is_never_deleted(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    assert await bench.cases() == 1
    assert await deleted(bench, 36_000) == {}


async def test_a_package_that_is_not_sealed_yet_is_never_deleted(bench: Bench) -> None:
    await bench.arrive(overdue(passage(1, expected=EXPECTED, profile="standard")), *images_of(ROLES[0]))
    await bench.log()
    await settle(bench.shop, EVENT)
    assert await deleted(bench, 36_000) == {}


async def test_plates_of_a_deleted_case_are_gone_and_decisions_stay(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "confirmed")
    await reviewed(bench, PLATE)
    with pytest.raises(psycopg.errors.RestrictViolation):
        await asked(bench, "UPDATE review SET note = '', envelope = '', plate_typed = 'erased' RETURNING 1")
    await deleted(bench, DAYS[Rule.CONFIRMED])
    assert await asked(bench, "SELECT officer_id, licence, verdict, note, plate_typed FROM review") == [
        ("O1", "L-2", "confirm", "", "erased")
    ]
    for table in ("case_file", "reading", "review", "capture", "passage", "hit", "package"):
        assert PLATE not in str(await asked(bench, f"TABLE {table}")), table
    with pytest.raises(psycopg.errors.RestrictViolation):
        await asked(bench, "UPDATE review SET verdict = 'reject' RETURNING 1")


async def test_the_log_still_proves_the_deleted_package_and_its_deletion(bench: Bench) -> None:
    await sealed(bench, ROLES[0])
    (package,) = await bench.packages()
    head = (await asked(bench, "SELECT tree_size, root_hash FROM log_head"))[0]
    await deleted(bench, DAYS[Rule.HIT])
    assert (await asked(bench, "SELECT tree_size, root_hash FROM log_head"))[0] == head
    await bench.log()
    (stated,) = await asked(
        bench,
        "SELECT leaf, leaf_index FROM deletion JOIN act USING (act_id) JOIN log_outbox USING (leaf_hash)",
    )
    assert package.leaf is not None
    assert package.leaf_index is not None
    for leaf, index in ((package.leaf, package.leaf_index), (bytes(stated[0]), stated[1])):
        proof = TlogProof.parse(published_proof(bench.shop.log_root, index))
        tree = proof.signed.checkpoint
        check_inclusion(leaf_hash(leaf), proof.leaf_index, tree.size, proof.path, tree.root)
    # The leaf names the tag manifest, the deletion's leaf its envelope.
    assert package.tagmanifest.encode() in package.leaf
    (envelope,) = (await asked(bench, "SELECT envelope FROM deletion JOIN act USING (act_id)"))[0]
    assert hashlib.sha256(envelope).hexdigest().encode() in bytes(stated[0])


async def test_the_history_tells_of_the_deletion_and_holds(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "confirmed")
    await hold_and_release(bench)
    await release(bench, await hold(bench, HoldKind.VEHICLE, PLATE))
    before = await history_of(bench)
    await deleted(bench, DAYS[Rule.CONFIRMED])
    await bench.log()
    told = await history_of(bench)
    assert told.broken == []
    assert told.waiting == []
    # What was told before still is: the statements on captures, and the hold on a plate that is erased.
    kept = [chapter.envelope_sha256 for chapter in told.chapters]
    assert {chapter.envelope_sha256 for chapter in before.chapters} <= set(kept)
    assert [chapter.what for chapter in before.chapters].count("hold") == 2
    by_what = {chapter.what: chapter for chapter in told.chapters}
    assert [one for one in ("package", "hold", "release", "deletion") if one not in by_what] == []
    assert "deleted 20" in by_what["package"].signature.detail
    assert by_what["deletion"].reason == "retention rule confirmed-case: 300 days"


async def test_files_that_are_gone_without_an_act_are_told_as_broken(bench: Bench) -> None:
    await sealed(bench, ROLES[0])
    (package,) = await bench.packages()
    remove_package(bench.shop.evidence_root, package.folder)
    told = await history_of(bench)
    assert [chapter.what for chapter in told.broken] == ["package"]


async def test_what_a_message_said_is_neither_handed_out_nor_replayed_once_erased(bench: Bench) -> None:
    # Its bytes are an image's too, which is kept: the digest alone must not lead to it.
    image = capture(1, image=b"x" * 70_000)
    await bench.arrive(passage(1), image, refusal(3, payload=b"x" * 70_000))
    number = (await asked(bench, "SELECT quarantine_id FROM quarantine"))[0][0]
    await deleted(bench, 30)
    assert bench.shop.blobs.get(image.blob_sha256)
    async with transaction(bench.shop.pool) as conn:
        with pytest.raises(NotFound, match="erased"):
            await quarantined_payload(conn, bench.shop.blobs, number)
        assert await unresolved(conn) == []
        with pytest.raises(NotFound, match="erased"):
            await lock_unresolved(conn, bench.shop.blobs, number)


async def test_nothing_follows_a_package_that_was_deleted(bench: Bench) -> None:
    await sealed(bench, ROLES[0])
    await bench.arrive(capture(1, device="cam-side", role=CaptureRole.SIDE))  # late, and paired
    await bench.log()
    await deleted(bench, DAYS[Rule.HIT])
    await supplement(bench.shop, EVENT)
    assert (await count(bench, "package"), await count(bench, "reading")) == (1, 0)
    async with transaction(bench.shop.pool) as conn:
        with pytest.raises(NotFound, match="to be followed"):
            await request_supplement(conn, EVENT, SupplementRequest("re-read", ""))


async def test_evidence_that_a_supplement_was_asked_for_waits_for_it(bench: Bench) -> None:
    await sealed(bench, ROLES[0])
    async with transaction(bench.shop.pool) as conn:
        await request_supplement(conn, EVENT, SupplementRequest("re-read", ""))
    assert await deleted(bench, 36_000) == {}


async def test_two_passages_that_share_an_image_keep_it_until_the_second_goes(bench: Bench) -> None:
    image = b"both cameras of a convoy sent the same frame"
    flagged = overdue(passage(1, expected=EXPECTED, profile="standard"))
    await bench.arrive(flagged, capture(1, image=image))
    await bench.arrive(passage(2, outcome=Outcome.WITHIN), capture(2, image=image))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    await deleted(bench, 7)
    await retain(await keeper_of(bench), after(50))
    digest = Sha256(hashlib.sha256(image).hexdigest())
    assert bench.shop.blobs.get(digest) == image
    await deleted(bench, DAYS[Rule.HIT])
    await retain(await keeper_of(bench), after(DAYS[Rule.HIT] + 2))
    with pytest.raises(NotFound):
        bench.shop.blobs.get(digest)


@pytest.mark.parametrize("kind", [HoldKind.EVENT, HoldKind.CASE, HoldKind.VEHICLE])
async def test_a_hold_on_event_case_or_vehicle_keeps_all_of_a_case(bench: Bench, kind: HoldKind) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "confirmed")
    case_id = (await asked(bench, "SELECT case_id FROM case_file"))[0][0]
    subject = {HoldKind.EVENT: EVENT, HoldKind.CASE: case_id, HoldKind.VEHICLE: PLATE}[kind]
    first, second = await hold(bench, kind, subject), await hold(bench, HoldKind.EVENT, EVENT)
    assert await deleted(bench, 36_000) == {}
    await release(bench, first)
    assert await deleted(bench, 36_000) == {}
    await release(bench, second)
    assert await deleted(bench, 36_000) == {Rule.CONFIRMED: 1}


async def test_a_hold_on_a_capture_placed_before_it_was_paired_keeps_the_case(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "confirmed")
    number = await hold(bench, HoldKind.EVENT, EVENT)
    ((paired,), *_) = await asked(bench, "SELECT event_id FROM capture WHERE passage_event_id IS NOT NULL")
    await asked(bench, "UPDATE legal_hold SET subject = %s RETURNING 1", paired)
    assert await deleted(bench, 36_000) == {}
    await release(bench, number)
    assert await deleted(bench, 36_000) == {Rule.CONFIRMED: 1}


async def test_while_the_evidence_folder_is_not_there_no_package_counts_as_removed(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await decided(bench, "confirmed")
    away = bench.shop.evidence_root.rename(bench.shop.evidence_root.with_name("not mounted"))
    with pytest.raises(OSError, match="not there"):
        await deleted(bench, 36_000)
    assert await asked(bench, "SELECT files_removed_at FROM package") == [(None,)]
    away.rename(bench.shop.evidence_root)
    await deleted(bench, 36_000)
    assert not any(bench.shop.evidence_root.glob("EV-*"))


async def test_a_hold_keeps_captures_of_passages_never_flagged_and_quarantined_messages(bench: Bench) -> None:
    await bench.arrive(passage(1, outcome=Outcome.WITHIN), capture(1), capture(2), refusal(3))
    number = str((await asked(bench, "SELECT quarantine_id FROM quarantine"))[0][0])
    by_capture = await hold(bench, HoldKind.EVENT, capture(1).key.event_id)  # its passage is meant
    stray = await hold(bench, HoldKind.EVENT, capture(2).key.event_id)
    message = await hold(bench, HoldKind.QUARANTINE, number)
    assert await deleted(bench, 36_000) == {}
    for one in (by_capture, stray, message):
        await release(bench, one)
    assert await deleted(bench, 36_000) == {Rule.UNFLAGGED: 3, Rule.QUARANTINE: 1}


async def test_a_hold_and_its_release_are_entries_of_the_log(bench: Bench) -> None:
    await bench.arrive(passage(1))
    number = await hold(bench, HoldKind.EVENT, EVENT)
    await release(bench, number)
    logged = await asked(bench, "SELECT leaf FROM log_outbox WHERE kind = 'act' ORDER BY outbox_id")
    kept = await asked(bench, "SELECT envelope FROM act ORDER BY kind")
    assert [bytes(row[0]) for row in logged] == [statement_leaf(bytes(one)) for (one,) in kept]
    assert await asked(bench, "SELECT kind, event_id FROM act ORDER BY kind") == [
        ("hold", EVENT),
        ("release", EVENT),
    ]
    async with transaction(bench.shop.pool) as conn:
        assert await holds(conn) == []
        assert [one.hold_id for one in await holds(conn, released=True)] == [number]
        assert (await hold_of(conn, number)).reason == "行政诉讼"


async def test_nothing_is_held_that_is_not_there_or_was_deleted(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await hold(bench, HoldKind.EVENT, EVENT)
    await sealed(bench, ROLES[0])
    await deleted(bench, DAYS[Rule.HIT])
    with pytest.raises(RuleViolation, match="was deleted"):
        await hold(bench, HoldKind.EVENT, EVENT)


async def test_a_hold_waits_for_a_deletion_that_has_begun(bench: Bench) -> None:
    await sealed(bench, ROLES[0])
    keeper = await keeper_of(bench)
    term = keeper.terms[Rule.HIT]
    act, signed = await act_of(bench, ActKind.HOLD)
    async with transaction(bench.shop.pool) as deleting, transaction(bench.shop.pool) as holding:
        assert await rows.delete_due(
            deleting, term, stating(keeper, term, NOW), now=after(term.days), limit=1
        )
        await holding.execute("SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await place_hold(holding, HoldKind.EVENT, EVENT, act=act, signed=signed, by="王一")
        await holding.rollback()
        await deleting.rollback()
    await hold(bench, HoldKind.EVENT, EVENT)
    assert await deleted(bench, term.days) == {}


async def test_a_kill_between_rows_and_files_of_a_package_is_made_good(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sealed(bench, ROLES[0])
    (package,) = await bench.packages()
    with monkeypatch.context() as killed:
        killed.setattr("service.retention.remove_package", _killed)
        with pytest.raises(KeyError, match="killed"):
            await deleted(bench, DAYS[Rule.HIT])
    assert (bench.shop.evidence_root / package.folder).is_dir()
    done = await retain(await keeper_of(bench), after(DAYS[Rule.HIT]))
    assert (done.rows[Rule.HIT], done.packages) == (0, [package.folder])
    assert not (bench.shop.evidence_root / package.folder).exists()
    assert len(await statements(bench)) == 1
    assert (await retain(await keeper_of(bench), after(DAYS[Rule.HIT]))).packages == []


async def test_what_is_due_is_told_and_nothing_deleted(bench: Bench) -> None:
    await bench.arrive(passage(2, outcome=Outcome.WITHIN), capture(2), refusal(3))
    await sealed(bench, ROLES[0])
    found = {
        one.term.rule: one.numbers
        for one in await what_is_due(bench.shop.pool, terms_of(DAYS), after(DAYS[Rule.HIT]))
    }
    assert found == {
        Rule.UNFLAGGED: {"captures": 1, "messages": 1},
        Rule.HIT: {"passages": 1},
        Rule.REJECTED: {"passages": 0},
        Rule.CONFIRMED: {"passages": 0},
        Rule.QUARANTINE: {"messages": 1},
    }
    assert await count(bench, "capture") == 2


def test_a_term_begins_so_many_days_before_now() -> None:
    assert Term(Rule.UNFLAGGED, 7).before(NOW) == NOW - timedelta(days=7)
    assert EventId(EVENT) == EVENT


def _killed(root: Path, folder: str) -> bool:
    raise KeyError("killed")
