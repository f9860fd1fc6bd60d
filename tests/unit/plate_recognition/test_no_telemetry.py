"""A reader of plates tells nobody that it ran, as onnxruntime by itself would."""

import os
import subprocess
import sys
from pathlib import Path

_LOAD = "from plate_recognition import load_engine; load_engine('onnx')"


def test_no_device_id_and_nothing_to_send_is_left(tmp_path: Path) -> None:
    told_nothing = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", _LOAD], check=True, timeout=120, env=told_nothing | home)
    assert [str(path) for path in tmp_path.rglob("*") if "onnxruntime" in path.name.lower()] == []
