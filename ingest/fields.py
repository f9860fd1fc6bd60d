"""The kinds of field wire messages are made of, each refusing in our own words.

Quantities arrive in the unit their name says (km/h, °C, %) and leave as the scaled integers of
`domain.units`; what cannot be scaled exactly is refused, never rounded.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from pydantic import AfterValidator, BeforeValidator

from domain.refusals import RefusalCode
from ingest.wording import shown, wrong

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
"""Station and device ids, in topics and in bodies."""

_NAME = re.compile(NAME)
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


class _Scale(NamedTuple):
    """How a number on the wire becomes an integer: `(value + offset) * factor`."""

    factor: int
    offset: Decimal
    low: Decimal
    high: Decimal
    unit: str

    def read(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise wrong(RefusalCode.FIELD_INVALID, f"is {shown(value)}; send a number")
        number = Decimal(value)
        if not self.low <= number <= self.high:
            allowed = f"{self.low} to {self.high} {self.unit}".rstrip()
            raise wrong(RefusalCode.OUT_OF_RANGE, f"is {shown(value)}; allowed: {allowed}")
        result = (number + self.offset) * self.factor
        if result != result.to_integral_value():
            decimals = len(str(self.factor)) - 1
            wanted = f"at most {decimals} decimals" if decimals else "a whole number"
            raise wrong(RefusalCode.FIELD_INVALID, f"is {shown(value)}; send {wanted}")
        return int(result)


def whole(low: int, high: int, unit: str = "") -> BeforeValidator:
    """A whole number within bounds; 48950.0 is whole, 48950.5, "48950" and true are not."""
    return BeforeValidator(_Scale(1, Decimal(0), Decimal(low), Decimal(high), unit).read)


def scaled(factor: int, low: str, high: str, unit: str, *, offset: str = "0") -> BeforeValidator:
    """A number within `low..high` in `unit`, as `(value + offset) * factor`, which must come out whole."""
    return BeforeValidator(_Scale(factor, Decimal(offset), Decimal(low), Decimal(high), unit).read)


def text(low: int, high: int) -> AfterValidator:
    """A string of `low..high` printable characters: no control characters, no half surrogates."""

    def check(value: str) -> str:
        if not low <= len(value) <= high:
            raise wrong(RefusalCode.FIELD_INVALID, f"has {len(value)} characters; allowed: {low} to {high}")
        if not value.isprintable():
            raise wrong(
                RefusalCode.FIELD_INVALID, f"is {shown(value)}; only printable characters are allowed"
            )
        return value

    return AfterValidator(check)


def name() -> AfterValidator:
    """A station's or a device's id."""

    def check(value: str) -> str:
        if not is_name(value):
            raise wrong(
                RefusalCode.FIELD_INVALID,
                f"is {shown(value)}; send 1 to 32 letters, digits, '_' or '-', the first a letter or digit",
            )
        return value

    return AfterValidator(check)


def is_name(value: str) -> bool:
    """Whether `value` can be a station's or device's id."""
    return _NAME.fullmatch(value) is not None


def moment(value: str) -> datetime:
    """Return RFC 3339 UTC text as a time.

    Raises
    ------
    ValueError
        The text is not of the form 2026-11-23T08:00:00.123456Z, or no such time exists.
    """
    if not _RFC_3339.fullmatch(value):
        raise ValueError(f"is {shown(value)}; send UTC as 2026-11-23T08:00:00.123456Z, up to 6 decimals")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"is {shown(value)}; there is no such date or time") from None


def _moment_field(value: object) -> datetime:
    if not isinstance(value, str):
        raise wrong(RefusalCode.FIELD_INVALID, f"is {shown(value)}; send a string")
    try:
        return moment(value)
    except ValueError as error:
        raise wrong(RefusalCode.FIELD_INVALID, str(error)) from None


MOMENT = BeforeValidator(_moment_field)
"""A time in a JSON body."""
