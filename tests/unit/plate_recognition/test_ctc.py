"""CTC decoding, against enumeration of every alignment."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plate_recognition.ctc import FLOOR, Probabilities, grammatical_beam, greedy, log_probability
from plate_recognition.grammar import ALPHABET, is_grammatical


def _probabilities(rows: list[dict[str, float]]) -> Probabilities:
    """Return an output with these probabilities a frame; "" is the blank."""
    output = np.zeros((len(rows), 1 + len(ALPHABET)), dtype=np.float32)
    for frame, row in zip(output, rows, strict=True):
        for character, probability in row.items():
            frame[1 + ALPHABET.index(character) if character else 0] = probability
    return output


def _random(frames: int, seed: int, *, sharpness: float) -> Probabilities:
    scores = np.random.default_rng(seed).normal(0, sharpness, (frames, 1 + len(ALPHABET)))
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float32)


def _spelt(text: str, *, sure: float = 0.9) -> Probabilities:
    """Return the output of a recogniser that reads `text` with this probability a character."""
    rows: list[dict[str, float]] = []
    for character in text:
        rows += [{character: sure, "": 1 - sure}, {"": 1.0}]
    return _probabilities(rows)


@pytest.mark.parametrize("seed", range(5))
def test_forward_probability_is_the_sum_over_alignments(seed: int) -> None:
    symbols = "皖A1"
    rng = np.random.default_rng(seed)
    frames = rng.dirichlet(np.ones(4), size=6)
    output = _probabilities([dict(zip(["", *symbols], frame, strict=True)) for frame in frames.tolist()])
    total: dict[str, float] = {}
    for path in itertools.product(range(4), repeat=len(frames)):
        text = "".join(symbols[key - 1] for key, _ in itertools.groupby(path) if key)
        total[text] = total.get(text, 0.0) + math.prod(frames[at, symbol] for at, symbol in enumerate(path))
    texts = sorted(text for text in total if text)
    expected = [math.log(total[text]) for text in texts]
    assert log_probability(output, texts) == pytest.approx(expected, rel=1e-4)


def test_probability_does_not_underflow_on_long_hopeless_lines() -> None:
    nothing = np.zeros((300, 1 + len(ALPHABET)), dtype=np.float32)
    (found,) = log_probability(nothing, ["皖A12345"])
    assert found == pytest.approx(300 * math.log(FLOOR), rel=0.1)


@pytest.mark.parametrize("text", ["云A12345", "云A1122挂", "云AD12345", "云A12345D", "使111111", "粤Z00AA澳"])
def test_reads_what_is_spelt(text: str) -> None:
    output = _spelt(text)
    assert greedy(output) == text
    assert grammatical_beam(output)[0] == text


def test_a_character_that_lasts_is_one_character_unless_a_blank_parts_it() -> None:
    """Five 1s in a row are one, so the uncertain 5 at the end is needed; parted by a blank they are two."""
    start, end = [{"云": 1.0}, {"A": 1.0}], [{"2": 1.0}, {"3": 1.0}, {"4": 1.0}]
    lasting = [*start, *[{"1": 1.0}] * 5, *end, {"5": 0.6, "": 0.4}]
    parted = [*start, {"1": 1.0}, {"": 1.0}, {"1": 1.0}, *end]
    assert grammatical_beam(_probabilities(lasting))[0] == "云A12345"
    assert grammatical_beam(_probabilities(parted))[0] == "云A11234"


def test_a_stronger_ungrammatical_character_gives_way() -> None:
    rows = [{character: 1.0} for character in "云A123"]
    rows += [{"挂": 0.7, "4": 0.3}, {"5": 1.0}]
    output = _probabilities(rows)
    assert greedy(output) == "云A123挂5"
    assert grammatical_beam(output)[0] == "云A12345"


def test_nothing_is_read_where_too_little_stands() -> None:
    assert grammatical_beam(_spelt("云A")[:4]) == []


@settings(max_examples=60, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 60), sharpness=st.sampled_from([0.3, 2.0, 6.0]))
def test_whatever_comes_out_is_grammatical(seed: int, frames: int, sharpness: float) -> None:
    texts = grammatical_beam(_random(frames, seed, sharpness=sharpness))
    assert all(map(is_grammatical, texts))
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("seed", range(10))
def test_the_beam_loses_no_better_neighbour(seed: int) -> None:
    """Its first text is likelier than every text that differs from it in one character."""
    noise = _random(14, seed, sharpness=1.0)
    output = (0.55 * _spelt("云B90K7挂", sure=0.9) + 0.45 * noise).astype(np.float32)
    (best, *_) = grammatical_beam(output, width=30)
    neighbours = [
        best[:place] + character + best[place + 1 :]
        for place in range(len(best))
        for character in ALPHABET
        if is_grammatical(best[:place] + character + best[place + 1 :])
    ]
    assert log_probability(output, [best])[0] >= log_probability(output, neighbours).max() - 1e-9
