"""Statements about the installation's keys: each kept once, in the transaction that queues it for the log."""

from typing import Literal

from domain.errors import ConflictingChange
from store.connection import Connection
from store.outbox import enqueue

What = Literal["rotation", "revocation"]


async def keep_key_statement(
    conn: Connection, *, key_id: str, what: What, role: str, envelope: bytes, leaf: bytes
) -> bytes:
    """Store a statement on a key and queue its leaf, unless there is one; return the envelope that stands.

    A change that was cut off is taken up again by the statement it stored first.
    """
    stored = await key_statement(conn, key_id=key_id, what=what)
    if stored is not None:
        return stored
    outbox_id = await enqueue(conn, kind="keys", subject=key_id, leaf=leaf)
    await conn.execute(
        """
        INSERT INTO key_statement (key_id, what, role, envelope, outbox_id) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (key_id, what) DO NOTHING
        """,
        [key_id, what, role, envelope, outbox_id],
    )
    stored = await key_statement(conn, key_id=key_id, what=what)
    if stored != envelope:
        raise ConflictingChange(f"another command stated a {what} of the key {key_id} meanwhile; try again")
    return envelope


async def key_statement(conn: Connection, *, key_id: str, what: What) -> bytes | None:
    """Return the statement on a key, or None."""
    cursor = await conn.execute(
        "SELECT envelope FROM key_statement WHERE key_id = %s AND what = %s", [key_id, what]
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]
