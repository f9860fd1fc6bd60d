"""Two recognisers' outputs for the same line become one list of texts with confidences.

Every grammatical text either recogniser proposes is weighed by both: the sum of their log
probabilities decides. A character's confidence is the mean over recognisers of the probability that
this character stands at this place, taken over all texts weighed; a plate's is its weakest
character's, never the mean. Where the recognisers disagree on a character it therefore falls to
about a half, however sure each is of itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.units import PPM
from plate_recognition.ctc import Probabilities, grammatical_beam, log_probability


@dataclass(frozen=True)
class Vote:
    """A grammatical text with its weight (sum of natural log probabilities) and confidences."""

    text: str
    weight: float
    character_ppm: tuple[int, ...]

    @property
    def confidence_ppm(self) -> int:
        """Confidence in the weakest character."""
        return min(self.character_ppm)


def vote(outputs: Sequence[Probabilities], *, most: int = 4) -> list[Vote]:
    """Return up to `most` texts, best first; empty where no recogniser finds a grammatical one."""
    proposed = sorted({text for output in outputs for text in grammatical_beam(output)})
    if not proposed:
        return []
    log_probabilities = np.stack([log_probability(output, proposed) for output in outputs])
    weights = log_probabilities.sum(axis=0)
    mean = np.exp(log_probabilities).mean(axis=0)
    best = np.argsort(-weights, kind="stable")[:most]
    return [
        Vote(proposed[place], float(weights[place]), _character_ppm(proposed[place], proposed, mean.tolist()))
        for place in best.tolist()
    ]


def _character_ppm(text: str, proposed: Sequence[str], probability: Sequence[float]) -> tuple[int, ...]:
    """Return for each place the probability of texts of this length with the same character there."""
    alike = [
        (other, mass) for other, mass in zip(proposed, probability, strict=True) if len(other) == len(text)
    ]
    return tuple(
        min(PPM, round(PPM * sum(mass for other, mass in alike if other[place] == character)))
        for place, character in enumerate(text)
    )
