"""Messages as a station or a gateway would send them, written out by hand, to be bent by the tests."""

import base64
import hashlib
import io
import json
import struct
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from PIL import Image

from domain.events import Wire

NOW = datetime(2026, 11, 23, 8, 0, 5, tzinfo=UTC)
CAPTURED_AT = "2026-11-23T08:00:00.250Z"
SENT_AT = "2026-11-23T08:00:04Z"


@cache
def jpeg(width: int = 64, height: int = 48, *, progressive: bool = False) -> bytes:
    """Return a real JPEG with some content."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    target = io.BytesIO()
    image.save(target, "JPEG", quality=80, progressive=progressive)
    return target.getvalue()


def header(**changes: str | None) -> dict[str, str]:
    """Return the header of a weigh message; a change to None takes a name away."""
    values: dict[str, str | None] = {
        "schema": "1",
        "station": "S1",
        "device": "wim-1",
        "epoch": "e0",
        "seq": "7",
        "captured_at": CAPTURED_AT,
        "sent_at": SENT_AT,
        "clock_source": "gnss",
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def capture_header(image: bytes, **changes: str | None) -> dict[str, str]:
    """Return the header of a capture of `image`."""
    added: dict[str, str | None] = {
        "device": "cam-front",
        "match_key": "20261123-000017",
        "role": "front",
        "lane": "1",
        "sha256": hashlib.sha256(image).hexdigest(),
    }
    return header(**(added | changes))


def weigh_body(**changes: Any) -> dict[str, Any]:
    """Return a six-axle train's record with every optional field; a change to ... takes one away."""
    values: dict[str, Any] = {
        "match_key": "20261123-000017",
        "lane": 1,
        "direction": "up",
        "speed_kmh": 63.4,
        "gross_kg": 48950,
        "axles": [
            {"load_kg": 6500, "tyres": "single"},
            {"load_kg": 9000, "tyres": "dual"},
            {"load_kg": 9050, "tyres": "dual"},
            {"load_kg": 8100, "tyres": "dual"},
            {"load_kg": 8150, "tyres": "dual"},
            {"load_kg": 8150},
        ],
        "spacings_mm": [3300, 1350, 6800, 1310, 1310],
        "length_mm": 16800,
        "acceleration_mm_s2": -120,
        "temperature_c": 21.5,
        "u_gross_percent": 1.5,
        "u_axle_percent": 3.0,
        "vehicle": {"kind": "train", "drive_axles": [2, 3], "air_suspension": False},
        "flags": ["straddling"],
        "captures": [{"device": "cam-front", "role": "front"}],
    } | changes
    return {name: value for name, value in values.items() if value is not ...}


def waveform_description(**changes: Any) -> dict[str, Any]:
    """Return the description of a two-strip waveform with every optional field; ... takes one away."""
    values: dict[str, Any] = {
        "match_key": "20261123-000018",
        "lane": 1,
        "direction": "up",
        "sample_rate_hz": 5000,
        "samples": 64,
        "dtype": "i2",
        "strip_width_um": 53_000,
        "strips": [
            {"position_mm": 0, "scale_un": 3_000_000},
            {"position_mm": 900, "scale_un": 3_100_000},
        ],
        "loops": {
            "length_mm": 2_000,
            "lead": {"position_mm": -2500, "on_us": 40_000, "off_us": 880_000, "detuning": 0.98},
            "trail": {"position_mm": 4500, "on_us": 390_000, "off_us": 1_240_000, "detuning": 1.01},
            "left": {},
            "right": {"on_us": -5, "off_us": 17},
        },
        "temperature_c": 21.5,
        "length_mm": 16800,
        "tyres": ["single", "dual", "dual"],
        "vehicle": {"kind": "train", "drive_axles": [2], "air_suspension": False},
        "flags": ["wrong-way"],
        "captures": [{"device": "cam-front", "role": "front"}],
    } | changes
    return {name: value for name, value in values.items() if value is not ...}


