"""What asks for a supplement: a re-read or a correction, kept until the package that answers it is begun."""

from typing import NamedTuple

from domain.errors import NotFound
from domain.ids import EventId, Sha256
from store.connection import Connection


class SupplementRequest(NamedTuple):
    """Why a package is to be followed by another."""

    reason: str
    """`re-read` or `correction`."""
    note: str
    act: Sha256 | None = None
    """Digest of the envelope of the officer's act, where it is a correction."""


async def request_supplement(
    conn: Connection, event_id: EventId, request: SupplementRequest, *, act_id: str | None = None
) -> None:
    """Ask for a supplement, in the caller's transaction, which defers the job too.

    A correction names the stored act of the officer who asks. The hit's row is held: a deletion that is
    under way is waited for, one that comes sees the request.

    Raises
    ------
    NotFound
        No package of this event is there to be followed.
    """
    await conn.execute("SELECT FROM hit WHERE event_id = %s FOR UPDATE", [event_id])
    cursor = await conn.execute(
        """
        INSERT INTO supplement_request (event_id, reason, note, act_id)
        SELECT event_id, %s, %s, %s FROM package
        WHERE event_id = %s AND supplement = 0 AND deletion_id IS NULL
        """,
        [request.reason, request.note, act_id, event_id],
    )
    if cursor.rowcount != 1:
        raise NotFound(f"no package of the event {event_id} is there to be followed by a supplement")


async def requests_waiting(conn: Connection, event_id: EventId) -> int:
    """Return how many requests no supplement has answered yet."""
    cursor = await conn.execute(
        "SELECT count(*) FROM supplement_request WHERE event_id = %s AND supplement IS NULL", [event_id]
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def assign_requests(conn: Connection, event_id: EventId, supplement: int) -> None:
    """Have a supplement answer all that waits; what is asked for later is for the next one."""
    await conn.execute(
        "UPDATE supplement_request SET supplement = %s WHERE event_id = %s AND supplement IS NULL",
        [supplement, event_id],
    )


async def requests_of(conn: Connection, event_id: EventId, supplement: int) -> list[SupplementRequest]:
    """Return what a supplement answers, in the order it was asked for."""
    cursor = await conn.execute(
        """
        SELECT reason, note, encode(sha256(envelope), 'hex')
        FROM supplement_request s LEFT JOIN act USING (act_id)
        WHERE s.event_id = %s AND supplement = %s ORDER BY request_id
        """,
        [event_id, supplement],
    )
    return [SupplementRequest(*row) for row in await cursor.fetchall()]
