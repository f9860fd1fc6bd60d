"""Waveform messages: what is accepted comes out exactly; what is not is refused in a maker's words."""

import json
import struct
from typing import Any

import pytest

from domain.errors import InputRefused
from domain.events import DrivingFlag, SampleType, Tyres, VehicleKind, WaveformMessage, Wire
from domain.refusals import RefusalCode
from ingest.decoders.native import NativeDecoder
from ingest.limits import Limits
from tests.unit.ingest.samples import (
    NOW,
    framed,
    header,
    waveform,
    waveform_body,
    waveform_description,
)

DECODER = NativeDecoder(Limits())


def _decoded(message: Wire) -> WaveformMessage:
    (decoded,) = DECODER.decode(message, now=NOW)
    assert isinstance(decoded, WaveformMessage)
    return decoded


def _refused(message: Wire) -> InputRefused:
    with pytest.raises(InputRefused) as caught:
        DECODER.decode(message, now=NOW)
    return caught.value


def test_a_waveform_comes_out_exactly() -> None:
    decoded = _decoded(waveform())
    found = decoded.waveform
    assert decoded.header.sequence == 7
    assert (found.sample_rate_hz, found.sample_count, found.sample_type) == (5_000, 64, SampleType.INT16)
    assert [(one.position_mm, one.scale_un) for one in found.strips] == [(0, 3_000_000), (900, 3_100_000)]
    assert found.lead is not None
    assert (found.lead.position_mm, found.lead.on_us, found.lead.detuning_milli) == (-2500, 40_000, 980)
    assert found.left is not None
    assert found.left.on_us is None
    assert found.temperature_mk == 294_650
    assert found.tyres == (Tyres.SINGLE, Tyres.DUAL, Tyres.DUAL)
    assert (found.kind, found.drive_axles, found.air_suspension) == (VehicleKind.TRAIN, (2,), False)
    assert found.flags == (DrivingFlag.WRONG_WAY,)
    assert struct.unpack("<128h", decoded.samples) == tuple(range(-64, 64))


def test_the_samples_of_a_framed_waveform_are_found() -> None:
    """MQTT 3.1.1: the header travels before the body."""
    message = framed("zhichao/v1/S1/wim-1/waveform", header(), waveform_body())
    assert bytes(_decoded(message).samples) == bytes(_decoded(waveform()).samples)


def test_only_what_every_waveform_has_is_required() -> None:
    optional = ("loops", "temperature_c", "length_mm", "tyres", "vehicle", "flags", "captures")
    least = waveform_description(**dict.fromkeys(optional, ...))
    found = _decoded(waveform(waveform_body(least))).waveform
    assert (found.lead, found.left, found.tyres, found.flags) == (None, None, None, ())


def test_floats_need_no_scale() -> None:
    description = waveform_description(
        dtype="f4", strips=[{"position_mm": 0}, {"position_mm": 900}], full_scale_n=9
    )
    found = _decoded(waveform(waveform_body(description, bytes(2 * 64 * 4)))).waveform
    assert (found.sample_type, found.strips[1].scale_un) == (SampleType.FLOAT32, None)


def _with(**changes: Any) -> bytes:
    return waveform_body(waveform_description(**changes))


