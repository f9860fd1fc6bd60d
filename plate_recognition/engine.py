"""What every plate engine is to the rest of the software, and how one is chosen by name."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

from domain.errors import ConfigurationError
from domain.events import CaptureRole
from domain.ids import Sha256
from domain.plates import CaptureReading
from plate_recognition.onnx_engine import OnnxEngine


class PlateEngine(Protocol):
    """Reads the plate in one image. Engines are stateless between images and safe to share by threads."""

    @property
    def name(self) -> str:
        """The name it is chosen by, and that stands in every reading."""

    @property
    def models(self) -> Mapping[str, Sha256]:
        """SHA-256 of every model file the engine uses, by file name."""

    def read(self, image: bytes, role: CaptureRole) -> CaptureReading:
        """Read the plate in a JPEG.

        Raises
        ------
        InputRefused
            The image is no JPEG, broken, truncated or too large.
        """


ENGINES: Mapping[str, Callable[[int], PlateEngine]] = {
    "onnx": lambda threads: OnnxEngine(threads=threads),
}
"""Every engine by name: called with the number of threads, it loads its weights."""


@cache
def load_engine(name: str = "onnx", *, threads: int = 1) -> PlateEngine:
    """Return the engine of this name, loaded once in the life of the process.

    Parameters
    ----------
    threads
        Threads one inference may use.

    Raises
    ------
    ConfigurationError
        No engine has this name, or its weights are not installed; the message says what to install.
    """
    try:
        make = ENGINES[name]
    except KeyError:
        known = ", ".join(sorted(ENGINES))
        raise ConfigurationError(f"unknown plate engine {name!r}; choose one of: {known}") from None
    return make(threads)
