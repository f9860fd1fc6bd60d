"""Building a package: originals in, a folder out that is whole or not there at all.

The layout is RFC 8493 (BagIt 1.0):

    EV-<event id>[.s<n>]/
        bagit.txt  bag-info.txt  manifest-sha256.txt  manifest-sm3.txt  tagmanifest-sha256.txt
        data/event.json  data/arrival.json  data/reading.json
        data/wire/  data/images/  data/station/  data/rules/
        seal/                   added later by `seal.write_seal`, outside the tag manifest

Everything under data/ but arrival.json is a function of what the station sent and what was
concluded from it, so that replaying the same feed gives the same bytes.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from domain.device_signatures import UNSIGNED, DeviceSignature
from domain.errors import ConflictingChange, EvidenceBroken
from domain.events import CaptureRole
from domain.ids import DeviceId, EventId, Sha256, sha256_of
from evidence.bag import DECLARATION, BagInfo, folder_name, manifest_text
from evidence.device import DEVICE_KEYS, keys_document, signature_entry
from evidence.digests import sm3_of
from evidence.durable import fsync_folder, fsync_tree, make_folders, read_regular, write_new
from evidence.parsing import Json, canonical_json, moment_of

BAG_DECLARATION = "bagit.txt"
BAG_INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
SM3_MANIFEST = "manifest-sm3.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
SEAL = "seal"
TAG_FILES = (BAG_DECLARATION, BAG_INFO, MANIFEST, SM3_MANIFEST)
"""The files the tag manifest lists."""

MAX_TAG_BYTES = 4 * 1024 * 1024

_OWN_MEMBERS = frozenset({"event_id", "supplement", "predecessor", "originals"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BUILDING = ".building-"

# A station that resends from its spool stamps the message anew: the one header that differs between replays.
_VOLATILE_PROPERTY = "sent_at"


@dataclass(frozen=True)
class WireItem:
    """One message exactly as received."""

    name: str
    """File name in data/wire, e.g. "weigh.json"."""
    payload: bytes
    topic: str
    properties: tuple[tuple[str, str], ...]
    content_type: str | None = None
    signature: DeviceSignature = UNSIGNED
    """What was found of its device's own signature when it arrived."""


@dataclass(frozen=True)
class ImageItem:
    """One image as received, never re-encoded."""

    role: CaptureRole
    device: DeviceId
    sha256: Sha256
    data: bytes


@dataclass(frozen=True)
class PackageContents:
    """All that goes into a package.

    `event` must hold "captured_at" (as `domain.units.utc_text` writes it) and integers only; the
    ids and the list of originals are added to it. `arrival` holds all that may differ between two
    replays of one feed. `station` is documents by name: certificate, clock, announcement ...; `rules`
    the law's tables by file name, byte for byte as they are published.
    """

    event_id: EventId
    supplement: int
    predecessor_tagmanifest: Sha256 | None
    event: Json
    wire: tuple[WireItem, ...]
    images: tuple[ImageItem, ...]
    reading: Json | None
    arrival: Json
    station: Mapping[str, Json] = field(default_factory=dict)
    rules: Mapping[str, bytes] = field(default_factory=dict)


class _File(NamedTuple):
    """A payload file with its digest, which is computed once."""

    data: bytes
    sha256: Sha256


class BuiltPackage(NamedTuple):
    """A package that lies complete in its folder, not yet sealed."""

    folder: str
    """Name below the evidence folder."""
    tagmanifest: Sha256
    event_id: EventId
    supplement: int
    predecessor_tagmanifest: Sha256 | None


def build(evidence_root: Path, contents: PackageContents) -> BuiltPackage:
    """Write a package; the same contents give the same bytes, and an identical one is used again.

    Raises
    ------
    ConflictingChange
        Another package of this event and supplement is there; what is built is never rewritten.
    EvidenceBroken
        The contents contradict themselves: a digest is not that of its image, a name is unusable.
    """
    folder = folder_name(contents.event_id, contents.supplement)
    if bool(contents.supplement) != bool(contents.predecessor_tagmanifest):
        raise EvidenceBroken("a supplement names its predecessor's tag manifest, a first package none")
    files = _with_tags(contents, _payload(contents))
    built = BuiltPackage(
        folder,
        sha256_of(files[TAG_MANIFEST]),
        contents.event_id,
        contents.supplement,
        contents.predecessor_tagmanifest,
    )
    make_folders(evidence_root)
    if not (evidence_root / folder).exists():
        _write_whole(evidence_root, folder, files)
    if read_regular(evidence_root / folder / TAG_MANIFEST, max_bytes=MAX_TAG_BYTES) != files[TAG_MANIFEST]:
        raise ConflictingChange(f"{folder} was built from other contents; put what is new into a supplement")
    return built


def remove_leftovers(evidence_root: Path, *, older_than_s: float = 3600.0) -> list[str]:
    """Remove half-built folders that a killed process left, and return their names."""
    if not evidence_root.is_dir():
        return []
    horizon = time.time() - older_than_s
    old = [p for p in evidence_root.glob(f"{_BUILDING}*") if p.stat().st_mtime < horizon]
    for leftover in old:
        shutil.rmtree(leftover)
    return [leftover.name for leftover in old]


