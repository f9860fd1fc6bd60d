"""Vendors' JSON gateway frames: a second, different wire format behind the same door."""

import base64
import hashlib
import json
from typing import Any

import pytest

from domain.errors import InputRefused
from domain.events import CaptureMessage, CaptureRole, DrivingFlag, Tyres, WeighMessage, Wire
from domain.refusals import RefusalCode
from ingest.arrivals import Claims
from ingest.decoders.gateway_json import GatewayJsonDecoder
from ingest.limits import Limits
from tests.unit.ingest.samples import NOW, jpeg, picture_frame, weigh_frame, wire

DECODER = GatewayJsonDecoder(Limits())
TOPIC = "gateway/v1/G1/gw-1/frame"


def _weigh(**changes: Any) -> WeighMessage:
    (decoded,) = DECODER.decode(wire(TOPIC, weigh_frame(**changes)), now=NOW)
    assert isinstance(decoded, WeighMessage)
    return decoded


def _file(**changes: Any) -> dict[str, Any]:
    return {"fileType": 12, "transType": 2, "data": base64.b64encode(jpeg()).decode(), **changes}


def test_a_weigh_frame_becomes_a_weigh_record() -> None:
    record = _weigh().record
    assert (record.match_key, record.lane, record.direction) == ("000123", 2, "up")
    assert (record.gross_kg, record.speed_m_h, record.length_mm) == (17900, 41_250, 9000)
    assert [(axle.load_kg, axle.tyres) for axle in record.axles] == [
        (6400, Tyres.SINGLE),
        (11500, Tyres.DUAL),
    ]
    assert record.spacings_mm == (4500,)
    assert record.flags == ()


def test_a_frame_is_identified_by_its_own_digest() -> None:
    payload = json.dumps(weigh_frame()).encode()
    expected = int(hashlib.sha256(payload).hexdigest()[:16], 16) >> 1
    assert (_weigh().header.epoch, _weigh().header.sequence) == ("gw", expected)
    assert DECODER.claims(wire(TOPIC, payload)) == Claims("G1", "gw-1", "gw", expected)
    assert _weigh(lane=3).header.sequence != expected


def test_a_picture_frame_becomes_one_capture_an_image() -> None:
    front, plate = DECODER.decode(wire(TOPIC, picture_frame()), now=NOW)
    assert isinstance(front, CaptureMessage)
    assert isinstance(plate, CaptureMessage)
    assert (front.meta.role, plate.meta.role) == (CaptureRole.FRONT, CaptureRole.PLATE)
    assert front.image == plate.image == jpeg()
    assert front.meta.match_key == _weigh().record.match_key
    assert front.header.event_id != plate.header.event_id


@pytest.mark.parametrize(
    ("file_type", "role"),
    [(11, "plate"), (12, "front"), (13, "rear"), (14, "side"), (15, "side")],
)
def test_file_types_are_roles(file_type: int, role: str) -> None:
    (decoded,) = DECODER.decode(wire(TOPIC, picture_frame(files=[_file(fileType=file_type)])), now=NOW)
    assert isinstance(decoded, CaptureMessage)
    assert decoded.meta.role == role


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"reverse": 1}, (DrivingFlag.WRONG_WAY,)),
        ({"reverse": 16}, (DrivingFlag.REVERSING,)),
        ({"reverse": 17}, (DrivingFlag.STRADDLING,)),
        ({"reverse": 99}, (DrivingFlag.WEIGHING_FAILED,)),
        ({"runState": 3}, (DrivingFlag.SPEED_CHANGE,)),
        ({"runState": -1}, (DrivingFlag.WEIGHING_FAILED,)),
    ],
)
def test_abnormal_running_is_flagged_and_unknown_codes_count_against_use(
    changes: dict[str, int], flags: tuple[DrivingFlag, ...]
) -> None:
    assert _weigh(**changes).record.flags == flags


