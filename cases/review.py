"""Deciding a case: one officer's verdict in one round, checked, signed and logged in one transaction.

A decision is taken only if, at the moment it is stored,

1. the reviewer is an officer with a licence valid that day, who has not reviewed the case before
   (行政处罚法 Art. 42; the database refuses it too);
2. their claim is still the one they were given (fencing token);
3. the case is at the version they saw, and every part they had on screen is unchanged (digests);
4. for a confirmation, every layer of the package's and its supplements' seals holds, verified anew, and they
   typed the plate;
5. for a rejection, one of nine reasons is given.

The same idempotency key with the same content gives the first answer again and stores nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from cases.claims import held_claim, licensed_reviewer
from cases.plates import normalised_plate
from cases.ports import CaseBook, Sign, Verify
from cases.reasons import BY_CODE, CONFIRMED
from cases.seals import refuse_unverified
from cases.states import Opinion, Step, next_step, round_of
from domain.acts import Act, ActKind
from domain.casework import CaseFile, CaseState, LicensedReviewer, Review, Reviewer, Verdict
from domain.errors import ConflictingChange, NotPermitted, RuleViolation
from domain.ids import CaseId, EventId, Sha256

PACKAGE_DIGEST = "tagmanifest-sha256.txt"
MAX_NOTE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a reviewer submits."""

    case_id: CaseId
    username: str
    fencing_token: int
    version: int
    seen: dict[str, str]
    """Digests by part of what was on screen."""
    verdict: Verdict
    reason: str | None
    """A code of `cases.reasons`; None in a confirmation."""
    note: str
    plate: str | None
    """As typed; None in a rejection."""
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it."""

    state: CaseState
    round: int
    repeated: bool
    """The same decision had been stored before."""


async def decide(book: CaseBook, decision: Decision, *, verify: Verify, sign: Sign, now: datetime) -> Decided:
    """Store one review and move its case on.

    Raises
    ------
    NotPermitted
        The person may not review this case.
    ConflictingChange
        Claim, version or anything on screen has changed; the draft is worth keeping.
    RuleViolation
        The decision itself cannot stand: no reason, no plate, a broken seal, a decided case.
    """
    reason, plate = _checked_content(decision)
    # The row is held first: a repeat that was sent while the first is being stored must find it stored.
    case = await book.case(decision.case_id, lock=True)
    earlier = await _repeated(book, decision, reason=reason, plate=plate)
    if earlier is not None:
        return earlier
    who = await licensed_reviewer(book, decision.username, now)
    awaited = round_of(case.state)
    await held_claim(book, decision.case_id, username=decision.username, fencing_token=decision.fencing_token)
    await _refuse_stale(book, decision, case)
    if decision.verdict is Verdict.CONFIRM:
        await _refuse_broken_seal(book, verify, case)
    step = await _step(book, case, who, Opinion(decision.verdict, plate))
    signed = await sign(_act(decision, case, who, reason=reason, plate=plate, step=step, now=now))
    await book.add_review(
        Review(
            case_id=case.case_id,
            round=awaited,
            username=who.username,
            officer_id=who.officer_id,
            licence=who.licence,
            verdict=decision.verdict,
            reason=reason,
            note=decision.note,
            plate_typed=plate,
            seen_digests=decision.seen,
            idempotency_key=decision.idempotency_key,
            envelope=signed.envelope,
            decided_at=now,
        )
    )
    await book.log_decision(case.case_id, signed)
    await book.set_state(case, step.state, plate=step.plate, at=now)
    await book.drop_claim(case.case_id)
    await book.note(case.case_id, actor=who.username, what="reviewed", detail={"round": awaited}, at=now)
    return Decided(step.state, awaited, repeated=False)


async def _repeated(book: CaseBook, decision: Decision, *, reason: str, plate: str | None) -> Decided | None:
    stored = await book.review_by_key(decision.idempotency_key)
    if stored is None:
        return None
    same = (
        stored.case_id == decision.case_id
        and stored.username == decision.username
        and stored.verdict is decision.verdict
        and stored.reason == reason
        and stored.note == decision.note
        and stored.plate_typed == plate
        and stored.seen_digests == decision.seen
    )
    if not same:
        raise ConflictingChange("this idempotency key was used for another decision; reload the page")
    case = await book.case(decision.case_id)
    return Decided(case.state, stored.round, repeated=True)


def _checked_content(decision: Decision) -> tuple[str, str | None]:
    if len(decision.note) > MAX_NOTE:
        raise RuleViolation(f"the note is longer than {MAX_NOTE} characters; shorten it")
    if "\0" in decision.note:
        raise RuleViolation("the note holds a NUL character; remove it")
    if decision.verdict is Verdict.CONFIRM:
        return CONFIRMED, normalised_plate(decision.plate or "")
    reason = BY_CODE.get(decision.reason or "")
    if reason is None:
        raise RuleViolation("a rejection needs one of the nine reasons; choose one")
    if reason.code == "other" and not decision.note.strip():
        raise RuleViolation("the reason 'other' needs a note; say what is wrong")
    return reason.code, None


async def _refuse_stale(book: CaseBook, decision: Decision, case: CaseFile) -> None:
    if decision.version != case.version:
        raise ConflictingChange("the case has moved on since it was shown; look again, then decide again")
    current = await book.on_screen(case)
    changed = sorted(
        part for part in current.keys() | decision.seen.keys() if current.get(part) != decision.seen.get(part)
    )
    if changed:
        raise ConflictingChange(
            f"changed since it was shown: {', '.join(changed)}; look again, then decide again"
        )


async def _refuse_broken_seal(book: CaseBook, verify: Verify, case: CaseFile) -> None:
    for folder in await book.sealed_folders(case):
        refuse_unverified(await verify(folder), folder, "such a case can only be rejected")


async def _step(book: CaseBook, case: CaseFile, who: Reviewer, opinion: Opinion) -> Step:
    earlier = await book.reviews(case.case_id)
    if any(one.officer_id == who.officer_id for one in earlier):
        raise NotPermitted(
            "you have reviewed this case in an earlier round; another officer must do this one"
        )
    return next_step(case.state, [*(Opinion(one.verdict, one.plate_typed) for one in earlier), opinion])


def _act(
    decision: Decision,
    case: CaseFile,
    who: LicensedReviewer,
    *,
    reason: str,
    plate: str | None,
    step: Step,
    now: datetime,
) -> Act:
    seen = sorted(decision.seen.items())
    return Act(
        act_id=decision.idempotency_key,
        kind=ActKind.REVIEW,
        officer=who.officer_id,
        licence=who.licence,
        event=EventId(case.event_id),
        subject=case.case_id,
        reason=reason,
        digests=(
            (f"{case.package_folder}/{PACKAGE_DIGEST}", Sha256(case.tagmanifest)),
            *((f"seen/{part}", Sha256(digest)) for part, digest in seen),
        ),
        made_at=now,
        detail={
            "round": round_of(case.state),
            "verdict": decision.verdict.value,
            "note": decision.note,
            "plate": plate,
            "state_after": step.state.value,
        },
    )
