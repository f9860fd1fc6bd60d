"""Asking for a supplement: a re-read at the command line, a correction by an officer who signs for it.

The note of a correction stands in the supplement; the officer's act names its digest, so that the note can go
at the end of retention while the act stays.
"""

from datetime import datetime
from uuid import uuid4

from domain.acts import Act, ActKind
from domain.errors import NotFound
from domain.ids import EventId, sha256_of
from evidence import Signer
from evidence.acts import envelope_digest, sign_act
from service.officer_at_hand import ActingOfficer
from store.acts import add_act
from store.connection import Connection
from store.hits import lock_hit
from store.jobs import Task, defer
from store.packages import lock_latest_package
from store.supplements import SupplementRequest, request_supplement

REASON = "put right by a supplement, which holds the note"


async def ask_for_re_read(conn: Connection, event: EventId, note: str) -> None:
    """Have the plates read again into a supplement, in the caller's transaction.

    Raises
    ------
    NotFound
        No package of this event is there to be followed.
    """
    await request_supplement(conn, event, SupplementRequest("re-read", note))
    await defer(conn, Task.SUPPLEMENT_HIT, event)


async def ask_for_correction(
    conn: Connection, event: EventId, note: str, *, officer: ActingOfficer, service: Signer, now: datetime
) -> Act:
    """Have what is sealed put right by a supplement, in the caller's transaction; return the officer's act.

    Raises
    ------
    NotFound
        No package of this event is there to be followed.
    NotPermitted
        The officer's key has ended.
    """
    await lock_hit(conn, event)
    last = await lock_latest_package(conn, event)
    if last is None:
        raise NotFound(f"no package of the event {event} is there to be followed by a supplement")
    act = Act(
        act_id=f"correction-{uuid4().hex}",
        kind=ActKind.CORRECTION,
        officer=officer.key.officer,
        licence=officer.licence,
        event=event,
        subject=last.folder,
        reason=REASON,
        digests=((last.folder, last.tagmanifest), ("note", sha256_of(note.encode()))),
        made_at=now,
        corrects=envelope_digest(last.envelope),
    )
    await add_act(conn, act, sign_act(act, officer.key, service))
    await request_supplement(conn, event, SupplementRequest("correction", note), act_id=act.act_id)
    await defer(conn, Task.SUPPLEMENT_HIT, event)
    return act
