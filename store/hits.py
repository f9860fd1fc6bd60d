"""A hit: a flagged passage on its way to a case, with everything the steps on that way need."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from psycopg.rows import dict_row
from pydantic import BaseModel

from domain.device_signatures import UNSIGNED, DeviceSignature, SignatureState
from domain.errors import NotFound
from domain.events import CaptureMeta, CaptureRole, MessageHeader, WeighRecord, Wire
from domain.ids import EventId, Sha256, StationId
from domain.registry import StationContext
from domain.screening import Screening
from domain.weighing import Weighing
from store.blobs import BlobStore
from store.calibrations import KeptState, kept_state
from store.connection import Connection

_Model = TypeVar("_Model", bound=BaseModel)


class HitState(StrEnum):
    """Where a hit stands; `incomplete` is sealed and lacks what a case must rest on (see `missing`)."""

    WAITING = "waiting"
    READING = "reading"
    SEALING = "sealing"
    SEALED = "sealed"
    INCOMPLETE = "incomplete"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage as stored: the models that went in, and the message as received."""

    header: MessageHeader
    record: WeighRecord
    context: StationContext
    screening: Screening
    weighing: Weighing | None
    calibration: KeptState | None
    """The state it was weighed with, as installed, and when that was."""
    wire_topic: str
    wire_content_type: str | None
    wire_properties: tuple[tuple[str, str], ...]
    wire_payload: bytes
    wire_blob: Sha256 | None
    received_at: datetime
    stored_at: datetime
    signature: DeviceSignature
    """What was found of the device's own signature when it arrived."""

    def wire(self, blobs: BlobStore) -> Wire:
        """Return the message as received, put together from its blob; errors as `BlobStore.get`."""
        body = b"" if self.wire_blob is None else blobs.get(self.wire_blob)
        return Wire(
            topic=self.wire_topic,
            payload=self.wire_payload + body,
            content_type=self.wire_content_type,
            properties=self.wire_properties,
            received_at=self.received_at,
        )


