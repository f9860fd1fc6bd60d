"""What a message itself gives: the record of an event, or pictures of a passage.

Read from the bytes and header as received, never from what the sealer wrote beside them. Two formats are
known: the platform's own, and the gateways' JSON frames, which carry no signature (docs/reference/mqtt.md).
A message of any other gives nothing. What is unsigned is read too: who may say so without a signature, is
for the layer to judge.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import EvidenceBroken
from domain.ids import DeviceId, Epoch, EventId, Sequence, StationId, event_id
from evidence.device import DeviceMessage
from evidence.durable import read_regular
from evidence.parsing import decimal_of

_MAX_BYTES = 16 * 1024 * 1024
_WAVEFORM_HEAD = 12
"""Magic, version, and length of the description, four bytes each."""

_GATEWAY_EPOCH = Epoch("gw")
_GATEWAY_ROLES = {11: "plate", 12: "front", 13: "rear", 14: "side", 15: "side"}
_BASE64 = 2
_MILLISECONDS_2100 = 4_102_444_800_000


class Passage(NamedTuple):
    """The station's own key of one vehicle."""

    station: str
    match_key: str


class Record(NamedTuple):
    """What was weighed, by the message that says so."""

    event_id: EventId
    captured_at: datetime
    passage: Passage | None
    """None where the body names none."""


class Picture(NamedTuple):
    """One image or clip, as a package lists it."""

    sha256: str
    role: str
    device: str


class Pictures(NamedTuple):
    """Images or clips of one passage; a message of the platform's own format carries one."""

    passage: Passage
    captured_at: datetime
    pictures: frozenset[Picture]


def carried(file: Path, offset: int, message: DeviceMessage) -> Record | Pictures | None:
    """Return what a message gives, whose body begins at `offset` of its file; None where that is nothing.

    Raises
    ------
    EvidenceBroken
        The file is no regular one, or larger than any message.
    """
    match message.topic.split("/"):
        case ["zhichao", "v1", station, device, kind] if message.device == (station, device):
            return _native(file, offset, message, kind)
        case ["gateway", "v1", station, device, "frame"]:
            frame = _object(read_regular(file, max_bytes=_MAX_BYTES))
            if (frame.get("stationId"), frame.get("deviceId")) != (station, device):
                return None
            try:
                return _framed(frame, message)
            except (KeyError, TypeError, ValueError, AttributeError):
                return None
    return None


def _native(file: Path, offset: int, message: DeviceMessage, kind: str) -> Record | Pictures | None:
    header, (station, device) = message.header, message.device
    if kind not in ("capture", "weigh", "waveform"):
        return None
    try:
        number = Sequence(decimal_of(header.get("seq", ""), "the sequence"))
        identity = event_id(StationId(station), DeviceId(device), Epoch(header.get("epoch", "")), number)
        captured_at = message.captured_at
    except (EvidenceBroken, UnicodeEncodeError):  # a frame's JSON may hold what is no character
        return None
    if kind == "capture":
        picture = Picture(message.body_sha256, header.get("role", ""), device)
        of = Passage(station, header.get("match_key", ""))
        whole = header.get("sha256") == message.body_sha256
        return Pictures(of, captured_at, frozenset({picture})) if whole else None
    body = read_regular(file, max_bytes=_MAX_BYTES)[offset:]
    if kind == "waveform":
        length = int.from_bytes(body[_WAVEFORM_HEAD - 4 : _WAVEFORM_HEAD], "big")
        body = body[_WAVEFORM_HEAD : _WAVEFORM_HEAD + length]
    match_key = _object(body).get("match_key")
    return Record(
        identity,
        captured_at,
        Passage(station, match_key) if isinstance(match_key, str) else None,
    )


def _framed(frame: dict[str, Any], message: DeviceMessage) -> Record | Pictures | None:
    """Return what a gateway's frame gives; it is identified by its own digest."""
    station, device = frame["stationId"], frame["deviceId"]
    passage = Passage(station, frame["matchNo"])
    if not 0 <= frame["dateTime"] <= _MILLISECONDS_2100:
        return None
    captured_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=frame["dateTime"])
    if frame["frameType"] == 1:
        number = Sequence(int(message.body_sha256[:16], 16) >> 1)
        identity = event_id(StationId(station), DeviceId(device), _GATEWAY_EPOCH, number)
        return Record(identity, captured_at, passage)
    if frame["frameType"] != 2:
        return None
    pictures = frozenset(
        Picture(_sha256_of_base64(one["data"]), _GATEWAY_ROLES[one["fileType"]], device)
        for one in frame["files"]
        if one.get("transType", _BASE64) == _BASE64
    )
    return Pictures(passage, captured_at, pictures)


def _sha256_of_base64(text: str) -> str:
    return hashlib.sha256(base64.b64decode(text, validate=True)).hexdigest()


def _object(data: bytes) -> dict[str, Any]:
    """Return a JSON object that names nothing twice, or an empty one."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(name)
        values[name] = value
    return values
