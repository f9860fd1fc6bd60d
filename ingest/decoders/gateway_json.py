"""JSON frames of vendors' station gateways: weigh frames and picture frames, paired by matchNo.

Our reading of the interface described in domain.md D1 (field names as there; what its source leaves
open is said in docs/reference/mqtt.md): one JSON object a message, `frameType` 1 a weigh frame, 2 a
picture frame with base64 images. Gateways number nothing and keep no spool, so a frame is identified
by its own digest and no receipts are sent.
"""

import base64
import binascii
import hashlib
from collections.abc import Sized
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from domain.errors import InputRefused
from domain.events import (
    MAX_AXLES,
    Axle,
    CaptureMessage,
    CaptureMeta,
    CaptureRole,
    ClockState,
    Decoded,
    DrivingFlag,
    MessageHeader,
    Tyres,
    WeighMessage,
    WeighRecord,
    Wire,
)
from domain.ids import DeviceId, Epoch, Sequence, StationId, sha256_of
from domain.refusals import RefusalCode
from ingest import bodies, clock, jpeg, strict_json, topics
from ingest.arrivals import Claims
from ingest.fields import name, scaled, text, whole
from ingest.header import SCHEMA_VERSION
from ingest.limits import Limits
from ingest.wording import checked, shown

PREFIX = "gateway/v1"
EPOCH = Epoch("gw")
PAIRING_WINDOW = timedelta(seconds=10)
"""Frames of one passage come within this time of each other (domain.md D1)."""

MAX_FILES = 8
_MILLISECONDS_2100 = 4_102_444_800_000
_WHAT = "gateway frame"

_IMAGE_ROLES = {
    11: CaptureRole.PLATE,
    12: CaptureRole.FRONT,
    13: CaptureRole.REAR,
    14: CaptureRole.SIDE,
    15: CaptureRole.SIDE,
}
_CLIPS = range(21, 26)
_BASE64, _URL = 2, 3
_TYRES = {1: Tyres.SINGLE, 2: Tyres.DUAL}
"""Code 1 says nothing of the tyre's width, so it lowers no limit."""

_DIRECTIONS = {0: "up", 1: "down", None: "unknown"}
_REVERSE_FLAGS: dict[int, tuple[DrivingFlag, ...]] = {
    0: (),
    1: (DrivingFlag.WRONG_WAY,),
    16: (DrivingFlag.REVERSING,),
    17: (DrivingFlag.STRADDLING,),
    18: (DrivingFlag.STRADDLING,),
}
"""Violation flag of domain.md D1; a lane change (18) over the strips is weighed as straddling is."""

_Loads = Annotated[
    tuple[Annotated[int, whole(0, 100_000, "kg")], ...], Field(min_length=2, max_length=MAX_AXLES)
]


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    station_id: Annotated[str, name()]
    device_id: Annotated[str, name()]
    match_no: Annotated[str, text(1, 64)]
    lane: Annotated[int, whole(1, 16)]
    date_time: Annotated[int, whole(0, _MILLISECONDS_2100, "ms since 1970-01-01 UTC")]

    @property
    def captured_at(self) -> datetime:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=self.date_time)


class WeighFrame(_Frame):
    """frameType 1."""

    frame_type: Annotated[int, whole(1, 1)]
    sum_weight: Annotated[int, whole(0, 1_000_000, "kg")]
    axle_cnt: Annotated[int, whole(2, MAX_AXLES)]
    axle_weight: _Loads
    left_wheel_weight: _Loads | None = None
    right_wheel_weight: _Loads | None = None
    axle_type: Annotated[tuple[Annotated[int, whole(1, 2)], ...], Field(max_length=MAX_AXLES)] | None = None
    axle_dis: Annotated[
        tuple[Annotated[int, scaled(10, "0.1", "6000", "cm")], ...], Field(max_length=MAX_AXLES - 1)
    ]
    axle_grp_cnt: Annotated[int, whole(1, MAX_AXLES)] | None = None
    axle_grp_type: Annotated[tuple[Annotated[int, whole(1, 8)], ...], Field(max_length=MAX_AXLES)] | None = (
        None
    )
    length: Annotated[int, scaled(10, "0.1", "12000", "cm")] | None = None
    speed: Annotated[int, scaled(1000, "0", "300", "km/h")]
    direction: Annotated[int, whole(0, 1)] | None = None
    run_state: Annotated[int, whole(-1, 255)] = 0
    reverse: Annotated[int, whole(0, 255)] = 0
    attachment_no: Annotated[int, whole(0, 255)] | None = None


