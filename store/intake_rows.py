"""Rows of intake, written with binary COPY: passages, captures, and what lies in quarantine."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb
from pydantic import BaseModel

from domain.ids import Sha256, sha256_of
from domain.refusals import RefusalCode
from store.connection import Connection
from store.intake_batch import INLINE_PAYLOAD_BYTES, CaptureRow, PassageRow, RefusalRow, Row

_PASSAGE_COLUMNS = {
    "event_id": "text",
    "captured_at": "timestamptz",
    "station_id": "text",
    "device_id": "text",
    "epoch": "text",
    "sequence": "int8",
    "sent_at": "timestamptz",
    "received_at": "timestamptz",
    "match_key": "text",
    "lane": "int2",
    "speed_m_h": "int4",
    "gross_kg": "int4",
    "axle_count": "int2",
    "axle_loads_kg": "int4[]",
    "spacings_mm": "int4[]",
    "vehicle_code": "text",
    "limit_kg": "int4",
    "over_kg": "int4",
    "outcome": "text",
    "header": "jsonb",
    "record": "jsonb",
    "context": "jsonb",
    "screening": "jsonb",
    "weighing": "jsonb",
    "wire_topic": "text",
    "wire_content_type": "text",
    "wire_properties": "jsonb",
    "wire_payload": "bytea",
    "wire_blob": "text",
    "device_signature": "jsonb",
}

_CAPTURE_COLUMNS = {
    "event_id": "text",
    "station_id": "text",
    "device_id": "text",
    "epoch": "text",
    "sequence": "int8",
    "captured_at": "timestamptz",
    "received_at": "timestamptz",
    "match_key": "text",
    "role": "text",
    "blob_sha256": "text",
    "size_bytes": "int4",
    "content_type": "text",
    "width_px": "int4",
    "height_px": "int4",
    "header": "jsonb",
    "meta": "jsonb",
    "wire_topic": "text",
    "wire_properties": "jsonb",
    "wire_sha256": "text",
    "wire_prefix": "bytea",
    "device_signature": "jsonb",
}


class QuarantineRow(NamedTuple):
    """A message kept as received, with the reason it was refused."""

    refusal: RefusalRow
    payload_sha256: Sha256
    in_blobs: bool

    @property
    def fingerprint(self) -> bytes:
        """Digest of all that was claimed and measured, by which a resend is known in whatever frame.

        What does not say which message it is can be known by its very bytes only: two alike may be two.
        """
        claims = self.refusal.claims
        content = self.payload_sha256 if None in claims else self.refusal.digest
        material = json.dumps([self.refusal.wire.topic, *claims, content])
        return hashlib.sha256(material.encode()).digest()


def quarantine_of(row: Row) -> QuarantineRow:
    """Return the quarantine row of a refused message, or of one whose key carried other content before."""
    if isinstance(row, RefusalRow):
        payload = row.wire.payload
        return QuarantineRow(row, sha256_of(payload), len(payload) > INLINE_PAYLOAD_BYTES)
    refusal = RefusalRow(
        wire=row.message.wire,
        claims=row.key,
        code=RefusalCode.SEQUENCE_CONFLICT,
        detail=f"epoch {row.key.epoch}, sequence {row.key.sequence} was received before with other content",
        body_sha256=row.digest,
    )
    payload_sha256 = sha256_of(row.message.wire.payload)
    # The blob of an image or a waveform is there already: no need for a second copy in the row.
    in_blobs = not row.wire_prefix if isinstance(row, CaptureRow) else row.wire_inline == b""
    return QuarantineRow(refusal, payload_sha256, in_blobs)


async def copy_passages(conn: Connection, rows: Sequence[PassageRow]) -> None:
    """Write passages and the rows of their blobs; the ledger has said that they are new."""
    blobs = {row.wire_blob: len(row.wire.payload) - row.wire.body_offset for row in rows}
    await insert_blobs(conn, {digest: size for digest, size in blobs.items() if digest is not None})
    await _copy(conn, "passage", _PASSAGE_COLUMNS, [_passage_values(row) for row in rows])


async def copy_captures(conn: Connection, rows: Sequence[CaptureRow]) -> None:
    """Write captures and the rows of their blobs; the ledger has said that they are new."""
    if not rows:
        return
    blobs = {row.blob_sha256: len(row.message.image) for row in rows}
    for row in rows:
        if row.wire_prefix is None:
            blobs[sha256_of(row.message.wire.payload)] = len(row.message.wire.payload)
    await insert_blobs(conn, blobs)
    await _copy(conn, "capture", _CAPTURE_COLUMNS, [_capture_values(row) for row in rows])


async def insert_blobs(conn: Connection, sizes: dict[Sha256, int]) -> None:
    """Name blobs that lie in the blob store."""
    if not sizes:
        return
    digests = sorted(sizes)
    await conn.execute(
        """
        INSERT INTO blob (sha256, size_bytes) SELECT * FROM unnest(%s::text[], %s::bigint[])
        ON CONFLICT DO NOTHING
        """,
        [digests, [sizes[digest] for digest in digests]],
    )


async def insert_quarantine(conn: Connection, rows: Sequence[QuarantineRow]) -> set[bytes]:
    """Write refused messages; return the fingerprints of those that were not there before."""
    known = await _known(conn, rows)
    first = {row.fingerprint: row for row in reversed(rows) if row.fingerprint not in known}
    if not first:
        return set()
    ordered = [first[fingerprint] for fingerprint in sorted(first)]
    await insert_blobs(
        conn, {row.payload_sha256: len(row.refusal.wire.payload) for row in ordered if row.in_blobs}
    )
    async with conn.cursor() as cursor:
        await cursor.executemany(
            _INSERT_QUARANTINE, [_quarantine_values(row) for row in ordered], returning=True
        )
        new = set()
        for row in ordered:
            if await cursor.fetchone() is not None:
                new.add(row.fingerprint)
            cursor.nextset()
    return new


async def _known(conn: Connection, rows: Sequence[QuarantineRow]) -> set[bytes]:
    """Return which lie there already, so that no blob is named for what gets no row."""
    if not rows:
        return set()
    cursor = await conn.execute(
        "SELECT fingerprint FROM quarantine WHERE fingerprint = ANY(%s)", [[row.fingerprint for row in rows]]
    )
    return {row[0] for row in await cursor.fetchall()}


_INSERT_QUARANTINE = """
INSERT INTO quarantine (received_at, topic, station_id, device_id, epoch, sequence, code, detail,
    content_type, properties, payload_sha256, payload_size, payload, fingerprint)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (fingerprint) DO NOTHING RETURNING fingerprint
