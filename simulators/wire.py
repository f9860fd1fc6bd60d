"""Contract v1 as a station writes it, from docs/reference/mqtt.md and nothing else.

MQTT 5: the header travels as user properties. MQTT 3.1.1: the same names as one JSON object of
strings, framed before the body: 4 bytes big-endian length, the JSON, the body.
"""

import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SCHEMA = "1"
WEIGH, CAPTURE = "weigh", "capture"
JSON, JPEG = "application/json", "image/jpeg"


@dataclass(frozen=True)
class Draft:
    """A message before the spool has numbered it."""

    device: str
    kind: str
    captured_at: datetime
    content_type: str
    body: bytes
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """A numbered message; only `sent_at` is still to come."""

    station: str
    device: str
    kind: str
    epoch: str
    sequence: int
    header: dict[str, str]
    content_type: str
    body: bytes

    @property
    def topic(self) -> str:
        """The topic it is published on."""
        return f"zhichao/v1/{self.station}/{self.device}/{self.kind}"


def number(draft: Draft, *, station: str, epoch: str, sequence: int) -> Message:
    """Return the draft as a message with its header, all but `sent_at`."""
    header = {
        "schema": SCHEMA,
        "station": station,
        "device": draft.device,
        "epoch": epoch,
        "seq": str(sequence),
        "captured_at": time_text(draft.captured_at),
        "clock_source": "gnss",
        "clock_offset_ms": "0",
        **draft.extra,
    }
    return Message(station, draft.device, draft.kind, epoch, sequence, header, draft.content_type, draft.body)


def weigh_draft(device: str, record: dict[str, Any], captured_at: datetime) -> Draft:
    """Return a weigh record as a draft; `record` is the JSON object as it goes over the wire."""
    return Draft(device, WEIGH, captured_at, JSON, json_bytes(record))


def capture_draft(
    device: str, role: str, jpeg: bytes, captured_at: datetime, *, match_key: str, lane: int
) -> Draft:
    """Return a photograph as a draft, with what the camera says of it."""
    extra = {
        "match_key": match_key,
        "role": role,
        "lane": str(lane),
        "sha256": hashlib.sha256(jpeg).hexdigest(),
    }
    return Draft(device, CAPTURE, captured_at, JPEG, jpeg, extra)


def with_sent_at(message: Message, sent_at: datetime) -> dict[str, str]:
    """Return the whole header for a message that goes out now."""
    return {**message.header, "sent_at": time_text(sent_at)}


def framed(header: dict[str, str], content_type: str, body: bytes) -> bytes:
    """Return the payload for MQTT 3.1.1, which has no user properties."""
    head = json_bytes({**header, "content_type": content_type})
    return struct.pack(">I", len(head)) + head + body


def status_body(state: str, *, spool_messages: int | None = None, sent_at: datetime | None = None) -> bytes:
    """Return a status message; the last will knows nothing but its state."""
    body: dict[str, Any] = {"state": state}
    if sent_at is not None:
        body |= {
            "sent_at": time_text(sent_at),
            "spool_messages": spool_messages,
            "software": "zhichao-simulator/1",
        }
    return json_bytes(body)


def with_comment(jpeg: bytes, text: str) -> bytes:
    """Return the JPEG with a comment segment after its start marker, so that each capture is its own."""
    comment = text.encode()
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + jpeg[2:]


def time_text(moment: datetime) -> str:
    """Return RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def json_bytes(value: Any) -> bytes:
    """Return compact UTF-8 JSON in the order the keys were given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
