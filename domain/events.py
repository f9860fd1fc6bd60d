"""What roadside hardware reports, once decoded: one immutable model per kind of message.

The models are the platform's own words; wire formats (ours and vendors') are decoded into them by
`ingest.decoders`, and the bytes as received are kept beside them for evidence.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.ids import DeviceId, Epoch, EventId, Sequence, Sha256, StationId, event_id, sha256_of

MAX_AXLES = 16
"""More axles than any truck on the public road short of special transports; the wire allows no more."""

MAX_STRIPS = 32
"""Strips of one lane; the largest published arrays have half as many."""

PAIRING_WINDOW = timedelta(seconds=60)
"""How far apart a record and its captures may be taken; a vendor's gateway may have a smaller one of its own.

Packages are held to it for ever: it may grow, never shrink.
"""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ClockSource(StrEnum):
    """Where a station's time comes from."""

    GNSS = "gnss"
    PTP = "ptp"
    NTP = "ntp"
    MANUAL = "manual"
    UNKNOWN = "unknown"


class ClockState(_Event):
    """A station's own report of its clock at the moment of capture."""

    source: ClockSource = ClockSource.UNKNOWN
    offset_ms: int | None = None
    synced_at: AwareDatetime | None = None


class MessageHeader(_Event):
    """What every message carries, from the first version of the contract."""

    schema_version: int
    station: StationId
    device: DeviceId
    epoch: Epoch
    sequence: Sequence
    captured_at: AwareDatetime
    sent_at: AwareDatetime
    clock: ClockState = ClockState()
    key_id: str | None = None
    signature: str | None = None
    """Base64 of the device's Ed25519 signature; over which bytes, says `evidence.device`."""

    @property
    def event_id(self) -> EventId:
        """The event this message reports."""
        return event_id(self.station, self.device, self.epoch, self.sequence)


class Tyres(StrEnum):
    """Tyres on each side of an axle.

    A strip sees that there is one tyre, not how wide it is. `SINGLE` therefore lowers no limit: only a
    station that knows the section's width may say `SINGLE_UNDER_425_MM`, which takes 3000 kg off for
    each such axle of a group or trailer (Order 62 Art. 3 para. 2 item 2; wide tyres are spared).
    """

    UNKNOWN = "unknown"
    SINGLE = "single"  # one tyre each side, its width not known
    SINGLE_UNDER_425_MM = "single-under-425-mm"  # one tyre each side, known to be no wide one
    WIDE = "wide"  # one tyre each side, of 425 mm nominal section width or more
    DUAL = "dual"


class VehicleKind(StrEnum):
    """Truck (货车, one frame) or train (汽车列车, tractor or truck with trailer)."""

    UNKNOWN = "unknown"
    TRUCK = "truck"
    TRAIN = "train"


class CaptureRole(StrEnum):
    """What a camera shows of the vehicle (fileType of domain.md D1 maps onto these)."""

    FRONT = "front"
    REAR = "rear"
    SIDE = "side"
    PLATE = "plate"
    PANORAMA = "panorama"
    CLIP = "clip"
    """A clip (MP4) of the passage, kept as it is; every other role is of an image."""


class DrivingFlag(StrEnum):
    """Conditions under which a weighing is not usable, as the station reports them."""

    STRADDLING = "straddling"
    REVERSING = "reversing"
    STOP_AND_GO = "stop-and-go"
    SPEED_CHANGE = "speed-change"
    CLOSE_FOLLOWING = "close-following"
    SIDE_BY_SIDE = "side-by-side"
    SCALE_JUMPING = "scale-jumping"
    WRONG_WAY = "wrong-way"
    TAIL_LOST = "tail-lost"
    WEIGHING_FAILED = "weighing-failed"


class Axle(_Event):
    """One axle as weighed."""

    load_kg: Annotated[int, Field(ge=0, le=100_000)]
    tyres: Tyres = Tyres.UNKNOWN


class ExpectedCapture(_Event):
    """A capture the station announces with the weigh record, so that completeness can be decided."""

    device: DeviceId
    role: CaptureRole


class WeighRecord(_Event):
    """One vehicle's passage over the strips, processed by the station.

    `gross_kg` is the station's own figure; ingest has checked that it agrees with the axle sum.
    `spacings_mm[i]` is the distance from axle i to axle i + 1. `u_gross_ppm` is the station's
    declared relative standard uncertainty of the gross mass (one sigma), if it declares one.
    """

    match_key: Annotated[str, Field(min_length=1, max_length=64)]
    lane: Annotated[int, Field(ge=1, le=16)]
    direction: Annotated[str, Field(min_length=1, max_length=16)]
    speed_m_h: Annotated[int, Field(ge=0, le=300_000)]
    gross_kg: Annotated[int, Field(ge=0, le=1_000_000)]
    axles: Annotated[tuple[Axle, ...], Field(min_length=2, max_length=MAX_AXLES)]
    spacings_mm: tuple[Annotated[int, Field(gt=0, le=60_000)], ...]
    length_mm: Annotated[int, Field(gt=0, le=120_000)] | None = None
    acceleration_mm_s2: Annotated[int, Field(ge=-20_000, le=20_000)] | None = None
    temperature_mk: Annotated[int, Field(ge=180_000, le=380_000)] | None = None
    u_gross_ppm: Annotated[int, Field(gt=0, le=500_000)] | None = None
    u_axle_ppm: Annotated[int, Field(gt=0, le=500_000)] | None = None
    kind: VehicleKind = VehicleKind.UNKNOWN
    drive_axles: tuple[int, ...] | None = None
    """1-based numbers of driven axles, front first; None where the station cannot tell."""
    air_suspension: bool | None = None
    flags: tuple[DrivingFlag, ...] = ()
    expected_captures: tuple[ExpectedCapture, ...] = ()


