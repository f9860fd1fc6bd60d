"""The native contract: what is accepted comes out exactly, what is not is refused in words that help."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import InputRefused
from domain.events import (
    CaptureMessage,
    CaptureRole,
    ClockSource,
    DrivingFlag,
    StationState,
    StatusMessage,
    Tyres,
    VehicleKind,
    WeighMessage,
    Wire,
)
from domain.ids import sha256_of
from domain.refusals import RefusalCode
from ingest.arrivals import Claims
from ingest.decoders.native import NativeDecoder
from ingest.limits import Limits
from tests.unit.ingest import samples
from tests.unit.ingest.samples import (
    NOW,
    YEAR,
    at,
    capture,
    capture_header,
    framed,
    header,
    jpeg,
    mp4,
    weigh,
    weigh_body,
    wire,
)

DECODER = NativeDecoder(Limits())
STATUS = "zhichao/v1/S1/wim-1/status"


def _refused(message: Wire) -> InputRefused:
    with pytest.raises(InputRefused) as caught:
        DECODER.decode(message, now=NOW)
    return caught.value


def _weigh(message: Wire) -> WeighMessage:
    (decoded,) = DECODER.decode(message, now=NOW)
    assert isinstance(decoded, WeighMessage)
    return decoded


def test_a_weigh_record_comes_out_exactly() -> None:
    decoded = _weigh(weigh())
    head, record = decoded.header, decoded.record
    assert (head.station, head.device, head.epoch, head.sequence) == ("S1", "wim-1", "e0", 7)
    assert head.captured_at == datetime(2026, 11, 23, 8, 0, 0, 250_000, UTC)
    assert head.clock.source is ClockSource.GNSS
    assert (record.gross_kg, record.speed_m_h, record.temperature_mk) == (48950, 63_400, 294_650)
    assert (record.u_gross_ppm, record.u_axle_ppm) == (15_000, 30_000)
    assert [axle.load_kg for axle in record.axles] == [6500, 9000, 9050, 8100, 8150, 8150]
    assert [axle.tyres for axle in record.axles[-2:]] == [Tyres.DUAL, Tyres.UNKNOWN]
    assert (record.kind, record.drive_axles, record.air_suspension) == (VehicleKind.TRAIN, (2, 3), False)
    assert record.flags == (DrivingFlag.STRADDLING,)
    assert record.expected_captures[0].role is CaptureRole.FRONT


def test_optional_fields_may_be_absent_or_null() -> None:
    optional = ("length_mm", "acceleration_mm_s2", "temperature_c", "u_gross_percent", "u_axle_percent")
    others = ("vehicle", "flags", "captures")
    absent = _weigh(weigh(weigh_body(**dict.fromkeys((*optional, *others), ...)))).record
    null = _weigh(weigh(weigh_body(**dict.fromkeys((*optional, *others), None)))).record
    assert absent == null
    assert (absent.length_mm, absent.flags, absent.kind) == (None, (), VehicleKind.UNKNOWN)


@pytest.mark.parametrize(("written", "metres_per_hour"), [("63.4", 63_400), ("0.1", 100), ("63.455", 63_455)])
def test_speed_is_exact_to_the_metre_per_hour(written: str, metres_per_hour: int) -> None:
    body = json.dumps(weigh_body(speed_kmh=0)).replace('"speed_kmh": 0', f'"speed_kmh": {written}').encode()
    assert _weigh(weigh(body)).record.speed_m_h == metres_per_hour


def test_a_capture_keeps_its_bytes_and_learns_its_size() -> None:
    (decoded,) = DECODER.decode(capture(), now=NOW)
    assert isinstance(decoded, CaptureMessage)
    assert decoded.image == jpeg()
    assert decoded.meta.sha256 == sha256_of(jpeg())
    assert (decoded.meta.width_px, decoded.meta.height_px) == (64, 48)
    assert (decoded.meta.role, decoded.meta.lane) == (CaptureRole.FRONT, 1)


@pytest.mark.parametrize("content_type", ["video/mp4", "Video/MP4; codecs=avc1", None])
def test_a_clip_keeps_its_bytes(content_type: str | None) -> None:
    head = capture_header(mp4(), role="clip")
    (decoded,) = DECODER.decode(wire("zhichao/v1/S1/cam-front/capture", mp4(), head, content_type), now=NOW)
    assert isinstance(decoded, CaptureMessage)
    assert decoded.image == mp4()
    assert (decoded.meta.role, decoded.meta.content_type) == (CaptureRole.CLIP, "video/mp4")
    assert (decoded.meta.width_px, decoded.meta.height_px) == (0, 0)


@pytest.mark.parametrize(
    ("body", "role", "content_type", "code"),
    [
        (mp4(), "front", "video/mp4", RefusalCode.UNSUPPORTED_CONTENT_TYPE),
        (mp4(), "clip", "image/jpeg", RefusalCode.UNSUPPORTED_CONTENT_TYPE),
        (jpeg(), "front", "video/mp4", RefusalCode.UNSUPPORTED_CONTENT_TYPE),
        (mp4(), "front", None, RefusalCode.IMAGE_UNREADABLE),
        (jpeg(), "clip", None, RefusalCode.CLIP_UNREADABLE),
        (jpeg(), "clip", "video/mp4", RefusalCode.CLIP_UNREADABLE),
        (mp4()[:-1], "clip", "video/mp4", RefusalCode.CLIP_UNREADABLE),
    ],
)
def test_an_image_is_no_clip_and_a_clip_no_image(
    body: bytes, role: str, content_type: str | None, code: RefusalCode
) -> None:
    head = capture_header(body, role=role)
    assert _refused(wire("zhichao/v1/S1/cam-front/capture", body, head, content_type)).code is code


def test_a_framed_message_is_the_same_message() -> None:
    """MQTT 3.1.1: only the wire differs."""
    body = json.dumps(weigh_body()).encode()
    old = _weigh(framed("zhichao/v1/S1/wim-1/weigh", {**header(), "content_type": "application/json"}, body))
    new = _weigh(weigh())
    assert (old.header, old.record) == (new.header, new.record)
    assert old.wire.body == body
    image = framed("zhichao/v1/S1/cam-front/capture", capture_header(jpeg()), jpeg())
    (decoded,) = DECODER.decode(image, now=NOW)
    assert isinstance(decoded, CaptureMessage)
    assert decoded.image == jpeg()


def test_a_framed_message_sent_again_has_the_digest_it_had() -> None:
    """`sent_at` lies in the frame and changes each time; that must not make a conflict of a duplicate."""
    body = json.dumps(weigh_body()).encode()
    topic = "zhichao/v1/S1/wim-1/weigh"
    first = _weigh(framed(topic, header(), body))
    again = _weigh(framed(topic, header(sent_at="2026-11-23T08:00:05Z"), body))
    assert first.wire.payload != again.wire.payload
    assert first.wire.body_sha256 == again.wire.body_sha256


def test_a_status_needs_no_header() -> None:
    (decoded,) = DECODER.decode(wire(STATUS, b'{"state":"offline"}'), now=NOW)
    assert isinstance(decoded, StatusMessage)
    assert (decoded.status.station, decoded.status.state) == ("S1", StationState.OFFLINE)
    live = {"state": "online", "sent_at": samples.SENT_AT, "spool_messages": 3, "software": "车站 2.1"}
    (decoded,) = DECODER.decode(wire(STATUS, live), now=NOW)
    assert isinstance(decoded, StatusMessage)
    assert (decoded.status.spool_messages, decoded.status.software) == (3, "车站 2.1")


BAD_BODIES: list[tuple[bytes | dict[str, Any], RefusalCode, str]] = [
    (b"", RefusalCode.BROKEN_JSON, "line 1, column 1"),
    (b'{"lane": 1', RefusalCode.BROKEN_JSON, "column 11"),
    (b'{"direction": "\xff"}', RefusalCode.BROKEN_JSON, "byte 0xff at offset 15"),
    (b'{"lane": 1, "lane": 2}', RefusalCode.BROKEN_JSON, "'lane' occurs twice"),
    (b'{"gross_kg": NaN}', RefusalCode.NOT_FINITE, "NaN"),
    (b'{"gross_kg": -Infinity}', RefusalCode.NOT_FINITE, "-Infinity"),
    (b'{"gross_kg": 1e999}', RefusalCode.OUT_OF_RANGE, "1e999"),
    (b'{"gross_kg": ' + b"9" * 5000 + b"}", RefusalCode.OUT_OF_RANGE, "5000 characters"),
    (b"[" * 5000 + b"]" * 5000, RefusalCode.FIELD_INVALID, "nested"),
    (b"[" * 20 + b"]" * 20, RefusalCode.FIELD_INVALID, "more than 16 levels"),
    (b"[" + b"[]," * 20_000 + b"1]", RefusalCode.PAYLOAD_TOO_LARGE, "values"),
    (b'"' + b"x" * 70_000 + b'"', RefusalCode.PAYLOAD_TOO_LARGE, "70002 bytes; at most 65536"),
    (b"[1, 2]", RefusalCode.FIELD_INVALID, "an array of 2; send a JSON object"),
    (weigh_body(lane=...), RefusalCode.FIELD_MISSING, "lane is missing"),
    (
        weigh_body(gross="x"),
        RefusalCode.FIELD_INVALID,
        "gross is not a field of the contract; known fields: match_key",
    ),
    (weigh_body(gross_kg="48950"), RefusalCode.FIELD_INVALID, "gross_kg is '48950'; send a number"),
    (weigh_body(gross_kg=True), RefusalCode.FIELD_INVALID, "gross_kg is true; send a number"),
    (weigh_body(gross_kg=48950.5), RefusalCode.FIELD_INVALID, "gross_kg is 48950.5; send a whole number"),
    (weigh_body(gross_kg=-5), RefusalCode.OUT_OF_RANGE, "gross_kg is -5; allowed: 0 to 1000000 kg"),
    (weigh_body(gross_kg=9_999_999), RefusalCode.OUT_OF_RANGE, "gross_kg is 9999999; allowed"),
    (
        weigh_body(speed_kmh=63.4567),
        RefusalCode.FIELD_INVALID,
        "speed_kmh is 63.4567; send at most 3 decimals",
    ),
    (weigh_body(speed_kmh=-1), RefusalCode.OUT_OF_RANGE, "speed_kmh is -1; allowed: 0 to 300 km/h"),
    (weigh_body(match_key="a\u0000b"), RefusalCode.FIELD_INVALID, "match_key is 'a\\x00b'; only printable"),
    (weigh_body(match_key="\ud800"), RefusalCode.FIELD_INVALID, "match_key is '\\ud800'"),
    (weigh_body(match_key=""), RefusalCode.FIELD_INVALID, "match_key has 0 characters; allowed: 1 to 64"),
    (weigh_body(match_key=17), RefusalCode.FIELD_INVALID, "match_key is 17; send a string"),
    (weigh_body(axles=[{"load_kg": -1}, {"load_kg": 2}]), RefusalCode.OUT_OF_RANGE, "axles[0].load_kg is -1"),
    (weigh_body(axles=[{"load_kg": 1}]), RefusalCode.FIELD_INVALID, "axles has 1 elements; at least 2"),
    (weigh_body(axles=[{"load_kg": 1}] * 17), RefusalCode.FIELD_INVALID, "more than the 16 elements"),
    (weigh_body(axles=5), RefusalCode.FIELD_INVALID, "axles is 5; send an array"),
    (weigh_body(axles=[5, 6]), RefusalCode.FIELD_INVALID, "axles[0] is 5; send an object"),
    (
        weigh_body(axles=[{"load_kg": 1, "tyres": "triple"}] * 2),
        RefusalCode.FIELD_INVALID,
        "axles[0].tyres is 'triple'",
    ),
    (weigh_body(spacings_mm=[3300]), RefusalCode.FIELD_INVALID, "1 elements for 6 axles; send 5"),
    (weigh_body(flags=["drunk"]), RefusalCode.FIELD_INVALID, "flags[0] is 'drunk'; allowed: 'straddling'"),
    (
        weigh_body(vehicle={"air_suspension": "no"}),
        RefusalCode.FIELD_INVALID,
        "vehicle.air_suspension is 'no'",
    ),
    (weigh_body(vehicle={"drive_axles": [7]}), RefusalCode.FIELD_INVALID, "1 (front) to 6"),
    (weigh_body(vehicle={"drive_axles": [2, 2]}), RefusalCode.FIELD_INVALID, "each driven axle once"),
    (
        weigh_body(captures=[{"device": "a/b", "role": "front"}]),
        RefusalCode.FIELD_INVALID,
        "captures[0].device",
    ),
    (
        weigh_body(gross_kg=59_000),
        RefusalCode.AXLE_SUM_MISMATCH,
        "add up to 48950 kg, the gross mass is 59000 kg",
    ),
]


@pytest.mark.parametrize(("body", "code", "words"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_bad_body_is_refused_in_words(body: bytes | dict[str, Any], code: RefusalCode, words: str) -> None:
    refusal = _refused(weigh(body))
    assert refusal.code is code
    assert words in refusal.detail
    assert refusal.detail.isprintable()
    assert len(refusal.detail) < 600
    assert "pydantic" not in refusal.detail
    assert "Input should" not in refusal.detail


@pytest.mark.parametrize(
    ("gross_kg", "fits"), [(48_466, True), (48_465, False), (49_444, True), (49_445, False)]
)
def test_gross_and_axle_sum_may_differ_by_one_percent(gross_kg: int, fits: bool) -> None:
    """Axles add up to 48 950 kg; the bound is 1 % of the gross mass as sent."""
    assert (abs(gross_kg - 48_950) * 100 <= gross_kg) is fits
    message = weigh(weigh_body(gross_kg=gross_kg))
    if fits:
        assert _weigh(message).record.gross_kg == gross_kg
    else:
        assert _refused(message).code is RefusalCode.AXLE_SUM_MISMATCH


BAD_HEADERS: list[tuple[dict[str, str], RefusalCode, str]] = [
    (header(station=None), RefusalCode.HEADER_MISSING, "lacks station"),
    (header(epoch=None, seq=None), RefusalCode.HEADER_MISSING, "lacks epoch, seq"),
    (header(schema="2"), RefusalCode.UNSUPPORTED_SCHEMA, "schema is '2'; send '1'"),
    (header(station="S2"), RefusalCode.IDENTITY_MISMATCH, "the topic says S1/wim-1, the header S2/wim-1"),
    (header(device="../etc"), RefusalCode.HEADER_INVALID, "device is '../etc'"),
    (header(epoch="é"), RefusalCode.HEADER_INVALID, "epoch is 'é'"),
    (header(seq="-1"), RefusalCode.HEADER_INVALID, "seq is '-1'"),
    (header(seq="07"), RefusalCode.HEADER_INVALID, "seq is '07'"),
    (header(seq=str(2**63)), RefusalCode.HEADER_INVALID, str(2**63 - 1)),
    (
        header(captured_at="2026-11-23 08:00:00"),
        RefusalCode.HEADER_INVALID,
        "captured_at is '2026-11-23 08:00:00'",
    ),
    (header(captured_at="2026-02-30T08:00:00Z"), RefusalCode.HEADER_INVALID, "no such date"),
    (header(sent_at="2026-11-23T08:00:00+08:00"), RefusalCode.HEADER_INVALID, "sent_at"),
    (header(clock_source="sundial"), RefusalCode.HEADER_INVALID, "allowed: gnss, ptp, ntp, manual, unknown"),
    (header(clock_offset_ms="1.5"), RefusalCode.HEADER_INVALID, "whole milliseconds"),
    (header(signature="xyz"), RefusalCode.HEADER_INVALID, "Ed25519"),
    (header(clock_ofset_ms="3"), RefusalCode.HEADER_INVALID, "'clock_ofset_ms' is not a header name"),
    (header(role="front"), RefusalCode.HEADER_INVALID, "'role' is not a header name of this message"),
    (header(sent_at=at(NOW - YEAR), captured_at=at(NOW - YEAR)), RefusalCode.CLOCK_IMPLAUSIBLE, "365 days"),
    (header(sent_at=at(NOW + YEAR), captured_at=at(NOW + YEAR)), RefusalCode.CLOCK_IMPLAUSIBLE, "ahead of"),
    (header(captured_at=at(NOW + timedelta(seconds=9))), RefusalCode.CLOCK_IMPLAUSIBLE, "is after sent_at"),
    (header(captured_at=at(NOW - timedelta(days=31))), RefusalCode.CLOCK_IMPLAUSIBLE, "at most 30 days"),
]


@pytest.mark.parametrize(("head", "code", "words"), BAD_HEADERS, ids=range(len(BAD_HEADERS)))
def test_a_bad_header_is_refused_in_words(head: dict[str, str], code: RefusalCode, words: str) -> None:
    refusal = _refused(weigh(head=head))
    assert refusal.code is code
    assert words in refusal.detail


def test_names_of_the_makers_own_are_let_be() -> None:
    assert _weigh(weigh(head=header(**{"x-firmware": "3.2"}))).header.sequence == 7


def test_a_month_in_the_spool_is_not_a_wrong_clock() -> None:
    late = header(captured_at=at(NOW - timedelta(days=29)))
    assert _weigh(weigh(head=late)).header.captured_at == NOW - timedelta(days=29)


BAD_CAPTURES: list[tuple[bytes, dict[str, str | None], RefusalCode, str]] = [
    (jpeg()[:-200], {}, RefusalCode.IMAGE_TRUNCATED, "ends within its image data"),
    (b"\x89PNG\r\n", {}, RefusalCode.IMAGE_UNREADABLE, "not a JPEG"),
    (b"", {}, RefusalCode.IMAGE_UNREADABLE, "not a JPEG"),
    (jpeg(), {"sha256": "0" * 64}, RefusalCode.DIGEST_MISMATCH, "the header declares sha256 0000"),
    (jpeg(), {"sha256": "xyz"}, RefusalCode.HEADER_INVALID, "64 lower-case hexadecimal"),
    (jpeg(), {"sha256": None}, RefusalCode.HEADER_MISSING, "lacks sha256"),
    (jpeg(), {"role": "selfie"}, RefusalCode.HEADER_INVALID, "one of front, rear, side, plate, panorama"),
    (jpeg(), {"lane": "0"}, RefusalCode.HEADER_INVALID, "lane is '0'"),
    (jpeg(), {"match_key": ""}, RefusalCode.HEADER_INVALID, "1 to 64 printable"),
]


@pytest.mark.parametrize(("image", "changes", "code", "words"), BAD_CAPTURES, ids=range(len(BAD_CAPTURES)))
def test_a_bad_capture_is_refused_in_words(
    image: bytes, changes: dict[str, str | None], code: RefusalCode, words: str
) -> None:
    refusal = _refused(capture(image, capture_header(image, **changes)))
    assert refusal.code is code
    assert words in refusal.detail


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (b"", RefusalCode.HEADER_MISSING, "no user property 'schema'"),
        (b"\x00\x00\x00\x02[]", RefusalCode.HEADER_MISSING, "does not begin with"),
        (b"\x00\x00\xff\xff{}", RefusalCode.HEADER_INVALID, "length says 65535 bytes, but only 2 follow"),
        (
            b'\x00\x00\x00\x0c{"schema":1}',
            RefusalCode.HEADER_INVALID,
            "every value of the header frame is a string",
        ),
        (b'\x00\x00\x00\x09{"schema"', RefusalCode.BROKEN_JSON, "header frame is not JSON"),
        (b'\x00\x00\x00\x02{}{"lane":1}', RefusalCode.HEADER_MISSING, "lacks schema, station"),
    ],
)
def test_a_bad_frame_is_refused_in_words(payload: bytes, code: RefusalCode, words: str) -> None:
    refusal = _refused(wire("zhichao/v1/S1/wim-1/weigh", payload))
    assert refusal.code is code
    assert words in refusal.detail


@pytest.mark.parametrize(
    "topic",
    [
        "zhichao/v1/S1/wim-1/weight",
        "zhichao/v1/S1/weigh",
        "zhichao/v1/S1/wim-1/weigh/x",
        "zhichao/v1/-S1/w/weigh",
        "zhichao/v1/S 1/w/weigh",
        "zhichao/v2/S1/wim-1/weigh",
    ],
)
def test_a_topic_outside_the_contract_is_refused(topic: str) -> None:
    refusal = _refused(wire(topic, weigh_body(), header()))
    assert refusal.code is RefusalCode.UNKNOWN_TOPIC
    assert "zhichao/v1/STATION/DEVICE/weigh|waveform|capture|status" in refusal.detail


def test_a_wrong_content_type_is_refused() -> None:
    message = wire("zhichao/v1/S1/wim-1/weigh", weigh_body(), header(), "text/xml")
    assert _refused(message).code is RefusalCode.UNSUPPORTED_CONTENT_TYPE
    assert _weigh(
        wire("zhichao/v1/S1/wim-1/weigh", weigh_body(), header(), "application/json; charset=utf-8")
    )


def test_a_user_property_given_twice_is_refused() -> None:
    twice = weigh().model_copy(update={"properties": (*header().items(), ("seq", "8"))})
    refusal = _refused(twice)
    assert refusal.code is RefusalCode.HEADER_INVALID
    assert "'seq' occurs twice" in refusal.detail


def test_a_payload_over_the_limit_is_refused_before_anything_is_read() -> None:
    small = NativeDecoder(Limits(max_payload_bytes=100, max_image_bytes=100))
    with pytest.raises(InputRefused) as caught:
        small.decode(weigh(), now=NOW)
    assert caught.value.code is RefusalCode.PAYLOAD_TOO_LARGE


def test_a_refused_message_still_says_whose_it_is() -> None:
    """So that its receipt reaches the station, which else would keep it for ever."""
    assert DECODER.claims(weigh(b"not json")) == Claims("S1", "wim-1", "e0", 7)
    assert DECODER.claims(weigh(head=header(station="S2"))) == Claims("S1", "wim-1", "e0", 7)
    assert DECODER.claims(weigh(head=header(seq="x"))) == Claims("S1", "wim-1", "e0", None)
    assert DECODER.claims(wire("zhichao/v1/S1/wim-1/weigh", b"junk")) == Claims("S1", "wim-1", None, None)
    assert DECODER.claims(wire("zhichao/v1/x", b"junk")) == Claims()
