"""Officers' keys, locked, and the logged statements on them.

Rules
-----
1. An account has one key in use at most. Who gives or ends one holds the account's row.
2. The statement on a key goes into the log's outbox in the transaction that stores or ends the key.
3. Who signs holds the key's row (`hold_key`) to the end of the transaction: an act is therefore in the
   outbox before the statement that ends its key, and after the one that gave it.
"""

from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from domain.errors import ConflictingChange, NotPermitted
from domain.ids import OfficerId, Sha256
from store.connection import Connection
from store.outbox import enqueue


class StoredKey(NamedTuple):
    """A key in use."""

    key_id: Sha256
    officer_id: OfficerId
    public_key: bytes
    locked: bytes
    """As the password opens it, or the session's token."""


class LoggedKeyStatement(NamedTuple):
    """A statement on an officer's key; no index while it waits to be logged."""

    key_id: Sha256
    what: str
    envelope: bytes
    leaf_index: int | None
    made_at: datetime


async def key_in_use(conn: Connection, username: str) -> StoredKey | None:
    """Return an account's key as its password opens it, or None where it has none in use."""
    async with conn.cursor(row_factory=class_row(StoredKey)) as cursor:
        await cursor.execute(
            """SELECT key_id, officer_id, public_key, locked FROM officer_key
               WHERE username = %s AND ended_at IS NULL""",
            [username],
        )
        return await cursor.fetchone()


async def key_of_session(conn: Connection, token_sha256: bytes, now: datetime) -> StoredKey | None:
    """Return the key in use that was locked for a running session, as its token opens it, or None."""
    async with conn.cursor(row_factory=class_row(StoredKey)) as cursor:
        await cursor.execute(
            """SELECT k.key_id, k.officer_id, k.public_key, s.locked_key AS locked
               FROM web_session s JOIN officer_key k USING (key_id)
               WHERE s.token_sha256 = %s AND s.expires_at > %s AND k.username = s.username
                   AND k.ended_at IS NULL""",
            [token_sha256, now],
        )
        return await cursor.fetchone()


async def hold_key(conn: Connection, key_id: Sha256) -> None:
    """Keep a key from ending until the caller's transaction ends.

    Raises
    ------
    NotPermitted
        It has ended.
    """
    cursor = await conn.execute(
        "SELECT 1 FROM officer_key WHERE key_id = %s AND ended_at IS NULL FOR SHARE", [key_id]
    )
    if await cursor.fetchone() is None:
        raise NotPermitted("your signing key has ended; sign in again to get another")


async def hold_account(conn: Connection, username: str) -> None:
    """Keep others from giving or ending this account's keys until the caller's transaction ends."""
    await conn.execute("SELECT 1 FROM account WHERE username = %s FOR NO KEY UPDATE", [username])


async def give_key(
    conn: Connection, username: str, key: StoredKey, *, envelope: bytes, leaf: bytes, at: datetime
) -> None:
    """Store an account's new key with the statement that gives it.

    Raises
    ------
    ConflictingChange
        It has a key in use, or is no longer this officer's.
    """
    cursor = await conn.execute(
        """INSERT INTO officer_key (key_id, username, officer_id, public_key, locked, made_at)
           SELECT %s, username, officer_id, %s, %s, %s FROM account WHERE username = %s AND officer_id = %s
           ON CONFLICT DO NOTHING""",
        [key.key_id, key.public_key, key.locked, at, username, key.officer_id],
    )
    if cursor.rowcount != 1:
        raise ConflictingChange(f"the signing key of {username} was changed meanwhile; sign in again")
    await _state(conn, key.key_id, "officer-key", envelope, leaf)


async def relock_key(conn: Connection, key_id: Sha256, locked: bytes) -> None:
    """Store a key as another password opens it; ConflictingChange where it has ended."""
    cursor = await conn.execute(
        "UPDATE officer_key SET locked = %s WHERE key_id = %s AND ended_at IS NULL", [locked, key_id]
    )
    if cursor.rowcount != 1:
        raise ConflictingChange("the signing key has ended meanwhile; sign in again")


async def end_key(conn: Connection, key_id: Sha256, *, envelope: bytes, leaf: bytes, at: datetime) -> None:
    """End a key for good, and every session that holds it; ConflictingChange where it has ended before."""
    cursor = await conn.execute(
        "UPDATE officer_key SET locked = NULL, ended_at = %s WHERE key_id = %s AND ended_at IS NULL",
        [at, key_id],
    )
    if cursor.rowcount != 1:
        raise ConflictingChange("the signing key has ended meanwhile; look again")
    await conn.execute("DELETE FROM web_session WHERE key_id = %s", [key_id])
    await _state(conn, key_id, "officer-key-end", envelope, leaf)


async def key_statements(conn: Connection) -> list[LoggedKeyStatement]:
    """Return every statement on officers' keys, in the order of the log; those that wait come last."""
    async with conn.cursor(row_factory=class_row(LoggedKeyStatement)) as cursor:
        await cursor.execute(
            """SELECT s.key_id, s.what, s.envelope, s.made_at,
                   CASE WHEN o.logged_at IS NOT NULL THEN o.leaf_index END AS leaf_index
               FROM officer_key_statement s JOIN log_outbox o USING (outbox_id)
               ORDER BY s.outbox_id"""
        )
        return await cursor.fetchall()


async def _state(conn: Connection, key_id: Sha256, what: str, envelope: bytes, leaf: bytes) -> None:
    outbox_id = await enqueue(conn, kind="keys", subject=key_id, leaf=leaf)
    await conn.execute(
        "INSERT INTO officer_key_statement (key_id, what, envelope, outbox_id) VALUES (%s, %s, %s, %s)",
        [key_id, what, envelope, outbox_id],
    )
