"""Quarantine as the web asks for it: what was refused, why, and exactly what was sent."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.errors import NotFound
from domain.events import Wire
from domain.ids import Sha256
from store.blobs import BlobStore
from store.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A refused message, without its payload."""

    quarantine_id: int
    received_at: datetime
    topic: str
    station_id: str | None
    device_id: str | None
    epoch: str | None
    sequence: int | None
    code: str
    detail: str
    properties: list[list[str]]
    payload_sha256: Sha256
    payload_size: int


_SELECT = """
SELECT quarantine_id, received_at, topic, station_id, device_id, epoch, sequence, code, detail, properties,
    payload_sha256, payload_size
FROM quarantine
"""


async def quarantine_page(
    conn: Connection,
    *,
    limit: int,
    before: int | None = None,
    station: str | None = None,
    code: str | None = None,
) -> list[Quarantined]:
    """Return refused messages not accepted since, the latest first; `before` is the last page's last id."""
    async with conn.cursor(row_factory=class_row(Quarantined)) as cursor:
        await cursor.execute(
            _SELECT
            + """
            WHERE resolved_at IS NULL AND (%(before)s::bigint IS NULL OR quarantine_id < %(before)s)
                AND (%(station)s::text IS NULL OR station_id = %(station)s)
                AND (%(code)s::text IS NULL OR code = %(code)s)
            ORDER BY quarantine_id DESC LIMIT %(limit)s
            """,
            {"before": before, "station": station, "code": code, "limit": limit},
        )
        return await cursor.fetchall()


async def quarantined(conn: Connection, quarantine_id: int) -> Quarantined:
    """Return one refused message.

    Raises
    ------
    NotFound
        There is none with this id.
    """
    async with conn.cursor(row_factory=class_row(Quarantined)) as cursor:
        await cursor.execute(_SELECT + "WHERE quarantine_id = %s", [quarantine_id])
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"nothing in quarantine has the id {quarantine_id}")
    return found


async def quarantined_payload(conn: Connection, blobs: BlobStore, quarantine_id: int) -> bytes:
    """Return exactly what was sent; errors as `quarantined` and `BlobStore.get`, NotFound once erased."""
    cursor = await conn.execute(
        "SELECT payload, payload_sha256, erased_at FROM quarantine WHERE quarantine_id = %s", [quarantine_id]
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"nothing in quarantine has the id {quarantine_id}")
    if row[2] is not None:
        raise NotFound(f"what message {quarantine_id} said was erased at the end of its retention")
    payload: bytes | None = row[0]
    return blobs.get(row[1]) if payload is None else payload


async def unresolved(conn: Connection, *, code: str | None = None) -> list[int]:
    """Return the ids of refused messages not accepted or erased since, as they came; of one code, or all."""
    cursor = await conn.execute(
        """
        SELECT quarantine_id FROM quarantine
        WHERE resolved_at IS NULL AND erased_at IS NULL AND (%(code)s::text IS NULL OR code = %(code)s)
        ORDER BY quarantine_id
        """,
        {"code": code},
    )
    return [row[0] for row in await cursor.fetchall()]


async def lock_unresolved(conn: Connection, blobs: BlobStore, quarantine_id: int) -> Wire:
    """Return a refused message as it was received, and hold its row.

    Raises
    ------
    NotFound
        Nothing in quarantine has this id, or it was accepted or erased meanwhile.
    """
    cursor = await conn.execute(
        """
        SELECT topic, content_type, properties, received_at, payload, payload_sha256 FROM quarantine
        WHERE quarantine_id = %s AND resolved_at IS NULL AND erased_at IS NULL FOR UPDATE
        """,
        [quarantine_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(
            f"nothing in quarantine has the id {quarantine_id}, or it was accepted meanwhile, or erased"
        )
    topic, content_type, properties, received_at, payload, payload_sha256 = row
    return Wire(
        topic=topic,
        payload=blobs.get(payload_sha256) if payload is None else payload,
        content_type=content_type,
        properties=tuple((name, value) for name, value in properties),
        received_at=received_at,
    )


async def resolve(conn: Connection, quarantine_id: int) -> None:
    """Write down that a message was accepted; the caller holds its row (`lock_unresolved`)."""
    await conn.execute("UPDATE quarantine SET resolved_at = now() WHERE quarantine_id = %s", [quarantine_id])


async def count_quarantine(conn: Connection, *, since: datetime | None = None) -> dict[str, int]:
    """Return how many messages were refused by code, received since then."""
    cursor = await conn.execute(
        """
        SELECT code, count(*) FROM quarantine
        WHERE resolved_at IS NULL AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
        GROUP BY code ORDER BY code
        """,
        {"since": since},
    )
    return dict(await cursor.fetchall())