WHOLE = waveform_body()
TEXT = json.dumps(waveform_description()).encode()


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "waveform-broken", "it begins with nothing; a waveform begins with 5a 43 57 46 (ZCWF)"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "waveform-broken", "it begins with ff d8 ff e0"),
        (
            b"ZCWF" + struct.pack(">II", 2, len(TEXT)) + TEXT,
            "unsupported-schema",
            "format version is 2; send 1",
        ),
        (b"ZCWF" + struct.pack("<II", 1, len(TEXT)) + TEXT, "unsupported-schema", "as 4 bytes, big-endian"),
        (WHOLE[:100], "waveform-broken", f"says {len(TEXT)} bytes (4 bytes, big-endian), but only 88 follow"),
        (WHOLE[:-1], "waveform-broken", "2 strips of 64 samples of 2 bytes are 256 bytes, but 255 follow"),
        (WHOLE + b"\0", "waveform-broken", "are 256 bytes, but 257 follow the description"),
        (_with(dtype="f8"), "field-invalid", "dtype is 'f8'; allowed: 'f4' or 'i2'"),
        (_with(samples=63), "out-of-range", "samples is 63; allowed: 64 to 2000000"),
        (_with(sample_rate_hz=48_000), "out-of-range", "sample_rate_hz is 48000; allowed: 1000 to 20000 Hz"),
        (_with(strips=[{"position_mm": 0, "scale_un": 1}]), "field-invalid", "at least 2 are needed"),
        (
            _with(strips=[{"position_mm": 0, "scale_un": 1}, {"position_mm": 0, "scale_un": 1}]),
            "field-invalid",
            "strips[].position_mm is [0, 0]; begin with 0 and let each be greater",
        ),
        (
            _with(strips=[{"position_mm": 5, "scale_un": 1}, {"position_mm": 9, "scale_un": 1}]),
            "field-invalid",
            "begin with 0",
        ),
        (
            _with(strips=[{"position_mm": 0, "scale_un": 1}, {"position_mm": 900}]),
            "field-invalid",
            "strips[1].scale_un is missing; dtype i2 needs it",
        ),
        (_with(dtype="f4"), "field-invalid", "strips[0].scale_un is given; samples of dtype f4 are newtons"),
        (_with(full_scale_n=5), "field-invalid", "full_scale_n is given; samples of dtype i2 are clipped at"),
        (
            _with(loops={"lead": {"position_mm": -1, "on_us": 10, "off_us": 9}}),
            "field-invalid",
            "loops.lead goes off at 9 us, and on only at 10 us",
        ),
        (
            _with(loops={"left": {"off_us": 9}}),
            "field-invalid",
            "loops.left goes off at 9 us, but was never on",
        ),
        (
            _with(loops={"lead": {"position_mm": 5}, "trail": {"position_mm": 5}}),
            "field-invalid",
            "loops.lead lies at 5 mm, loops.trail at 5 mm; a vehicle meets the lead loop first",
        ),
        (
            _with(strip_width_um=900_000),
            "field-invalid",
            "strips of 900000 um lie 900 mm apart; they would over",
        ),
        (_with(loops={"lead": {"on_us": 10}}), "field-missing", "loops.lead.position_mm is missing"),
        (_with(loops={"left": {"position_mm": 1}}), "field-invalid", "loops.left.position_mm is not a field"),
        (_with(vehicle={"drive_axles": [2, 2]}), "field-invalid", "name each driven axle once"),
        (_with(speed_kmh=60), "field-invalid", "speed_kmh is not a field of the contract"),
        (_with(match_key=...), "field-missing", "waveform: match_key is missing"),
        (waveform_body(b'{"lane": NaN}'), "not-finite", "NaN is not a JSON number"),
        (waveform_body(b"[]"), "field-invalid", "the waveform is an array of 0; send a JSON object"),
        (waveform_body(b'{"lane": 1'), "broken-json", "the waveform's description is not JSON"),
        (waveform_body(b" " * 65_537), "payload-too-large", "description has 65537 bytes; at most 65536"),
    ],
)
def test_what_is_refused_says_why(body: bytes, code: str, words: str) -> None:
    refusal = _refused(waveform(body))
    assert refusal.code is RefusalCode(code)
    assert words in refusal.detail


def test_a_waveform_beyond_the_limit_is_refused_unread() -> None:
    decoder = NativeDecoder(Limits(max_waveform_bytes=len(WHOLE) - 1))
    with pytest.raises(InputRefused, match=f"the waveform has {len(WHOLE)} bytes; at most") as caught:
        decoder.decode(waveform(), now=NOW)
    assert caught.value.code is RefusalCode.PAYLOAD_TOO_LARGE


def test_the_content_type_is_the_waveforms_own() -> None:
    message = waveform().model_copy(update={"content_type": "application/octet-stream"})
    refusal = _refused(message)
    assert refusal.code is RefusalCode.UNSUPPORTED_CONTENT_TYPE
    assert "send application/vnd.zhichao.waveform" in refusal.detail
