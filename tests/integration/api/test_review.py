"""The review rules on a real database: leases, fencing, blindness, two officers, seals, signed decisions."""

import asyncio
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cases.claims import LEASE, claim, claim_next, release, renew
from cases.ports import SealReport
from cases.review import Decided, Decision, decide
from cases.states import ROUNDS
from domain.casework import CaseState, QueueFilter, Verdict
from domain.errors import ConflictingChange, NotPermitted, RuleViolation
from domain.events import CaptureRole
from domain.ids import CaseId
from evidence import statement_leaf
from evidence.acts import KeyEntry, check_act, officer_keys_of
from simulators.scene import photograph
from store.case_queries import exhibit
from store.cases import PostgresCaseBook
from store.officer_keys import key_statements
from store.outbox import leaf_hash
from tests.fixtures.office import CAPTURED_AT, Office, OpenedCase, six_axle_train

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
ANY = QueueFilter(states=tuple(ROUNDS))


async def claimed(office: Office, case: OpenedCase, username: str, *, now: datetime = NOW) -> Decision:
    """Claim a case and return the confirmation this person would submit."""
    async with office.pool.connection() as conn, conn.transaction():
        book = PostgresCaseBook(conn)
        held = await claim(book, case.case_id, username=username, now=now)
        shown = await book.case(case.case_id)
        seen = await book.on_screen(shown)
    return Decision(
        case_id=case.case_id,
        username=username,
        fencing_token=held.fencing_token,
        version=shown.version,
        seen=dict(seen),
        verdict=Verdict.CONFIRM,
        reason=None,
        note="",
        plate=case.plate,
        idempotency_key=f"{username}-{shown.version}-0123456789",
    )


def rejection(decision: Decision) -> Decision:
    """Return the rejection in place of a confirmation."""
    return replace(decision, verdict=Verdict.REJECT, reason="weighing-unreliable", plate=None)


async def submit(office: Office, decision: Decision, *, now: datetime = NOW) -> Decided:
    """Decide in a transaction of its own."""

    async def verify(folder: str) -> SealReport:
        return office.deployment.verify(office.deployment.evidence / folder)

    sign = await office.signing_as(decision.username)
    async with office.pool.connection() as conn, conn.transaction():
        return await decide(
            PostgresCaseBook(conn),
            decision,
            verify=verify,
            sign=sign,
            now=now,
        )


async def state_of(office: Office, case_id: CaseId) -> CaseState:
    """Return where a case stands."""
    async with office.pool.connection() as conn:
        return (await PostgresCaseBook(conn).case(case_id)).state


async def test_two_officers_who_agree_confirm_and_each_decision_is_signed_and_queued(office: Office) -> None:
    case = await office.open_case(0)
    assert (await submit(office, await claimed(office, case, "limei"))).state is CaseState.AWAITING_SECOND
    assert (await submit(office, await claimed(office, case, "wangjg"))).state is CaseState.CONFIRMED
    async with office.pool.connection() as conn:
        stored = await PostgresCaseBook(conn).case(case.case_id)
        reviews = await PostgresCaseBook(conn).reviews(case.case_id)
        rows = await (
            await conn.execute("SELECT leaf_hash FROM log_outbox WHERE kind = 'decision'")
        ).fetchall()
        given = await key_statements(conn)
    assert stored.plate == case.plate
    assert {row[0] for row in rows} == {leaf_hash(statement_leaf(review.envelope)) for review in reviews}
    services = [office.deployment.keys.service.public_key]
    entries = [KeyEntry(place, one.envelope) for place, one in enumerate(given)]
    officers = officer_keys_of(entries, services)
    act = check_act(reviews[1].envelope, None, officers=officers, services=services)
    assert (act.officer, act.licence, act.subject) == ("YN-002", "YN5301-002", case.case_id)
    assert act.digests[0] == (f"{case.package.name}/tagmanifest-sha256.txt", stored.tagmanifest)


async def test_two_who_typed_different_plates_go_to_a_third(office: Office) -> None:
    case = await office.open_case(0)
    await submit(office, await claimed(office, case, "limei"))
    other = replace(await claimed(office, case, "wangjg"), plate="云A00000")
    assert (await submit(office, other)).state is CaseState.AWAITING_THIRD
    assert (await submit(office, await claimed(office, case, "zhaomin"))).state is CaseState.CONFIRMED


async def test_one_officer_cannot_review_twice(office: Office) -> None:
    case = await office.open_case(0)
    await submit(office, await claimed(office, case, "limei"))
    with pytest.raises(NotPermitted, match="another officer"):
        await claimed(office, case, "limei")


