"""onnxruntime sessions: opened the same way everywhere, and digested for the evidence."""

import os
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

# As it is loaded, onnxruntime 1.32 for Linux leaves a device id in the home folder and tells its makers of
# every process and model. It reads this but once, then, and its own function for the same comes too late.
# Set, and nothing read: what this software itself does hangs on its settings alone.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument, InvalidProtobuf

from domain.errors import ConfigurationError
from domain.ids import Sha256, sha256_of
from plate_recognition.weights import WeightFile, locate


class Network:
    """One ONNX network, loaded once for the life of the process.

    Parameters
    ----------
    weight
        The file to load.
    threads
        Threads one inference may use; more than the cores a worker owns makes it slower.

    Raises
    ------
    ConfigurationError
        The package with the weights is not installed, or its file is damaged.
    """

    def __init__(self, weight: WeightFile, *, threads: int) -> None:
        model = locate(weight).read_bytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # One worker reads one image at a time: spinning threads would take the cores from the next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except (InvalidProtobuf, InvalidArgument) as error:
            raise ConfigurationError(
                f"{weight.path} of {weight.distribution} is damaged; reinstall the package"
            ) from error
        self._input: str = self._session.get_inputs()[0].name
        self.name = PurePosixPath(weight.path).name
        self.sha256: Sha256 = sha256_of(model)

    def run(self, images: NDArray[np.float32]) -> Sequence[Any]:
        """Return the network's outputs for a batch of images, shape (batch, 3, height, width)."""
        outputs: Sequence[Any] = self._session.run(None, {self._input: images})
        return outputs

    def metadata(self, key: str) -> str:
        """Return a text the model file carries about itself."""
        return str(self._session.get_modelmeta().custom_metadata_map[key])
