"""Who looked at originals: one entry a session, package and kind, signed by the service and in the log.

A page shows several images at once, and is opened again and again; what counts is that this person looked at
this package's images, or at its clips: a picture and a minute of film show different things. Tools that send
HTTP Basic have no session: theirs is one entry an account, day, package and kind.
"""

import hashlib

from api.access import Principal
from api.acting import sign_bounded
from api.auth import token_digest
from api.wiring import Wiring
from domain.acts import Act, ActKind
from domain.ids import OfficerId
from store.acts import act_known, add_act
from store.case_queries import ShownImage
from store.connection import Connection

REASON = "originals shown"


async def note_access(
    wiring: Wiring, conn: Connection, person: Principal, one: ShownImage, folder: str
) -> None:
    """Note that a person is shown originals of a package, in the caller's transaction; once is enough."""
    shown = "clip" if one.content_type.startswith("video/") else "image"
    now = wiring.now()
    if person.token is None:
        sitting = f"{person.username} {now.date().isoformat()}"
    else:
        sitting = token_digest(person.token).hex()
    act_id = "access-" + hashlib.sha256(f"{sitting}\0{folder}\0{shown}".encode()).hexdigest()
    if await act_known(conn, act_id):
        return
    act = Act(
        act_id=act_id,
        kind=ActKind.ACCESS,
        officer=None if person.officer_id is None else OfficerId(person.officer_id),
        licence=None,
        event=one.event_id,
        subject=folder,
        reason=REASON,
        digests=(),
        made_at=now,
        detail={"account": person.username, "shown": shown},
    )
    await add_act(conn, act, await sign_bounded(wiring, act, None))