async def test_the_database_itself_refuses_a_second_review_by_one_officer(office: Office) -> None:
    case = await office.open_case(0)
    await submit(office, await claimed(office, case, "limei"))
    async with office.pool.connection() as conn:
        book = PostgresCaseBook(conn)
        (first,) = await book.reviews(case.case_id)
        with pytest.raises(RuleViolation, match="another officer"):
            await book.add_review(replace(first, round=2, idempotency_key="another-key-0123456789"))
        await conn.rollback()
        for statement in (b"UPDATE review SET verdict = 'reject'", b"DELETE FROM case_event"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                await conn.execute(statement)
            await conn.rollback()


@pytest.mark.parametrize(("username", "reason"), [("expired", "licence valid today"), ("boss", "no officer")])
async def test_who_has_no_licence_that_day_reviews_nothing(
    office: Office, username: str, reason: str
) -> None:
    case = await office.open_case(0)
    with pytest.raises(NotPermitted, match=reason):
        await claimed(office, case, username)


async def test_a_licence_that_ends_between_claim_and_decision_stops_the_decision(office: Office) -> None:
    case = await office.open_case(0)
    decision = await claimed(office, case, "limei")
    async with office.pool.connection() as conn:
        await conn.execute("UPDATE officer_licence SET valid_to = '2026-11-22' WHERE officer_id = 'YN-001'")
    with pytest.raises(NotPermitted, match="licence valid today"):
        await submit(office, decision)


async def test_whatever_changed_since_it_was_shown_stops_the_decision(office: Office) -> None:
    case = await office.open_case(0)
    decision = await claimed(office, case, "limei")
    async with office.pool.connection() as conn:
        await conn.execute("UPDATE reading SET reading = jsonb_set(reading, '{text}', '\"云A99999\"')")
    with pytest.raises(ConflictingChange, match="reading"):
        await submit(office, decision)
    with pytest.raises(ConflictingChange, match="moved on"):
        await submit(office, replace(decision, version=decision.version + 1))
    assert await state_of(office, case.case_id) is CaseState.AWAITING_FIRST


async def test_an_image_that_comes_after_sealing_is_nobodys_evidence(office: Office) -> None:
    case = await office.open_case(0)
    decision = await claimed(office, case, "limei")
    other_train = photograph(six_axle_train(1), CaptureRole.FRONT)
    late = await office.store_late_capture(0, CaptureRole.FRONT, other_train)
    # The very image that is sealed, sent again under another role, is not what was read and sealed either.
    again = await office.store_late_capture(0, CaptureRole.PANORAMA, office.blobs.get(case.images[0]))
    async with office.pool.connection() as conn:
        shown = await exhibit(conn, case.event_id, CAPTURED_AT)
    assert shown is not None
    assert [one.blob_sha256 for one in shown.captures if one.in_evidence] == list(case.images)
    assert [one.blob_sha256 for one in shown.captures if not one.in_evidence] == [late, again]
    assert (await submit(office, decision)).state is CaseState.AWAITING_SECOND


async def test_a_flipped_bit_in_the_package_forbids_confirming_but_not_rejecting(office: Office) -> None:
    case = await office.open_case(0)
    image = next((case.package / "data" / "images").iterdir())
    image.chmod(0o644)
    data = bytearray(image.read_bytes())
    data[100] ^= 1
    image.write_bytes(data)
    decision = await claimed(office, case, "limei")
    with pytest.raises(RuleViolation, match="seal does not hold"):
        await submit(office, decision)
    assert (await submit(office, rejection(decision))).round == 1


async def test_a_supplement_whose_seal_does_not_hold_forbids_confirming(office: Office) -> None:
    case = await office.open_case(0)
    followed = case.package.with_name(f"{case.package.name}.s1")
    shutil.copytree(case.package, followed)  # shown as a supplement, and sealed as something else
    async with office.pool.connection() as conn:
        await conn.execute(
            """INSERT INTO package (event_id, supplement, state, folder, tagmanifest, envelope, complete)
               SELECT event_id, 1, state, %s, tagmanifest, envelope, complete FROM package""",
            [followed.name],
        )
    decision = await claimed(office, case, "limei")
    with pytest.raises(RuleViolation, match=rf"seal does not hold \({followed.name}: bag-info"):
        await submit(office, decision)
    assert (await submit(office, rejection(decision))).round == 1


async def test_an_expired_claim_taken_by_another_is_fenced_out(office: Office) -> None:
    case = await office.open_case(0)
    late = await claimed(office, case, "limei")
    with pytest.raises(ConflictingChange, match="another reviewer"):
        await claimed(office, case, "wangjg")
    after = NOW + LEASE + timedelta(seconds=1)
    taken = await claimed(office, case, "wangjg", now=after)
    assert taken.fencing_token > late.fencing_token
    with pytest.raises(ConflictingChange, match="claim"):
        await submit(office, late, now=after)
    assert (await submit(office, taken, now=after)).round == 1


async def test_renewing_and_releasing(office: Office) -> None:
    case = await office.open_case(0)
    decision = await claimed(office, case, "limei")
    later = NOW + timedelta(minutes=9)
    async with office.pool.connection() as conn, conn.transaction():
        book = PostgresCaseBook(conn)
        token = decision.fencing_token
        held = await renew(book, case.case_id, username="limei", fencing_token=token, now=later)
        assert held.expires_at == later + LEASE
        await release(book, case.case_id, username="limei", fencing_token=token, now=later)
        with pytest.raises(ConflictingChange):
            await renew(book, case.case_id, username="limei", fencing_token=token, now=later)


async def test_the_same_key_again_stores_nothing_and_another_content_is_refused(office: Office) -> None:
    case = await office.open_case(0)
    decision = await claimed(office, case, "limei")
    first, again = await submit(office, decision), await submit(office, decision)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.state is CaseState.AWAITING_SECOND
    with pytest.raises(ConflictingChange, match="another decision"):
        await submit(office, rejection(decision))
    for changed in (
        replace(decision, plate="云A99999"),
        replace(decision, note="second thoughts"),
        replace(decision, username="wangjg"),
        replace(decision, seen={}),
    ):
        with pytest.raises(ConflictingChange, match="another decision"):
            await submit(office, changed)
    assert (await submit(office, replace(decision, plate=f" {case.plate[:2]}·{case.plate[2:]}"))).repeated
    async with office.pool.connection() as conn:
        assert len(await PostgresCaseBook(conn).reviews(case.case_id)) == 1


async def test_the_same_decision_sent_twice_at_once_is_stored_once_and_answered_twice(office: Office) -> None:
    decision = await claimed(office, await office.open_case(0), "limei")
    answers = await asyncio.gather(submit(office, decision), submit(office, decision))
    assert sorted(answer.repeated for answer in answers) == [False, True]
    assert {answer.state for answer in answers} == {CaseState.AWAITING_SECOND}


async def test_a_rejection_repeated_with_another_reason_is_another_decision(office: Office) -> None:
    decision = rejection(await claimed(office, await office.open_case(0), "limei"))
    assert not (await submit(office, decision)).repeated
    assert (await submit(office, decision)).repeated
    with pytest.raises(ConflictingChange, match="another decision"):
        await submit(office, replace(decision, reason="axles-wrong"))


async def test_reviewers_who_ask_at_once_never_get_the_same_case(office: Office) -> None:
    cases = {(await office.open_case(number)).case_id for number in range(3)}

    async def take(username: str) -> CaseId | None:
        async with office.pool.connection() as conn, conn.transaction():
            held = await claim_next(PostgresCaseBook(conn), ANY, username=username, now=NOW)
            return None if held is None else held.case_id

    taken = await asyncio.gather(*(take(name) for name in ("limei", "wangjg", "zhaomin")))
    assert set(taken) == cases
    assert await take("limei") is None


async def test_opening_a_lead_twice_gives_one_case(office: Office) -> None:
    case = await office.open_case(0)
    async with office.pool.connection() as conn:
        assert await PostgresCaseBook(conn).case_of_event(case.event_id) == case.case_id
        again = await PostgresCaseBook(conn).case(case.case_id)
        assert not await PostgresCaseBook(conn).insert_lead(again, state=CaseState.AWAITING_THIRD, at=NOW)
    assert await state_of(office, case.case_id) is CaseState.AWAITING_FIRST


async def test_the_page_is_told_which_devices_of_the_evidence_signed(office: Office) -> None:
    case = await office.open_case(1)
    await office.store_late_capture(1, CaptureRole.PANORAMA, photograph(six_axle_train(9), CaptureRole.FRONT))
    async with office.pool.connection() as conn:
        shown = await exhibit(conn, case.event_id, CAPTURED_AT + timedelta(minutes=7))
    assert shown is not None
    found = {one.device_id: one.state for one in shown.signatures}
    assert found == {"cam-front": "absent", "cam-rear": "absent", "cam-side": "absent", "wim-1": "valid"}
