"""Faulty messages, one kind after another, each with the refusal code the contract promises for it.

They bypass the spool (a station does not keep what it could not have made) and carry an epoch of
their own, so that they never use up a good message's sequence number.
"""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from PIL import Image

from domain.refusals import RefusalCode
from simulators.wire import Draft, capture_draft, json_bytes, number, weigh_draft

_ENORMOUS_BYTES = 17 * 2**20
"""Over the contract's 16 MiB, under the brokers' 20 MiB."""


@dataclass(frozen=True)
class RawMessage:
    """What goes out, right or wrong; `sent_at` is the time of sending unless the header sets it."""

    topic: str
    body: bytes
    header: dict[str, str]
    content_type: str


@dataclass(frozen=True)
class Fault:
    """One case of bad input; `expects` is None where nothing may be refused (a plain duplicate)."""

    name: str
    expects: RefusalCode | None
    messages: tuple[RawMessage, ...]


@dataclass(frozen=True)
class _Place:
    """Where and when a fault happens; everything its message needs beside the body."""

    station: str
    device: str
    epoch: str
    sequence: int
    at: datetime

    def message(self, record: dict[str, Any] | bytes, **changes: str) -> RawMessage:
        """Return a weigh message around a record, with header entries changed."""
        draft = weigh_draft(self.device, {}, self.at)
        body = record if isinstance(record, bytes) else json_bytes(record)
        return self._raw(draft, body, changes)

    def capture(self, body: bytes, **changes: str) -> RawMessage:
        """Return a capture of the front camera, with header entries changed."""
        draft = capture_draft("cam-front", "front", body, self.at, match_key=self.match_key, lane=1)
        return self._raw(draft, body, changes)

    def _raw(self, draft: Draft, body: bytes, changes: dict[str, str]) -> RawMessage:
        message = number(draft, station=self.station, epoch=self.epoch, sequence=self.sequence)
        header = message.header | changes
        topic = f"zhichao/v1/{header['station']}/{header['device']}/{message.kind}"
        return RawMessage(topic, body, header, message.content_type)

    @property
    def match_key(self) -> str:
        """A key no good passage uses."""
        return f"fault-{self.sequence:06d}"

    @property
    def record(self) -> dict[str, Any]:
        """A flawless record of a light two-axle truck, to be spoilt."""
        return {
            "match_key": self.match_key,
            "lane": 1,
            "direction": "up",
            "speed_kmh": 61.5,
            "gross_kg": 9000,
            "axles": [{"load_kg": 4000, "tyres": "single"}, {"load_kg": 5000, "tyres": "dual"}],
            "spacings_mm": [4200],
        }


def fault_for(turn: int, station: str, device: str, epoch: str, at: datetime) -> Fault:
    """Return the fault whose turn it is."""
    name, expects, make = _FAULTS[turn % len(_FAULTS)]
    place = _Place(station, device, f"fault-{epoch[:20]}", turn + 1, at)
    return Fault(name, expects, make(place))


def _spoilt(**changes: Any) -> Callable[[_Place], tuple[RawMessage, ...]]:
    return lambda place: (place.message(place.record | changes),)


def _lacking_gross(place: _Place) -> tuple[RawMessage, ...]:
    record = place.record
    del record["gross_kg"]
    return (place.message(record),)


def _broken_json(place: _Place) -> tuple[RawMessage, ...]:
    return (place.message(json_bytes(place.record)[:-7]),)


def _not_a_number(place: _Place) -> tuple[RawMessage, ...]:
    return (place.message(json.dumps(place.record | {"speed_kmh": float("nan")}).encode()),)


def _year_off(place: _Place) -> tuple[RawMessage, ...]:
    off = (place.at - timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (place.message(place.record, captured_at=off, sent_at=off),)


def _no_epoch(place: _Place) -> tuple[RawMessage, ...]:
    message = place.message(place.record)
    del message.header["epoch"]
    return (message,)


def _duplicate(place: _Place) -> tuple[RawMessage, ...]:
    return (place.message(place.record),) * 2


def _conflict(place: _Place) -> tuple[RawMessage, ...]:
    return (place.message(place.record), place.message(place.record | {"lane": 2}))


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (320, 240), (90, 90, 90)).save(buffer, "JPEG")
    return buffer.getvalue()


def _truncated_jpeg(place: _Place) -> tuple[RawMessage, ...]:
    return (place.capture(_picture()[:-200]),)


def _enormous_jpeg(place: _Place) -> tuple[RawMessage, ...]:
    picture = _picture()
    return (place.capture(picture[:-2] + bytes(_ENORMOUS_BYTES - len(picture)) + picture[-2:]),)


_FAULTS: tuple[tuple[str, RefusalCode | None, Callable[[_Place], tuple[RawMessage, ...]]], ...] = (
    ("broken-json", RefusalCode.BROKEN_JSON, _broken_json),
    ("wrong-type", RefusalCode.FIELD_INVALID, _spoilt(gross_kg="heavy")),
    ("missing-field", RefusalCode.FIELD_MISSING, _lacking_gross),
    ("unknown-field", RefusalCode.FIELD_INVALID, _spoilt(gros_kg=9000)),
    ("not-a-number", RefusalCode.NOT_FINITE, _not_a_number),
    ("negative-weight", RefusalCode.OUT_OF_RANGE, _spoilt(gross_kg=-9000)),
    ("absurd-weight", RefusalCode.OUT_OF_RANGE, _spoilt(gross_kg=9_000_000_000)),
    ("axle-sum", RefusalCode.AXLE_SUM_MISMATCH, _spoilt(gross_kg=12_000)),
    ("truncated-jpeg", RefusalCode.IMAGE_TRUNCATED, _truncated_jpeg),
    ("enormous-jpeg", RefusalCode.PAYLOAD_TOO_LARGE, _enormous_jpeg),
    ("not-a-jpeg", RefusalCode.IMAGE_UNREADABLE, lambda place: (place.capture(b"GIF89a" + bytes(64)),)),
    (
        "wrong-checksum",
        RefusalCode.DIGEST_MISMATCH,
        lambda place: (place.capture(_picture(), sha256=hashlib.sha256(b"another picture").hexdigest()),),
    ),
    (
        "unknown-station",
        RefusalCode.UNKNOWN_STATION,
        lambda place: (place.message(place.record, station="SIM-NOWHERE"),),
    ),
    (
        "unknown-device",
        RefusalCode.UNKNOWN_DEVICE,
        lambda place: (place.message(place.record, device="wim-99"),),
    ),
    ("clock-a-year-off", RefusalCode.CLOCK_IMPLAUSIBLE, _year_off),
    (
        "future-schema",
        RefusalCode.UNSUPPORTED_SCHEMA,
        lambda place: (place.message(place.record, schema="2"),),
    ),
    ("no-epoch", RefusalCode.HEADER_MISSING, _no_epoch),
    ("duplicate", None, _duplicate),
    ("sequence-conflict", RefusalCode.SEQUENCE_CONFLICT, _conflict),
)
