"""Verifying a package offline, layer by layer, with keys from a trust file only.

Every layer catches what another misses (see docs/reference/evidence.md), so a layer that fails
does not end the verification; those that build on it say that they were not reached. Nothing here
raises on the content of a package: whatever its bytes, the answer is a report.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from domain.errors import EvidenceBroken
from domain.ids import Sha256, sha256_of
from evidence.bag import DECLARATION, BagInfo, parse_manifest
from evidence.checkpoint import TlogProof
from evidence.dsse import Envelope
from evidence.durable import read_regular
from evidence.merkle import check_inclusion, leaf_hash
from evidence.package import BAG_DECLARATION, BAG_INFO, MANIFEST, MAX_TAG_BYTES, SEAL, TAG_FILES, TAG_MANIFEST
from evidence.parsing import Json, canonical_json, document_of, moment_of
from evidence.policy import LAYERS, Policy
from evidence.report import Layer, Report
from evidence.seal import ENTRY_FILE, PAE_FILE, PROOF_FILE, SEAL_FILES, SIGNATURE_FILE
from evidence.statements import ENVELOPE_FILE, PACKAGE, TOKEN_FILE, check_statement, entry_leaf
from evidence.timestamp import Stamp, check_token
from evidence.trust import Trust

_FOLDERS = ("data", "data/images", "data/station", "data/wire", SEAL)
_DOCUMENTS = ("data/event.json", "data/arrival.json", "data/reading.json")
_MUST_HAVE = (*TAG_FILES, TAG_MANIFEST, *_DOCUMENTS[:2], *(f"{SEAL}/{name}" for name in SEAL_FILES))
_CALIBRATION = "data/station/calibration.json"
_MAX_LISTED = 3

_Known = TypeVar("_Known")


@dataclass
class _Inspection:
    """What the layers have found so far; a field stays None where its layer does not hold."""

    root: Path
    trust: Trust
    policy: Policy
    sizes: dict[str, int] = field(default_factory=dict)
    """Size in bytes of every regular file, by path in the package."""
    manifest: dict[str, Sha256] | None = None
    info: BagInfo | None = None
    event: Json | None = None
    stamp: Stamp | None = None
    proof: TlogProof | None = None
    witnessed_at: datetime | None = None

    def read(self, path: str) -> bytes:
        """Return a tag, seal or document file; payload of any size is only ever hashed."""
        return read_regular(self.root / path, max_bytes=MAX_TAG_BYTES)

    def seal(self, name: str) -> bytes:
        """Return a file of the seal."""
        return self.read(f"{SEAL}/{name}")


def verify_package(path: Path, trust: Trust, *, policy: Policy | None = None) -> Report:
    """Verify the package in a folder.

    Parameters
    ----------
    path
        The package's folder; its name must be the one the package was sealed under.
    trust
        Keys and roots, from outside the package.
    policy
        What is asked for; by default every layer.
    """
    policy = policy or Policy()
    root = Path(os.path.abspath(path))
    inspection = _Inspection(root, trust, policy)
    layers = []
    for name in LAYERS:
        ok, detail = True, ""
        try:
            detail = _CHECKS[name](inspection)
        except (EvidenceBroken, OSError) as error:
            ok, detail = False, str(error)
        layers.append(Layer(name, ok, _printable(detail), name in policy.required_layers))
    return Report(_printable(root.name), trust.digest, layers)


def _layout(found: _Inspection) -> str:
    """Closed world: only regular files, only where the format has them, no links, no empty folders."""
    if not stat.S_ISDIR(os.lstat(found.root).st_mode):
        raise EvidenceBroken(f"{found.root.name} is not a folder")
    strange = _walk(found, found.root, "")
    missing = [path for path in _MUST_HAVE if path not in found.sizes]
    if strange or missing:
        parts = [f"does not belong there: {_some(strange)}"] if strange else []
        parts += [f"missing: {_some(missing)}"] if missing else []
        raise EvidenceBroken("; ".join(parts))
    if found.read(BAG_DECLARATION) != DECLARATION:
        raise EvidenceBroken("bagit.txt does not declare BagIt 1.0 in UTF-8")
    return f"{len(found.sizes)} files, nothing else"


def _walk(found: _Inspection, folder: Path, prefix: str) -> list[str]:
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
    return path in _MUST_HAVE or path in _DOCUMENTS or folder in ("data/images", "data/station", "data/wire")


def _manifest(found: _Inspection) -> str:
    manifest = parse_manifest(found.read(MANIFEST), MANIFEST)
    present = {path for path in found.sizes if path.startswith("data/")}
    if present != manifest.keys():
        raise EvidenceBroken(
            f"files and manifest differ; only listed: {_some(sorted(manifest.keys() - present))}; "
            f"only there: {_some(sorted(present - manifest.keys()))}"
        )
    changed = [path for path, digest in manifest.items() if _file_sha256(found.root / path) != digest]
    if changed:
        raise EvidenceBroken(f"changed since: {_some(changed)}")
    found.manifest = manifest
    return f"{len(manifest)} payload files have their digests"


def _tag_manifest(found: _Inspection) -> str:
    listed = parse_manifest(found.read(TAG_MANIFEST), TAG_MANIFEST)
    if set(listed) != set(TAG_FILES):
        raise EvidenceBroken(f"it must list exactly {', '.join(TAG_FILES)}")
    changed = [path for path, digest in listed.items() if sha256_of(found.read(path)) != digest]
    if changed:
        raise EvidenceBroken(f"changed since: {_some(changed)}")
    return f"{len(listed)} tag files have their digests"


def _bag_info(found: _Inspection) -> str:
    info = BagInfo.parse(found.read(BAG_INFO))
    if found.root.name != info.folder:
        raise EvidenceBroken(f"the folder is shown as {found.root.name}, but the package is {info.folder}")
    payload = [size for path, size in found.sizes.items() if path.startswith("data/")]
    if (sum(payload), len(payload)) != (info.payload_bytes, info.payload_files):
        raise EvidenceBroken("the payload is not of the size that bag-info.txt states")
    found.info = info
    return f"event {info.event_id}, supplement {info.supplement}"


def _event(found: _Inspection) -> str:
    event = document_of(found.read("data/event.json"), "data/event.json")
    info, manifest = _known(found.info, "bag-info"), _known(found.manifest, "manifest")
    if (event.get("event_id"), event.get("supplement")) != (info.event_id, info.supplement):
        raise EvidenceBroken("data/event.json is of another event or supplement than bag-info.txt says")
    moment_of(event.get("captured_at"), "the event's captured_at")
    listed = _original_digests(event)
    originals = {p: d for p, d in manifest.items() if p.startswith("data/images/") or p in listed}
    if listed != originals:
        raise EvidenceBroken("the originals the event names are not those in the package")
    calibrated = _check_calibration(found, event, manifest)
    found.event = event
    return f"captured at {event['captured_at']}, {len(listed)} originals{calibrated}"


def _check_calibration(found: _Inspection, event: Json, manifest: dict[str, Sha256]) -> str:
    """The calibration beside the event must be the one the event says it was weighed with, and no other."""
    weighing = event.get("weighing")
    try:
        use = None if weighing is None else weighing["calibration"]
        named = None if use is None else (use["version"], use["digest"])
    except (KeyError, TypeError, IndexError):
        raise EvidenceBroken("data/event.json does not say with which calibration it was weighed") from None
    if (named is None) != (_CALIBRATION not in manifest):
        there = "is there, but nothing was weighed with it" if named is None else "is missing"
        raise EvidenceBroken(f"{_CALIBRATION} {there}")
    if named is None:
        return ""
    document = document_of(found.read(_CALIBRATION), _CALIBRATION)
    if (document.get("version"), sha256_of(canonical_json(document))) != named:
        raise EvidenceBroken(f"{_CALIBRATION} is not the calibration the event was weighed with")
    return f", weighed with calibration {named[0]}"


def _original_digests(event: Json) -> dict[str, str]:
    try:
        entries = [*event["originals"]["images"], *event["originals"]["wire"]]
        return {str(entry["path"]): str(entry["sha256"]) for entry in entries}
    except (KeyError, TypeError):
        raise EvidenceBroken("data/event.json does not list its originals") from None


def _statement(found: _Inspection) -> str:
    data = found.seal(ENVELOPE_FILE)
    services = found.trust.services
    statement = check_statement(data, [service.public_key for service in services], PACKAGE)
    envelope = Envelope.parse(data)
    if (found.seal(PAE_FILE), found.seal(SIGNATURE_FILE)) != (envelope.pae, envelope.signature):
        raise EvidenceBroken(f"{PAE_FILE} or {SIGNATURE_FILE} is not the envelope's")
    digest = sha256_of(found.read(TAG_MANIFEST))
    if statement["subject"] != [{"name": TAG_MANIFEST, "digest": {"sha256": digest}}]:
        raise EvidenceBroken("the statement is about another package's tag manifest")
    event, predicate = _known(found.event, "event"), statement["predicate"]
    same = ("event_id", "supplement", "predecessor")
    if not isinstance(predicate, dict) or any(predicate.get(k, "") != event.get(k) for k in same):
        raise EvidenceBroken("statement and event name different events, supplements or predecessors")
    return f"signed by key {envelope.key_id[:16]}..."


def _time_stamp(found: _Inspection) -> str:
    found.stamp = check_token(found.seal(TOKEN_FILE), found.seal(ENVELOPE_FILE), found.trust.tsa_roots)
    return f"{found.stamp.made_at.isoformat()} by {found.stamp.authority}"


def _times(found: _Inspection) -> str:
    """captured <= genTime <= captured + allowed delay, each with its stated tolerance."""
    event, stamp = _known(found.event, "event"), _known(found.stamp, "time-stamp")
    captured_at = moment_of(event["captured_at"], "the event's captured_at")
    ahead = stamp.accuracy + timedelta(seconds=found.policy.clock_tolerance_s)
    if captured_at - stamp.made_at > ahead:
        raise EvidenceBroken(f"time-stamped at {stamp.made_at.isoformat()}, before it was captured")
    delay = stamp.made_at - captured_at
    if delay > timedelta(seconds=found.policy.allowed_delay_s) + stamp.accuracy:
        raise EvidenceBroken(
            f"time-stamped {delay} after capture; the policy allows {found.policy.allowed_delay_s} s"
        )
    return f"time-stamped {max(delay, timedelta(0))} after capture"


def _entry(found: _Inspection) -> str:
    digest = sha256_of(found.read(TAG_MANIFEST))
    leaf = entry_leaf(digest, found.seal(ENVELOPE_FILE), found.seal(TOKEN_FILE))
    if found.seal(ENTRY_FILE) != leaf:
        raise EvidenceBroken("the log entry does not hold the digests of tag manifest, envelope and token")
    return "holds tag manifest, envelope and token"


def _inclusion(found: _Inspection) -> str:
    proof = TlogProof.parse(found.seal(PROOF_FILE))
    head = proof.signed.checkpoint
    check_inclusion(leaf_hash(found.seal(ENTRY_FILE)), proof.leaf_index, head.size, proof.path, head.root)
    found.proof = proof
    return f"entry {proof.leaf_index} of {head.size}"


def _checkpoint(found: _Inspection) -> str:
    signed = _known(found.proof, "inclusion").signed
    key = next((log for log in found.trust.logs if log.name == signed.checkpoint.origin), None)
    if key is None:
        raise EvidenceBroken(f"the log {signed.checkpoint.origin!r} is not in the trust file")
    signed.check_log(key)
    return f"signed by the log {key.name}"


def _witness(found: _Inspection) -> str:
    signed = _known(found.proof, "inclusion").signed
    present = {(line.name, line.key_id) for line in signed.note.signatures}
    keys = [key for key in found.trust.witnesses if (key.name, key.key_id) in present]
    if not keys:
        raise EvidenceBroken("no trusted witness has cosigned the checkpoint")
    times_s = [signed.check_witness(key) for key in keys]
    try:
        found.witnessed_at = datetime.fromtimestamp(min(times_s), UTC)
    except (ValueError, OverflowError, OSError):
        raise EvidenceBroken("the witness's time is outside any calendar") from None
    return f"cosigned by {', '.join(key.name for key in keys)}"


def _witness_time(found: _Inspection) -> str:
    """The token is hashed by the entry, so the witness saw the entry after genTime (with its accuracy)."""
    stamp, witnessed_at = _known(found.stamp, "time-stamp"), _known(found.witnessed_at, "witness")
    # A cosignature's time is cut to whole seconds.
    if stamp.made_at - witnessed_at > stamp.accuracy + timedelta(seconds=1):
        raise EvidenceBroken(f"witnessed at {witnessed_at.isoformat()}, before it was time-stamped")
    delay = witnessed_at - stamp.made_at
    if delay > timedelta(seconds=found.policy.log_delay_s) + stamp.accuracy:
        raise EvidenceBroken(
            f"witnessed {delay} after the time stamp; the policy allows {found.policy.log_delay_s} s"
        )
    return f"cosigned at {witnessed_at.isoformat()}"


_CHECKS: dict[str, Callable[[_Inspection], str]] = {
    "layout": _layout,
    "manifest": _manifest,
    "tag-manifest": _tag_manifest,
    "bag-info": _bag_info,
    "event": _event,
    "statement": _statement,
    "time-stamp": _time_stamp,
    "times": _times,
    "entry": _entry,
    "inclusion": _inclusion,
    "checkpoint": _checkpoint,
    "witness": _witness,
    "witness-time": _witness_time,
}


def _known(value: _Known | None, layer: str) -> _Known:
    if value is None:
        raise EvidenceBroken(f"not reached: it builds on {layer}, which does not hold")
    return value


def _file_sha256(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _some(names: list[str]) -> str:
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "") or "none"


def _printable(text: str) -> str:
    """Return text fit for a terminal: names in a package are not ours."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
