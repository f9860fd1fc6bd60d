"""What the stations write, held against a parser written by hand from the contract, and the real decoder."""

import hashlib
import json
import re
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import InputRefused
from domain.events import CaptureMessage, WeighMessage, Wire
from ingest.decoders.native import make_decoder
from ingest.limits import Limits
from simulators import wire
from simulators.faults import RawMessage, fault_for
from simulators.passages import Road
from simulators.scenario import load_scenario
from simulators.wire import Message, number

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
SCENARIOS = ["three-stations", "doubts", "ten-percent"]


def messages(scenario: str, passages: int = 3) -> list[Message]:
    """Return the first passages' messages of every station of a scenario."""
    loaded = load_scenario(scenario)
    return [
        number(draft, station=entry.station, epoch="0123456789abcdef", sequence=passage + 1)
        for entry in loaded.stations
        for passage in range(passages)
        for draft in Road(loaded, entry, 5).passage(passage, START, "e").drafts
    ]


def check_header(header: dict[str, str], kind: str) -> None:
    """Check a header field by field, as docs/reference/mqtt.md describes it."""
    assert header["schema"] == "1"
    assert NAME.fullmatch(header["station"])
    assert NAME.fullmatch(header["device"])
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", header["epoch"])
    assert 0 <= int(header["seq"]) < 2**63
    assert TIME.fullmatch(header["captured_at"])
    assert TIME.fullmatch(header["sent_at"])
    assert header["clock_source"] in {"gnss", "ptp", "ntp", "manual", "unknown"}
    known = {"schema", "station", "device", "epoch", "seq", "captured_at", "sent_at", "clock_source"}
    known |= {"clock_offset_ms"}
    if kind == "capture":
        known |= {"match_key", "role", "lane", "sha256"}
        assert header["role"] in {"front", "rear", "side", "plate", "panorama"}
    assert header.keys() == known


def check_record(body: dict[str, Any]) -> None:
    """Check a weigh record against the contract's rules."""
    required = {"match_key", "lane", "direction", "speed_kmh", "gross_kg", "axles", "spacings_mm"}
    optional = {"length_mm", "acceleration_mm_s2", "temperature_c", "u_gross_percent", "u_axle_percent"}
    assert required <= body.keys() <= required | optional | {"vehicle", "flags", "captures"}
    assert len(body["spacings_mm"]) == len(body["axles"]) - 1
    assert all(isinstance(axle["load_kg"], int) for axle in body["axles"])
    assert body["gross_kg"] == sum(axle["load_kg"] for axle in body["axles"])
    assert len(f"{body['speed_kmh']:.9f}".rstrip("0").split(".")[1]) <= 3
    assert {axle["tyres"] for axle in body["axles"]} <= {"single", "dual", "unknown"}
    assert [each["role"] for each in body["captures"]] == ["front", "rear", "side"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_message_keeps_the_contract(scenario: str) -> None:
    for message in messages(scenario):
        header = wire.with_sent_at(message, START + timedelta(seconds=3))
        check_header(header, message.kind)
        assert message.topic == f"zhichao/v1/{message.station}/{message.device}/{message.kind}"
        if message.kind == "weigh":
            assert message.content_type == "application/json"
            check_record(json.loads(message.body))
        else:
            assert message.content_type == "image/jpeg"
            assert header["sha256"] == hashlib.sha256(message.body).hexdigest()
            assert message.body[:2] + message.body[-2:] == b"\xff\xd8\xff\xd9"


def test_a_frame_is_length_json_body() -> None:
    payload = wire.framed({"schema": "1", "role": "front"}, "image/jpeg", b"body")
    (length,) = struct.unpack(">I", payload[:4])
    assert json.loads(payload[4 : 4 + length]) == {
        "schema": "1",
        "role": "front",
        "content_type": "image/jpeg",
    }
    assert payload[4 + length :] == b"body"


def as_received(message: RawMessage, *, framed: bool) -> Wire:
    """Return a message as the platform receives it."""
    payload = wire.framed(message.header, message.content_type, message.body) if framed else message.body
    return Wire(
        topic=message.topic,
        payload=payload,
        content_type=None if framed else message.content_type,
        properties=() if framed else tuple(message.header.items()),
        received_at=START + timedelta(seconds=4),
    )


@pytest.mark.parametrize("framed", [False, True], ids=["mqtt5", "mqtt311"])
def test_the_real_decoder_reads_back_what_was_meant(*, framed: bool) -> None:
    decoder = make_decoder(Limits())
    for message in messages("three-stations", passages=1):
        header = wire.with_sent_at(message, START + timedelta(seconds=3))
        raw = RawMessage(message.topic, message.body, header, message.content_type)
        (decoded,) = decoder.decode(as_received(raw, framed=framed), now=START + timedelta(seconds=4))
        assert isinstance(decoded, WeighMessage | CaptureMessage)
        assert (decoded.header.epoch, decoded.header.sequence) == (message.epoch, message.sequence)
        if isinstance(decoded, WeighMessage):
            body = json.loads(message.body)
            assert decoded.record.gross_kg == body["gross_kg"]
            assert decoded.record.speed_m_h == round(body["speed_kmh"] * 1000)
            assert decoded.record.u_gross_ppm == 15_000
        else:
            assert (decoded.meta.width_px, decoded.meta.height_px) == (1920, 1080)
            assert decoded.image == message.body


DECIDED_BY_REGISTRY_OR_LEDGER = {"unknown-station", "unknown-device", "duplicate", "sequence-conflict"}


@pytest.mark.parametrize("turn", range(19))
def test_every_fault_is_refused_for_the_reason_it_was_made_for(turn: int) -> None:
    fault = fault_for(turn, "SIM-FAULTS", "wim-1", "0123456789abcdef", START)
    decoder = make_decoder(Limits())
    sent_at = {"sent_at": wire.time_text(START + timedelta(seconds=2))}
    for message in fault.messages:
        raw = RawMessage(message.topic, message.body, sent_at | message.header, message.content_type)
        received = as_received(raw, framed=False)
        if fault.name in DECIDED_BY_REGISTRY_OR_LEDGER:
            assert len(decoder.decode(received, now=received.received_at)) == 1
            continue
        with pytest.raises(InputRefused) as refusal:
            decoder.decode(received, now=received.received_at)
        assert refusal.value.code == fault.expects


def test_faults_come_round_again_with_new_sequence_numbers() -> None:
    first = fault_for(0, "S", "wim-1", "e", START)
    again = fault_for(19, "S", "wim-1", "e", START)
    assert first.name == again.name
    assert first.messages[0].header["seq"] != again.messages[0].header["seq"]
