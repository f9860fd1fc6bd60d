"""The published contract says what the code does: asyncapi.yaml and mqtt.md against the decoders.

What a published schema refuses, the decoder refuses; what the decoder accepts, the schema accepts; and
what the schema accepts the decoder refuses only for the rules no schema can say, which are listed here.
"""

import copy
import json
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputRefused
from domain.events import Tyres, WeighMessage
from domain.refusals import ADVICE, RefusalCode
from ingest import header as header_rules
from ingest.arrivals import Refusal, Settled
from ingest.bodies import SUM_TOLERANCE_KG, SUM_TOLERANCE_PERCENT, AxleBody, VehicleBody, WeighBody
from ingest.decoders import load_decoders
from ingest.decoders.gateway_json import WeighFrame
from ingest.limits import Limits
from ingest.receipts import receipts
from ingest.waveforms import LoopBody, LoopsBody, StripBody, WaveformBody
from tests.components import ROOT, asyncapi_schema
from tests.counts import count
from tests.fixtures.brokers import STATION_ACL
from tests.unit.ingest.samples import (
    NOW,
    capture_header,
    header,
    jpeg,
    picture_frame,
    waveform,
    waveform_body,
    waveform_description,
    weigh,
    weigh_body,
    weigh_frame,
    wire,
)

REFERENCE = ROOT / "docs" / "reference"
PROSE = (REFERENCE / "mqtt.md").read_text(encoding="utf-8")
DECODERS = load_decoders()
NATIVE, GATEWAY = DECODERS["native"], DECODERS["gateway-json"]

BEYOND_SCHEMAS = (
    "elements for",  # as many spacings as axles less one
    "elements; axle",  # lists as long as axleCnt says
    "add up to",  # axle sum
    "drive_axles is",  # no axle beyond the last, none twice
    "printable",
    "there is no such date",
    "plausible",
    "the topic says",
    "the header declares",
    "platform's clock",
    "captured_at",
    "let each be greater",  # a waveform's strips lie behind one another
    "scale_un is",  # with dtype i2, and only with it
    "full_scale_n is given",  # with dtype f4 only
    "goes off at",  # a loop is not free before it is occupied
    "meets the lead loop first",  # nor before the lead loop
    "they would overlap",  # nor do strips lie upon one another
    "follow the description",  # as many samples as described
    "send a decimal number",  # seq beyond 2**63 - 1
)
"""Words of refusals for rules that relate fields to each other or to the world."""


def _document(path: Path) -> dict[str, Any]:
    """Return a YAML document with exact decimals, as the decoder reads numbers."""
    loaded: dict[str, Any] = json.loads(
        json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))), parse_float=Decimal
    )
    return loaded


DOCUMENT = _document(REFERENCE / "asyncapi.yaml")


def _number(text: str) -> int | Decimal:
    """Return a number with a point as JSON Schema counts it: 48950.0 is an integer."""
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**DOCUMENT, "$ref": f"#/components/schemas/{schema}"})


def _accepts(schema: str, instance: Any) -> bool:
    return bool(_validator(schema).is_valid(json.loads(json.dumps(instance), parse_float=_number)))


def _agree(schema: str, instance: Any, refusal: InputRefused | None) -> None:
    accepted = _accepts(schema, instance)
    if refusal is None:
        assert accepted, f"the decoder accepts what the schema {schema} refuses: {instance}"
    elif accepted:
        assert any(words in refusal.detail for words in BEYOND_SCHEMAS), (
            f"the schema {schema} accepts what the decoder refuses: {refusal.detail}"
        )


def _refusal(topic: str, payload: bytes | dict[str, Any], head: dict[str, str]) -> InputRefused | None:
    decoder = NATIVE if topic.startswith("zhichao") else GATEWAY
    try:
        decoder.decode(wire(topic, payload, head), now=NOW)
    except InputRefused as refusal:
        return refusal
    return None


def test_the_document_is_asyncapi_3() -> None:
    """Against the official schema of the AsyncAPI initiative."""
    schema = json.loads(asyncapi_schema("3.0.0").read_text(encoding="utf-8"))
    plain = yaml.safe_load((REFERENCE / "asyncapi.yaml").read_text(encoding="utf-8"))
    faults = [f"{e.json_path}: {e.message}" for e in jsonschema.Draft7Validator(schema).iter_errors(plain)]
    assert faults == []


def test_every_reference_leads_somewhere() -> None:
    for reference in re.findall(
        r"\$ref: '#/([^']+)'", (REFERENCE / "asyncapi.yaml").read_text(encoding="utf-8")
    ):
        node: Any = DOCUMENT
        for part in reference.split("/"):
            node = node[part]


