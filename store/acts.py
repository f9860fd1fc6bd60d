"""Acts on sealed evidence, but for reviews: stored once, and queued for the log with them."""

from psycopg import errors

from domain.acts import Act, SignedAct
from domain.errors import ConflictingChange
from store.connection import Connection
from store.officer_keys import hold_key
from store.outbox import enqueue, leaf_hash


async def act_known(conn: Connection, act_id: str) -> bool:
    """Say whether an act is stored; if not, whoever else asks waits until the caller's transaction ends."""
    if await _stored(conn, act_id):
        return True
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [act_id])
    return await _stored(conn, act_id)


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


async def _stored(conn: Connection, act_id: str) -> bool:
    cursor = await conn.execute("SELECT 1 FROM act WHERE act_id = %s", [act_id])
    return await cursor.fetchone() is not None