class PictureFile(BaseModel):
    """One image of a picture frame."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    file_type: Annotated[int, whole(0, 99)]
    trans_type: Annotated[int, whole(0, 99)] = _BASE64
    data: str


class PictureFrame(_Frame):
    """frameType 2."""

    frame_type: Annotated[int, whole(2, 2)]
    files: Annotated[tuple[PictureFile, ...], Field(min_length=1, max_length=MAX_FILES)]


def make_decoder(limits: Limits) -> "GatewayJsonDecoder":
    """Return the decoder of vendors' JSON gateway frames."""
    return GatewayJsonDecoder(limits)


class GatewayJsonDecoder:
    """One frame a message; a picture frame may carry several images."""

    name = "gateway-json"
    topic_filters = (f"{PREFIX}/+/+/frame",)
    receipts = False
    pairing_window = PAIRING_WINDOW

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, wire: Wire) -> Claims:
        """Return station and device of the topic, and the frame's digest as its sequence."""
        try:
            where = topics.address(wire.topic, prefix=PREFIX, kinds=("frame",))
        except InputRefused:
            return Claims()
        return Claims(where.station, where.device, EPOCH, frame_sequence(wire.payload))

    def body_offset(self, wire: Wire) -> int:
        """Return 0: the frame is the body."""
        return 0

    def decode(self, wire: Wire, *, now: datetime) -> tuple[Decoded, ...]:
        """Return a weigh message, or one capture for each image."""
        where = topics.address(wire.topic, prefix=PREFIX, kinds=("frame",))
        document = strict_json.parse(
            wire.payload, what=_WHAT, limits=self._limits, max_bytes=self._limits.max_payload_bytes
        )
        frame = _frame(document)
        if (frame.station_id, frame.device_id) != (where.station, where.device):
            raise InputRefused(
                RefusalCode.IDENTITY_MISMATCH,
                f"the topic says {where.station}/{where.device}, "
                f"the frame {frame.station_id}/{frame.device_id}",
            )
        # A gateway forwards at once: the time of sending is the time of arrival.
        clock.check(frame.captured_at, now, now=now, limits=self._limits)
        if isinstance(frame, WeighFrame):
            head = _header(frame, wire.received_at, frame_sequence(wire.payload))
            return (WeighMessage(header=head, record=_record(frame), wire=wire),)
        return tuple(self._capture(frame, index, wire) for index in range(len(frame.files)))

    def _capture(self, frame: PictureFrame, index: int, wire: Wire) -> CaptureMessage:
        place = f"{_WHAT}: files[{index}]"
        role = _role(frame.files[index], place)
        image = _image(frame.files[index], place)
        size = jpeg.check(image, limits=self._limits)
        meta = CaptureMeta(
            match_key=frame.match_no,
            role=role,
            lane=frame.lane,
            content_type="image/jpeg",
            sha256=sha256_of(image),
            size_bytes=len(image),
            width_px=size.width_px,
            height_px=size.height_px,
        )
        head = _header(frame, wire.received_at, frame_sequence(wire.payload, index))
        return CaptureMessage(header=head, meta=meta, image=image, wire=wire)


def frame_sequence(payload: bytes, index: int = 0) -> Sequence:
    """Return the first 63 bits of the frame's SHA-256, for images after the first of frame and index."""
    material = payload if index == 0 else payload + index.to_bytes(4, "big")
    return Sequence(int.from_bytes(hashlib.sha256(material).digest()[:8], "big") >> 1)


def _frame(document: Any) -> WeighFrame | PictureFrame:
    if not isinstance(document, dict):
        raise InputRefused(RefusalCode.FIELD_INVALID, f"the {_WHAT} is {shown(document)}; send a JSON object")
    match document.get("frameType"):
        case None:
            raise InputRefused(RefusalCode.FIELD_MISSING, f"{_WHAT}: frameType is missing")
        case 1:
            return checked(WeighFrame, document, what=_WHAT)
        case 2:
            return checked(PictureFrame, document, what=_WHAT)
        case kind:
            raise InputRefused(
                RefusalCode.FIELD_INVALID,
                f"{_WHAT}: frameType is {shown(kind)}; allowed: 1 (weigh frame), 2 (picture frame)",
            )


