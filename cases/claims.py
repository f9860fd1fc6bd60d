"""Claiming a case: one reviewer at a time, by lease.

Rules

1. A claim lasts ten minutes and is renewed while the page is visible. An expired claim may be taken
   by anybody; until somebody does, its holder may still renew it.
2. Each claim has a fencing token larger than any before it. A decision made under an older token is
   refused, however late it arrives.
3. Who has reviewed a case in an earlier round cannot claim it again.
4. Opening a case is not claiming it, and claiming it is not reviewing it.
"""

from datetime import datetime, timedelta

from cases.leads import BEIJING
from cases.ports import CaseBook
from cases.states import round_of
from domain.casework import CaseFile, Claim, LicensedReviewer, QueueFilter, Reviewer
from domain.errors import ConflictingChange, NotPermitted
from domain.ids import CaseId

LEASE = timedelta(minutes=10)


async def licensed_reviewer(book: CaseBook, username: str, now: datetime) -> LicensedReviewer:
    """Return the reviewer, who must be an officer with a licence valid today (行政处罚法 Art. 42).

    Raises
    ------
    NotPermitted
        The account is no officer's, may not review, or no licence is valid today.
    """
    who = await book.reviewer(username, now.astimezone(BEIJING).date())
    if who.role not in {"reviewer", "supervisor"}:
        raise NotPermitted(f"the role {who.role} may not review cases; sign in with a reviewer's account")
    if who.officer_id is None:
        raise NotPermitted("this account belongs to no officer; an administrator can name the officer")
    if who.licence is None:
        raise NotPermitted(
            f"officer {who.officer_id} has no law-enforcement licence valid today (行政处罚法 Art. 42); "
            "have the registry corrected"
        )
    return LicensedReviewer(
        username=who.username, role=who.role, officer_id=who.officer_id, licence=who.licence
    )


async def claim(book: CaseBook, case_id: CaseId, *, username: str, now: datetime) -> Claim:
    """Give one case to a reviewer for ten minutes; a reviewer's own running claim is renewed.

    Raises
    ------
    NotPermitted
        The person may not review this case.
    ConflictingChange
        Somebody else holds it.
    RuleViolation
        The case is decided.
    """
    who = await licensed_reviewer(book, username, now)
    case = await book.case(case_id, lock=True)
    round_of(case.state)
    held = await book.claim_of(case_id)
    if held is not None and held.expires_at > now:
        if held.username == username:
            return await book.extend_claim(held, now + LEASE)
        raise ConflictingChange("another reviewer holds this case; take the next one")
    await _refuse_second_look(book, case, who)
    return await _give(book, case, who, now)


async def claim_next(book: CaseBook, wanted: QueueFilter, *, username: str, now: datetime) -> Claim | None:
    """Give a reviewer the oldest case they may take; None where the queue has none for them.

    Raises
    ------
    NotPermitted
        The person may not review.
    """
    who = await licensed_reviewer(book, username, now)
    while (case := await book.next_unclaimed(wanted, who, now)) is not None:
        # Another reviewer may have claimed it between the look and the lock; now, under the lock, it shows.
        held = await book.claim_of(case.case_id)
        if held is None or held.expires_at <= now:
            return await _give(book, case, who, now)
    return None


async def renew(
    book: CaseBook, case_id: CaseId, *, username: str, fencing_token: int, now: datetime
) -> Claim:
    """Extend a claim by ten minutes from now.

    Raises
    ------
    ConflictingChange
        The claim has passed to somebody else or was released.
    """
    held = await held_claim(book, case_id, username=username, fencing_token=fencing_token)
    return await book.extend_claim(held, now + LEASE)


async def release(
    book: CaseBook, case_id: CaseId, *, username: str, fencing_token: int, now: datetime
) -> None:
    """Hand a case back undecided.

    Raises
    ------
    ConflictingChange
        The claim has passed to somebody else or was released.
    """
    await held_claim(book, case_id, username=username, fencing_token=fencing_token)
    await book.drop_claim(case_id)
    await book.note(case_id, actor=username, what="released", detail={}, at=now)


async def held_claim(book: CaseBook, case_id: CaseId, *, username: str, fencing_token: int) -> Claim:
    """Return the claim if it is still the one the token was given for.

    Raises
    ------
    ConflictingChange
        It is not.
    """
    await book.case(case_id, lock=True)
    held = await book.claim_of(case_id)
    if held is None or held.username != username or held.fencing_token != fencing_token:
        raise ConflictingChange("your claim on this case has ended; claim it again, your draft is kept")
    return held


async def _give(book: CaseBook, case: CaseFile, who: Reviewer, now: datetime) -> Claim:
    given = await book.put_claim(case.case_id, who.username, now + LEASE)
    await book.note(
        case.case_id,
        actor=who.username,
        what="claimed",
        detail={"round": round_of(case.state), "fencing_token": given.fencing_token},
        at=now,
    )
    return given


async def _refuse_second_look(book: CaseBook, case: CaseFile, who: Reviewer) -> None:
    if any(who.officer_id == done.officer_id for done in await book.reviews(case.case_id)):
        raise NotPermitted(
            "you have reviewed this case in an earlier round; another officer must do this one "
            "(行政处罚法 Art. 42)"
        )
