"""The devices: each message's own signature, checked again from the bytes and header fields as received.

Trust file and package are told apart: that a key stands in `device-keys.json` only says that it was
registered; that it is the device's own, says a trust file that lists it. There the key's `valid_from`
and `valid_to` bound the time of capture (a message may lie in a spool for weeks), `revoked_at` the time
of the witness: whoever has stolen a key can write any time of capture, but no witness's time.

A message that is not signed says nothing that its sealer could not have written. Whether its device should
have signed is therefore judged by the event's time of capture, which time stamp and witness bound. And one
that was left out altogether must be missed: where signatures are asked for, one message gives the event's
record, and every image and clip is what a message here carries. Elsewhere what is missed is told.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from domain.device_signatures import DeviceKey, DeviceSignature, SignatureState
from domain.errors import EvidenceBroken
from domain.events import PAIRING_WINDOW
from domain.ids import Sha256
from evidence.device import (
    DEVICE_KEYS,
    LENGTH_BYTES,
    MAX_FRAME_BYTES,
    DeviceMessage,
    check_message,
    keys_of,
    read_header,
    signature_entry,
)
from evidence.key_life import KeyLife
from evidence.parsing import Json, document_of, moment_of
from evidence.verify.carried import Picture, Pictures, Record, carried
from evidence.verify.inspection import Inspection, known, some


class _Checked(NamedTuple):
    """One message of the package, and what its signature is worth."""

    path: str
    message: DeviceMessage
    found: DeviceSignature
    content: Record | Pictures | None

    @property
    def device(self) -> tuple[str, str]:
        """Station and device, by the topic."""
        parts = self.message.topic.split("/")
        return (parts[2], parts[3]) if len(parts) > 4 else ("", "")

    @property
    def name(self) -> str:
        """How a report calls the device."""
        return "/".join(self.device)


def check_device(found: Inspection) -> str:
    """Each message's signature is what the event says of it, none fails; where asked for, all sign."""
    event, manifest = known(found.event, "event"), known(found.manifest, "manifest")
    keys = keys_of(document_of(found.read(DEVICE_KEYS), DEVICE_KEYS)) if DEVICE_KEYS in manifest else []
    checked = list(_messages(found, event, manifest, keys))
    signed = [one for one in checked if one.found.state is SignatureState.VALID]
    if {one.found.key for one in signed} != set(keys):
        raise EvidenceBroken(f"{DEVICE_KEYS} lists keys under which no message here is signed")
    notes = [_check_trusted(found, event, one) for one in checked]
    unsigned = sorted({one.name for one in checked} - {one.name for one in signed})
    if found.policy.require_device_signature and len(signed) < len(checked):
        raise EvidenceBroken(f"not signed by their devices: {some(unsigned)}; the policy asks for it")
    asked = found.policy.require_device_signature or bool(found.trust.devices)
    missed = _missed(checked, event, asked=asked)
    if missed and asked:
        raise EvidenceBroken(f"{missed[0]}; who asks for devices' signatures asks for every message")
    return "; ".join([*_told(checked), *missed, *sorted({note for note in notes if note})])


def _told(checked: list[_Checked]) -> Iterator[str]:
    for words, state in (
        ("signed by", SignatureState.VALID),
        ("no device signature:", SignatureState.ABSENT),
        ("signed under a key that was not registered:", SignatureState.UNKNOWN_KEY),
    ):
        names = sorted({one.name for one in checked if one.found.state is state})
        if names:
            yield f"{words} {', '.join(names)}"


def _messages(
    found: Inspection, event: Json, manifest: dict[str, Sha256], keys: list[DeviceKey]
) -> Iterator[_Checked]:
    for entry in event["originals"]["wire"]:
        try:
            path, headers, topic = str(entry["path"]), str(entry["headers"]), str(entry["topic"])
            claimed, digest = entry.get("device_signature"), manifest[path]
            document = document_of(found.read(headers), headers) if headers in manifest else {}
            properties = [(str(name), str(value)) for name, value in document["properties"]]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise EvidenceBroken("data/event.json does not list its messages as it should") from None
        if document.get("topic") != topic:
            raise EvidenceBroken(f"{path} was received on another topic than the event says")
        message, offset = _message(found, path, topic, properties, digest)
        signature = check_message(message, keys)
        if signature.state is SignatureState.INVALID:
            raise EvidenceBroken(f"the device's signature of {path} does not hold")
        # Packages sealed before signatures were checked say nothing of them, and have no keys.
        if claimed != signature_entry(signature) and (claimed is not None or keys):
            raise EvidenceBroken(f"the device's signature of {path} is not as the event says: {claimed}")
        yield _Checked(path, message, signature, carried(found.root / path, offset, message))