def _payload(contents: PackageContents) -> dict[str, _File]:
    files: dict[str, _File] = {}
    images = sorted(contents.images, key=lambda item: (item.role.value, item.device, item.sha256))
    listed_images = []
    for number, item in enumerate(images, start=1):
        if sha256_of(item.data) != item.sha256:
            raise EvidenceBroken(
                f"the {item.role.value} image of {item.device} is not the one its digest names"
            )
        path = f"data/images/{number:02}-{item.role.value}.jpg"
        files[path] = _File(item.data, item.sha256)
        listed_images.append(
            {"path": path, "sha256": item.sha256, "role": item.role.value, "device": item.device}
        )
    image_paths = {entry["sha256"]: entry["path"] for entry in listed_images}
    sent_at: dict[str, str] = {}
    listed_wire = []
    for message in contents.wire:
        digest = sha256_of(message.payload)
        # A native capture's payload is the image itself: stored once, named from both places.
        stored = image_paths.get(digest)
        path = stored or _add(files, f"data/wire/{message.name}", message.payload, digest)
        headers = _add(files, f"data/wire/{message.name}.headers.json", _headers(message))
        listed_wire.append(
            {
                "path": path,
                "sha256": digest,
                "headers": headers,
                "topic": message.topic,
                "device_signature": signature_entry(message.signature),
            }
        )
        if _VOLATILE_PROPERTY in (properties := dict(message.properties)):
            sent_at[message.name] = properties[_VOLATILE_PROPERTY]
    originals = {"images": listed_images, "wire": listed_wire}
    _add(files, "data/event.json", _event(contents, originals))
    _add(files, "data/arrival.json", canonical_json({**contents.arrival, "station_sent_at": sent_at}))
    if contents.reading is not None:
        _add(files, "data/reading.json", canonical_json(contents.reading))
    for name, document in contents.station.items():
        _add(files, f"data/station/{name}.json", canonical_json(document))
    if (keys := keys_document(message.signature for message in contents.wire)) is not None:
        _add(files, DEVICE_KEYS, canonical_json(keys))
    for name, table in contents.rules.items():
        _add(files, f"data/rules/{name}", table)
    return files


def _event(contents: PackageContents, originals: Json) -> bytes:
    taken = _OWN_MEMBERS & contents.event.keys()
    if taken:
        raise EvidenceBroken(f"the event sets {', '.join(sorted(taken))}, which the package itself writes")
    moment_of(contents.event.get("captured_at"), "the event's captured_at")
    return canonical_json(
        {
            **contents.event,
            "event_id": contents.event_id,
            "supplement": contents.supplement,
            "predecessor": contents.predecessor_tagmanifest,
            "originals": originals,
        }
    )


def _headers(message: WireItem) -> bytes:
    stable = [[key, value] for key, value in message.properties if key != _VOLATILE_PROPERTY]
    return canonical_json(
        {"topic": message.topic, "content_type": message.content_type, "properties": stable}
    )


def _add(files: dict[str, _File], path: str, data: bytes, digest: Sha256 | None = None) -> str:
    if not _NAME.fullmatch(PurePosixPath(path).name) or path.count("/") > 2:
        raise EvidenceBroken(f"{path!r} is no plain file name: letters, digits, point, dash, underscore")
    if path in files:
        raise EvidenceBroken(f"two parts of the package would be {path}")
    files[path] = _File(data, digest or sha256_of(data))
    return path


def _with_tags(contents: PackageContents, payload: dict[str, _File]) -> dict[str, bytes]:
    data = {path: file.data for path, file in payload.items()}
    info = BagInfo(contents.event_id, contents.supplement, sum(map(len, data.values())), len(data))
    tags = {
        BAG_DECLARATION: DECLARATION,
        BAG_INFO: bytes(info),
        MANIFEST: manifest_text({path: file.sha256 for path, file in payload.items()}),
        SM3_MANIFEST: manifest_text({path: sm3_of(part) for path, part in data.items()}),
    }
    tag_manifest = manifest_text({path: sha256_of(part) for path, part in tags.items()})
    return data | tags | {TAG_MANIFEST: tag_manifest}


def _write_whole(evidence_root: Path, folder: str, files: Mapping[str, bytes]) -> None:
    with temporary_folder(evidence_root, folder) as building:
        for path, data in files.items():
            (building / path).parent.mkdir(parents=True, exist_ok=True)
            write_new(building / path, data)
        fsync_tree(building)
        rename_into_place(building, evidence_root / folder)


@contextmanager
def temporary_folder(evidence_root: Path, purpose: str) -> Iterator[Path]:
    """Give a new folder on the same file system, gone afterwards unless it was renamed."""
    building = Path(tempfile.mkdtemp(prefix=f"{_BUILDING}{purpose}-", dir=evidence_root))
    # mkdtemp makes it private; a package is public within the evidence folder's own modes.
    building.chmod(0o755)
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def rename_into_place(source: Path, target: Path) -> None:
    """Rename a folder to its final name, durably; leave it where another process was first."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    fsync_folder(target.parent)
