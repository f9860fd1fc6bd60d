"""The header every message carries: MQTT 5 user properties, or one frame of JSON before the body.

    MQTT 5       user properties, one a name; payload = body
    MQTT 3.1.1   payload = length of the JSON (4 bytes, big-endian), the JSON, the body

A message without the user property `schema` is taken to be framed.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from domain.errors import InputRefused
from domain.events import ClockSource, ClockState, MessageHeader, Wire
from domain.ids import MAX_SEQUENCE, DeviceId, Epoch, Sequence, StationId
from domain.refusals import RefusalCode
from ingest import strict_json
from ingest.fields import is_name, moment
from ingest.limits import Limits
from ingest.wording import shown

SCHEMA_VERSION = 1
LENGTH_BYTES = 4

REQUIRED = ("schema", "station", "device", "epoch", "seq", "captured_at", "sent_at", "clock_source")
OPTIONAL = ("clock_offset_ms", "clock_synced_at", "key_id", "signature")
SIGNER = ("schema", "station", "device", "key_id", "signature")
"""The header of a status that is signed."""
CAPTURE_REQUIRED = ("match_key", "role", "sha256")
CAPTURE_OPTIONAL = ("lane",)
OWN_PREFIX = "x-"
"""Names that begin so are the station maker's own: kept with the message, never read."""

_EPOCH = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SEQUENCE = re.compile(r"0|[1-9][0-9]{0,18}")
_OFFSET = re.compile(r"-?[0-9]{1,12}")
_KEY_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{86}==")
"""Base64 of the 64 bytes of an Ed25519 signature."""


class Fields(NamedTuple):
    """The header's names and strings as sent, and where the body is."""

    values: dict[str, str]
    content_type: str | None
    body_offset: int


def read(wire: Wire, *, limits: Limits) -> Fields:
    """Separate header and body, checking nothing but the form.

    Raises
    ------
    InputRefused
        HEADER_MISSING, HEADER_INVALID, or what is wrong with the frame's JSON.
    """
    if any(name == "schema" for name, _ in wire.properties):
        return Fields(_unique(wire.properties), wire.content_type, 0)
    values, offset = _framed(wire.payload, limits)
    return Fields(values, values.pop("content_type", wire.content_type), offset)


