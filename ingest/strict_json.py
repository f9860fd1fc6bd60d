"""JSON as RFC 8259 means it, and nothing Python's parser adds or lets pass.

Python's `json` accepts NaN and Infinity, keeps the last of two equal keys, turns 1e999 into infinity,
and builds whatever it is fed. Here each of those is refused by name, and numbers with a decimal point
are `Decimal`, so that 63.4 km/h is exactly 63 400 m/h.
"""

import json
from decimal import Decimal
from typing import Any

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from ingest.limits import Limits
from ingest.wording import shown

_MAX_INT_DIGITS = 20
_MAX_EXPONENT = 30
_MAX_NUMBER_CHARACTERS = 25
"""The longest a double is ever printed; it also keeps every number exact in `Decimal`'s 28 digits."""


def parse(data: bytes, *, what: str, limits: Limits, max_bytes: int) -> Any:
    """Return the parsed document; `what` names it in refusals ("weigh record").

    Raises
    ------
    InputRefused
        PAYLOAD_TOO_LARGE, BROKEN_JSON, NOT_FINITE, OUT_OF_RANGE or FIELD_INVALID, saying where and why.
    """
    if len(data) > max_bytes:
        raise InputRefused(
            RefusalCode.PAYLOAD_TOO_LARGE,
            f"the {what} has {len(data)} bytes; at most {max_bytes} are allowed",
        )
    # Counted before parsing: a few MiB of "[],[]," would otherwise become gigabytes of objects.
    values = data.count(b"[") + data.count(b"{") + data.count(b",")
    if values > limits.max_json_values:
        raise InputRefused(
            RefusalCode.PAYLOAD_TOO_LARGE,
            f"the {what} has {values} values; at most {limits.max_json_values} are allowed",
        )
    document = _parsed(_text(data, what), what)
    _refuse_depth(document, what, limits.max_json_depth)
    return document


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputRefused(
            RefusalCode.BROKEN_JSON,
            f"the {what} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
        ) from None


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise InputRefused(
            RefusalCode.BROKEN_JSON,
            f"the {what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
        ) from None
    except RecursionError:
        raise InputRefused(RefusalCode.FIELD_INVALID, f"the {what} is nested too deeply") from None


def _decimal(text: str) -> Decimal:
    number = Decimal(text) if len(text) <= _MAX_NUMBER_CHARACTERS else None
    if number is None or abs(number.adjusted()) > _MAX_EXPONENT:
        raise InputRefused(RefusalCode.OUT_OF_RANGE, f"the number {_cut(text)} is beyond any quantity here")
    return number


def _integer(text: str) -> int:
    if len(text) > _MAX_INT_DIGITS:
        raise InputRefused(RefusalCode.OUT_OF_RANGE, f"the number {_cut(text)} is beyond any quantity here")
    return int(text)


def _constant(text: str) -> Any:
    raise InputRefused(
        RefusalCode.NOT_FINITE, f"{text} is not a JSON number; set a flag where a value could not be measured"
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputRefused(RefusalCode.BROKEN_JSON, f"the key {shown(twice)} occurs twice in one object")
    return found


def _refuse_depth(document: Any, what: str, max_depth: int) -> None:
    level = [document]
    for _ in range(max_depth):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise InputRefused(RefusalCode.FIELD_INVALID, f"the {what} is nested more than {max_depth} levels deep")


def _cut(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}... ({len(text)} characters)"
