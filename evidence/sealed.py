"""What a sealed package says, read back from its folder; whether it is genuine is for `verify_package`.

Every function raises `EvidenceBroken` with a sentence, and nothing else, whatever the folder holds.
"""

import os
from pathlib import Path

from domain.errors import EvidenceBroken
from evidence.durable import read_regular
from evidence.package import MAX_TAG_BYTES
from evidence.parsing import Json, document_of

EVENT_FILE = "data/event.json"
RULES = "data/rules"
STATION = "data/station"

_MAX_PAYLOAD_BYTES = 128 * 1024 * 1024
"""More than any message that is let in."""


def sealed_event(folder: Path) -> Json:
    """Return what was measured and concluded."""
    return sealed_document(folder, EVENT_FILE)


def sealed_document(folder: Path, path: str) -> Json:
    """Return one of the package's own JSON documents."""
    return document_of(read_regular(folder / path, max_bytes=MAX_TAG_BYTES), path)


def sealed_payload(folder: Path, path: str) -> bytes:
    """Return a payload file's bytes; the path is one that the package itself names, and is not trusted."""
    parts = path.split("/")
    if parts[0] != "data" or len(parts) != 3 or any(part in ("", ".", "..") for part in parts):
        raise EvidenceBroken(f"{path!r} is no file of a package's payload")
    return read_regular(folder / path, max_bytes=_MAX_PAYLOAD_BYTES)


def sealed_names(folder: Path, below: str) -> list[str]:
    """Return the names of the files in one of the payload's folders, sorted; none where it is not there."""
    try:
        return sorted(
            entry.name for entry in os.scandir(folder / below) if entry.is_file(follow_symlinks=False)
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EvidenceBroken(f"{below} cannot be read: {error.strerror}") from None