class SampleType(StrEnum):
    """How a waveform's samples are written, little-endian."""

    FLOAT32 = "f4"
    """The strip's signal in newtons."""
    INT16 = "i2"
    """Counts of the converter, each worth the strip's `scale_un` micronewtons."""


class Strip(_Event):
    """One sensor strip across a lane."""

    position_mm: Annotated[int, Field(ge=0, le=100_000)]
    """Along the direction of travel, from the first strip."""
    scale_un: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = None
    """Micronewtons a count, for `SampleType.INT16` only."""


class Loop(_Event):
    """What an inductive loop saw of the vehicle; times count from the first sample."""

    position_mm: Annotated[int, Field(ge=-100_000, le=100_000)] | None = None
    """Of its centre, from the first strip; None for a neighbouring lane's."""
    on_us: int | None = None
    off_us: int | None = None
    detuning_milli: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Relative to a centred passage of such a vehicle, in thousandths."""


class Waveform(_Event):
    """What a station says of one vehicle's strip signals; the samples travel and are stored as bytes.

    `tyres[i]` is of axle i, where the station knows all axles; the number of axles itself is found in
    the samples.
    """

    match_key: Annotated[str, Field(min_length=1, max_length=64)]
    lane: Annotated[int, Field(ge=1, le=16)]
    direction: Annotated[str, Field(min_length=1, max_length=16)]
    sample_rate_hz: Annotated[int, Field(ge=1_000, le=20_000)]
    sample_count: Annotated[int, Field(ge=64, le=2_000_000)]
    """Of each strip."""
    sample_type: SampleType
    full_scale_n: Annotated[int, Field(gt=0, le=10_000_000)] | None = None
    """For `SampleType.FLOAT32`: the force at which the converter is clipped."""
    strip_width_um: Annotated[int, Field(ge=1_000, le=1_000_000)]
    """Along the direction of travel."""
    strips: Annotated[tuple[Strip, ...], Field(min_length=2, max_length=MAX_STRIPS)]
    loop_length_mm: Annotated[int, Field(ge=100, le=20_000)] | None = None
    """Of the lane's own loops, along the direction of travel."""
    lead: Loop | None = None
    trail: Loop | None = None
    left: Loop | None = None
    right: Loop | None = None
    temperature_mk: Annotated[int, Field(ge=180_000, le=380_000)] | None = None
    length_mm: Annotated[int, Field(gt=0, le=120_000)] | None = None
    tyres: Annotated[tuple[Tyres, ...], Field(max_length=MAX_AXLES)] | None = None
    kind: VehicleKind = VehicleKind.UNKNOWN
    drive_axles: tuple[int, ...] | None = None
    air_suspension: bool | None = None
    flags: tuple[DrivingFlag, ...] = ()
    expected_captures: tuple[ExpectedCapture, ...] = ()


class CaptureMeta(_Event):
    """What a camera says of one image or clip; its bytes travel and are stored apart.

    A clip is never decoded: its width and height are 0.
    """

    match_key: Annotated[str, Field(min_length=1, max_length=64)]
    role: CaptureRole
    lane: Annotated[int, Field(ge=1, le=16)] | None = None
    content_type: str
    sha256: Sha256
    size_bytes: int
    width_px: int
    height_px: int


class StationState(StrEnum):
    """Whether the station is there."""

    ONLINE = "online"
    OFFLINE = "offline"


class StationStatus(_Event):
    """A station's live word of itself (QoS 0, or its last will); never spooled."""

    station: StationId
    device: DeviceId
    state: StationState
    sent_at: datetime | None = None
    spool_messages: Annotated[int, Field(ge=0)] | None = None
    software: Annotated[str, Field(max_length=100)] | None = None


class Wire(BaseModel):
    """A message exactly as received, kept for evidence and for quarantine."""

    model_config = ConfigDict(frozen=True)

    topic: str
    payload: bytes
    content_type: str | None
    properties: tuple[tuple[str, str], ...]
    received_at: datetime
    body_offset: int = 0
    """Bytes before the body: the length of the header frame of MQTT 3.1.1 stations, 0 in MQTT 5."""

    @property
    def body(self) -> bytes:
        """What the station measured or pictured, without the header's frame."""
        return self.payload[self.body_offset :]

    @property
    def body_sha256(self) -> Sha256:
        """The digest that tells a duplicate from a conflict.

        The frame is left out because `sent_at` in it changes each time a spooled message is sent.
        """
        return sha256_of(self.body)


class WeighMessage(BaseModel):
    """A decoded weigh record with its header and its wire bytes."""

    model_config = ConfigDict(frozen=True)

    header: MessageHeader
    record: WeighRecord
    wire: Wire


class WaveformMessage(BaseModel):
    """A vehicle's strip signals, not yet weighed, with header and wire bytes."""

    model_config = ConfigDict(frozen=True)

    header: MessageHeader
    waveform: Waveform
    samples_offset: int
    """Where the samples begin in the body: strip after strip, `sample_count` of each."""
    wire: Wire

    @property
    def samples(self) -> memoryview:
        """The samples' bytes, not copied."""
        return memoryview(self.wire.payload)[self.wire.body_offset + self.samples_offset :]


class CaptureMessage(BaseModel):
    """A decoded capture with its header; `image` is the JPEG as received."""

    model_config = ConfigDict(frozen=True)

    header: MessageHeader
    meta: CaptureMeta
    image: bytes
    wire: Wire


class StatusMessage(BaseModel):
    """A decoded status message."""

    model_config = ConfigDict(frozen=True)

    status: StationStatus
    wire: Wire


Decoded = WeighMessage | WaveformMessage | CaptureMessage | StatusMessage
