"""The platform's own contract, version 1 (docs/reference/mqtt.md): what is weighed, pictured, reported."""

import re
from datetime import datetime

from domain.errors import InputRefused
from domain.events import (
    PAIRING_WINDOW,
    CaptureMessage,
    CaptureMeta,
    CaptureRole,
    Decoded,
    MessageHeader,
    StatusMessage,
    WaveformMessage,
    WeighMessage,
    WeighRecord,
    Wire,
)
from domain.ids import Sha256
from domain.refusals import RefusalCode
from ingest import bodies, clock, header, jpeg, mp4, strict_json, topics, waveforms
from ingest.arrivals import Claims
from ingest.limits import Limits
from ingest.wording import checked, shown

PREFIX = "zhichao/v1"
_KINDS = ("weigh", "waveform", "capture", "status")
_IMAGE, _CLIP = "image/jpeg", "video/mp4"
_CONTENT_TYPES = {
    "weigh": ("application/json",),
    "waveform": (waveforms.CONTENT_TYPE,),
    "capture": (_IMAGE, _CLIP),
    "status": ("application/json",),
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LANE = re.compile(r"[1-9]|1[0-6]")


def make_decoder(limits: Limits) -> "NativeDecoder":
    """Return the decoder of the platform's own contract."""
    return NativeDecoder(limits)


class NativeDecoder:
    """Header in user properties (MQTT 5) or framed before the body (MQTT 3.1.1)."""

    name = "native"
    topic_filters = tuple(f"{PREFIX}/+/+/{kind}" for kind in _KINDS)
    receipts = True
    pairing_window = PAIRING_WINDOW

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, wire: Wire) -> Claims:
        """Return station and device of the topic, epoch and sequence of the header."""
        try:
            where = topics.address(wire.topic, prefix=PREFIX, kinds=_KINDS)
        except InputRefused:
            return Claims()
        if where.kind == "status":
            return Claims(where.station, where.device)
        try:
            epoch, sequence = header.claimed_key(header.read(wire, limits=self._limits))
        except InputRefused:
            epoch, sequence = None, None
        return Claims(where.station, where.device, epoch, sequence)

    def body_offset(self, wire: Wire) -> int:
        """Return the length of the header frame, if there is one."""
        has_properties = any(name == "schema" for name, _ in wire.properties)
        return 0 if has_properties else header.body_offset(wire.payload)

    def decode(self, wire: Wire, *, now: datetime) -> tuple[Decoded, ...]:
        """Return the one event a message reports."""
        where = topics.address(wire.topic, prefix=PREFIX, kinds=_KINDS)
        if len(wire.payload) > self._limits.max_payload_bytes:
            raise InputRefused(
                RefusalCode.PAYLOAD_TOO_LARGE,
                f"the payload has {len(wire.payload)} bytes; "
                f"at most {self._limits.max_payload_bytes} are allowed",
            )
        if where.kind == "status":
            return (self._status(wire, where),)
        fields = header.read(wire, limits=self._limits)
        _check_content_type(fields.content_type, where.kind)
        located = wire.model_copy(update={"body_offset": fields.body_offset})
        if where.kind in ("weigh", "waveform"):
            parsed = header.parse(fields)
            self._check(parsed, where, now)
            if where.kind == "weigh":
                return (WeighMessage(header=parsed, record=self._record(located), wire=located),)
            waveform, offset = waveforms.read(located.body, limits=self._limits)
            return (WaveformMessage(header=parsed, waveform=waveform, samples_offset=offset, wire=located),)
        parsed = header.parse(fields, extra=(*header.CAPTURE_REQUIRED, *header.CAPTURE_OPTIONAL))
        self._check(parsed, where, now)
        return (self._capture(parsed, fields, located),)

    def _check(self, parsed: MessageHeader, where: topics.Address, now: datetime) -> None:
        if (parsed.station, parsed.device) != (where.station, where.device):
            raise InputRefused(
                RefusalCode.IDENTITY_MISMATCH,
                f"the topic says {where.station}/{where.device}, the header {parsed.station}/{parsed.device}",
            )
        clock.check(parsed.captured_at, parsed.sent_at, now=now, limits=self._limits)

    def _record(self, wire: Wire) -> WeighRecord:
        document = strict_json.parse(
            wire.body, what="weigh record", limits=self._limits, max_bytes=self._limits.max_json_bytes
        )
        return bodies.weigh_record(checked(bodies.WeighBody, document, what="weigh record"))

    def _capture(self, parsed: MessageHeader, fields: header.Fields, wire: Wire) -> CaptureMessage:
        meta = _capture_fields(fields.values)
        _check_of_role(fields.content_type, meta)
        image = wire.body
        size = jpeg.JpegSize(0, 0)
        if meta.role is CaptureRole.CLIP:
            mp4.check(image)
        else:
            size = jpeg.check(image, limits=self._limits)
        if wire.body_sha256 != meta.sha256:
            raise InputRefused(
                RefusalCode.DIGEST_MISMATCH,
                f"the header declares sha256 {meta.sha256}, the {len(image)} bytes received have "
                f"{wire.body_sha256}",
            )
        complete = meta.model_copy(
            update={"size_bytes": len(image), "width_px": size.width_px, "height_px": size.height_px}
        )
        return CaptureMessage(header=parsed, meta=complete, image=image, wire=wire)

    def _status(self, wire: Wire, where: topics.Address) -> StatusMessage:
        content_type, located = wire.content_type, wire
        if self.body_offset(wire) or any(name == "signature" for name, _ in wire.properties):
            fields = header.read(wire, limits=self._limits)
            header.check_signer(fields, where.station, where.device)
            content_type = fields.content_type
            located = wire.model_copy(update={"body_offset": fields.body_offset})
        _check_content_type(content_type, where.kind)
        document = strict_json.parse(
            located.body, what="status", limits=self._limits, max_bytes=self._limits.max_json_bytes
        )
        body = checked(bodies.StatusBody, document, what="status")
        return StatusMessage(status=bodies.status(body, where.station, where.device), wire=located)


