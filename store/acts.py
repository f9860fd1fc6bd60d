"""Acts on sealed evidence, but for reviews: stored once, and queued for the log with them."""

from psycopg import errors

from domain.acts import Act, SignedAct
from domain.errors import ConflictingChange
from store.connection import Connection
from store.officer_keys import hold_key
from store.outbox import enqueue, leaf_hash


async def add_act(conn: Connection, act: Act, signed: SignedAct) -> None:
    """Store an act and queue its entry, in the caller's transaction.

    Raises
    ------
    NotPermitted
        The officer's key has ended.
    ConflictingChange
        An act of this id, or the very same envelope, is stored already.
    """
    if signed.key_id is not None:
        await hold_key(conn, signed.key_id)
    await enqueue(conn, kind="act", subject=act.subject, leaf=signed.leaf)
    try:
        await conn.execute(
            """INSERT INTO act (act_id, kind, event_id, subject, officer_id, key_id, envelope, leaf_hash,
                   made_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                act.act_id,
                act.kind,
                act.event,
                act.subject,
                act.officer,
                signed.key_id,
                signed.envelope,
                leaf_hash(signed.leaf),
                act.made_at,
            ],
        )
    except errors.UniqueViolation as error:
        raise ConflictingChange("this act is stored already; reload the page") from error
