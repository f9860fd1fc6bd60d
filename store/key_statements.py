"""Statements about the installation's keys: each kept once, in the transaction that queues it for the log."""

from typing import Literal, NamedTuple

from domain.errors import ConflictingChange
from store.connection import Connection
from store.outbox import enqueue

What = Literal["rotation", "revocation"]
TRUST_FILE = "trust-file"
"""The role under which a trust file is kept that follows another: a rotation, by the file's digest."""


class LoggedStatement(NamedTuple):
    """A statement as it is stored."""

    what: str
    envelope: bytes


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


async def all_key_statements(conn: Connection) -> list[LoggedStatement]:
    """Return every statement on the installation's keys and trust files, in the order of the log."""
    cursor = await conn.execute(
        "SELECT CASE WHEN role = %s THEN role ELSE what END, envelope FROM key_statement ORDER BY outbox_id",
        [TRUST_FILE],
    )
    return [LoggedStatement(row[0], bytes(row[1])) for row in await cursor.fetchall()]
