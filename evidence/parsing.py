"""Strict readers for the texts and encodings a package is made of.

Everything signed or hashed here has exactly one valid spelling, so that no byte can be changed
without a layer noticing:

- lines end in `\\n` and are split on nothing else (`str.splitlines` also takes `\\x0b`, `\\x85`, ...);
- control characters are refused;
- base64 is the canonical RFC 4648 section 4 form: padded, no stray bits, no white space;
- decimal numbers have no sign and no leading zeroes;
- JSON is RFC 8785 canonical with integers only.

Every function raises `EvidenceBroken` with a sentence that says what is wrong, and nothing else.
"""

import base64
import binascii
import json
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

import rfc8785

from domain.errors import EvidenceBroken

Json = dict[str, Any]

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_UTC_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)


def text_of(data: bytes, what: str) -> str:
    """Return `data` as UTF-8 text without control characters other than the newline."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceBroken(f"{what} is not UTF-8 at byte {error.start}") from None
    control = _CONTROL.search(text)
    if control:
        raise EvidenceBroken(f"{what} holds the control character U+{ord(control[0]):04X}")
    return text


def lines_of(data: bytes, what: str) -> list[str]:
    """Return the lines of a text that ends in a newline, split on newlines only."""
    text = text_of(data, what)
    if not text.endswith("\n"):
        raise EvidenceBroken(f"{what} does not end in a newline; it may be truncated")
    return text[:-1].split("\n")


def base64_of(text: str, what: str) -> bytes:
    """Return the bytes of canonical base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceBroken(f"{what} is not base64") from None
    if base64_text(data) != text:
        raise EvidenceBroken(f"{what} is not canonical base64")
    return data


def base64_text(data: bytes) -> str:
    """Return `data` as standard base64."""
    return base64.b64encode(data).decode("ascii")


def hash_of(text: str, what: str) -> bytes:
    """Return a SHA-256 hash written in base64."""
    digest = base64_of(text, what)
    if len(digest) != 32:
        raise EvidenceBroken(f"{what} is {len(digest)} bytes long; a SHA-256 hash is 32")
    return digest


def decimal_of(text: str, what: str) -> int:
    """Return a non-negative decimal number below 10**19."""
    if not _DECIMAL.fullmatch(text):
        raise EvidenceBroken(f"{what} is not a decimal number without leading zeroes")
    return int(text)


def moment_of(text: object, what: str) -> datetime:
    """Return the moment written as `domain.units.utc_text` writes it."""
    if not isinstance(text, str) or not _UTC_TEXT.fullmatch(text):
        raise EvidenceBroken(f"{what} is not a time like 2026-11-23T08:00:00.000000Z")
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise EvidenceBroken(f"{what} is not a time that exists: {text}") from None


def canonical_json(document: Json) -> bytes:
    """Return RFC 8785 canonical JSON of a document that holds integers only."""
    try:
        _refuse_fractions(document)
        return rfc8785.dumps(document)
    except (ValueError, RecursionError) as error:  # also lone surrogates, integers beyond 2**53
        raise EvidenceBroken(f"a document cannot be written as canonical JSON: {error}") from None


def document_of(data: bytes, what: str) -> Json:
    """Return the object of a canonical JSON document; any other spelling of it is refused."""
    document = loose_document_of(data, what)
    if canonical_json(document) != data:
        raise EvidenceBroken(f"{what} is not RFC 8785 canonical JSON")
    return document


def loose_document_of(data: bytes, what: str) -> Json:
    """Return a JSON object in any spelling: for files that people write, never for sealed ones."""

    def refuse(figure: str) -> NoReturn:
        raise EvidenceBroken(f"{what} holds {figure[:40]}; every figure is an integer in scaled units")

    try:
        document = json.loads(data.decode("utf-8"), parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise EvidenceBroken(f"{what} is not JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise EvidenceBroken(f"{what} is not a JSON object")
    return document


def _refuse_fractions(value: Any) -> None:
    if isinstance(value, float):
        raise EvidenceBroken(f"{value!r} is not an integer; every figure is an integer in scaled units")
    if isinstance(value, dict):
        for part in value.values():
            _refuse_fractions(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _refuse_fractions(part)
