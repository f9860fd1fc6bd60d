"""What a licence plate is and what a reading of one says."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.events import CaptureRole
from domain.ids import Sha256

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""The 31 province characters of GA 36 plates."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlateClass(StrEnum):
    """Class of plate by GA 36; the class says what the vehicle is."""

    UNKNOWN = "unknown"
    LARGE = "large"  # 大型汽车, yellow
    TRAILER = "trailer"  # 挂车, yellow, two rows, ends in 挂
    SMALL = "small"  # 小型汽车, blue
    NEV_SMALL = "nev-small"  # 小型新能源, green
    NEV_LARGE = "nev-large"  # 大型新能源, yellow-green
    OTHER = "other"  # school, police, embassy, Hong Kong, Macau


class PlateColour(StrEnum):
    """Background colour."""

    UNKNOWN = "unknown"
    YELLOW = "yellow"
    BLUE = "blue"
    GREEN = "green"
    YELLOW_GREEN = "yellow-green"
    WHITE = "white"
    BLACK = "black"


class PlateCandidate(_Model):
    """One way an image can be read."""

    text: str
    confidence_ppm: int
    """Confidence in the weakest character, in parts per million."""
    character_ppm: tuple[int, ...]
    engine: str
    rows: int
    grammatical: bool


class CaptureReading(_Model):
    """What was read in one capture."""

    role: CaptureRole
    image_sha256: Sha256
    text: str | None
    """The best candidate's text, or None where no plate was found or it is unreadable."""
    confidence_ppm: int
    plate_class: PlateClass
    colour: PlateColour
    corners_px: tuple[tuple[int, int], ...] | None
    """Four corners in the image, clockwise from top left; None where the whole image was the plate."""
    candidates: tuple[PlateCandidate, ...]
    refusal: str | None = None
    """Why the image could not be decoded, in which case nothing was read; None for an image that could."""


class PlateReading(_Model):
    """What was read of one passage: every capture's reading, and the one put before the reviewer."""

    text: str | None
    confidence_ppm: int
    plate_class: PlateClass
    colour: PlateColour
    trailer_text: str | None
    captures: tuple[CaptureReading, ...]
    engine: str
    models: dict[str, Sha256]
    """SHA-256 of every model file used, by name."""
