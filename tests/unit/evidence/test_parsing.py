"""The strict readers: one spelling for everything, and never an error of another kind."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import EvidenceBroken
from evidence.bag import BagInfo, manifest_text, parse_manifest
from evidence.dsse import Envelope, sign_envelope
from evidence.parsing import base64_of, base64_text, canonical_json, document_of, lines_of, moment_of
from tests.counts import count
from tests.unit.evidence.test_note import SIGNER

MANIFEST = manifest_text({"data/a.json": "a" * 64, "data/b.json": "b" * 64})
INFO = b"""Bag-Software-Agent: zhichao evidence/1
External-Identifier: 0123456789abcdef0123456789abcdef
Internal-Sender-Identifier: EV-0123456789abcdef0123456789abcdef.s2
Payload-Oxum: 1234.5
"""
ENVELOPE = sign_envelope({"n": 1}, SIGNER)

FUZZ = settings(max_examples=count(20_000, reduced=500), deadline=None, derandomize=True)


def spliced(original: bytes) -> st.SearchStrategy[bytes]:
    """Return any bytes, or the original with a few bytes overwritten at any place."""
    overwritten = st.tuples(st.integers(0, len(original)), st.binary(max_size=4)).map(
        lambda made: original[: made[0]] + made[1] + original[made[0] + len(made[1]) :]
    )
    return st.binary(max_size=150) | overwritten


@FUZZ
@given(spliced(MANIFEST))
def test_manifest_parser_reads_or_refuses_any_bytes(data: bytes) -> None:
    try:
        digests = parse_manifest(data, "manifest")
    except EvidenceBroken:
        return
    assert manifest_text(digests) == data


@FUZZ
@given(spliced(INFO))
def test_bag_info_parser_reads_or_refuses_any_bytes(data: bytes) -> None:
    try:
        info = BagInfo.parse(data)
    except EvidenceBroken:
        return
    assert bytes(info) == data


@FUZZ
@given(spliced(ENVELOPE))
def test_envelope_parser_reads_or_refuses_any_bytes(data: bytes) -> None:
    try:
        envelope = Envelope.parse(data)
    except EvidenceBroken:
        return
    assert base64_text(envelope.payload).encode() in data
    assert base64_text(envelope.signature).encode() in data


@FUZZ
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8)
)
def test_any_json_is_written_canonically_or_refused(value: Any) -> None:
    try:
        data = canonical_json({"value": value})
    except EvidenceBroken:
        return
    assert document_of(data, "it") == {"value": value}


def test_a_good_bag_info_reads_back() -> None:
    info = BagInfo.parse(INFO)
    assert (info.supplement, info.payload_bytes, info.payload_files) == (2, 1234, 5)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b".s2", b".s02"),
        (b".s2", b".s0"),
        (b".s2", b".s-1"),
        (b"1234.5", b"01234.5"),
        (b"1234.5", b"1234"),
        (b"Payload-Oxum: 1234.5\n", b""),
        (b"Payload-Oxum: 1234.5\n", b"Payload-Oxum: 1234.5\nNote: x\n"),
        (b"0123456789abcdef0", b"0123456789ABCDEF0"),
    ],
)
def test_another_spelling_of_bag_info_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(EvidenceBroken):
        BagInfo.parse(INFO.replace(old, new, 1))


@pytest.mark.parametrize(
    "line",
    [
        b"a" * 64 + b" data/x\n",
        b"A" * 64 + b"  data/x\n",
        b"a" * 64 + b" *data/x\n",
        b"a" * 64 + b"  /etc/passwd\n",
        b"a" * 64 + b"  data/\x0bx\n",
        b"a" * 63 + b"  data/x\n",
        b"# comment\n",
        b"\n",
    ],
)
def test_another_spelling_of_a_manifest_line_is_refused(line: bytes) -> None:
    with pytest.raises(EvidenceBroken):
        parse_manifest(MANIFEST + line, "manifest")


def test_a_manifest_out_of_order_or_with_a_path_twice_is_refused() -> None:
    first, second = MANIFEST.splitlines(keepends=True)
    for wrong in (second + first, first + first, MANIFEST[:-1]):
        with pytest.raises(EvidenceBroken):
            parse_manifest(wrong, "manifest")


def test_lines_are_split_on_newlines_only() -> None:
    text = "a\u2028b\x85c\n"
    assert lines_of(text.encode(), "it") == ["a\u2028b\x85c"]
    for control in "\x00\x0b\x0c\r\x1c\x7f":
        with pytest.raises(EvidenceBroken, match="control character"):
            lines_of(f"a{control}b\n".encode(), "it")


@pytest.mark.parametrize("text", ["QQ", "QR==", "QQ==\n", "QQ= =", "Q-==", "QQ==QQ==", "ＱＱ=="])
def test_base64_that_is_not_canonical_is_refused(text: str) -> None:
    assert base64_of("QQ==", "it") == b"A"
    with pytest.raises(EvidenceBroken):
        base64_of(text, "it")


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":"\\u0041"}',
        b"[1]",
        b"\xef\xbb\xbf{}",
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":9007199254740993}',
    ],
)
def test_json_in_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceBroken):
        document_of(data, "it")


@pytest.mark.parametrize(
    "text", ["2026-02-30T00:00:00.000000Z", "2026-02-03T00:00:00Z", "2026-02-03", None, 5]
)
def test_times_in_another_form_are_refused(text: object) -> None:
    with pytest.raises(EvidenceBroken):
        moment_of(text, "it")


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "text/plain"},
        {"signatures": []},
        {"signatures": [{"keyid": "a", "sig": "AA=="}] * 2},
        {"signatures": [{"sig": "AA=="}]},
        {"signatures": "AA=="},
        {"payload": 5},
        {"extra": 1},
    ],
)
def test_envelopes_of_another_form_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(EvidenceBroken):
        Envelope.parse(canonical_json(json.loads(ENVELOPE) | change))