def _check_content_type(content_type: str | None, kind: str) -> None:
    """Refuse a declared type other than the topic's; one that is not declared is the topic's."""
    wanted = _CONTENT_TYPES[kind]
    if content_type is not None and _bare(content_type) not in wanted:
        raise InputRefused(
            RefusalCode.UNSUPPORTED_CONTENT_TYPE,
            f"content type {shown(content_type)} on a {kind} topic; send {' or '.join(wanted)}",
        )


def _check_of_role(content_type: str | None, meta: CaptureMeta) -> None:
    """Refuse a clip declared an image, and the other way round."""
    if content_type is not None and _bare(content_type) != meta.content_type:
        raise InputRefused(
            RefusalCode.UNSUPPORTED_CONTENT_TYPE,
            f"content type {shown(content_type)} of a capture with the role {meta.role.value}; "
            f"send {meta.content_type}",
        )


def _bare(content_type: str) -> str:
    return content_type.split(";", 1)[0].strip().lower()


def _capture_fields(values: dict[str, str]) -> CaptureMeta:
    header.require(values, header.CAPTURE_REQUIRED)
    match_key = values["match_key"]
    if not (1 <= len(match_key) <= 64 and match_key.isprintable()):
        raise _invalid("match_key", match_key, "1 to 64 printable characters")
    try:
        role = CaptureRole(values["role"])
    except ValueError:
        raise _invalid("role", values["role"], "one of " + ", ".join(CaptureRole)) from None
    if not _SHA256.fullmatch(values["sha256"]):
        raise _invalid("sha256", values["sha256"], "the body's SHA-256 as 64 lower-case hexadecimal digits")
    lane = values.get("lane")
    if lane is not None and not _LANE.fullmatch(lane):
        raise _invalid("lane", lane, "a whole number, 1 to 16")
    return CaptureMeta(
        match_key=match_key,
        role=role,
        lane=None if lane is None else int(lane),
        content_type=_CLIP if role is CaptureRole.CLIP else _IMAGE,
        sha256=Sha256(values["sha256"]),
        size_bytes=0,
        width_px=0,
        height_px=0,
    )


def _invalid(name: str, value: str, allowed: str) -> InputRefused:
    return InputRefused(RefusalCode.HEADER_INVALID, f"{name} is {shown(value)}; send {allowed}")
