"""A plate as a reviewer types it, brought to the one form in which two readings are compared."""

import re
import unicodedata

from domain.errors import RuleViolation
from domain.plates import PROVINCES

_SEPARATORS = str.maketrans("", "", " ·•・.-　")
# GA 36: province, issuing office, then five characters (six on new-energy plates, which have no suffix);
# the last may say what the vehicle is. I and O are not issued.
_PLATE = re.compile(
    rf"[{PROVINCES}][A-HJ-Z](?:[A-HJ-NP-Z0-9]{{5,6}}|[A-HJ-NP-Z0-9]{{4}}[学警港澳])",
)
_TRAILER = "挂"
# No vehicle of a case carries these, yet they are read: a hold must reach them.
_READ_BESIDES = re.compile(rf"[{PROVINCES}][A-HJ-Z][A-HJ-NP-Z0-9]{{4}}[{_TRAILER}领]")


def normalised_plate(typed: str) -> str:
    """Return the plate in capitals without separators.

    Raises
    ------
    RuleViolation
        What was typed is no plate of GA 36, or a trailer's: the case is against the vehicle that draws it.

    >>> normalised_plate("云a·d1234")
    '云AD1234'
    """
    plate = _plain(typed)
    if is_trailers_plate(typed):
        raise RuleViolation(
            "this is a trailer's plate; type the plate of the vehicle itself (the truck or tractor); "
            "where it cannot be read, reject with reason 1"
        )
    if _PLATE.fullmatch(plate) is None:
        raise RuleViolation(
            "type the whole plate as it is in the images: province, letter, then five or six characters; "
            "where it cannot be read, reject with reason 1"
        )
    return plate


def plate_to_hold(typed: str) -> str:
    """Return any plate a passage may be found by, a trailer's too, in capitals without separators.

    Raises
    ------
    RuleViolation
        What was typed is no plate of GA 36.

    >>> plate_to_hold("云a·1234挂")
    '云A1234挂'
    """
    plate = _plain(typed)
    if _PLATE.fullmatch(plate) is None and _READ_BESIDES.fullmatch(plate) is None:
        raise RuleViolation(
            "name the whole plate of a vehicle or trailer: province, letter, then five or six characters, "
            "of which a trailer's last is 挂; nothing is held"
        )
    return plate


def is_trailers_plate(typed: str) -> bool:
    """Say whether this is how a trailer's plate ends, whatever stands before."""
    return _plain(typed).endswith(_TRAILER)


def _plain(typed: str) -> str:
    return unicodedata.normalize("NFKC", typed).translate(_SEPARATORS).upper()
