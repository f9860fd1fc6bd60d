"""Image in, plate reading out."""

from plate_recognition.engine import ENGINES, PlateEngine, load_engine
from plate_recognition.passage import read_passage

__all__ = ["ENGINES", "PlateEngine", "load_engine", "read_passage"]
