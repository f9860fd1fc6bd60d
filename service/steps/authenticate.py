"""Whether a message comes from the device it names: its own signature, against the registered keys.

Rules
1. A signature is judged by the keys as of `captured_at`; a revoked key counts for nothing received since.
   A status names no such time: it is judged by when it was received.
2. A signature that does not hold, or under a key its device has not, is tampering or a wrong registration:
   the message is kept in quarantine and becomes nothing. So is an unsigned one of a device that signs
   (`SignaturePolicy`): else taking the signature off would be enough. A device signs from its first key's
   `valid_from` on, for good, by when the message was received: its sender can write any other time. What
   it captured before and had not sent is let in unsigned until the moment the registry names, if any.
3. A signature of a device for which no key was ever registered says nothing: it is kept, and marked.
4. A refused message whose signature is not proved takes no place in the ledger, and no receipt tells the
   station to drop that number: it must not be able to keep the device's own message out. The same holds
   where the signature is genuine and only what it is not over (`sent_at`, the content type) was refused.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from domain.device_signatures import UNSIGNED, DeviceKey, DeviceSignature, SignaturePolicy, SignatureState
from domain.errors import EvidenceBroken
from domain.events import CaptureMessage, StatusMessage, Wire
from domain.ids import DeviceId, StationId
from domain.refusals import RefusalCode
from domain.units import utc_text
from evidence.device import OWN_PREFIX, DeviceMessage, check_message, read_header, read_message
from ingest.arrivals import Accepted, Arrival, Claims, Refusal, Refused
from store.registry import KnownDevice

Name = tuple[StationId, DeviceId]
Decode = Callable[[Wire], Sequence[Arrival]]

_MAY_BE_ITS_SENDING = frozenset(
    {
        RefusalCode.CLOCK_IMPLAUSIBLE,
        RefusalCode.HEADER_INVALID,
        RefusalCode.HEADER_MISSING,
        RefusalCode.PAYLOAD_TOO_LARGE,
        RefusalCode.UNSUPPORTED_CONTENT_TYPE,
    }
)
"""What a message may be refused for that was changed on its way without touching a signed byte."""


class Authenticated(NamedTuple):
    """An arrival, refused where its signature says so, and what was found of the signature."""

    arrival: Arrival
    signature: DeviceSignature | None = None
    """None of what nobody registered sent."""
    proven: bool = True
    """Whether nothing speaks against its being the named device's own message."""


def authenticate(
    arrivals: Sequence[Arrival],
    known: Mapping[Name, KnownDevice],
    keys: Mapping[Name, Sequence[DeviceKey]],
    decode: Decode,
) -> list[Authenticated]:
    """Check the signatures of a batch; computes only, to be run in a thread."""
    return [_authenticated(one, known, keys, decode) for one in arrivals]


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
    one: Arrival,
    known: Mapping[Name, KnownDevice],
    keys: Mapping[Name, Sequence[DeviceKey]],
    decode: Decode,
) -> Authenticated:
    name = _sender(one)
    device = None if name is None else known.get(name)
    if name is None or device is None:
        return Authenticated(one)
    registered = keys.get(name, ())
    message = _message(one)
    received_at, captured_at = one.wire.received_at, _captured_at(one, message)
    signature = (
        UNSIGNED
        if message is None
        else check_message(message, registered, captured_at=captured_at, received_at=received_at)
    )
    signs = _signs(device, registered, captured_at, received_at)
    objection = _objection(signature, device, registered, "/".join(name), signs=signs)
    if objection is None:
        spoilt = (
            message is not None
            and signature.state is SignatureState.VALID
            and isinstance(one, Refused)
            and one.code in _MAY_BE_ITS_SENDING
            and all(isinstance(again, Accepted) for again in decode(_as_signed(one.wire, message)))
        )
        return Authenticated(one, signature, proven=not spoilt)
    if isinstance(one, Refused):
        return Authenticated(one, signature, proven=False)
    refused = Refused(one.wire, claims_of(one), objection.code, objection.detail)
    return Authenticated(refused, signature, proven=False)


def _objection(
    signature: DeviceSignature,
    device: KnownDevice,
    keys: Sequence[DeviceKey],
    who: str,
    *,
    signs: bool,
) -> Refusal | None:
    if signature.state is SignatureState.INVALID:
        detail = f"the signature does not hold under the key {signature.key_id} of {who}"
        return Refusal(RefusalCode.SIGNATURE_INVALID, detail)
    required = device.signature is SignaturePolicy.REQUIRED
    if signature.state is SignatureState.UNKNOWN_KEY and (required or keys):
        detail = (
            f"the key {signature.key_id} of {who} was not registered at the time of capture, or is revoked"
        )
        return Refusal(RefusalCode.SIGNATURE_UNKNOWN_KEY, detail)
    if signature.state is SignatureState.ABSENT and (required or signs):
        detail = f"{who} signs its messages, and this one carries no signature"
        return Refusal(RefusalCode.SIGNATURE_MISSING, detail)
    return None


def _signs(
    device: KnownDevice, keys: Sequence[DeviceKey], captured_at: datetime | None, received_at: datetime
) -> bool:
    """Say whether a device signed what was received then; the time of capture is its sender's word."""
    since = min((key.valid_from for key in keys), default=None)
    if device.signature is SignaturePolicy.OPTIONAL or since is None or received_at < since:
        return False
    waited = device.unsigned_until is not None and received_at < device.unsigned_until
    return not (waited and captured_at is not None and captured_at < since)


def _as_signed(wire: Wire, message: DeviceMessage) -> Wire:
    """Return a message as it would be with nothing wrong in what its signature is not over."""
    header = {name: value for name, value in message.header.items() if not name.startswith(OWN_PREFIX)}
    header["sent_at"] = utc_text(wire.received_at)
    body = wire.body  # behind the frame, if there was one
    changes = {"properties": tuple(header.items()), "payload": body, "content_type": None, "body_offset": 0}
    return wire.model_copy(update=changes)


def _sender(one: Arrival) -> Name | None:
    claims = claims_of(one)
    anonymous = isinstance(one, Refused) and claims.sequence is None
    if claims.station is None or claims.device is None or anonymous:
        return None
    return StationId(claims.station), DeviceId(claims.device)


def _message(one: Arrival) -> DeviceMessage | None:
    """Return what a signature would be over; None where there is none, or no header to carry one."""
    wire, decoded = one.wire, one.decoded if isinstance(one, Accepted) else None
    header = None if decoded is None or isinstance(decoded, StatusMessage) else decoded.header
    if header is not None and header.signature is None:
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
    if isinstance(one, Accepted):
        if isinstance(one.decoded, StatusMessage):
            return one.wire.received_at
        return one.decoded.header.captured_at
    try:
        return None if message is None else message.captured_at
    except EvidenceBroken:
        return None