BAD_FRAMES: list[tuple[bytes | dict[str, Any], RefusalCode, str]] = [
    (b"null", RefusalCode.FIELD_INVALID, "the gateway frame is null"),
    (weigh_frame(frameType=...), RefusalCode.FIELD_MISSING, "frameType is missing"),
    (weigh_frame(frameType=3), RefusalCode.FIELD_INVALID, "allowed: 1 (weigh frame), 2 (picture frame)"),
    (weigh_frame(frameType=True), RefusalCode.FIELD_INVALID, "frameType is true"),
    (weigh_frame(sumWeight=...), RefusalCode.FIELD_MISSING, "sumWeight is missing"),
    (weigh_frame(sumWeight=-1), RefusalCode.OUT_OF_RANGE, "sumWeight is -1; allowed: 0 to 1000000 kg"),
    (
        weigh_frame(sumweight=1),
        RefusalCode.FIELD_INVALID,
        "sumweight is not a field of the contract; known fields: st",
    ),
    (weigh_frame(sumWeight=27_900), RefusalCode.AXLE_SUM_MISMATCH, "add up to 17900 kg"),
    (weigh_frame(leftWheelWeight=[3200, 9700]), RefusalCode.AXLE_SUM_MISMATCH, "add up to 21900 kg"),
    (weigh_frame(axleCnt=3), RefusalCode.FIELD_INVALID, "axleWeight has 2 elements; axleCnt asks for 3"),
    (
        weigh_frame(axleDis=[1, 2]),
        RefusalCode.FIELD_INVALID,
        "axleDis has 2 elements; axleCnt - 1 asks for 1",
    ),
    (
        weigh_frame(axleGrpType=[1]),
        RefusalCode.FIELD_INVALID,
        "axleGrpType has 1 elements; axleGrpCnt asks for 2",
    ),
    (weigh_frame(axleType=[1, 3]), RefusalCode.OUT_OF_RANGE, "axleType[1] is 3; allowed: 1 to 2"),
    (weigh_frame(stationId="G2"), RefusalCode.IDENTITY_MISMATCH, "the topic says G1/gw-1, the frame G2/gw-1"),
    (weigh_frame(dateTime=1763884800250), RefusalCode.CLOCK_IMPLAUSIBLE, "at most 30 days"),
    (weigh_frame(dateTime=1826956800250), RefusalCode.CLOCK_IMPLAUSIBLE, "after sent_at"),
    (picture_frame(files=[]), RefusalCode.FIELD_INVALID, "files has 0 elements; at least 1"),
    (
        picture_frame(files=[_file(fileType=21)]),
        RefusalCode.UNSUPPORTED_CONTENT_TYPE,
        "clips are not supported yet",
    ),
    (
        picture_frame(files=[_file(), _file(fileType=16)]),
        RefusalCode.FIELD_INVALID,
        "files[1].fileType is 16; allowed",
    ),
    (picture_frame(files=[_file(transType=3)]), RefusalCode.FIELD_INVALID, "a URL, which is not fetched"),
    (picture_frame(files=[_file(data="é")]), RefusalCode.FIELD_INVALID, "files[0].data is not base64"),
    (picture_frame(files=[_file(data="/9j/")]), RefusalCode.IMAGE_TRUNCATED, "ends"),
    (picture_frame(files=[_file(data="aGVsbG8=")]), RefusalCode.IMAGE_UNREADABLE, "not a JPEG"),
]


@pytest.mark.parametrize(("frame", "code", "words"), BAD_FRAMES, ids=range(len(BAD_FRAMES)))
def test_a_bad_frame_is_refused_in_words(
    frame: bytes | dict[str, Any], code: RefusalCode, words: str
) -> None:
    message: Wire = wire(TOPIC, frame)
    with pytest.raises(InputRefused) as caught:
        DECODER.decode(message, now=NOW)
    assert caught.value.code is code
    assert words in caught.value.detail
