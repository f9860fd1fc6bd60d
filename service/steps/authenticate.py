"""Whether a message comes from the device it names: its own signature, against the registered keys.

Rules
1. A signature is judged by the keys as of `captured_at`; a revoked key counts for nothing received since.
2. A signature that does not hold, or under a key its device has not, is tampering or a wrong registration:
   the message is kept in quarantine and becomes nothing. So is an unsigned one of a device that signs
   (`SignaturePolicy`): else taking the signature off would be enough. A revoked key demands signatures still.
3. A signature of a device for which no key was ever registered says nothing: it is kept, and marked.
4. A refused message whose signature is not proved takes no place in the ledger: it must not be able to
   keep the device's own message of that number out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from domain.device_signatures import UNSIGNED, DeviceKey, DeviceSignature, SignaturePolicy, SignatureState
from domain.errors import EvidenceBroken
from domain.events import CaptureMessage, StatusMessage
from domain.ids import DeviceId, StationId
from domain.refusals import RefusalCode
from evidence.device import DeviceMessage, check_message, in_force, read_header, read_message
from ingest.arrivals import Accepted, Arrival, Claims, Refusal, Refused
from store.registry import KnownDevice

Name = tuple[StationId, DeviceId]


class Authenticated(NamedTuple):
    """An arrival, refused where its signature says so, and what was found of the signature."""

    arrival: Arrival
    signature: DeviceSignature | None = None
    """None of a status, and of what nobody registered sent."""
    proven: bool = True
    """Whether nothing speaks against its being the named device's own message."""


def authenticate(
    arrivals: Sequence[Arrival],
    known: Mapping[Name, KnownDevice],
    keys: Mapping[Name, Sequence[DeviceKey]],
) -> list[Authenticated]:
    """Check the signatures of a batch; computes only, to be run in a thread."""
    return [_authenticated(one, known, keys) for one in arrivals]


def claims_of(one: Arrival) -> Claims:
    """Return whose message an arrival says it is."""
    if isinstance(one, Refused):
        return one.claims
    if isinstance(one.decoded, StatusMessage):
        return Claims(one.decoded.status.station, one.decoded.status.device)
    header = one.decoded.header
    return Claims(header.station, header.device, header.epoch, header.sequence)


def senders(arrivals: Sequence[Arrival]) -> set[Name]:
    """Return the devices whose keys `authenticate` needs."""
    return {name for one in arrivals if (name := _sender(one)) is not None}


def _authenticated(
    one: Arrival, known: Mapping[Name, KnownDevice], keys: Mapping[Name, Sequence[DeviceKey]]
) -> Authenticated:
    name = _sender(one)
    device = None if name is None else known.get(name)
    if name is None or device is None:
        return Authenticated(one)
    registered = keys.get(name, ())
    message = _message(one)
    signature = (
        UNSIGNED if message is None else check_message(message, registered, received_at=one.wire.received_at)
    )
    objection = _objection(signature, device, registered, _captured_at(one, message), name)
    if objection is None:
        return Authenticated(one, signature)
    if isinstance(one, Refused):
        return Authenticated(one, signature, proven=False)
    refused = Refused(one.wire, claims_of(one), objection.code, objection.detail)
    return Authenticated(refused, signature, proven=False)


def _objection(
    signature: DeviceSignature,
    device: KnownDevice,
    keys: Sequence[DeviceKey],
    captured_at: datetime | None,
    name: Name,
) -> Refusal | None:
    who = "/".join(name)
    if signature.state is SignatureState.INVALID:
        detail = f"the signature does not hold under the key {signature.key_id} of {who}"
        return Refusal(RefusalCode.SIGNATURE_INVALID, detail)
    required = device.signature is SignaturePolicy.REQUIRED
    if signature.state is SignatureState.UNKNOWN_KEY and (required or keys):
        detail = (
            f"the key {signature.key_id} of {who} was not registered at the time of capture, or is revoked"
        )
        return Refusal(RefusalCode.SIGNATURE_UNKNOWN_KEY, detail)
    keyed = any(captured_at is None or in_force(key, captured_at) for key in keys)
    demanded = required or (keyed and device.signature is SignaturePolicy.IF_KEYED)
    if signature.state is SignatureState.ABSENT and demanded:
        detail = f"{who} signs its messages, and this one carries no signature"
        return Refusal(RefusalCode.SIGNATURE_MISSING, detail)
    return None


def _sender(one: Arrival) -> Name | None:
    claims = claims_of(one)
    if claims.station is None or claims.device is None or claims.sequence is None:
        return None
    return StationId(claims.station), DeviceId(claims.device)


def _message(one: Arrival) -> DeviceMessage | None:
    """Return what a signature would be over; None where there is none, or no header to carry one."""
    wire, decoded = one.wire, one.decoded if isinstance(one, Accepted) else None
    if isinstance(decoded, StatusMessage) or (decoded is not None and decoded.header.signature is None):
        return None
    try:
        if isinstance(decoded, CaptureMessage):  # its digest was computed when it was decoded
            return DeviceMessage(
                wire.topic, read_header(wire.properties, wire.payload)[0], decoded.meta.sha256
            )
        return read_message(wire.topic, wire.properties, wire.payload)
    except EvidenceBroken:
        return None


def _captured_at(one: Arrival, message: DeviceMessage | None) -> datetime | None:
    if isinstance(one, Accepted) and not isinstance(one.decoded, StatusMessage):
        return one.decoded.header.captured_at
    try:
        return None if message is None else message.captured_at
    except EvidenceBroken:
        return None
