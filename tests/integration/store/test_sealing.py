"""Hits, readings and packages: each step once, however often it runs."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import ConflictingChange, NotFound, RuleViolation
from domain.events import CaptureRole
from domain.ids import EventId, Sha256, sha256_of
from domain.plates import PlateClass, PlateColour, PlateReading
from store.blobs import BlobStore
from store.calibrations import InstalledState, install_state
from store.connection import Connection, connect
from store.hits import HitState, IncompleteHit, incomplete_hits, lock_hit, set_state
from store.intake import store_batch
from store.outbox import leaf_hash
from store.packages import (
    Package,
    PackageState,
    lock_package,
    record_awaiting_time,
    record_built,
    record_complete,
    record_logged,
    record_stamped,
)
from store.readings import keep_reading, reading_of
from tests.integration.store.messages import (
    SCALE,
    STATION,
    T0,
    batch,
    capture,
    passage,
    waveform_passage,
    with_registry,
)

pytestmark = pytest.mark.anyio

EVENT = passage(1).key.event_id
MANIFEST = Sha256("ab" * 32)
READING = PlateReading(
    text="京A12345",
    confidence_ppm=990_000,
    plate_class=PlateClass.LARGE,
    colour=PlateColour.YELLOW,
    trailer_text=None,
    captures=(),
    engine="test",
    models={},
)


async def built(conn: Connection) -> Package:
    return await record_built(conn, EVENT, folder="EV-1", tagmanifest=MANIFEST, envelope=b"envelope")


async def test_a_hit_gives_back_what_was_sent(connection: Connection, tmp_path: Path) -> None:
    sent, front = passage(1), capture(1, framing=b"\0\0\0\1{}")
    rear = capture(1, device="cam-rear", role=CaptureRole.REAR)
    # A vendor's frame is not header and image: its payload is a blob of its own.
    vendor = capture(2, match_key="m-1", device="cam-side", role=CaptureRole.SIDE)
    wire = vendor.wire.model_copy(update={"payload": b'{"image": "..."}'})
    vendor = replace(vendor, message=vendor.message.model_copy(update={"wire": wire}))
    blobs = BlobStore(tmp_path)
    stored = batch(rear, front, vendor, sent)
    await blobs.put_all(list(stored.blobs()))
    await store_batch(connection, stored)

    hit = await lock_hit(connection, EVENT)
    assert (hit.state, hit.expected_captures) == (HitState.WAITING, ("cam-front/front",))
    assert (hit.passage.header, hit.passage.record) == (sent.message.header, sent.message.record)
    assert (hit.passage.context, hit.passage.screening) == (sent.context, sent.screening)
    assert hit.passage.wire(blobs) == sent.message.wire
    assert [found.meta for found in hit.captures] == [row.message.meta for row in (front, rear, vendor)]
    assert [found.wire(blobs) for found in hit.captures] == [row.wire for row in (front, rear, vendor)]


@pytest.mark.parametrize("framing", [b"", b"\0\0\0\2{}"])
async def test_a_waveform_comes_back_as_sent_from_the_blob_store(
    connection: Connection, tmp_path: Path, framing: bytes
) -> None:
    await with_registry(connection)
    state = InstalledState(STATION, SCALE, 1, 3, T0, sha256_of(b'{"version":3}'), {"version": 3})
    await install_state(connection, state, not_before=T0)
    sent = waveform_passage(1, framing=framing)
    blobs = BlobStore(tmp_path)
    stored = batch(sent)
    assert await blobs.put_all(list(stored.blobs())) == [sent.digest]
    await store_batch(connection, stored)
    cursor = await connection.execute("SELECT wire_payload, wire_blob FROM passage")
    assert await cursor.fetchone() == (framing, sent.digest)
    found = (await lock_hit(connection, EVENT)).passage
    assert found.wire(blobs).payload == sent.wire.payload
    assert found.calibration is not None
    assert (found.weighing, found.calibration.document) == (sent.weighing, {"version": 3})
    cursor = await connection.execute("SELECT sha256 FROM capture_statement_subject")
    assert await cursor.fetchone() == (sha256_of(sent.wire.payload),)


async def test_a_hit_is_worked_on_by_one_at_a_time(database_url: str, connection: Connection) -> None:
    await store_batch(connection, batch(passage(1)))
    await connection.commit()
    await lock_hit(connection, EVENT)
    await set_state(connection, EVENT, HitState.READING, missing=("no-front-image",))
    other = await connect(database_url)
    async with other:
        await other.execute("SET lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout"):
            await lock_hit(other, EVENT)
        await other.rollback()
        await connection.commit()
        found = await lock_hit(other, EVENT)
        assert (found.state, found.missing) == (HitState.READING, ("no-front-image",))


async def test_what_lacks_captures_can_be_listed(connection: Connection) -> None:
    earlier = passage(2, at=T0 - timedelta(days=1))
    await store_batch(connection, batch(passage(1), earlier, passage(3)))
    for row in (passage(1), earlier):
        await set_state(connection, row.key.event_id, HitState.INCOMPLETE, missing=("no-rear-image",))
    found = await incomplete_hits(connection, since=T0 - timedelta(days=7))
    assert found == [
        IncompleteHit(EVENT, STATION, T0, ("no-rear-image",)),
        IncompleteHit(earlier.key.event_id, STATION, T0 - timedelta(days=1), ("no-rear-image",)),
    ]
    assert await incomplete_hits(connection, since=T0) == found[:1]


async def test_an_unknown_hit_is_not_found(connection: Connection) -> None:
    with pytest.raises(NotFound):
        await lock_hit(connection, EventId("0" * 32))


async def test_the_first_reading_stands(connection: Connection) -> None:
    assert await reading_of(connection, EVENT) is None
    assert await keep_reading(connection, EVENT, READING) == READING
    second = READING.model_copy(update={"text": "京B99999"})
    assert await keep_reading(connection, EVENT, second) == READING
    assert await keep_reading(connection, EVENT, second, supplement=1) == second
    assert await reading_of(connection, EVENT) == READING


async def test_sealing_goes_step_by_step_and_each_step_repeats_harmlessly(connection: Connection) -> None:
    assert await lock_package(connection, EVENT) is None
    package = await built(connection)
    assert (package.state, package.passed) == (PackageState.BUILT, True)
    await record_awaiting_time(connection, package)
    assert (await built(connection)).state is PackageState.AWAITING_TIME
    await record_stamped(connection, package, token=b"token", leaf=b"leaf")
    await record_stamped(connection, package, token=b"later token", leaf=b"later leaf")
    await record_awaiting_time(connection, package)
    stamped = await built(connection)
    assert (stamped.state, stamped.token, stamped.leaf) == (PackageState.STAMPED, b"token", b"leaf")
    cursor = await connection.execute("SELECT leaf FROM log_outbox WHERE subject = 'EV-1'")
    assert await cursor.fetchall() == [(b"leaf",)]
    with pytest.raises(RuleViolation, match="before it is in the log"):
        await record_complete(connection, stamped)
    assert await record_logged(connection, [leaf_hash(b"leaf"), leaf_hash(b"another")]) == [(EVENT, 0)]
    assert await record_logged(connection, [leaf_hash(b"leaf")]) == []
    await record_complete(connection, stamped)
    complete = await built(connection)
    await record_complete(connection, stamped)
    assert (await built(connection)) == complete
    assert complete.completed_at is not None
    assert complete.reached(PackageState.LOGGED)


async def test_a_package_is_never_rebuilt_with_other_content(connection: Connection) -> None:
    await built(connection)
    with pytest.raises(ConflictingChange, match="supplement"):
        await record_built(connection, EVENT, folder="EV-1", tagmanifest=Sha256("cd" * 32), envelope=b"other")
    supplement = await record_built(
        connection,
        EVENT,
        supplement=1,
        folder="EV-1.s1",
        tagmanifest=Sha256("cd" * 32),
        envelope=b"other",
        missing=("no-rear-image",),
    )
    assert (supplement.supplement, supplement.passed, supplement.missing) == (1, False, ["no-rear-image"])
