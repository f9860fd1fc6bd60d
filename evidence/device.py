"""A station's own signature of one message: the bytes it is over, and what a check of it says.

    zhichao-device-message/1
    topic=<topic>
    body_sha256=<64 lower-case hexadecimal digits>
    <name>=<value>         every header but `sent_at`, `signature` and the maker's own (`x-`), by name

Every line ends in one newline, values are as sent, letter for letter (docs/reference/mqtt.md). The body
is what follows the header frame of MQTT 3.1.1, so that one signature serves every sending and both
protocols. What a camera says of its image (whose passage, which side) lies in the header: it is signed.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from pydantic import ValidationError

from domain.device_signatures import UNSIGNED, DeviceKey, DeviceSignature, SignatureState
from domain.errors import EvidenceBroken
from domain.ids import Sha256
from domain.units import utc_text
from evidence.parsing import Json, base64_of, base64_text, canonical_json
from evidence.signing import Signer, check_signature

LABEL = "zhichao-device-message/1"
DEVICE_KEYS = "data/station/device-keys.json"
KEYS_FORMAT = "zhichao-device-keys/1"
OWN_PREFIX = "x-"
LENGTH_BYTES = 4
MAX_FRAME_BYTES = 65_536

_UNSIGNED_NAMES = frozenset({"sent_at", "signature"})
_FRAME_ONLY = "content_type"
_NAME = re.compile(r"[a-z0-9_]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z", re.ASCII)


class DeviceMessage(NamedTuple):
    """What of one message a signature speaks of, and its header."""

    topic: str
    header: Mapping[str, str]
    body_sha256: Sha256

    @property
    def captured_at(self) -> datetime:
        """The time of capture, as the message says it; raises `EvidenceBroken` where it says none."""
        text = self.header.get("captured_at", "")
        try:
            if _RFC_3339.fullmatch(text):
                return datetime.fromisoformat(text)
        except ValueError:
            pass
        raise EvidenceBroken("the message's captured_at is no time in UTC")

    @property
    def device(self) -> tuple[str, str]:
        """Station and device that the header names; empty where it does not."""
        return self.header.get("station", ""), self.header.get("device", "")


def read_message(topic: str, properties: Iterable[tuple[str, str]], payload: bytes) -> DeviceMessage:
    """Return a message from what was received: header in user properties, or framed before the body.

    Raises
    ------
    EvidenceBroken
        There is no header in either place, a name occurs twice, or a value is not text.
    """
    header, offset = read_header(properties, payload[: LENGTH_BYTES + MAX_FRAME_BYTES])
    return DeviceMessage(topic, header, Sha256(hashlib.sha256(memoryview(payload)[offset:]).hexdigest()))


def read_header(properties: Iterable[tuple[str, str]], start: bytes) -> tuple[dict[str, str], int]:
    """Return a message's header and where its body begins, from its properties and the payload's start.

    `start` is the whole payload, or its first `LENGTH_BYTES + MAX_FRAME_BYTES`. Errors as `read_message`.
    """
    pairs = list(properties)
    if any(name == "schema" for name, _ in pairs):
        return _unique(pairs), 0
    end = LENGTH_BYTES + int.from_bytes(start[:LENGTH_BYTES], "big")
    if start[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{" or end > len(start):
        raise EvidenceBroken("the message has no header: neither user properties nor a frame")
    try:
        values = json.loads(start[LENGTH_BYTES:end].decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise EvidenceBroken("the message's header frame is not JSON") from None
    values.pop(_FRAME_ONLY, None)
    return values, end


def signed_bytes(message: DeviceMessage) -> bytes:
    """Return the bytes that a device signs.

    Raises
    ------
    EvidenceBroken
        A part could be read in two ways: a control character in it, or an unusable name.
    """
    lines = [LABEL, _line("topic", message.topic)]
    if not _SHA256.fullmatch(message.body_sha256):
        raise EvidenceBroken("the body's digest is no SHA-256")
    lines.append(_line("body_sha256", message.body_sha256))
    signed = sorted(n for n in message.header if n not in _UNSIGNED_NAMES and not n.startswith(OWN_PREFIX))
    lines += [_line(name, message.header[name]) for name in signed]
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def sign_message(message: DeviceMessage, key_id: str, signer: Signer) -> dict[str, str]:
    """Return the header with `key_id` and `signature` added; errors as `signed_bytes`."""
    named = {**message.header, "key_id": key_id}
    return {**named, "signature": base64_text(signer.sign(signed_bytes(message._replace(header=named))))}


def check_message(
    message: DeviceMessage,
    keys: Iterable[DeviceKey],
    *,
    captured_at: datetime | None = None,
    received_at: datetime | None = None,
) -> DeviceSignature:
    """Return what a message's signature is worth under the registered keys; raises nothing.

    A key counts for its own station and device, from `valid_from` until before `valid_to` by the time
    of capture: the message's own, or `captured_at` for one that names none (a status).
    `received_at`, where known, must lie before the key was revoked.
    """
    signature, key_id = message.header.get("signature"), message.header.get("key_id")
    if signature is None:
        return UNSIGNED
    try:
        key = _key_of(message, keys, captured_at or message.captured_at, received_at)
        if key is None:
            return DeviceSignature(state=SignatureState.UNKNOWN_KEY, key_id=key_id)
        signed = base64_of(signature, "the device's signature")
        check_signature(key.public_key, signed, signed_bytes(message), "the device's signature")
    except EvidenceBroken:
        return DeviceSignature(state=SignatureState.INVALID, key_id=key_id)
    return DeviceSignature(state=SignatureState.VALID, key_id=key_id, key=key)


def in_force(key: DeviceKey, captured_at: datetime, *, received_at: datetime | None = None) -> bool:
    """Say whether a key may sign what was captured then and received then."""
    begun = key.valid_from <= captured_at
    ended = key.valid_to is not None and captured_at >= key.valid_to
    revoked = key.revoked_at is not None and received_at is not None and received_at >= key.revoked_at
    return begun and not ended and not revoked


def signature_entry(found: DeviceSignature) -> Json:
    """Return what a package's list of messages says of one's signature."""
    return found.model_dump(mode="json", include={"state", "key_id"}, exclude_none=True)


def keys_document(found: Iterable[DeviceSignature]) -> Json | None:
    """Return the keys under which signatures hold, as they were registered when they were checked."""
    keys = {
        canonical_json(entry): entry for one in found if one.key is not None for entry in [_entry(one.key)]
    }
    if not keys:
        return None
    return {"format": KEYS_FORMAT, "keys": [entry for _, entry in sorted(keys.items(), key=itemgetter(0))]}


def keys_of(document: Json) -> list[DeviceKey]:
    """Return the keys of a `keys_document`.

    Raises
    ------
    EvidenceBroken
        It is not of that format.
    """
    entries = document.get("keys")
    if document.get("format") != KEYS_FORMAT or set(document) != {"format", "keys"}:
        raise EvidenceBroken(f"{DEVICE_KEYS} is not of the format {KEYS_FORMAT}")
    if not isinstance(entries, list) or not entries:
        raise EvidenceBroken(f"{DEVICE_KEYS} lists no keys")
    try:
        return [DeviceKey.model_validate(entry) for entry in entries]
    except ValidationError:
        raise EvidenceBroken(f"{DEVICE_KEYS} has an entry that is no device's key") from None


def _entry(key: DeviceKey) -> Json:
    times = {"valid_from": key.valid_from, "valid_to": key.valid_to, "revoked_at": key.revoked_at}
    return key.model_dump(mode="json", exclude=set(times)) | {
        name: None if moment is None else utc_text(moment) for name, moment in times.items()
    }


def _key_of(
    message: DeviceMessage, keys: Iterable[DeviceKey], captured_at: datetime, received_at: datetime | None
) -> DeviceKey | None:
    key_id = message.header.get("key_id")
    return next(
        (
            key
            for key in keys
            if (key.station, key.device) == message.device
            and key.key_id == key_id
            and in_force(key, captured_at, received_at=received_at)
        ),
        None,
    )


def _line(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise EvidenceBroken("a header name of the message is no name of the contract")
    if _CONTROL.search(value):
        raise EvidenceBroken(f"the message's {name} holds a control character")
    return f"{name}={value}"


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(value, str):
            raise EvidenceBroken("a value of the message's header is not text")
        if name in values:
            raise EvidenceBroken("a name occurs twice in the message's header")
        values[name] = value
    return values