"""


async def _copy(conn: Connection, table: str, columns: dict[str, str], rows: list[list[Any]]) -> None:
    if not rows:
        return
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"  # our own constants
    async with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            await copy.write_row(row)


def _passage_values(row: PassageRow) -> list[Any]:
    header, record, wire, screening = row.message.header, row.message.record, row.message.wire, row.screening
    return [
        header.event_id,
        header.captured_at,
        header.station,
        header.device,
        header.epoch,
        header.sequence,
        header.sent_at,
        wire.received_at,
        record.match_key,
        record.lane,
        record.speed_m_h,
        record.gross_kg,
        len(record.axles),
        [axle.load_kg for axle in record.axles],
        list(record.spacings_mm),
        screening.vehicle_code,
        screening.adjudication.limit_kg,
        screening.adjudication.over_kg,
        screening.outcome.value,
        _document(header),
        _document(record),
        _document(row.context),
        _document(screening),
        None if row.weighing is None else _document(row.weighing),
        wire.topic,
        wire.content_type,
        Jsonb(wire.properties),
        row.wire_inline,
        row.wire_blob,
        None if row.signature is None else _document(row.signature),
    ]


def _capture_values(row: CaptureRow) -> list[Any]:
    header, meta, wire = row.message.header, row.message.meta, row.message.wire
    return [
        header.event_id,
        header.station,
        header.device,
        header.epoch,
        header.sequence,
        header.captured_at,
        wire.received_at,
        meta.match_key,
        meta.role.value,
        row.blob_sha256,
        meta.size_bytes,
        meta.content_type,
        meta.width_px,
        meta.height_px,
        _document(header),
        _document(meta),
        wire.topic,
        Jsonb(wire.properties),
        row.blob_sha256 if row.wire_prefix == b"" else sha256_of(wire.payload),
        row.wire_prefix,
        None if row.signature is None else _document(row.signature),
    ]


def _quarantine_values(row: QuarantineRow) -> list[Any]:
    wire = row.refusal.wire
    station, device, epoch, sequence = row.refusal.claims
    return [
        wire.received_at,
        _storable(wire.topic),
        *(None if claim is None else _storable(claim) for claim in (station, device, epoch)),
        sequence,
        row.refusal.code.value,
        _storable(row.refusal.detail),
        None if wire.content_type is None else _storable(wire.content_type),
        Jsonb([[_storable(name), _storable(value)] for name, value in wire.properties]),
        row.payload_sha256,
        len(wire.payload),
        None if row.in_blobs else wire.payload,
        row.fingerprint,
    ]


def _document(model: BaseModel) -> Jsonb:
    return Jsonb(model, dumps=_json_text)


def _json_text(model: BaseModel) -> str:
    return model.model_dump_json()


def _storable(text: str) -> str:
    """Return text PostgreSQL can hold: a refused message may contain NUL or half a surrogate pair."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
