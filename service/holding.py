"""Legal holds as acts: placed and released by an officer, who signs with their own key."""

import re
from datetime import datetime
from uuid import uuid4

from cases.plates import plate_to_hold
from domain.acts import Act, ActKind
from domain.ids import PACKAGE_NAME, EventId, Sha256
from evidence import Signer
from evidence.acts import sign_act
from service.officer_at_hand import ActingOfficer
from store.connection import Connection
from store.holds import Hold, HoldKind, event_of, hold_of, place_hold, release_hold, subject_held
from store.life import sealed_packages

_CASE = re.compile(r"ZC-[0-9]{8}-[0-9A-F]{12}")


def meant(name: str) -> tuple[HoldKind, str]:
    """Return what an id is of; a package's is its event's.

    >>> meant("ZC-20261123-E4F5BA4BFA45")[0]
    <HoldKind.CASE: 'case'>
    >>> meant("EV-e4f5ba4bfa45f6afff20129ad5b12fd2.s1")
    (<HoldKind.EVENT: 'event'>, 'e4f5ba4bfa45f6afff20129ad5b12fd2')
    """
    package = PACKAGE_NAME.fullmatch(name)
    if package is not None:
        return HoldKind.EVENT, package["event"]
    return (HoldKind.CASE if _CASE.fullmatch(name) else HoldKind.EVENT), name


async def hold(
    conn: Connection,
    name: str,
    kind: HoldKind | None,
    *,
    reason: str,
    officer: ActingOfficer,
    service: Signer,
    now: datetime,
) -> Hold:
    """Place a hold in the caller's transaction; errors as `store.holds.place_hold`.

    `kind` is given where the name is a plate or a number in quarantine.
    """
    kind, name = meant(name) if kind is None else (kind, name)
    subject = plate_to_hold(name) if kind is HoldKind.VEHICLE else await subject_held(conn, kind, name)
    act = await _act(conn, ActKind.HOLD, kind, subject, reason=reason, officer=officer, now=now)
    signed = sign_act(act, officer.key, service)
    return await place_hold(conn, kind, subject, act=act, signed=signed, by=officer.username)


async def release(
    conn: Connection,
    hold_id: int,
    *,
    reason: str,
    officer: ActingOfficer,
    service: Signer,
    now: datetime,
) -> Hold:
    """Release a hold in the caller's transaction; errors as `store.holds.release_hold`."""
    held = await hold_of(conn, hold_id)
    kind = HoldKind(held.kind)
    act = await _act(conn, ActKind.RELEASE, kind, held.subject, reason=reason, officer=officer, now=now)
    signed = sign_act(act, officer.key, service)
    return await release_hold(conn, hold_id, act=act, signed=signed, by=officer.username)


async def _act(
    conn: Connection,
    what: ActKind,
    kind: HoldKind,
    subject: str,
    *,
    reason: str,
    officer: ActingOfficer,
    now: datetime,
) -> Act:
    event = await event_of(conn, kind, subject)
    return Act(
        act_id=f"{what.value}-{uuid4().hex}",
        kind=what,
        officer=officer.key.officer,
        licence=officer.licence,
        event=event,
        subject=_shown(kind, subject),
        reason=reason,
        digests=await _digests(conn, event),
        made_at=now,
        detail={"on": kind.value},
    )


def _shown(kind: HoldKind, subject: str) -> str:
    """Return the subject as it may stand in a statement: a plate stays in the hold's own row."""
    if kind is HoldKind.VEHICLE:
        return "a vehicle"
    return f"quarantine:{subject}" if kind is HoldKind.QUARANTINE else subject


async def _digests(conn: Connection, event: EventId | None) -> tuple[tuple[str, Sha256], ...]:
    if event is None:
        return ()
    return tuple((one.folder, one.tagmanifest) for one in await sealed_packages(conn, event))