def _message(
    found: Inspection, path: str, topic: str, properties: list[tuple[str, str]], digest: Sha256
) -> tuple[DeviceMessage, int]:
    """Return a message from its file, and where its body begins: behind the frame of MQTT 3.1.1, or at 0."""
    with open(os.open(found.root / path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        try:
            header, offset = read_header(properties, file.read(LENGTH_BYTES + MAX_FRAME_BYTES))
        except EvidenceBroken:  # a gateway's frame has no header, and no place for a signature
            return DeviceMessage(topic, {}, digest), 0
        if offset:
            file.seek(offset)
            digest = Sha256(hashlib.file_digest(file, "sha256").hexdigest())
    return DeviceMessage(topic, header, digest), offset


def _missed(checked: list[_Checked], event: Json, *, asked: bool) -> list[str]:
    """Return what no message gives; raises where a signed message, or where `asked` any, is of elsewhere.

    Where nobody asks, an unsigned message of another event gives nothing, and that is told.
    """
    identity = (event.get("event_id"), moment_of(event.get("captured_at"), "the event's captured_at"))
    originals = [*event["originals"]["images"], *event["originals"].get("video", [])]
    listed = {
        Picture(*(str(one.get(name)) for name in Picture._fields)): str(one["path"]) for one in originals
    }
    records = [one.content for one in checked if isinstance(one.content, Record)]
    own = [record for record in records if (record.event_id, record.captured_at) == identity]
    given: set[Picture] = set()
    for one in checked:
        match one.content:
            case Record() if one.content not in own:
                objection = "is the record of another event"
            case Pictures() if own and one.content.passage not in [record.passage for record in own]:
                objection = "is an image of another passage"
            case Pictures() if own and not any(_together(one.content, record) for record in own):
                objection = f"was taken more than {PAIRING_WINDOW.total_seconds():.0f} s from the record"
            case Pictures() if one.content.pictures.isdisjoint(listed):
                objection = "is another image than the event lists"
            case None if one.found.key is not None:
                objection = "was signed, but gives neither a record nor an image"
            case content:
                given |= content.pictures if isinstance(content, Pictures) else set()
                continue
        if asked or one.found.key is not None:
            raise EvidenceBroken(f"{one.path} {objection}")
    lost = sorted(path for picture, path in listed.items() if picture not in given)
    return [
        *([] if len(own) == 1 else [f"{len(own)} messages give the event's record, not one"]),
        *([f"no message carries {some(lost)}"] if lost else []),
    ]


def _together(pictures: Pictures, record: Record) -> bool:
    """Say whether an image is near enough in time: a station uses its match keys again (mqtt.md)."""
    return abs(pictures.captured_at - record.captured_at) <= PAIRING_WINDOW


def _check_trusted(found: Inspection, event: Json, one: _Checked) -> str:
    """Hold a message against the devices the trust file lists; return what a reader should know."""
    trusted = [key for key in found.trust.devices if (key.station, key.device) == one.device]
    if one.found.key is None:
        captured_at = moment_of(event.get("captured_at"), "the event's captured_at")
        if any(_covers(key.life, captured_at) for key in trusted):
            raise EvidenceBroken(f"{one.name} signs by the trust file, but {one.path} is not signed")
        return ""
    if not found.trust.devices:
        return ""
    public_key, captured_at = one.found.key.public_key, one.message.captured_at
    key = next((key for key in trusted if key.public_key == public_key), None)
    if key is None:
        raise EvidenceBroken(f"the key {one.found.key_id} of {one.name} is not in the trust file")
    if not _covers(key.life, captured_at):
        raise EvidenceBroken(f"the key {one.found.key_id} of {one.name} was not valid at the time of capture")
    revoked = KeyLife(revoked_at=key.life.revoked_at)
    return revoked.check(known(found.witnessed_at, "witness"), f"the key {one.found.key_id} of {one.name}")


def _covers(life: KeyLife, captured_at: datetime) -> bool:
    begun = life.valid_from is None or life.valid_from <= captured_at
    return begun and (life.valid_to is None or captured_at < life.valid_to)
