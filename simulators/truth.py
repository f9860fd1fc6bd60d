"""The truth file: one JSON line a passage (or fault), written before its messages can be sent.

A line that was written but whose passage never reached the spool (a crash in between) is followed, after
the restart, by a line with the same event id; readers keep the last.
"""

import hashlib
import json
from pathlib import Path
from threading import Lock
from typing import Any

from simulators.wire import json_bytes


class TruthFile:
    """Appends to a truth file; several stations may share one."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = Lock()

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line."""
        with self._lock, self._path.open("ab") as file:
            file.write(json_bytes(entry) + b"\n")


def read_truth(path: Path) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return the passages by event id, and the faults, in the order written."""
    passages: dict[str, dict[str, Any]] = {}
    faults = []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "passage":
            passages[entry["event_id"]] = entry
        else:
            faults.append(entry)
    return passages, faults


def event_id(station: str, device: str, epoch: str, sequence: int) -> str:
    """Return the event id a message will have, derived a second time from the contract's text."""
    material = "\0".join(("zhichao event v1", station, device, epoch, str(sequence)))
    return hashlib.sha256(material.encode()).hexdigest()[:32]