def _header(frame: _Frame, sent_at: datetime, sequence: Sequence) -> MessageHeader:
    return MessageHeader(
        schema_version=SCHEMA_VERSION,
        station=StationId(frame.station_id),
        device=DeviceId(frame.device_id),
        epoch=EPOCH,
        sequence=sequence,
        captured_at=frame.captured_at,
        sent_at=sent_at,
        clock=ClockState(),
    )


def _record(frame: WeighFrame) -> WeighRecord:
    _check_lengths(frame)
    bodies.check_axle_sum(frame.sum_weight, frame.axle_weight)
    if frame.left_wheel_weight is not None and frame.right_wheel_weight is not None:
        bodies.check_axle_sum(sum(frame.axle_weight), [*frame.left_wheel_weight, *frame.right_wheel_weight])
    tyres = [_TYRES[code] for code in frame.axle_type or ()] or [Tyres.UNKNOWN] * frame.axle_cnt
    return WeighRecord(
        match_key=frame.match_no,
        lane=frame.lane,
        direction=_DIRECTIONS[frame.direction],
        speed_m_h=frame.speed,
        gross_kg=frame.sum_weight,
        axles=tuple(
            Axle(load_kg=load, tyres=kind) for load, kind in zip(frame.axle_weight, tyres, strict=True)
        ),
        spacings_mm=frame.axle_dis,
        length_mm=frame.length,
        flags=_flags(frame),
    )


def _check_lengths(frame: WeighFrame) -> None:
    axles, groups = frame.axle_cnt, frame.axle_grp_cnt
    lists: tuple[tuple[str, Sized | None, str, int | None], ...] = (
        ("axleWeight", frame.axle_weight, "axleCnt", axles),
        ("leftWheelWeight", frame.left_wheel_weight, "axleCnt", axles),
        ("rightWheelWeight", frame.right_wheel_weight, "axleCnt", axles),
        ("axleType", frame.axle_type, "axleCnt", axles),
        ("axleDis", frame.axle_dis, "axleCnt - 1", axles - 1),
        ("axleGrpType", frame.axle_grp_type, "axleGrpCnt", groups),
    )
    for name_, values, reason, wanted in lists:
        if values is not None and wanted is not None and len(values) != wanted:
            raise InputRefused(
                RefusalCode.FIELD_INVALID,
                f"{_WHAT}: {name_} has {len(values)} elements; {reason} asks for {wanted}",
            )


def _flags(frame: WeighFrame) -> tuple[DrivingFlag, ...]:
    """Return why the weighing may not be usable; a code we do not know counts against using it."""
    flags = _REVERSE_FLAGS.get(frame.reverse, (DrivingFlag.WEIGHING_FAILED,))
    if frame.run_state == -1:
        return (*flags, DrivingFlag.WEIGHING_FAILED)
    return flags if frame.run_state == 0 else (*flags, DrivingFlag.SPEED_CHANGE)


def _role(file: PictureFile, place: str) -> CaptureRole:
    if file.file_type in _CLIPS:
        raise InputRefused(
            RefusalCode.UNSUPPORTED_CONTENT_TYPE,
            f"{place}.fileType is {file.file_type}, a video clip; clips are not supported yet: send images, "
            "fileType 11 to 15, and clips, if at all, in frames of their own",
        )
    try:
        return _IMAGE_ROLES[file.file_type]
    except KeyError:
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"{place}.fileType is {file.file_type}; allowed: 11 plate, 12 front, 13 rear, 14 front side, "
            "15 rear side",
        ) from None


def _image(file: PictureFile, place: str) -> bytes:
    if file.trans_type != _BASE64:
        kind = "a URL, which is not fetched" if file.trans_type == _URL else "not known"
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"{place}.transType is {file.trans_type}, {kind}; send {_BASE64} (base64)",
        )
    try:
        return base64.b64decode(file.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputRefused(RefusalCode.FIELD_INVALID, f"{place}.data is not base64: {error}") from None