def test_topics_are_the_ones_subscribed_to() -> None:
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    subscribed = {re.sub(r"\{\w+\}", "+", address) for address in addresses}
    assert subscribed - {"zhichao/v1/+/+/receipt"} == {*NATIVE.topic_filters, *GATEWAY.topic_filters}
    for address in addresses:
        assert f"`{address}`" in PROSE


ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2,
    7,
    16,
    17,
    0.05,
    63.4,
    63.4567,
    48950.0,
    10**7,
    "",
    "1",
    "front",
    "x" * 65,
    [],
    {},
    [1],
    [0.1],
]
odd = st.sampled_from(ODD).map(copy.deepcopy)


@st.composite
def varied(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with one or two fields, at any depth, changed, taken away or added."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 2))):
        node: Any = changed
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = draw(st.sampled_from(keys)) if keys else "new"
            inner = node[key] if keys else None
            if isinstance(inner, dict | list) and inner and draw(st.booleans()):
                node = inner
                continue
            break
        if isinstance(node, dict) and draw(st.integers(0, 9)) == 0:
            node["unheard_of"] = draw(odd)
        elif draw(st.integers(0, 3)) == 0 and keys:
            del node[key]
        elif keys:
            node[key] = draw(odd)
    return changed


THROWS = settings(max_examples=count(10_000, reduced=1_000), deadline=None, derandomize=True)


@THROWS
@given(varied(weigh_body()))
def test_weigh_records_agree_with_their_schema(body: dict[str, Any]) -> None:
    _agree("weighRecord", body, _refusal("zhichao/v1/S1/wim-1/weigh", body, header()))


@THROWS
@given(varied(waveform_description()))
def test_waveforms_agree_with_their_schema(description: dict[str, Any]) -> None:
    refusal = _refusal("zhichao/v1/S1/wim-1/waveform", waveform_body(description), header())
    _agree("waveformDescription", description, refusal)


@THROWS
@given(varied({"state": "online", "sent_at": "2026-11-23T08:00:00Z", "spool_messages": 1, "software": "a"}))
def test_statuses_agree_with_their_schema(body: dict[str, Any]) -> None:
    _agree("status", body, _refusal("zhichao/v1/S1/wim-1/status", body, {}))


@THROWS
@given(varied(weigh_frame()))
def test_weigh_frames_agree_with_their_schema(frame: dict[str, Any]) -> None:
    _agree("weighFrame", frame, _refusal("gateway/v1/G1/gw-1/frame", frame, {}))


@THROWS
@given(varied(picture_frame()))
def test_picture_frames_agree_with_their_schema(frame: dict[str, Any]) -> None:
    refusal = _refusal("gateway/v1/G1/gw-1/frame", frame, {})
    if refusal is not None and (".data" in refusal.detail or "the image" in refusal.detail):
        return  # what is inside the base64 is no schema's business
    _agree("pictureFrame", frame, refusal)


text_values = st.sampled_from(
    ["", "0", "1", "-1", "17", "front", "gnss", "x" * 65, "2026-11-23T08:00:00Z", "a/b", "0" * 64]
)


@st.composite
def varied_header(draw: st.DrawFn, head: dict[str, str]) -> dict[str, str]:
    names = [
        *head,
        "clock_offset_ms",
        "clock_synced_at",
        "key_id",
        "signature",
        "lane",
        "role",
        "x-own",
        "other",
    ]
    changes = draw(st.dictionaries(st.sampled_from(names), text_values, max_size=2))
    gone = draw(st.sets(st.sampled_from([name for name in head if name != "schema"]), max_size=1))
    return {name: value for name, value in (head | changes).items() if name not in gone}


@THROWS
@given(varied_header(header()))
def test_headers_agree_with_their_schema(head: dict[str, str]) -> None:
    _agree("header", head, _refusal("zhichao/v1/S1/wim-1/weigh", weigh_body(), head))


@THROWS
@given(varied_header(capture_header(jpeg())))
def test_capture_headers_agree_with_their_schema(head: dict[str, str]) -> None:
    _agree("captureHeader", head, _refusal("zhichao/v1/S1/cam-front/capture", jpeg(), head))


SIGNED_STATUS = {
    "schema": "1",
    "station": "S1",
    "device": "wim-1",
    "key_id": "k1",
    "signature": "A" * 86 + "==",
}


@THROWS
@given(varied_header(SIGNED_STATUS))
def test_headers_of_statuses_agree_with_their_schema(head: dict[str, str]) -> None:
    if "signature" in head:  # without it, a status needs no header, and what is there is not read
        refusal = _refusal("zhichao/v1/S1/wim-1/status", {"state": "online"}, head)
        _agree("statusHeader", head, refusal)


def test_receipts_agree_with_their_schema() -> None:
    settled = [Settled("S1", "w", "e", 3), Settled("S1", "w", "e", 4, Refusal(RefusalCode.OUT_OF_RANGE, "x"))]
    (receipt,) = receipts(settled, at=NOW)
    assert _accepts("receipt", json.loads(receipt.payload))


def _section(title: str) -> str:
    return PROSE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PROSE, re.DOTALL | re.MULTILINE)


