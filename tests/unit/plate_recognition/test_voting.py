"""How two recognisers' outputs become one text and its confidences."""

import numpy as np
import pytest

from plate_recognition.ctc import Probabilities
from plate_recognition.grammar import ALPHABET
from plate_recognition.voting import vote


def _reading(text: str, *, unsure: dict[int, tuple[str, float]] | None = None) -> Probabilities:
    """Return the output of a recogniser sure of `text`, save where it gives another character some part."""
    output = np.zeros((2 * len(text), 1 + len(ALPHABET)), dtype=np.float32)
    output[1::2, 0] = 1.0
    for place, character in enumerate(text):
        other, part = (unsure or {}).get(place, (character, 0.0))
        output[2 * place, 1 + ALPHABET.index(other)] += part
        output[2 * place, 1 + ALPHABET.index(character)] += 1 - part
    return output


def test_agreement_is_certain() -> None:
    (best, *_) = vote([_reading("云A12345"), _reading("云A12345")])
    assert best.text == "云A12345"
    assert best.confidence_ppm == pytest.approx(1_000_000, abs=100)


def test_disagreement_on_one_character_halves_that_one_and_so_the_plate() -> None:
    best, second, *_ = vote([_reading("云A12345"), _reading("皖A12345", unsure={0: ("云", 0.01)})])
    assert (best.text, second.text) == ("云A12345", "皖A12345")
    assert best.character_ppm[0] == pytest.approx(505_000, abs=1000)
    assert min(best.character_ppm[1:]) > 990_000
    assert best.confidence_ppm == best.character_ppm[0]


def test_a_doubtful_length_makes_every_character_doubtful() -> None:
    (best, *_) = vote([_reading("云A12345"), _reading("云A12345D")])
    assert max(best.character_ppm) == pytest.approx(500_000, abs=1000)


def test_what_no_plate_carries_leaves_little_confidence() -> None:
    """A recogniser that gave nearly all to characters outside the alphabet is not talked into a plate."""
    (best, *_) = vote([0.2 * _reading("云A12345"), 0.2 * _reading("云A12345")])
    assert best.confidence_ppm < 1000


def test_nothing_in_nothing_out() -> None:
    blank = np.zeros((20, 1 + len(ALPHABET)), dtype=np.float32)
    blank[:, 0] = 1.0
    assert vote([blank, blank]) == []