def waveform_body(description: dict[str, Any] | bytes | None = None, samples: bytes | None = None) -> bytes:
    """Return a waveform message's body; left out, the samples are as many as the sample describes."""
    document = waveform_description() if description is None else description
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    data = struct.pack("<128h", *range(-64, 64)) if samples is None else samples
    return b"ZCWF" + struct.pack(">II", 1, len(text)) + text + data


def waveform(body: bytes | None = None, head: dict[str, str] | None = None) -> Wire:
    """Return a waveform over MQTT 5."""
    return wire(
        "zhichao/v1/S1/wim-1/waveform",
        waveform_body() if body is None else body,
        header() if head is None else head,
        "application/vnd.zhichao.waveform",
    )


def weigh_frame(**changes: Any) -> dict[str, Any]:
    """Return a gateway's weigh frame of a two-axle truck."""
    values: dict[str, Any] = {
        "frameType": 1,
        "stationId": "G1",
        "deviceId": "gw-1",
        "matchNo": "000123",
        "lane": 2,
        "dateTime": 1795420800250,  # 2026-11-23T08:00:00.250Z
        "sumWeight": 17900,
        "axleCnt": 2,
        "axleGrpCnt": 2,
        "axleWeight": [6400, 11500],
        "leftWheelWeight": [3200, 5700],
        "rightWheelWeight": [3200, 5800],
        "axleType": [1, 2],
        "axleDis": [450],
        "axleGrpType": [1, 2],
        "length": 900,
        "speed": 41.25,
        "direction": 0,
        "runState": 0,
        "reverse": 0,
        "attachmentNo": 2,
    } | changes
    return {name: value for name, value in values.items() if value is not ...}


def picture_frame(**changes: Any) -> dict[str, Any]:
    """Return a gateway's picture frame with a front and a plate image."""
    data = base64.b64encode(jpeg()).decode()
    values: dict[str, Any] = {
        "frameType": 2,
        "stationId": "G1",
        "deviceId": "gw-1",
        "matchNo": "000123",
        "lane": 2,
        "dateTime": 1795420800250,
        "files": [
            {"fileType": 12, "transType": 2, "data": data},
            {"fileType": 11, "transType": 2, "data": data},
        ],
    } | changes
    return {name: value for name, value in values.items() if value is not ...}


def wire(
    topic: str,
    payload: bytes | dict[str, Any],
    head: dict[str, str] | None = None,
    content_type: str | None = None,
) -> Wire:
    """Return a message as it came from an MQTT 5 station; a dict is sent as JSON."""
    return Wire(
        topic=topic,
        payload=payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
        content_type=content_type,
        properties=tuple((head or {}).items()),
        received_at=NOW,
    )


def weigh(payload: bytes | dict[str, Any] | None = None, head: dict[str, str] | None = None) -> Wire:
    """Return a weigh message over MQTT 5."""
    body = weigh_body() if payload is None else payload
    return wire("zhichao/v1/S1/wim-1/weigh", body, header() if head is None else head, "application/json")


def capture(image: bytes | None = None, head: dict[str, str] | None = None) -> Wire:
    """Return a capture over MQTT 5."""
    body = jpeg() if image is None else image
    return wire("zhichao/v1/S1/cam-front/capture", body, head or capture_header(body), "image/jpeg")


def mp4(frames: bytes = b"frames") -> bytes:
    """Return the outer boxes of an MP4 file; no player would show it."""
    boxes = ((b"ftyp", b"isom\0\0\2\0isomiso2"), (b"moov", b"description"), (b"mdat", frames))
    return b"".join(struct.pack(">I4s", 8 + len(body), kind) + body for kind, body in boxes)


def framed(topic: str, head: dict[str, Any] | bytes, body: bytes) -> Wire:
    """Return a message as it came from an MQTT 3.1.1 station."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return wire(topic, struct.pack(">I", len(text)) + text + body)


def at(moment: datetime) -> str:
    """Return a time as a header carries it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


YEAR = timedelta(days=365)