def body_offset(payload: bytes) -> int:
    """Return where the body of a framed message begins, or 0 where there is no frame."""
    end = LENGTH_BYTES + int.from_bytes(payload[:LENGTH_BYTES], "big")
    return end if payload[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{" and end <= len(payload) else 0


def parse(fields: Fields, *, extra: Iterable[str] = ()) -> MessageHeader:
    """Return the header; `extra` are the names the kind of message adds.

    Raises
    ------
    InputRefused
        HEADER_MISSING, HEADER_INVALID or UNSUPPORTED_SCHEMA.
    """
    values = fields.values
    _check_names(values, REQUIRED, (*OPTIONAL, *extra))
    key_id, signature = _signer(values)
    return MessageHeader(
        schema_version=SCHEMA_VERSION,
        station=StationId(_name(values, "station")),
        device=DeviceId(_name(values, "device")),
        epoch=Epoch(_matching(values, "epoch", _EPOCH, "1 to 32 letters, digits, '_' or '-'")),
        sequence=Sequence(_sequence(values)),
        captured_at=_moment(values, "captured_at"),
        sent_at=_moment(values, "sent_at"),
        clock=_clock(values),
        key_id=key_id,
        signature=signature,
    )


def check_signer(fields: Fields, station: StationId, device: DeviceId) -> None:
    """Check the header of a status, which is there for its signature only.

    Raises
    ------
    InputRefused
        As `parse`, and IDENTITY_MISMATCH where it names another device than the topic does.
    """
    _check_names(fields.values, SIGNER, ())
    _signer(fields.values)
    named = fields.values["station"], fields.values["device"]
    if named != (station, device):
        raise InputRefused(
            RefusalCode.IDENTITY_MISMATCH,
            f"the topic says {station}/{device}, the header {shown('/'.join(named))}",
        )


def require(values: dict[str, str], names: Iterable[str]) -> None:
    """Refuse a header that lacks any of `names`."""
    lacking = [name for name in names if name not in values]
    if lacking:
        raise InputRefused(RefusalCode.HEADER_MISSING, f"the header lacks {', '.join(lacking)}")


def claimed_key(fields: Fields) -> tuple[str | None, int | None]:
    """Return epoch and sequence where each can be read, however broken the rest is."""
    epoch, sequence = fields.values.get("epoch", ""), fields.values.get("seq", "")
    number = int(sequence) if _SEQUENCE.fullmatch(sequence) else MAX_SEQUENCE + 1
    return (
        epoch if _EPOCH.fullmatch(epoch) else None,
        number if number <= MAX_SEQUENCE else None,
    )


def _check_names(values: dict[str, str], required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if values.get("schema", "1") != str(SCHEMA_VERSION):
        raise InputRefused(
            RefusalCode.UNSUPPORTED_SCHEMA, f"schema is {shown(values['schema'])}; send '{SCHEMA_VERSION}'"
        )
    require(values, required)
    known = {*required, *optional}
    for name in values:
        if name not in known and not name.startswith(OWN_PREFIX):
            raise _invalid(
                f"{shown(name)} is not a header name of this message (known: {', '.join(sorted(known))}; "
                f"names of your own begin with {OWN_PREFIX})"
            )


def _signer(values: dict[str, str]) -> tuple[str | None, str | None]:
    """Return `key_id` and `signature`, where they are."""
    return (
        _matching(values, "key_id", _KEY_ID, "1 to 64 letters, digits or ._:-")
        if "key_id" in values
        else None,
        _matching(values, "signature", _SIGNATURE, "base64 of the 64 bytes of an Ed25519 signature")
        if "signature" in values
        else None,
    )


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise _invalid(f"the user property {shown(name)} occurs twice")
        values[name] = value
    return values


def _framed(payload: bytes, limits: Limits) -> tuple[dict[str, str], int]:
    if payload[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
        raise InputRefused(
            RefusalCode.HEADER_MISSING,
            "no user property 'schema' (MQTT 5), and the payload does not begin with a 4-byte length "
            "and a JSON object (MQTT 3.1.1)",
        )
    end = LENGTH_BYTES + int.from_bytes(payload[:LENGTH_BYTES], "big")
    if end > len(payload):
        raise _invalid(
            f"the header frame's length says {end - LENGTH_BYTES} bytes, but only "
            f"{len(payload) - LENGTH_BYTES} follow"
        )
    frame = payload[LENGTH_BYTES:end]
    values = strict_json.parse(frame, what="header frame", limits=limits, max_bytes=limits.max_json_bytes)
    if not isinstance(values, dict):
        raise _invalid(f"the header frame is {shown(values)}; send one JSON object")
    for name, value in values.items():
        if not isinstance(value, str):
            raise _invalid(f"{shown(name)} is {shown(value)}; every value of the header frame is a string")
    return values, end


def _matching(values: dict[str, str], name: str, pattern: re.Pattern[str], allowed: str) -> str:
    if not pattern.fullmatch(values[name]):
        raise _invalid(f"{name} is {shown(values[name])}; send {allowed}")
    return values[name]


def _name(values: dict[str, str], name: str) -> str:
    if not is_name(values[name]):
        raise _invalid(
            f"{name} is {shown(values[name])}; send 1 to 32 letters, digits, '_' or '-', "
            "the first a letter or digit"
        )
    return values[name]


def _sequence(values: dict[str, str]) -> int:
    number = int(_matching(values, "seq", _SEQUENCE, f"a decimal number, 0 to {MAX_SEQUENCE}"))
    if number > MAX_SEQUENCE:
        raise _invalid(f"seq is {shown(values['seq'])}; send a decimal number, 0 to {MAX_SEQUENCE}")
    return number


def _moment(values: dict[str, str], name: str) -> datetime:
    try:
        return moment(values[name])
    except ValueError as error:
        raise _invalid(f"{name} {error}") from None


def _clock(values: dict[str, str]) -> ClockState:
    try:
        source = ClockSource(values["clock_source"])
    except ValueError:
        raise _invalid(
            f"clock_source is {shown(values['clock_source'])}; allowed: {', '.join(ClockSource)}"
        ) from None
    offset = (
        int(_matching(values, "clock_offset_ms", _OFFSET, "whole milliseconds, at most 12 digits"))
        if "clock_offset_ms" in values
        else None
    )
    synced_at = _moment(values, "clock_synced_at") if "clock_synced_at" in values else None
    return ClockState(source=source, offset_ms=offset, synced_at=synced_at)


def _invalid(detail: str) -> InputRefused:
    return InputRefused(RefusalCode.HEADER_INVALID, detail)
