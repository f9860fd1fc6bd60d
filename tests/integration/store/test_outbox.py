"""The log's outbox: each leaf one index, in order, from one sequencer at a time."""

import pytest

from domain.errors import ConflictingChange
from store.connection import Connection, connect
from store.intake import store_batch
from store.originals import Subject, originals_logged, state_originals
from store.outbox import (
    LogEntry,
    assign_indices,
    enqueue,
    leaf_hash,
    log_head,
    mark_logged,
    take_log,
)
from tests.integration.store.messages import batch, capture, passage

pytestmark = pytest.mark.anyio


async def put(conn: Connection, *leaves: bytes) -> None:
    for leaf in leaves:
        await enqueue(conn, kind="decision", subject=leaf.decode(), leaf=leaf)
    await conn.commit()


async def sequence(conn: Connection, token: int) -> list[LogEntry]:
    """Assign and mark as a sequencer does, with a log that never fails."""
    entries = await assign_indices(conn, token)
    await conn.commit()
    size = entries[-1].leaf_index + 1 if entries else 0
    marked = await mark_logged(conn, token, tree_size=size, root_hash=b"r", checkpoint="c") if entries else []
    await conn.commit()
    return marked


async def token_of(conn: Connection) -> int:
    token = await take_log(conn)
    await conn.commit()
    assert token is not None
    return token


async def test_leaves_get_indices_in_order_and_only_once(connection: Connection) -> None:
    await put(connection, b"a", b"b")
    token = await token_of(connection)
    assert [(entry.leaf_index, entry.subject) for entry in await sequence(connection, token)] == [
        (0, "a"),
        (1, "b"),
    ]
    await put(connection, b"c", b"a")
    assert [(entry.leaf_index, entry.subject) for entry in await sequence(connection, token)] == [(2, "c")]
    assert await sequence(connection, token) == []
    assert (await log_head(connection)).tree_size == 3


async def test_a_repeated_leaf_is_the_same_entry(connection: Connection) -> None:
    first = await enqueue(connection, kind="package", subject="EV-1", leaf=b"leaf")
    assert await enqueue(connection, kind="package", subject="EV-1", leaf=b"leaf") == first
    cursor = await connection.execute("SELECT leaf, leaf_hash, leaf_index FROM log_outbox")
    assert await cursor.fetchall() == [(b"leaf", leaf_hash(b"leaf"), None)]


def test_the_leaf_hash_is_rfc_6962s() -> None:
    # RFC 6962 section 2.1: SHA-256(0x00 || entry), here of the empty entry
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


async def test_after_a_crash_the_same_leaves_have_the_same_indices(connection: Connection) -> None:
    await put(connection, b"a", b"b")
    token = await token_of(connection)
    before = await assign_indices(connection, token)
    await connection.commit()
    await put(connection, b"c")  # the sequencer dies here, others go on
    again = await assign_indices(connection, await token_of(connection))
    assert again == before


async def test_a_second_sequencer_waits_while_the_first_lives(
    database_url: str, connection: Connection
) -> None:
    await token_of(connection)
    second = await connect(database_url, autocommit=True)
    async with second:
        assert await take_log(second) is None
        await connection.close()
        while (token := await take_log(second)) is None:
            continue
        assert token == 2


async def test_a_sequencer_that_was_replaced_cannot_write(database_url: str, connection: Connection) -> None:
    await put(connection, b"a", b"b")
    old = await token_of(connection)
    entries = await assign_indices(connection, old)
    await connection.commit()
    # Its connection breaks and the lock passes on; it does not know and goes on with a new connection.
    await connection.close()
    new_holder, unaware = await connect(database_url), await connect(database_url)
    async with new_holder, unaware:
        while (token := await take_log(new_holder)) is None:
            continue
        await new_holder.commit()
        assert token > old
        with pytest.raises(ConflictingChange, match="another sequencer"):
            await mark_logged(unaware, old, tree_size=2, root_hash=b"r", checkpoint="old")
        await unaware.rollback()
        with pytest.raises(ConflictingChange, match="another sequencer"):
            await assign_indices(unaware, old)
        await unaware.rollback()
        assert await assign_indices(new_holder, token) == entries
        assert (await log_head(new_holder)).tree_size == 0


async def test_the_head_never_goes_back(connection: Connection) -> None:
    await put(connection, b"a", b"b")
    token = await token_of(connection)
    await sequence(connection, token)
    with pytest.raises(ConflictingChange, match="old"):
        await mark_logged(connection, token, tree_size=1, root_hash=b"r", checkpoint="c")


async def sign(subjects: object) -> tuple[bytes, bytes]:
    return b"envelope", repr(subjects).encode()


async def test_originals_are_stated_once_and_logged_before_they_count(connection: Connection) -> None:
    hit, image = passage(1), capture(1)
    await store_batch(connection, batch(hit, image))
    signed: list[Subject] = []

    async def remember(subjects: object) -> tuple[bytes, bytes]:
        assert isinstance(subjects, list)
        signed.extend(subjects)
        return await sign(subjects)

    assert await state_originals(connection, remember) == 2
    assert await state_originals(connection, remember) == 0
    assert {subject.event_id for subject in signed} == {hit.key.event_id, image.key.event_id}
    assert {subject.sha256 for subject in signed} == {hit.digest, image.blob_sha256}
    assert not await originals_logged(connection, hit.key.event_id)
    await sequence(connection, await token_of(connection))
    assert await originals_logged(connection, hit.key.event_id)
    # One more image comes: until it is stated and logged too, nothing may be read.
    await store_batch(connection, batch(capture(2, match_key="m-1")))
    assert not await originals_logged(connection, hit.key.event_id)


async def test_two_statements_at_once_share_no_subject(database_url: str, connection: Connection) -> None:
    await store_batch(connection, batch(*(capture(number) for number in range(10))))
    await connection.commit()
    other = await connect(database_url)
    async with other:
        assert await state_originals(connection, sign, limit=4) == 4
        assert await state_originals(other, sign, limit=100) == 6
