"""The way into the transparency log: an outbox filled by anyone, emptied by one sequencer.

Rules
-----
1. A leaf is put here in the transaction of the fact it records; an equal leaf is the same entry.
2. One sequencer at a time: it holds a session lock, and a fencing token that grows with every holder. Every
   step below names the token and fails with ConflictingChange once there is a newer one, so a sequencer
   that lost its lock without noticing cannot write. One that is frozen loses it: the server ends its session
   after `FROZEN_AFTER_S` without a word.
3. `assign_indices` gives waiting leaves the next indices, in order, and is committed before the log's files
   are touched: after a crash the same leaves get the same indices.
4. The log's files are written. Leaves with an index that are not marked come back from `assign_indices`
   first; what the log already has of them is seen by its size.
5. `mark_logged` records the new head and marks everything below it.
"""

import hashlib
from datetime import datetime
from typing import NamedTuple

from domain.errors import ConflictingChange
from store.connection import Connection

_SEQUENCER_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('zhichao sequencer', 0))"

FROZEN_AFTER_S = 60.0
"""Longer than any append takes, so that only a holder that does nothing at all is taken for frozen."""


class LogEntry(NamedTuple):
    """A leaf with its place in the log."""

    leaf_index: int
    kind: str
    subject: str
    leaf_hash: bytes


class LogHead(NamedTuple):
    """What the database knows of the log's head."""

    tree_size: int
    root_hash: bytes | None
    checkpoint: str | None
    updated_at: datetime


def leaf_hash(leaf: bytes) -> bytes:
    """Return the RFC 6962 section 2.1 hash of a leaf."""
    return hashlib.sha256(b"\0" + leaf).digest()


async def enqueue(conn: Connection, *, kind: str, subject: str, leaf: bytes) -> int:
    """Put a leaf into the outbox in the caller's transaction; return its outbox id.

    A leaf that is there already, whoever put it there, keeps its entry: nothing is logged twice.
    """
    digest = leaf_hash(leaf)
    await conn.execute(
        """
        INSERT INTO log_outbox (kind, subject, leaf, leaf_hash) VALUES (%s, %s, %s, %s)
        ON CONFLICT (leaf_hash) DO NOTHING
        """,
        [kind, subject, leaf, digest],
    )
    cursor = await conn.execute("SELECT outbox_id FROM log_outbox WHERE leaf_hash = %s", [digest])
    row = await cursor.fetchone()
    if row is None:
        raise ConflictingChange("the log's outbox lost an entry while it was written; try again")
    return int(row[0])


async def take_log(conn: Connection, *, frozen_after_s: float = FROZEN_AFTER_S) -> int | None:
    """Become the one sequencer: return a new fencing token, or None while another one holds the log.

    The lock lives as long as `conn`, which must therefore not come from a pool, and which the server ends
    once it is silent for `frozen_after_s`. Commit at once: the new token fences out its predecessor from
    then on.
    """
    cursor = await conn.execute(_SEQUENCER_LOCK)
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return None
    await conn.execute(
        """
        SELECT set_config('idle_session_timeout', %(ms)s, false),
            set_config('idle_in_transaction_session_timeout', %(ms)s, false)
        """,
        {"ms": str(round(frozen_after_s * 1000))},
    )
    cursor = await conn.execute(
        "UPDATE log_head SET fencing_token = fencing_token + 1, updated_at = now() RETURNING fencing_token"
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def assign_indices(conn: Connection, token: int, *, limit: int = 1000) -> list[LogEntry]:
    """Return the entries to be written to the log next, in order; commit before writing them.

    Entries that have an index but were not marked logged come alone and first.

    Raises
    ------
    ConflictingChange
        Another sequencer has taken the log.
    """
    tree_size = await _fence(conn, token)
    await conn.execute(
        """
        UPDATE log_outbox SET leaf_index = %s + waiting.place
        FROM (
            SELECT outbox_id, row_number() OVER (ORDER BY outbox_id) - 1 AS place
            FROM (
                SELECT outbox_id FROM log_outbox WHERE leaf_index IS NULL ORDER BY outbox_id LIMIT %s
            ) AS next
        ) AS waiting
        WHERE log_outbox.outbox_id = waiting.outbox_id
            AND NOT EXISTS (SELECT FROM log_outbox WHERE leaf_index >= %s)
        """,
        [tree_size, limit, tree_size],
    )
    cursor = await conn.execute(
        """
        SELECT leaf_index, kind, subject, leaf_hash FROM log_outbox
        WHERE leaf_index >= %s ORDER BY leaf_index
        """,
        [tree_size],
    )
    return [LogEntry(*row) for row in await cursor.fetchall()]


async def mark_logged(
    conn: Connection, token: int, *, tree_size: int, root_hash: bytes, checkpoint: str
) -> list[LogEntry]:
    """Record the log's new head; return the entries that are below it now and were not before.

    Raises
    ------
    ConflictingChange
        Another sequencer has taken the log, or the head would go backwards.
    """
    old_size = await _fence(conn, token)
    if tree_size < old_size:
        raise ConflictingChange(
            f"the log has {tree_size} entries but {old_size} were recorded: it was restored from an old "
            "copy; bring back its newest state"
        )
    await conn.execute(
        "UPDATE log_head SET tree_size = %s, root_hash = %s, checkpoint = %s, updated_at = now()",
        [tree_size, root_hash, checkpoint],
    )
    cursor = await conn.execute(
        """
        UPDATE log_outbox SET logged_at = now() WHERE leaf_index >= %s AND leaf_index < %s
        RETURNING leaf_index, kind, subject, leaf_hash
        """,
        [old_size, tree_size],
    )
    return sorted(LogEntry(*row) for row in await cursor.fetchall())


async def log_head(conn: Connection) -> LogHead:
    """Return the head the last `mark_logged` recorded."""
    cursor = await conn.execute("SELECT tree_size, root_hash, checkpoint, updated_at FROM log_head")
    row = await cursor.fetchone()
    if row is None:
        raise ConflictingChange("the table log_head is empty; restore the database from a backup")
    return LogHead(*row)


async def _fence(conn: Connection, token: int) -> int:
    """Lock the head for this transaction and return its size, if the token is still the newest."""
    cursor = await conn.execute("SELECT fencing_token, tree_size FROM log_head FOR UPDATE")
    row = await cursor.fetchone()
    if row is None or row[0] != token:
        raise ConflictingChange("another sequencer has taken the log; this one must stop")
    return int(row[1])
