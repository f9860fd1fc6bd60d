"""What one intake transaction takes in: passages, captures, refusals, and the bytes to be durable first."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, NamedTuple

from domain.device_signatures import DeviceSignature
from domain.events import PAIRING_WINDOW, CaptureMessage, WeighMessage, Wire
from domain.ids import DeviceId, Epoch, EventId, Sequence, Sha256, StationId, event_id, sha256_of
from domain.refusals import RefusalCode
from domain.registry import StationContext
from domain.screening import Screening
from domain.weighing import Weighing

CAPTURE_WAIT = timedelta(seconds=60)
"""How long after its commit a flagged passage waits for captures before it is settled without them."""

INLINE_PAYLOAD_BYTES = 65_536
"""A payload up to this size lies in its row; a larger one is a blob."""


class Key(NamedTuple):
    """What makes a message the same message when it comes again."""

    station: StationId
    device: DeviceId
    epoch: Epoch
    sequence: Sequence

    @property
    def event_id(self) -> EventId:
        """The event of the message with this key."""
        return event_id(*self)


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A weigh message with what the registry and the screening say of it.

    `body_sha256` is given where the payload carries a header that changes when it is sent again
    (MQTT 3.1.1 framing): the digest of the body alone, by which a resend is known.
    """

    ledger_outcome: ClassVar[str] = "passage"

    message: WeighMessage
    context: StationContext
    screening: Screening
    pairing_window: timedelta = PAIRING_WINDOW
    capture_wait: timedelta = CAPTURE_WAIT
    body_sha256: Sha256 | None = None
    weighing: Weighing | None = None
    """How the platform weighed it, where it was sent as a waveform."""
    drift_basis: str | None = None
    """Under what the front axle counts into its lane's drift test (see `store.drift`); None: it does not."""
    signature: DeviceSignature | None = None
    """What was found of the device's own signature."""

    @property
    def key(self) -> Key:
        """The message's key in the ledger."""
        header = self.message.header
        return Key(header.station, header.device, header.epoch, header.sequence)

    @property
    def wire(self) -> Wire:
        """The message as received."""
        return self.message.wire

    @property
    def digest(self) -> Sha256:
        """What a resend must equal to be a duplicate."""
        return self.body_sha256 or sha256_of(self.message.wire.payload)

    @property
    def payload_sha256(self) -> Sha256:
        """The digest of the message as received; a body without a frame is not hashed again."""
        return sha256_of(self.wire.payload) if self.wire.body_offset else self.digest

    @property
    def wire_blob(self) -> Sha256 | None:
        """The blob that is the message's body: of every waveform, and of what is too large for the row."""
        size = len(self.wire.payload) - self.wire.body_offset
        if self.weighing is None and size <= INLINE_PAYLOAD_BYTES:
            return None
        return self.body_sha256 or self.wire.body_sha256

    @property
    def wire_inline(self) -> bytes:
        """What of the message lies in the row: all, or what came before the body that is a blob."""
        wire = self.wire
        return wire.payload if self.wire_blob is None else wire.payload[: wire.body_offset]


@dataclass(frozen=True, slots=True)
class CaptureRow:
    """A capture whose image already lies in the blob store."""

    ledger_outcome: ClassVar[str] = "capture"

    message: CaptureMessage
    blob_sha256: Sha256
    pairing_window: timedelta = PAIRING_WINDOW
    signature: DeviceSignature | None = None

    @property
    def key(self) -> Key:
        """The message's key in the ledger."""
        header = self.message.header
        return Key(header.station, header.device, header.epoch, header.sequence)

    @property
    def wire(self) -> Wire:
        """The message as received."""
        return self.message.wire

    @property
    def digest(self) -> Sha256:
        """What a resend must equal to be a duplicate: the image, whatever it was framed in."""
        return self.blob_sha256

    @property
    def wire_prefix(self) -> bytes | None:
        """What the payload had before the image; None where it is not prefix and image (a vendor's frame)."""
        payload, image = self.message.wire.payload, self.message.image
        return payload[: len(payload) - len(image)] if payload.endswith(image) else None


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """A message that cannot be accepted, with what it claimed to be, as far as that could be read.

    `key` is given only for a registered device's message: then a resend is a duplicate like any other,
    known by `body_sha256` where the payload is framed (see `PassageRow`).
    """

    ledger_outcome: ClassVar[str] = "quarantine"

    wire: Wire
    claims: tuple[str | None, str | None, str | None, int | None]
    code: RefusalCode
    detail: str
    key: Key | None = None
    body_sha256: Sha256 | None = None

    @property
    def digest(self) -> Sha256:
        """What a resend must equal to be a duplicate."""
        return self.body_sha256 or sha256_of(self.wire.payload)


Row = PassageRow | CaptureRow | RefusalRow


@dataclass(slots=True)
class IntakeBatch:
    """What is stored in one transaction."""

    passages: list[PassageRow] = field(default_factory=list)
    captures: list[CaptureRow] = field(default_factory=list)
    refusals: list[RefusalRow] = field(default_factory=list)

    def blobs(self) -> Iterator[bytes]:
        """Yield all bytes that must lie in the blob store before the batch is stored."""
        for passage in self.passages:
            if passage.wire_blob is not None:
                yield passage.wire.body
        for capture in self.captures:
            yield capture.message.image
            if capture.wire_prefix is None:
                yield capture.message.wire.payload
        for refusal in self.refusals:
            if len(refusal.wire.payload) > INLINE_PAYLOAD_BYTES:
                yield refusal.wire.payload

    def blob_digests(self) -> Iterator[Sha256]:
        """Yield the digest of each of `blobs`, in that order."""
        for passage in self.passages:
            if passage.wire_blob is not None:
                yield passage.wire_blob
        for capture in self.captures:
            yield capture.blob_sha256
            if capture.wire_prefix is None:
                yield sha256_of(capture.message.wire.payload)
        for refusal in self.refusals:
            if len(refusal.wire.payload) > INLINE_PAYLOAD_BYTES:
                yield sha256_of(refusal.wire.payload)


class StoreOutcome(StrEnum):
    """What became of one message."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    """The key was used before for other content; the message is in quarantine."""


class Stored(NamedTuple):
    """One message's fate; `event_id` is None for a refusal without a key."""

    outcome: StoreOutcome
    event_id: EventId | None
