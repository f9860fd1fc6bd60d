"""The body of a waveform message: what the strips measured, and a description of it.

    4 bytes   magic, `ZCWF`
    4 bytes   version of this format, unsigned, big-endian: 1
    4 bytes   length of the description in bytes, unsigned, big-endian
    n bytes   the description: one JSON object, UTF-8
    rest      the samples, little-endian: all of the first strip, then all of the second ...

Only form and bounds are checked here, without a look at any sample: what the signals say is for `weigh`.
"""

import struct
from itertools import pairwise
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import InputRefused
from domain.events import (
    MAX_AXLES,
    MAX_STRIPS,
    DrivingFlag,
    ExpectedCapture,
    Loop,
    SampleType,
    Strip,
    Tyres,
    Waveform,
)
from domain.ids import DeviceId
from domain.refusals import RefusalCode
from ingest import strict_json
from ingest.bodies import MAX_EXPECTED_CAPTURES, ExpectedCaptureBody, VehicleBody, check_drive_axles
from ingest.fields import scaled, text, whole
from ingest.limits import Limits
from ingest.wording import checked

CONTENT_TYPE = "application/vnd.zhichao.waveform"
MAGIC = b"ZCWF"
VERSION = 1

MAX_TRIGGER_US = 120_000_000
"""How far from the first sample a loop may have switched: two minutes, longer than any vehicle takes."""

_HEAD = struct.Struct(">4sII")
_BYTES = {SampleType.FLOAT32: 4, SampleType.INT16: 2}
_WHAT = "waveform"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StripBody(_Body):
    """One strip."""

    position_mm: Annotated[int, whole(0, 100_000, "mm")]
    scale_un: Annotated[int, whole(1, 1_000_000_000, "micronewtons a count")] | None = None


class NeighbourLoopBody(_Body):
    """What a neighbouring lane's loop saw."""

    on_us: Annotated[int, whole(-MAX_TRIGGER_US, MAX_TRIGGER_US, "us")] | None = None
    off_us: Annotated[int, whole(-MAX_TRIGGER_US, MAX_TRIGGER_US, "us")] | None = None


class LoopBody(NeighbourLoopBody):
    """What a loop of the lane saw."""

    position_mm: Annotated[int, whole(-100_000, 100_000, "mm")]
    detuning: Annotated[int, scaled(1000, "0", "10", "")] | None = None


class LoopsBody(_Body):
    """The loops that there are."""

    length_mm: Annotated[int, whole(100, 20_000, "mm")] | None = None
    lead: LoopBody | None = None
    trail: LoopBody | None = None
    left: NeighbourLoopBody | None = None
    right: NeighbourLoopBody | None = None


class WaveformBody(_Body):
    """The description of a waveform."""

    match_key: Annotated[str, text(1, 64)]
    lane: Annotated[int, whole(1, 16)]
    direction: Annotated[str, text(1, 16)]
    sample_rate_hz: Annotated[int, whole(1_000, 20_000, "Hz")]
    samples: Annotated[int, whole(64, 2_000_000)]
    dtype: SampleType
    full_scale_n: Annotated[int, whole(1, 10_000_000, "N")] | None = None
    strip_width_um: Annotated[int, whole(1_000, 1_000_000, "um")]
    strips: Annotated[tuple[StripBody, ...], Field(min_length=2, max_length=MAX_STRIPS)]
    loops: LoopsBody | None = None
    temperature_c: Annotated[int, scaled(1000, "-90", "100", "degrees Celsius", offset="273.15")] | None = (
        None
    )
    length_mm: Annotated[int, whole(1, 120_000, "mm")] | None = None
    tyres: Annotated[tuple[Tyres, ...], Field(min_length=2, max_length=MAX_AXLES)] | None = None
    vehicle: VehicleBody | None = None
    flags: Annotated[tuple[DrivingFlag, ...], Field(max_length=len(DrivingFlag))] | None = None
    captures: Annotated[tuple[ExpectedCaptureBody, ...], Field(max_length=MAX_EXPECTED_CAPTURES)] | None = (
        None
    )


class Read(NamedTuple):
    """A waveform's description, and where its samples begin in the body."""

    waveform: Waveform
    samples_offset: int


def read(body: bytes, *, limits: Limits) -> Read:
    """Return what a waveform message's body says.

    Raises
    ------
    InputRefused
        PAYLOAD_TOO_LARGE, WAVEFORM_BROKEN, UNSUPPORTED_SCHEMA, or what is wrong with the description.
    """
    if len(body) > limits.max_waveform_bytes:
        raise InputRefused(
            RefusalCode.PAYLOAD_TOO_LARGE,
            f"the waveform has {len(body)} bytes; at most {limits.max_waveform_bytes} are allowed",
        )
    offset = _description_end(body)
    document = strict_json.parse(
        body[_HEAD.size : offset],
        what="waveform's description",
        limits=limits,
        max_bytes=limits.max_json_bytes,
    )
    description = checked(WaveformBody, document, what=_WHAT)
    _check_strips(description)
    _check_loops(description.loops or LoopsBody())
    if description.vehicle is not None:
        check_drive_axles(description.vehicle.drive_axles or (), MAX_AXLES, what=_WHAT)
    _check_length(description, len(body) - offset)
    return Read(_waveform(description), offset)