@dataclass(frozen=True, slots=True)
class StoredCapture:
    """A capture as stored; its image is the blob `blob_sha256`."""

    header: MessageHeader
    meta: CaptureMeta
    blob_sha256: Sha256
    wire_topic: str
    wire_properties: tuple[tuple[str, str], ...]
    wire_sha256: Sha256
    wire_prefix: bytes | None
    received_at: datetime
    stored_at: datetime
    signature: DeviceSignature

    def wire(self, blobs: BlobStore) -> Wire:
        """Return the message as received, put together from its blob; errors as `BlobStore.get`."""
        if self.wire_prefix is None:
            payload = blobs.get(self.wire_sha256)
        else:
            payload = self.wire_prefix + blobs.get(self.blob_sha256)
        return Wire(
            topic=self.wire_topic,
            payload=payload,
            content_type=self.meta.content_type,
            properties=self.wire_properties,
            received_at=self.received_at,
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """A hit with its passage and the captures paired with it so far, in order of role and time."""

    event_id: EventId
    state: HitState
    deadline: datetime
    expected_captures: tuple[str, ...]
    missing: tuple[str, ...]
    passage: StoredPassage
    captures: tuple[StoredCapture, ...]


class IncompleteHit(NamedTuple):
    """A flagged passage whose evidence was sealed without all that its site's profile wants."""

    event_id: EventId
    station: StationId
    captured_at: datetime
    missing: tuple[str, ...]
    """Codes of `domain.completeness.missing`."""


async def lock_hit(conn: Connection, event_id: EventId) -> Hit:
    """Return a hit and hold its row until the caller's transaction ends: one worker at a time goes on.

    Raises
    ------
    NotFound
        No flagged passage has this event id.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM hit WHERE event_id = %s FOR UPDATE", [event_id])
        hit = await cursor.fetchone()
    if hit is None:
        raise NotFound(f"no flagged passage has the event id {event_id}")
    return Hit(
        event_id=event_id,
        state=HitState(hit["state"]),
        deadline=hit["deadline"],
        expected_captures=tuple(hit["expected_captures"]),
        missing=tuple(hit["missing"]),
        passage=await stored_passage(conn, event_id, hit["captured_at"]),
        captures=await stored_captures(conn, event_id),
    )


async def set_state(
    conn: Connection, event_id: EventId, state: HitState, *, missing: tuple[str, ...] = ()
) -> None:
    """Set where a hit stands, and what its evidence lacks; the caller holds its row (`lock_hit`)."""
    await conn.execute(
        "UPDATE hit SET state = %s, missing = %s, updated_at = now() WHERE event_id = %s",
        [state.value, list(missing), event_id],
    )


async def incomplete_hits(conn: Connection, *, since: datetime, limit: int = 100) -> list[IncompleteHit]:
    """Return flagged passages captured since then that lack captures and make no case, latest first."""
    cursor = await conn.execute(
        """
        SELECT event_id, station_id, captured_at, missing FROM hit
        WHERE state = 'incomplete' AND captured_at >= %s ORDER BY captured_at DESC, event_id LIMIT %s
        """,
        [since, limit],
    )
    return [IncompleteHit(row[0], row[1], row[2], tuple(row[3])) for row in await cursor.fetchall()]


async def stored_passage(conn: Connection, event_id: EventId, captured_at: datetime) -> StoredPassage:
    """Return a passage; `captured_at` spares looking into every partition.

    Raises
    ------
    NotFound
        There is no such passage.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT header, record, context, screening, weighing, stored_at, received_at,
                wire_topic, wire_content_type, wire_properties, wire_payload, wire_blob, device_signature
            FROM passage WHERE event_id = %s AND captured_at = %s
            """,
            [event_id, captured_at],
        )
        row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"no passage has the event id {event_id}")
    header, record = _strict(MessageHeader, row["header"]), _strict(WeighRecord, row["record"])
    weighing = None if row["weighing"] is None else Weighing.model_validate(row["weighing"])
    use = None if weighing is None else weighing.calibration
    return StoredPassage(
        header=header,
        record=record,
        context=StationContext.model_validate(row["context"]),
        screening=Screening.model_validate(row["screening"]),
        weighing=weighing,
        calibration=None
        if use is None
        else await kept_state(conn, header.station, header.device, record.lane, use.version),
        wire_topic=row["wire_topic"],
        wire_content_type=row["wire_content_type"],
        wire_properties=_pairs(row["wire_properties"]),
        wire_payload=row["wire_payload"],
        wire_blob=row["wire_blob"],
        received_at=row["received_at"],
        stored_at=row["stored_at"],
        signature=_signature(header, row["device_signature"]),
    )


async def stored_captures(conn: Connection, passage: EventId) -> tuple[StoredCapture, ...]:
    """Return the captures paired with a passage, in order of role and time."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT header, meta, blob_sha256, wire_topic, wire_properties, wire_sha256, wire_prefix,
                received_at, stored_at, device_signature
            FROM capture WHERE passage_event_id = %s
            ORDER BY array_position(%s::text[], role), captured_at, event_id
            """,
            [passage, [role.value for role in CaptureRole]],
        )
        rows = await cursor.fetchall()
    captures = []
    for row in rows:
        header = _strict(MessageHeader, row.pop("header"))
        captures.append(
            StoredCapture(
                header=header,
                meta=_strict(CaptureMeta, row.pop("meta")),
                wire_properties=_pairs(row.pop("wire_properties")),
                signature=_signature(header, row.pop("device_signature")),
                **row,
            )
        )
    return tuple(captures)


def _signature(header: MessageHeader, found: dict[str, Any] | None) -> DeviceSignature:
    """Return what was found on arrival; of a message stored before signatures were checked, nothing."""
    if found is not None:
        return DeviceSignature.model_validate(found)
    if header.signature is None:
        return UNSIGNED
    return DeviceSignature(state=SignatureState.UNKNOWN_KEY, key_id=header.key_id)


def _strict(model: type[_Model], document: dict[str, Any]) -> _Model:
    """Validate a strict model from its JSON document: times and enums are text there."""
    return model.model_validate_json(json.dumps(document))


def _pairs(properties: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in properties)
