"""Capture statements: the digests of originals, in the log before anything is read from them.

Intake queues a subject with every capture and every flagged record; a few times a second all that
wait are put into one signed statement, which is one leaf of the log.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from domain.ids import EventId, Sha256
from store.connection import Connection
from store.outbox import enqueue


class Subject(NamedTuple):
    """An original and its digest."""

    event_id: EventId
    sha256: Sha256


async def state_originals(
    conn: Connection,
    sign: Callable[[Sequence[Subject]], Awaitable[tuple[bytes, bytes]]],
    *,
    limit: int = 1000,
) -> int:
    """Put waiting subjects into one statement, in the caller's transaction; return how many there were.

    `sign` returns the statement's envelope and the leaf that stands for it. Several may run at once:
    each takes what no other has taken.
    """
    cursor = await conn.execute(
        """
        SELECT event_id, sha256 FROM capture_statement_subject
        WHERE statement_id IS NULL ORDER BY queued_at, event_id LIMIT %s
        FOR UPDATE SKIP LOCKED
        """,
        [limit],
    )
    subjects = [Subject(*row) for row in await cursor.fetchall()]
    if not subjects:
        return 0
    envelope, leaf = await sign(subjects)
    outbox_id = await enqueue(conn, kind="capture", subject=subjects[0].event_id, leaf=leaf)
    await conn.execute(
        """
        WITH statement AS (
            INSERT INTO capture_statement (envelope, outbox_id) VALUES (%s, %s) RETURNING statement_id
        )
        UPDATE capture_statement_subject AS subject SET statement_id = statement.statement_id
        FROM statement WHERE subject.event_id = ANY(%s)
        """,
        [envelope, outbox_id, [subject.event_id for subject in subjects]],
    )
    return len(subjects)


async def originals_logged(conn: Connection, passage: EventId) -> bool:
    """Say whether the record of this flagged passage and all captures paired with it are in the log."""
    cursor = await conn.execute(
        """
        SELECT bool_and(outbox.logged_at IS NOT NULL)
        FROM (
            SELECT %(passage)s AS event_id
            UNION ALL SELECT event_id FROM capture WHERE passage_event_id = %(passage)s
        ) AS original
        LEFT JOIN capture_statement_subject AS subject USING (event_id)
        LEFT JOIN capture_statement AS statement USING (statement_id)
        LEFT JOIN log_outbox AS outbox USING (outbox_id)
        """,
        {"passage": passage},
    )
    row = await cursor.fetchone()
    return row is not None and bool(row[0])
