"""What may stand on a Chinese licence plate (GA 36), as a small automaton a decoder can walk.

A text is written without the separating dot. Forms, with 省 a province character, L a letter without
I and O, S such a letter or a digit, N a digit:

    省 L S S S S S      small (blue) and large (yellow) vehicles
    省 L S S S S 挂     trailers; likewise 学 (driving school), 警 (police), 领 (consulate)
    粤 Z S S S S 港     vehicles of Hong Kong (港) and Macau (澳)
    使 N N N N N N      embassies
    省 L E S N N N N    new energy, small; E a letter of the new-energy series
    省 L N N N N N E    new energy, large

The series began with D (battery) and F (other) and was extended to A-E and F-K. The rule of at most
two letters in a serial is not enforced: plates with more exist. O as an issuing letter of old
official plates is not read: no plate recogniser in use knows an O beside the 0.
"""

from dataclasses import dataclass
from functools import cache

from domain.plates import PROVINCES, PlateClass, PlateColour

DIGITS = "0123456789"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
ENDINGS = "挂学警使领港澳"
ALPHABET = PROVINCES + LETTERS + DIGITS + ENDINGS
"""Every character a plate can carry; recognisers' outputs are reordered to this."""

_SERIAL = LETTERS + DIGITS
_NEW_ENERGY = "ABCDEFGHJK"

FORMS: tuple[tuple[str, ...], ...] = (
    (PROVINCES, LETTERS, _SERIAL, _SERIAL, _SERIAL, _SERIAL, _SERIAL),
    (PROVINCES, LETTERS, _SERIAL, _SERIAL, _SERIAL, _SERIAL, "挂学警领"),
    ("粤", "Z", _SERIAL, _SERIAL, _SERIAL, _SERIAL, "港澳"),
    ("使", DIGITS, DIGITS, DIGITS, DIGITS, DIGITS, DIGITS),
    (PROVINCES, LETTERS, _NEW_ENERGY, _SERIAL, DIGITS, DIGITS, DIGITS, DIGITS),
    (PROVINCES, LETTERS, DIGITS, DIGITS, DIGITS, DIGITS, DIGITS, _NEW_ENERGY),
)


@dataclass(frozen=True)
class State:
    """A place in the grammar: how many characters were read and which forms still fit."""

    position: int = 0
    forms: tuple[int, ...] = tuple(range(len(FORMS)))

    @property
    def complete(self) -> bool:
        """Whether the characters read so far are a whole plate."""
        return any(len(FORMS[form]) == self.position for form in self.forms)


@cache
def advance(state: State, character: str) -> State | None:
    """Return the state after one more character, or None where the grammar allows it in no form."""
    at = state.position
    forms = tuple(form for form in state.forms if at < len(FORMS[form]) and character in FORMS[form][at])
    return State(at + 1, forms) if forms else None


def is_grammatical(text: str) -> bool:
    """Return whether `text` is a whole plate of one of the forms.

    >>> is_grammatical("皖A12345"), is_grammatical("皖A1234挂"), is_grammatical("皖I12345")
    (True, True, False)
    """
    state: State | None = State()
    for character in text:
        state = advance(state, character) if state else None
    return state is not None and state.complete


def plate_class(text: str, colour: PlateColour, *, rows: int) -> PlateClass:
    """Return the class a plate belongs to: by its text where that decides, else by colour and rows.

    Two rows without an ending are only made for large vehicles (rear), so they stand in for a colour
    that night or dirt took away. A white or black plate of ordinary text is none of the truck classes.

    >>> plate_class("皖A1234挂", PlateColour.UNKNOWN, rows=2).value
    'trailer'
    """
    if text.endswith("挂"):
        return PlateClass.TRAILER
    if len(text) == 8:
        return PlateClass.NEV_LARGE if text[-1] in LETTERS else PlateClass.NEV_SMALL
    if text[:1] == "使" or text[-1:] in ENDINGS:
        return PlateClass.OTHER
    if colour is PlateColour.YELLOW or (rows == 2 and colour is PlateColour.UNKNOWN):
        return PlateClass.LARGE
    by_colour = {
        PlateColour.BLUE: PlateClass.SMALL,
        PlateColour.WHITE: PlateClass.OTHER,
        PlateColour.BLACK: PlateClass.OTHER,
    }
    return by_colour.get(colour, PlateClass.UNKNOWN)
