"""The folder: nothing but the files of the format, each with its digest, and tag files that name it."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from domain.errors import EvidenceBroken
from domain.ids import Sha256, sha256_of
from evidence.bag import DECLARATION, BagInfo, parse_manifest
from evidence.digests import sm3_of_file
from evidence.package import (
    BAG_DECLARATION,
    BAG_INFO,
    MANIFEST,
    SEAL,
    SM3_MANIFEST,
    TAG_FILES,
    TAG_MANIFEST,
)
from evidence.seal import SEAL_FILES
from evidence.verify.inspection import Inspection, some

_PAYLOAD_FOLDERS = ("data/derived", "data/images", "data/rules", "data/station", "data/video", "data/wire")
_FOLDERS = ("data", SEAL, *_PAYLOAD_FOLDERS)
_MUST_HAVE = (
    *(BAG_DECLARATION, BAG_INFO, MANIFEST, TAG_MANIFEST),
    *("data/event.json", "data/arrival.json"),
    *(f"{SEAL}/{name}" for name in SEAL_FILES),
)
_MAY_HAVE = ("data/reading.json", SM3_MANIFEST)


def check_layout(found: Inspection) -> str:
    """Closed world: only regular files, only where the format has them, no links, no empty folders."""
    if not stat.S_ISDIR(os.lstat(found.root).st_mode):
        raise EvidenceBroken(f"{found.root.name} is not a folder")
    strange = _walk(found, found.root, "")
    missing = [path for path in _MUST_HAVE if path not in found.sizes]
    if strange or missing:
        parts = [f"does not belong there: {some(strange)}"] if strange else []
        parts += [f"missing: {some(missing)}"] if missing else []
        raise EvidenceBroken("; ".join(parts))
    if found.read(BAG_DECLARATION) != DECLARATION:
        raise EvidenceBroken("bagit.txt does not declare BagIt 1.0 in UTF-8")
    return f"{len(found.sizes)} files, nothing else"


def _walk(found: Inspection, folder: Path, prefix: str) -> list[str]:
    strange = []
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    if not listed:
        strange.append(f"{prefix} (empty)")
    for entry in listed:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False) and path in _FOLDERS:
            strange += _walk(found, folder / entry.name, f"{path}/")
        elif entry.is_file(follow_symlinks=False):
            found.sizes[path] = entry.stat(follow_symlinks=False).st_size
            if not _belongs(path):
                strange.append(path)
        else:
            strange.append(path)
    return strange


def _belongs(path: str) -> bool:
    folder = path.rpartition("/")[0]
    return path in _MUST_HAVE or path in _MAY_HAVE or folder in _PAYLOAD_FOLDERS


def check_manifest(found: Inspection) -> str:
    """The payload is exactly the files listed, each with its SHA-256."""
    found.manifest = _check_payload(found, MANIFEST, _sha256_of_file)
    return f"{len(found.manifest)} payload files have their digests"


def check_sm3_manifest(found: Inspection) -> str:
    """The second manifest: the same files, each with its SM3 digest (GB/T 32905)."""
    listed = _check_payload(found, SM3_MANIFEST, sm3_of_file)
    return f"{len(listed)} payload files have their SM3 digests"


def _check_payload(found: Inspection, name: str, digest_of_file: Callable[[Path], str]) -> dict[str, Sha256]:
    manifest = parse_manifest(found.read(name), name)
    present = {path for path in found.sizes if path.startswith("data/")}
    if present != manifest.keys():
        raise EvidenceBroken(
            f"files and manifest differ; only listed: {some(sorted(manifest.keys() - present))}; "
            f"only there: {some(sorted(present - manifest.keys()))}"
        )
    changed = [path for path, digest in manifest.items() if digest_of_file(found.root / path) != digest]
    if changed:
        raise EvidenceBroken(f"changed since: {some(changed)}")
    return manifest


def check_tag_manifest(found: Inspection) -> str:
    """The tag files have the digests listed, and all of them are listed."""
    listed = parse_manifest(found.read(TAG_MANIFEST), TAG_MANIFEST)
    # Packages sealed before there was a second manifest have none.
    expected = set(TAG_FILES) if SM3_MANIFEST in found.sizes else set(TAG_FILES) - {SM3_MANIFEST}
    if set(listed) != expected:
        raise EvidenceBroken(f"it must list exactly {', '.join(sorted(expected))}")
    changed = [path for path, digest in listed.items() if sha256_of(found.read(path)) != digest]
    if changed:
        raise EvidenceBroken(f"changed since: {some(changed)}")
    return f"{len(listed)} tag files have their digests"


def check_bag_info(found: Inspection) -> str:
    """It names this event, and the folder has the name it was sealed under."""
    info = BagInfo.parse(found.read(BAG_INFO))
    if found.root.name != info.folder:
        raise EvidenceBroken(f"the folder is shown as {found.root.name}, but the package is {info.folder}")
    payload = [size for path, size in found.sizes.items() if path.startswith("data/")]
    if (sum(payload), len(payload)) != (info.payload_bytes, info.payload_files):
        raise EvidenceBroken("the payload is not of the size that bag-info.txt states")
    found.info = info
    return f"event {info.event_id}, supplement {info.supplement}"


def _sha256_of_file(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
