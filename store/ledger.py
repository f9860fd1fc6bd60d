"""The ledger: the one place where it is decided whether a message is new.

Rows are inserted and locked in the order of their keys, so that ingesters that were handed the same
messages (a redelivery after a crash) wait for each other and never in a circle.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from domain.ids import EventId, Sha256
from store.connection import Connection
from store.intake_batch import Key, Row, StoreOutcome


async def enter_in_ledger(conn: Connection, rows: Sequence[Row]) -> list[StoreOutcome]:
    """Enter messages in the caller's transaction; return each one's outcome, in order.

    The first message of a key is new; later ones are compared with what the ledger holds, in the same
    batch or since long ago. A row without a key (a refusal that could not be read so far) has no place
    here and counts as new.
    """
    keyed = [(index, row.key, row) for index, row in enumerate(rows) if row.key is not None]
    first: dict[Key, int] = {}
    for index, key, _ in keyed:
        first.setdefault(key, index)
    new = await _insert(conn, {key: rows[index] for key, index in first.items()})
    again = [(index, key, row) for index, key, row in keyed if key not in new or first[key] != index]
    known = await _lock(conn, {key for _, key, _ in again})
    outcomes = [StoreOutcome.NEW] * len(rows)
    for index, key, row in again:
        same = known[key.event_id].hex() == row.digest
        outcomes[index] = StoreOutcome.DUPLICATE if same else StoreOutcome.CONFLICT
    await _count_duplicates(
        conn, [key for index, key, _ in again if outcomes[index] is StoreOutcome.DUPLICATE]
    )
    return outcomes


async def release_refusal(conn: Connection, key: Key, digests: set[Sha256]) -> int | None:
    """Free the key of a refusal with one of these digests, so that the message can be entered anew.

    Returns
    -------
    int | None
        How often it was sent again, for `count_again`; None where the key holds no such refusal.
    """
    cursor = await conn.execute(
        """
        DELETE FROM ledger WHERE station_id = %s AND device_id = %s AND epoch = %s AND sequence = %s
            AND outcome = 'quarantine' AND payload_sha256 = ANY(%s)
        RETURNING duplicates
        """,
        [*key, [bytes.fromhex(digest) for digest in digests]],
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def count_again(conn: Connection, key: Key, times: int) -> None:
    """Add to how often a message was sent again."""
    await conn.execute(
        """
        UPDATE ledger SET duplicates = duplicates + %s
        WHERE station_id = %s AND device_id = %s AND epoch = %s AND sequence = %s
        """,
        [times, *key],
    )


async def _insert(conn: Connection, rows: Mapping[Key, Row]) -> set[Key]:
    """Insert the keys that are not there; return them."""
    entries = sorted(
        (*key, bytes.fromhex(row.digest), key.event_id, row.ledger_outcome, row.wire.received_at)
        for key, row in rows.items()
    )
    if not entries:
        return set()
    cursor = await conn.execute(
        """
        INSERT INTO ledger
            (station_id, device_id, epoch, sequence, payload_sha256, event_id, outcome, received_at)
        SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bytea[], %s::text[],
            %s::text[], %s::timestamptz[])
        ON CONFLICT (station_id, device_id, epoch, sequence) DO NOTHING
        RETURNING event_id
        """,
        [list(column) for column in zip(*entries, strict=True)],
    )
    inserted = {row[0] for row in await cursor.fetchall()}
    return {key for key in rows if key.event_id in inserted}


async def _lock(conn: Connection, keys: set[Key]) -> dict[EventId, bytes]:
    """Return the digests the ledger holds for these keys, and lock their rows until the transaction ends."""
    if not keys:
        return {}
    cursor = await conn.execute(
        """
        SELECT event_id, payload_sha256 FROM ledger
        WHERE (station_id, device_id, epoch, sequence)
            IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]))
        ORDER BY station_id, device_id, epoch, sequence
        FOR UPDATE
        """,
        [list(column) for column in zip(*sorted(keys), strict=True)],
    )
    return {EventId(event_id): digest for event_id, digest in await cursor.fetchall()}


async def _count_duplicates(conn: Connection, keys: Sequence[Key]) -> None:
    if not keys:
        return
    counted = Counter(keys)
    entries = [(*key, times) for key, times in counted.items()]
    await conn.execute(
        """
        UPDATE ledger SET duplicates = ledger.duplicates + again.times
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::int[])
            AS again (station_id, device_id, epoch, sequence, times)
        WHERE ledger.station_id = again.station_id AND ledger.device_id = again.device_id
            AND ledger.epoch = again.epoch AND ledger.sequence = again.sequence
        """,
        [list(column) for column in zip(*entries, strict=True)],
    )