def test_every_refusal_is_in_the_prose_with_its_advice() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", _section("Refusals"), re.MULTILINE))
    assert rows == {code.value: advice.en for code, advice in ADVICE.items()}


def test_the_framed_example_is_a_message() -> None:
    (text,) = _blocks("hex")
    (decoded,) = NATIVE.decode(wire("zhichao/v1/S1/wim-1/weigh", bytes.fromhex(text)), now=NOW)
    assert isinstance(decoded, WeighMessage)
    assert (decoded.header.sequence, decoded.record.gross_kg) == (7, 17_900)


def test_the_examples_in_the_prose_are_accepted() -> None:
    record, description, status, receipt = (json.loads(block) for block in _blocks("json"))
    assert NATIVE.decode(weigh(record), now=NOW)
    samples = bytes(2 * 2 * description["samples"])
    assert NATIVE.decode(waveform(waveform_body(description, samples)), now=NOW)
    assert NATIVE.decode(wire("zhichao/v1/S1/wim-1/status", status), now=NOW)
    assert _accepts("receipt", receipt)


def test_every_field_and_header_name_is_in_the_prose() -> None:
    names = {*header_rules.REQUIRED, *header_rules.OPTIONAL}
    names |= {*header_rules.CAPTURE_REQUIRED, *header_rules.CAPTURE_OPTIONAL}
    names |= {*WeighBody.model_fields} - {"vehicle"}
    names |= {f"vehicle.{name}" for name in VehicleBody.model_fields}
    names |= {f"axles[].{name}" for name in AxleBody.model_fields}
    names |= {*WaveformBody.model_fields} - {"vehicle"}
    names |= {f"strips[].{name}" for name in StripBody.model_fields}
    names |= {f"loops.{name}" for name in LoopsBody.model_fields}
    names |= {f"loops.*.{name}" for name in LoopBody.model_fields}
    names |= {field.alias or name for name, field in WeighFrame.model_fields.items()}
    assert {name for name in names if f"`{name}`" not in PROSE} == set()


def test_every_kind_of_tyres_is_in_both_documents() -> None:
    values = [tyres.value for tyres in Tyres]
    axle = DOCUMENT["components"]["schemas"]["weighRecord"]["properties"]["axles"]["items"]
    assert axle["properties"]["tyres"]["enum"] == values
    table = PROSE.split("\nTyres:\n", 1)[1].split("\n\nA sensor", 1)[0]
    assert re.findall(r"^\| `([a-z0-9-]+)` \| .+ \| .+ \|$", table, re.MULTILINE)[1:] == values
    for value in values:
        body = weigh_body(axles=[{"load_kg": 6500, "tyres": value}, *weigh_body()["axles"][1:]])
        _agree("weighRecord", body, refusal := _refusal("zhichao/v1/S1/wim-1/weigh", body, header()))
        assert refusal is None


def test_the_limits_in_the_prose_are_the_limits() -> None:
    limits = Limits()
    sizes = _section("Size limits")
    figures = (limits.max_payload_bytes, limits.max_image_bytes, limits.max_waveform_bytes)
    for figure in (*figures, limits.max_json_bytes):
        assert f"{figure} bytes" in sizes
    assert f"{limits.max_image_pixels} pixels" in sizes
    assert f"{limits.max_json_values} values, {limits.max_json_depth} levels" in sizes
    clocks = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", _section("Header"), re.MULTILINE))
    assert clocks["`captured_at` after `sent_at`"] == f"{limits.capture_ahead.seconds} second"
    assert clocks["age of `captured_at` on arrival"] == f"{limits.spool_horizon.days} days"
    hours = limits.clock_tolerance.total_seconds() / 3600
    assert clocks["`sent_at` against the platform's clock on arrival, either way"] == f"{hours:.0f} hours"
    assert f"{SUM_TOLERANCE_KG} kg or {SUM_TOLERANCE_PERCENT} % of `gross_kg`" in PROSE


def test_the_access_list_is_the_one_the_broker_tests_run_under() -> None:
    (access,) = _blocks("acl")
    assert access == STATION_ACL


@pytest.mark.parametrize(
    "schema", ["weighRecord", "waveformDescription", "weighFrame", "pictureFrame", "header", "captureHeader"]
)
def test_the_samples_are_accepted_by_their_schemas(schema: str) -> None:
    samples = {
        "weighRecord": weigh_body(),
        "waveformDescription": waveform_description(),
        "weighFrame": weigh_frame(),
        "pictureFrame": picture_frame(),
        "header": header(),
        "captureHeader": capture_header(jpeg()),
    }
    assert _accepts(schema, samples[schema])
