"""The default engine: corner detector, two recognisers voted, grammar; whole-photo text as fall-back.

The way of an image:

1. decoded once, bounded (`images`);
2. a small plate-shaped image is taken to be a plate cut out already;
3. otherwise, or where that reading is not trusted, plates are found with their corners (`detector`),
   straightened, two rows joined into one line (`geometry`), and read by both recognisers;
4. where the best is still not trusted, all text of the photograph is tried (`photo_text`), except in
   side views and panoramas, which seldom show a plate and would pay for it every time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2

from domain.events import CaptureRole
from domain.ids import Sha256, sha256_of
from domain.plates import CaptureReading, PlateCandidate, PlateClass, PlateColour
from plate_recognition.colour import read_colour
from plate_recognition.ctc import greedy
from plate_recognition.detector import CornerDetector
from plate_recognition.geometry import (
    TWO_ROWS_BELOW_ASPECT,
    Corners,
    aspect,
    join_rows,
    rectify,
    whole_image,
    with_margin,
)
from plate_recognition.grammar import is_grammatical, plate_class
from plate_recognition.images import Image, Photo, decode
from plate_recognition.photo_text import TextDetector
from plate_recognition.recognisers import PlateRecogniser, TextRecogniser
from plate_recognition.voting import Vote, vote

TRUSTED_PPM = 600_000
"""Below this the recognisers do not agree on a character, and the next way to the plate is tried."""
READABLE_PPM = 20_000
"""Below one in fifty the plate counts as unreadable; what was guessed stays among the candidates."""

_CROP_ASPECTS = (1.5, 6.0)
_CROP_WIDTH_PX = 480
_WORKING_SIZES_PX = (960, 1600)
"""Longest side at which plates are looked for first, and again where nothing read is trusted: at 960 the
plate of a truck that fills the frame is 75 px wide or more, at 60 % of the cost of 1280."""
_NO_WHOLE_PHOTO = frozenset({CaptureRole.SIDE, CaptureRole.PANORAMA})


@dataclass(frozen=True)
class _Reading:
    """One plate of an image, read one way."""

    plate: Image
    corners: Corners | None
    rows: int
    votes: tuple[Vote, ...]
    ungrammatical: tuple[str, ...]

    @property
    def confidence_ppm(self) -> int:
        return self.votes[0].confidence_ppm if self.votes else 0

    @property
    def rank(self) -> tuple[int, float]:
        """What the better reading has more of: confidence, then weight."""
        return self.confidence_ppm, self.votes[0].weight if self.votes else float("-inf")


class OnnxEngine:
    """Reads plates with onnxruntime on the CPU, from weights inside installed packages.

    Raises
    ------
    ConfigurationError
        A package with weights is not installed.
    """

    name = "onnx"

    def __init__(self, *, threads: int = 1) -> None:
        cv2.setNumThreads(threads)
        self._corner_detector = CornerDetector(threads=threads)
        self._text_detector = TextDetector(threads=threads)
        self._recognisers = (TextRecogniser(threads=threads), PlateRecogniser(threads=threads))
        networks = (
            self._corner_detector.network,
            self._text_detector.network,
            *(recogniser.network for recogniser in self._recognisers),
        )
        self.models: Mapping[str, Sha256] = {network.name: network.sha256 for network in networks}

    def read(self, image: bytes, role: CaptureRole) -> CaptureReading:
        """Read the plate in a JPEG; see `plate_recognition.engine.PlateEngine`."""
        photo = decode(image)
        readings = self._readings(photo.pixels, role)
        readings.sort(key=lambda reading: reading.rank, reverse=True)
        return self._reported(readings, photo, role, sha256_of(image))

    def _readings(self, image: Image, role: CaptureRole) -> list[_Reading]:
        """Try one way after another until a reading is trusted; return all that was read."""
        readings: list[_Reading] = []
        if _may_be_a_crop(image, role):
            readings += self._read_plate(image, None)
        for longest_side_px in _working_sizes_px(image, role):
            if not _trusted(readings):
                for found in self._corner_detector.find(image, longest_side_px=longest_side_px):
                    readings += self._read_plate(image, found.corners)
        if not _trusted(readings) and role not in _NO_WHOLE_PHOTO:
            for corners in self._text_detector.find(image):
                readings += self._read_plate(image, corners)
        return readings

    def _read_plate(self, image: Image, corners: Corners | None) -> list[_Reading]:
        """Read one plate as one row and, where its shape allows two, as two rows as well."""
        place = whole_image(image) if corners is None else corners
        rows = (1, 2) if aspect(place) < TWO_ROWS_BELOW_ASPECT else (1,)
        plates = [_straightened(image, corners, count) for count in rows]
        lines = [join_rows(plate) if count == 2 else plate for plate, count in zip(plates, rows, strict=True)]
        outputs = zip(*(recogniser.read(lines) for recogniser in self._recognisers), strict=True)
        return [
            _Reading(
                plate=plate,
                corners=corners,
                rows=count,
                votes=tuple(vote(output)),
                ungrammatical=tuple(
                    text for text in map(greedy, output) if text and not is_grammatical(text)
                ),
            )
            for plate, count, output in zip(plates, rows, outputs, strict=True)
        ]

    def _reported(
        self, readings: list[_Reading], photo: Photo, role: CaptureRole, digest: Sha256
    ) -> CaptureReading:
        """Put the readings, best first, into the words of the domain."""
        best = readings[0] if readings else None
        readable = best is not None and best.confidence_ppm >= READABLE_PPM
        colour = read_colour(best.plate) if best else PlateColour.UNKNOWN
        text = best.votes[0].text if best and readable else None
        return CaptureReading(
            role=role,
            image_sha256=digest,
            text=text,
            confidence_ppm=best.confidence_ppm if best else 0,
            plate_class=plate_class(text, colour, rows=best.rows) if best and text else PlateClass.UNKNOWN,
            colour=colour,
            corners_px=_full_size(best.corners, photo.reduced_by) if best else None,
            candidates=self._candidates(readings),
        )

    def _candidates(self, readings: list[_Reading]) -> tuple[PlateCandidate, ...]:
        """Return every text once: the votes of each reading in turn, then what was seen against the grammar.

        The first is the one reported as the text, if any is.
        """
        candidates: dict[str, PlateCandidate] = {}
        for reading in readings:
            for voted in reading.votes:
                candidate = PlateCandidate(
                    text=voted.text,
                    confidence_ppm=voted.confidence_ppm,
                    character_ppm=voted.character_ppm,
                    engine=self.name,
                    rows=reading.rows,
                    grammatical=True,
                )
                candidates.setdefault(voted.text, candidate)
        for reading in readings:
            for text in reading.ungrammatical:
                flagged = PlateCandidate(
                    text=text,
                    confidence_ppm=0,
                    character_ppm=(0,) * len(text),
                    engine=self.name,
                    rows=reading.rows,
                    grammatical=False,
                )
                candidates.setdefault(text, flagged)
        return tuple(candidates.values())


def _may_be_a_crop(image: Image, role: CaptureRole) -> bool:
    height, width = image.shape[:2]
    if not _CROP_ASPECTS[0] <= width / height <= _CROP_ASPECTS[1]:
        return False
    return role is CaptureRole.PLATE or width <= _CROP_WIDTH_PX


def _working_sizes_px(image: Image, role: CaptureRole) -> tuple[int, ...]:
    """Return the sizes at which plates are looked for in turn; the finer one only where it shows more."""
    coarse, fine = _WORKING_SIZES_PX
    return (coarse,) if role in _NO_WHOLE_PHOTO or max(image.shape[:2]) <= coarse else (coarse, fine)


def _straightened(image: Image, corners: Corners | None, rows: int) -> Image:
    """Return the plate seen straight on; `corners` are None where the whole image is the plate."""
    if rows == 2:
        return rectify(image, whole_image(image) if corners is None else corners, rows=2)
    return image if corners is None else rectify(image, with_margin(corners), rows=1)


def _trusted(readings: list[_Reading]) -> bool:
    return any(reading.confidence_ppm >= TRUSTED_PPM for reading in readings)


def _full_size(corners: Corners | None, reduced_by: int) -> tuple[tuple[int, int], ...] | None:
    if corners is None:
        return None
    return tuple((round(x * reduced_by), round(y * reduced_by)) for x, y in corners.tolist())
