"""A plate as a reviewer types it, brought to the one form in which two readings are compared."""

import re
import unicodedata

from domain.errors import RuleViolation
from domain.plates import PROVINCES

_SEPARATORS = str.maketrans("", "", " ·•・.-　")
# GA 36: province, issuing office, then five characters (six on new-energy plates); the last may say what
# the vehicle is. I and O are not issued.
_PLATE = re.compile(rf"[{PROVINCES}][A-HJ-Z][A-HJ-NP-Z0-9]{{4,5}}[A-HJ-NP-Z0-9挂学警港澳]")


def normalised_plate(typed: str) -> str:
    """Return the plate in capitals without separators.

    Raises
    ------
    RuleViolation
        What was typed is no plate of GA 36.

    >>> normalised_plate("云a·d1234 挂")
    '云AD1234挂'
    """
    plate = unicodedata.normalize("NFKC", typed).translate(_SEPARATORS).upper()
    if _PLATE.fullmatch(plate) is None:
        raise RuleViolation(
            "type the whole plate as it is in the images: province, letter, then five or six characters; "
            "where it cannot be read, reject with reason 1"
        )
    return plate
