"""Whatever is thrown at a decoder, only events or an `InputRefused` come out.

Three kinds of throw: arbitrary bytes, arbitrary JSON, and valid messages with something bent, which get
furthest into the code.
"""

import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputRefused
from domain.events import Wire
from ingest.decoders import Decoder, load_decoders
from tests.counts import count
from tests.unit.ingest.samples import (
    NOW,
    capture_header,
    header,
    jpeg,
    picture_frame,
    waveform,
    waveform_body,
    waveform_description,
    weigh_body,
    weigh_frame,
    wire,
)

DECODERS = load_decoders()
THROWS = settings(max_examples=count(10_000, reduced=1_000), deadline=None, derandomize=True)

TOPICS = {
    "native": [
        f"zhichao/v1/S1/{device_kind}"
        for device_kind in ("wim-1/weigh", "cam-front/capture", "wim-1/status", "wim-1/waveform")
    ],
    "gateway-json": ["gateway/v1/G1/gw-1/frame"],
}
BODIES: dict[str, list[dict[str, Any]]] = {
    "native": [weigh_body(), {"state": "online", "spool_messages": 1}],
    "gateway-json": [weigh_frame(), picture_frame()],
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([-1, 0, 10**30, 1e308, 5e-324, "\x00", "NaN", "\ud800", 63.4567, 2**63])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in children for place in _places(child, (*path, key)))]


@st.composite
def bent(draw: st.DrawFn, name: str) -> bytes:
    """A valid body with one to three places replaced, removed or added to."""
    document = json.loads(json.dumps(draw(st.sampled_from(BODIES[name]))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_places(document)))
        if not path:
            document[draw(st.text(max_size=8))] = draw(values)
            continue
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.booleans()):
            parent[path[-1]] = draw(values)
        else:
            del parent[path[-1]]
    return json.dumps(document).encode()


@st.composite
def heads(draw: st.DrawFn) -> dict[str, str]:
    """A valid header, of which a few names may be missing, added or changed."""
    head = draw(st.sampled_from([header(), capture_header(jpeg())]))
    changes = draw(
        st.dictionaries(
            st.sampled_from([*head, "lane", "signature", "x-own"]), st.text(max_size=12), max_size=2
        )
    )
    gone = draw(st.sets(st.sampled_from(list(head)), max_size=1))
    return {name: value for name, value in (head | changes).items() if name not in gone}


@st.composite
def messages(draw: st.DrawFn, name: str) -> Wire:
    topic = draw(st.sampled_from(TOPICS[name]) | st.text(max_size=30))
    image = st.builds(lambda cut: jpeg()[:cut], st.integers(0, len(jpeg())))
    json_text = st.builds(lambda value: json.dumps(value).encode(), values)
    payload = draw(bent(name) | json_text | image | st.binary(max_size=200))
    head = draw(heads())
    if draw(st.booleans()):
        frame = json.dumps(head).encode()
        length = draw(st.just(len(frame)) | st.integers(0, 2**32 - 1))
        return wire(topic, struct.pack(">I", length) + frame + payload)
    return wire(topic, payload, draw(st.just(head) | st.just({})), draw(st.none() | st.text(max_size=20)))


def _throw(decoder: Decoder, message: Wire) -> None:
    decoder.claims(message)
    assert 0 <= decoder.body_offset(message) <= len(message.payload)
    try:
        decoded = decoder.decode(message, now=NOW)
    except InputRefused as refusal:
        detail = refusal.detail
    else:
        assert decoded
        for event in decoded:
            event.model_dump_json(exclude={"wire", "image"})
        return
    assert detail
    detail.encode()  # no half surrogate, which PostgreSQL and the receipt could not carry
    assert "\0" not in detail


def test_every_decoder_is_thrown_at() -> None:
    assert set(DECODERS) == set(TOPICS) == set(BODIES)


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_unbent_messages_are_accepted(name: str) -> None:
    """Else the bent ones would all be refused for one and the same reason."""
    for topic, body in zip(TOPICS[name][:3:2] * 2, BODIES[name], strict=False):
        assert DECODERS[name].decode(wire(topic, body, header() if name == "native" else {}), now=NOW)


@THROWS
@given(messages("native"))
def test_native(message: Wire) -> None:
    _throw(DECODERS["native"], message)


_WHOLE = waveform_body()


@st.composite
def waveforms(draw: st.DrawFn) -> bytes:
    """A waveform's body with its description bent, its lengths wrong, cut short, or any bytes changed."""
    how = draw(st.integers(0, 3))
    if how == 0:
        bits = bytearray(_WHOLE)
        for _ in range(draw(st.integers(1, 4))):
            bits[draw(st.integers(0, len(bits) - 1) | st.integers(0, 40))] = draw(st.integers(0, 255))
        return bytes(bits)
    if how == 1:
        return _WHOLE[: draw(st.integers(0, len(_WHOLE)))] + draw(st.binary(max_size=8))
    document = waveform_description()
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from([place for place in _places(document) if place]))
        parent: Any = document
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.booleans()):
            parent[path[-1]] = draw(values)
        else:
            del parent[path[-1]]
    text = json.dumps(document).encode()
    version, length = (
        draw(st.just(1) | st.integers(0, 2**32 - 1)),
        draw(st.just(len(text)) | st.integers(0, 9)),
    )
    return b"ZCWF" + struct.pack(">II", version, length) + text + draw(st.binary(max_size=300))


def test_the_unbent_waveform_is_accepted() -> None:
    assert DECODERS["native"].decode(waveform(), now=NOW)


@THROWS
@given(waveforms())
def test_waveforms(body: bytes) -> None:
    _throw(DECODERS["native"], waveform(body))


@THROWS
@given(messages("gateway-json"))
def test_gateway_json(message: Wire) -> None:
    _throw(DECODERS["gateway-json"], message)
