"""CTC decoding under the plate grammar: a prefix beam search and the exact forward probability.

Both take one recogniser's output as an array of probabilities, shape (frames, 1 + len(ALPHABET)),
column 0 the CTC blank, the others in the order of `grammar.ALPHABET`. Rows need not sum to one: what
a recogniser gave to characters no plate carries is lost, so that a probability stays absolute and
text that is not a plate scores low however well the grammar could bend it.

Graves et al., "Connectionist Temporal Classification", ICML 2006, gives both recursions.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from domain.plates import PROVINCES
from plate_recognition.grammar import ALPHABET, DIGITS, ENDINGS, LETTERS, State, advance

Probabilities = NDArray[np.float32]

BEAM_WIDTH = 10
FLOOR = 1e-7
"""Least probability of any symbol in any frame, so that a plate in doubt is still scored."""
_SURELY_BLANK = 0.9999
_BEST_OF_ALL = 5
_BEST_OF_KIND = 2

_INDEX = {character: 1 + place for place, character in enumerate(ALPHABET)}
_KINDS = tuple(
    np.array([_INDEX[character] for character in kind]) for kind in (PROVINCES, LETTERS, DIGITS, ENDINGS)
)

_Beam = dict[tuple[str, State], tuple[float, float]]


def grammatical_beam(probabilities: Probabilities, *, width: int = BEAM_WIDTH) -> list[str]:
    """Return the likeliest grammatical texts, best first; empty where no whole plate can be read.

    Parameters
    ----------
    probabilities
        One recogniser's output, (frames, 1 + len(ALPHABET)).
    width
        Prefixes kept after each frame.
    """
    beam: _Beam = {("", State()): (1.0, 0.0)}
    frames = np.maximum(probabilities, FLOOR)
    for frame, symbols in zip(frames.tolist(), _worth_trying(frames), strict=True):
        beam = _pruned(_extended(beam, frame, symbols), width)
    whole = {text: sum(mass) for (text, state), mass in beam.items() if state.complete}
    return sorted(whole, key=lambda text: -whole[text])


def _worth_trying(frames: Probabilities) -> Iterator[list[int]]:
    """Yield for each frame the symbols by which a prefix may grow: the best of all and of each kind.

    The best of each kind are there because the grammar may allow only a kind that is weak everywhere.
    """
    characters = frames[:, 1:]
    best = 1 + np.argsort(-characters, axis=1)[:, :_BEST_OF_ALL]
    of_kind = [kind[np.argsort(-frames[:, kind], axis=1)[:, :_BEST_OF_KIND]] for kind in _KINDS]
    together = np.concatenate([best, *of_kind], axis=1)
    for blank, symbols in zip(frames[:, 0].tolist(), together.tolist(), strict=True):
        yield [] if blank > _SURELY_BLANK else sorted(set(symbols))


def _extended(beam: _Beam, frame: list[float], symbols: list[int]) -> _Beam:
    """Return every prefix stayed with or grown by one symbol: (mass ending in blank, mass not)."""
    grown: defaultdict[tuple[str, State], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (text, state), (blank, solid) in beam.items():
        stay = grown[text, state]
        stay[0] += (blank + solid) * frame[0]
        if text:
            stay[1] += solid * frame[_INDEX[text[-1]]]
        for symbol in symbols:
            character = ALPHABET[symbol - 1]
            following = advance(state, character)
            if following is not None:
                before = blank if text and text[-1] == character else blank + solid
                grown[text + character, following][1] += before * frame[symbol]
    return {prefix: (mass[0], mass[1]) for prefix, mass in grown.items()}


def _pruned(beam: _Beam, width: int) -> _Beam:
    """Keep the heaviest prefixes, rescaled so that long inputs do not underflow."""
    kept = sorted(beam.items(), key=lambda item: -sum(item[1]))[:width]
    heaviest = sum(kept[0][1])
    return {prefix: (blank / heaviest, solid / heaviest) for prefix, (blank, solid) in kept}


def greedy(probabilities: Probabilities) -> str:
    """Return the text of the best symbol of each frame, with no regard to grammar."""
    best = probabilities.argmax(axis=1)
    starts = np.concatenate([[True], best[1:] != best[:-1]])
    return "".join(ALPHABET[symbol - 1] for symbol in best[starts & (best > 0)].tolist())


def log_probability(probabilities: Probabilities, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the natural logarithm of each text's total probability over all alignments.

    `texts` must not be empty. The forward recursion runs for all of them at once; its states are blank,
    first character, blank, second character ... blank, and shorter texts are padded at the end.
    """
    longest = max(map(len, texts))
    symbols = np.zeros((len(texts), 2 * longest + 1), dtype=np.int64)
    for row, text in enumerate(texts):
        symbols[row, 1 : 2 * len(text) : 2] = [_INDEX[character] for character in text]
    may_skip = np.zeros(symbols.shape, dtype=bool)
    may_skip[:, 2:] = (symbols[:, 2:] != 0) & (symbols[:, 2:] != symbols[:, :-2])

    frames = np.maximum(probabilities, FLOOR).astype(np.float64)
    alpha = np.zeros(symbols.shape)
    alpha[:, :2] = frames[0][symbols[:, :2]]
    log_scale = np.zeros(len(texts))
    for frame in frames[1:]:
        reached = alpha.copy()
        reached[:, 1:] += alpha[:, :-1]
        reached[:, 2:] += np.where(may_skip[:, 2:], alpha[:, :-2], 0.0)
        alpha = reached * frame[symbols]
        scale = np.maximum(alpha.max(axis=1), np.finfo(np.float64).tiny)
        alpha /= scale[:, None]
        log_scale += np.log(scale)
    last = np.array([2 * len(text) for text in texts])
    rows = np.arange(len(texts))
    total = alpha[rows, last] + np.where(last > 0, alpha[rows, np.maximum(last - 1, 0)], 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(total) + log_scale)
