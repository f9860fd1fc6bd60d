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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from domain.device_signatures import UNSIGNED, DeviceSignature
from domain.errors import ConflictingChange, EvidenceBroken
from domain.events import CaptureRole
from domain.ids import DeviceId, EventId, Sha256, sha256_of
from evidence.anti_forgery import RULE, anti_forgery_code
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

_OWN_MEMBERS = frozenset({"event_id", "supplement", "predecessor", "originals", "derived", "anti_forgery"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BUILDING = ".building-"
WRITERS = 2
"""Threads that write the files of one package."""

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

    @cached_property
    def sha256(self) -> Sha256:
        """The payload's digest."""
        return sha256_of(self.payload)


@dataclass(frozen=True)
class ImageItem:
    """One image as received, never re-encoded."""

    role: CaptureRole
    device: DeviceId
    sha256: Sha256
    data: bytes


@dataclass(frozen=True)
class ClipItem:
    """One clip (MP4) as received; never decoded here, only kept and named by its digest."""

    device: DeviceId
    sha256: Sha256
    data: bytes
    role: CaptureRole = CaptureRole.CLIP


class DerivedItem(NamedTuple):
    """One view made of originals, for people to look at."""

    name: str
    """File name in data/derived."""
    data: bytes
    sources: tuple[Sha256, ...]
    """Digests of the originals it was made of."""
    by: str
    """What made it: name/version."""


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
    clips: tuple[ClipItem, ...] = ()
    derived: tuple[DerivedItem, ...] = ()


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
    payload = _payload(contents)
    make_folders(evidence_root)
    if (evidence_root / folder).exists():
        tags = _tags(contents, payload, {path: sm3_of(file.data) for path, file in payload.items()})
    else:
        with temporary_folder(evidence_root, folder) as building:
            tags = _tags(contents, payload, _write_payload(building, payload))
            for name, data in tags.items():
                write_new(building / name, data)
            fsync_tree(building)
            rename_into_place(building, evidence_root / folder)
    # Another builder may have been there first.
    if read_regular(evidence_root / folder / TAG_MANIFEST, max_bytes=MAX_TAG_BYTES) != tags[TAG_MANIFEST]:
        raise ConflictingChange(f"{folder} was built from other contents; put what is new into a supplement")
    return BuiltPackage(
        folder,
        sha256_of(tags[TAG_MANIFEST]),
        contents.event_id,
        contents.supplement,
        contents.predecessor_tagmanifest,
    )


def remove_leftovers(evidence_root: Path, *, older_than_s: float = 3600.0) -> list[str]:
    """Remove half-built folders that a killed process left, and return their names."""
    if not evidence_root.is_dir():
        return []
    horizon = time.time() - older_than_s
    old = [p for p in evidence_root.glob(f"{_BUILDING}*") if p.stat().st_mtime < horizon]
    for leftover in old:
        shutil.rmtree(leftover)
    return [leftover.name for leftover in old]


def placed_images(images: Sequence[ImageItem]) -> tuple[tuple[str, ImageItem], ...]:
    """Return images with their paths in the package, in its order, which is not that of their arrival."""
    in_order = sorted(images, key=lambda item: (item.role.value, item.device, item.sha256))
    return tuple(
        (f"data/images/{number:02}-{item.role.value}.jpg", item) for number, item in enumerate(in_order, 1)
    )


def _placed_clips(clips: Sequence[ClipItem]) -> tuple[tuple[str, ClipItem], ...]:
    in_order = sorted(clips, key=lambda item: (item.device, item.sha256))
    return tuple((f"data/video/{number:02}-clip.mp4", item) for number, item in enumerate(in_order, 1))


def _payload(contents: PackageContents) -> dict[str, _File]:
    files: dict[str, _File] = {}
    images = _add_captures(files, placed_images(contents.images))
    clips = _add_captures(files, _placed_clips(contents.clips))
    wire, sent_at = _add_wire(
        files, contents.wire, {entry["sha256"]: entry["path"] for entry in images + clips}
    )
    derived = [
        {"path": path, "sha256": files[path].sha256, "from": list(view.sources), "by": view.by}
        for view in sorted(contents.derived, key=lambda view: view.name)
        for path in [_add(files, f"data/derived/{view.name}", view.data)]
    ]
    originals = {"images": images, "video": clips, "wire": wire}
    _add(files, "data/event.json", _event(contents, originals, derived))
    _add(files, "data/arrival.json", canonical_json({**contents.arrival, "station_sent_at": sent_at}))
    if contents.reading is not None:
        _add(files, "data/reading.json", canonical_json(contents.reading))
    keys = keys_document(message.signature for message in contents.wire)
    if keys is not None:
        _add(files, DEVICE_KEYS, canonical_json(keys))
    for name, document in contents.station.items():
        _add(files, f"data/station/{name}.json", canonical_json(document))
    for name, table in contents.rules.items():
        _add(files, f"data/rules/{name}", table)
    return files


def _add_captures(
    files: dict[str, _File], placed: Sequence[tuple[str, ImageItem | ClipItem]]
) -> list[dict[str, str]]:
    listed = []
    for path, item in placed:
        if sha256_of(item.data) != item.sha256:
            raise EvidenceBroken(
                f"the {item.role.value} capture of {item.device} is not the one its digest names"
            )
        files[path] = _File(item.data, item.sha256)
        listed.append({"path": path, "sha256": item.sha256, "role": item.role.value, "device": item.device})
    return listed


def _add_wire(
    files: dict[str, _File], messages: Sequence[WireItem], stored: Mapping[str, str]
) -> tuple[list[Json], dict[str, str]]:
    """Add messages; return their list, and by name when each was sent. `stored` is paths by digest."""
    sent_at: dict[str, str] = {}
    listed: list[Json] = []
    for message in messages:
        # A native capture's payload is the image itself: stored once, named from both places.
        path = stored.get(message.sha256) or _add(
            files, f"data/wire/{message.name}", message.payload, message.sha256
        )
        headers = _add(files, f"data/wire/{message.name}.headers.json", _headers(message))
        listed.append(
            {
                "path": path,
                "sha256": message.sha256,
                "headers": headers,
                "topic": message.topic,
                "device_signature": signature_entry(message.signature),
            }
        )
        if _VOLATILE_PROPERTY in (properties := dict(message.properties)):
            sent_at[message.name] = properties[_VOLATILE_PROPERTY]
    return listed, sent_at


def _event(contents: PackageContents, originals: Json, derived: list[Json]) -> bytes:
    taken = _OWN_MEMBERS & contents.event.keys()
    if taken:
        raise EvidenceBroken(f"the event sets {', '.join(sorted(taken))}, which the package itself writes")
    moment_of(contents.event.get("captured_at"), "the event's captured_at")
    digests = [Sha256(entry["sha256"]) for kind in originals.values() for entry in kind]
    code = anti_forgery_code(contents.event_id, digests)
    return canonical_json(
        {
            **contents.event,
            "event_id": contents.event_id,
            "supplement": contents.supplement,
            "predecessor": contents.predecessor_tagmanifest,
            "originals": originals,
            "derived": derived,
            "anti_forgery": {"rule": RULE, "code": code},
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


def _write_payload(building: Path, payload: Mapping[str, _File]) -> dict[str, str]:
    """Write the payload through to the disk and return its SM3 digests.

    While threads write, the largest file first, this one digests: neither holds the interpreter.
    """
    for folder in {(building / path).parent for path in payload}:
        folder.mkdir(parents=True, exist_ok=True)
    largest_first = sorted(payload, key=lambda path: len(payload[path].data), reverse=True)
    with ThreadPoolExecutor(WRITERS) as writers:
        written = [writers.submit(write_new, building / path, payload[path].data) for path in largest_first]
        digests = {path: sm3_of(file.data) for path, file in payload.items()}
        for one in written:
            one.result()
    return digests


def _tags(
    contents: PackageContents, payload: Mapping[str, _File], sm3: Mapping[str, str]
) -> dict[str, bytes]:
    size = sum(len(file.data) for file in payload.values())
    tags = {
        BAG_DECLARATION: DECLARATION,
        BAG_INFO: bytes(BagInfo(contents.event_id, contents.supplement, size, len(payload))),
        MANIFEST: manifest_text({path: file.sha256 for path, file in payload.items()}),
        SM3_MANIFEST: manifest_text(sm3),
    }
    return tags | {TAG_MANIFEST: manifest_text({path: sha256_of(part) for path, part in tags.items()})}


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