def _description_end(body: bytes) -> int:
    if len(body) < _HEAD.size or not body.startswith(MAGIC):
        raise _broken(
            f"it begins with {body[:4].hex(' ') or 'nothing'}; a waveform begins with {MAGIC.hex(' ')} "
            f"({MAGIC.decode()}), the format's version and the description's length"
        )
    _, version, length = _HEAD.unpack_from(body)
    if version != VERSION:
        raise InputRefused(
            RefusalCode.UNSUPPORTED_SCHEMA,
            f"the waveform's format version is {version}; send {VERSION}, as 4 bytes, big-endian",
        )
    if length > len(body) - _HEAD.size:
        raise _broken(
            f"the description's length says {length} bytes (4 bytes, big-endian), but only "
            f"{len(body) - _HEAD.size} follow"
        )
    return _HEAD.size + int(length)


def _check_strips(description: WaveformBody) -> None:
    positions = [strip.position_mm for strip in description.strips]
    if positions[0] != 0 or any(later <= earlier for earlier, later in pairwise(positions)):
        raise _invalid(
            f"strips[].position_mm is {positions}; begin with 0 and let each be greater than the one before"
        )
    closest = min(later - earlier for earlier, later in pairwise(positions))
    if description.strip_width_um >= closest * 1_000:
        raise _invalid(
            f"strips of {description.strip_width_um} um lie {closest} mm apart; they would overlap"
        )
    scaled_strips = [strip.scale_un is not None for strip in description.strips]
    if description.dtype is SampleType.INT16 and not all(scaled_strips):
        raise _invalid(f"strips[{scaled_strips.index(False)}].scale_un is missing; dtype i2 needs it")
    if description.dtype is SampleType.FLOAT32 and any(scaled_strips):
        raise _invalid(
            f"strips[{scaled_strips.index(True)}].scale_un is given; samples of dtype f4 are newtons already"
        )
    if description.dtype is SampleType.INT16 and description.full_scale_n is not None:
        raise _invalid(
            "full_scale_n is given; samples of dtype i2 are clipped at the ends of their own range"
        )


def _check_loops(loops: LoopsBody) -> None:
    for name, loop in (
        ("lead", loops.lead),
        ("trail", loops.trail),
        ("left", loops.left),
        ("right", loops.right),
    ):
        if loop is None or loop.off_us is None:
            continue
        if loop.on_us is None:
            raise _invalid(f"loops.{name} goes off at {loop.off_us} us, but was never on")
        if loop.off_us <= loop.on_us:
            raise _invalid(f"loops.{name} goes off at {loop.off_us} us, and on only at {loop.on_us} us")
    if loops.lead and loops.trail and loops.lead.position_mm >= loops.trail.position_mm:
        raise _invalid(
            f"loops.lead lies at {loops.lead.position_mm} mm, loops.trail at {loops.trail.position_mm} mm; "
            "a vehicle meets the lead loop first"
        )


def _check_length(description: WaveformBody, found: int) -> None:
    size = _BYTES[description.dtype]
    wanted = len(description.strips) * description.samples * size
    if found != wanted:
        raise _broken(
            f"{len(description.strips)} strips of {description.samples} samples of {size} bytes are {wanted} "
            f"bytes, but {found} follow the description"
        )


def _waveform(description: WaveformBody) -> Waveform:
    loops = description.loops or LoopsBody()
    vehicle = description.vehicle or VehicleBody()
    return Waveform(
        match_key=description.match_key,
        lane=description.lane,
        direction=description.direction,
        sample_rate_hz=description.sample_rate_hz,
        sample_count=description.samples,
        sample_type=description.dtype,
        full_scale_n=description.full_scale_n,
        strip_width_um=description.strip_width_um,
        strips=tuple(Strip(position_mm=one.position_mm, scale_un=one.scale_un) for one in description.strips),
        loop_length_mm=loops.length_mm,
        lead=_loop(loops.lead),
        trail=_loop(loops.trail),
        left=_loop(loops.left),
        right=_loop(loops.right),
        temperature_mk=description.temperature_c,
        length_mm=description.length_mm,
        tyres=description.tyres,
        kind=vehicle.kind,
        drive_axles=vehicle.drive_axles,
        air_suspension=vehicle.air_suspension,
        flags=description.flags or (),
        expected_captures=tuple(
            ExpectedCapture(device=DeviceId(capture.device), role=capture.role)
            for capture in description.captures or ()
        ),
    )


def _loop(body: NeighbourLoopBody | None) -> Loop | None:
    if body is None:
        return None
    if isinstance(body, LoopBody):
        return Loop(
            position_mm=body.position_mm, on_us=body.on_us, off_us=body.off_us, detuning_milli=body.detuning
        )
    return Loop(on_us=body.on_us, off_us=body.off_us)


def _broken(detail: str) -> InputRefused:
    return InputRefused(RefusalCode.WAVEFORM_BROKEN, f"{_WHAT}: {detail}")


def _invalid(detail: str) -> InputRefused:
    return InputRefused(RefusalCode.FIELD_INVALID, f"{_WHAT}: {detail}")
