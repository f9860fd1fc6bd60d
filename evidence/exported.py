"""An export checked from its files alone: packages, statements, officers' keys and the act that hands it out.

What the folder holds is told in `service.exporting`. An officer's act is believed by the rules of
`evidence.acts`, with keys from the officer-key statements in the folder itself: each is signed by a service
key of the trust file and proved to stand in the log. That no key had ended at a time when the folder shows
none ending is what the exporting officer signs for; the log's auditor sees it.

A disclosure of masked copies (`evidence.masked_copies`) is checked alike, but for packages: it holds none.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from domain.acts import Act, ActKind
from domain.errors import EvidenceBroken, ServiceUnavailable
from domain.ids import Sha256, sha256_of
from evidence.acts import KeyEntry, RegisteredKey, check_act, officer_keys_of, subjects_of
from evidence.dsse import MAX_SIGNATURES, Envelope
from evidence.durable import read_regular
from evidence.logged import check_logged, check_signers_alive
from evidence.masked_copies import COPIES, LIST, read_copies
from evidence.package import MAX_TAG_BYTES, TAG_MANIFEST
from evidence.policy import Policy
from evidence.report import Layer, Report
from evidence.statements import CAPTURES, KEYS, check_statement, statement_leaf
from evidence.trust import Trust
from evidence.verify import verify_package
from evidence.verify.inspection import printable, some

SUMS = "SHA256SUMS"
ACT_FILE = "export.dsse.json"
HISTORY = "history.json"
STATEMENTS = "statements"

_WAITING = 2**62
"""Stands for the place of a statement that was not in the log yet: after every entry there is."""

_NAME = re.compile(r"(?:([0-9]{9,19})|waiting-[0-9]+)-([a-z-]+)\.dsse\.json")
_SUM = re.compile(r"([0-9a-f]{64})  ([^\n\r\\]+)\n")
_PACKAGE = re.compile(r"EV-([0-9a-f]{32})(?:\.s[0-9]+)?")


class _Handed(NamedTuple):
    """What the act that hands the folder out must say."""

    kind: ActKind
    events: set[str]
    digests: dict[str, Sha256]

    def check_packages(self, act: Act) -> None:
        """Check that the packages which a statement names by digest are those handed out."""
        for name, digest in act.digests:
            package, _, file = name.partition("/")
            if file != TAG_MANIFEST:
                continue
            # Masked copies are of the latest package; the passage's earlier ones are named, and not here.
            elsewhere = self.kind is ActKind.DISCLOSURE and _events([package]) == self.events
            if self.digests.get(name, digest if elsewhere else None) != digest:
                raise EvidenceBroken(
                    f"it names the package {package}, which is not handed out here as it was"
                )


class _Statement(NamedTuple):
    name: str
    leaf_index: int | None
    what: str
    envelope: bytes
    proof: bytes


def is_export(folder: Path) -> bool:
    """Say whether a folder is an export, and no package."""
    return (folder / SUMS).exists() or (folder / ACT_FILE).exists()


def verify_export(folder: Path, trust: Trust, *, policy: Policy | None = None) -> list[Report]:
    """Return each package's report, and last the export's own; raises nothing on content."""
    packages = sorted(one for one in folder.iterdir() if _PACKAGE.fullmatch(one.name))
    reports = [verify_package(one, trust, policy=policy) for one in packages]
    layers = [Layer(one.package, one.ok, _told(one), checked=one.status != 2) for one in reports]
    try:
        statements = list(statements_of(folder))
    except (EvidenceBroken, OSError) as error:
        statements = []
        layers.append(Layer(STATEMENTS, False, printable(str(error))))
    officers = _officers(statements, trust)
    layers.append(_layer(SUMS, lambda: _check_sums(folder)))
    if not packages and (folder / LIST).exists():
        layers.append(_layer(COPIES, lambda: _check_copies(folder)))
        layers.append(_layer("originals", lambda: _check_originals(folder, statements, trust)))
    handed = _handed(folder, packages)
    layers += [_layer(one.name, partial(_check, one, officers, trust, handed)) for one in statements]
    layers.append(_layer(ACT_FILE, lambda: _check_handing_over(folder, officers, trust, handed)))
    layers.append(
        Layer(
            HISTORY,
            False,
            "not checked: it is the exporter's word, and statements may be missing from the folder; "
            "the log's auditor can tell",
            required=False,
            checked=False,
        )
    )
    return [*reports, Report(printable(folder.name), trust.digest, layers)]


def _layer(name: str, check: Callable[[], str]) -> Layer:
    try:
        return Layer(printable(name), True, printable(check()))
    except (EvidenceBroken, OSError) as error:
        return Layer(printable(name), False, printable(str(error)))
    except ServiceUnavailable as error:
        return Layer(printable(name), False, f"not checked: {error}", checked=False)


def _handed(folder: Path, packages: list[Path]) -> _Handed:
    """Return what the act must say; what cannot be read is told by the layer of its own."""
    with suppress(EvidenceBroken, OSError):
        if packages or not (folder / LIST).exists():
            manifests = {
                f"{one.name}/{TAG_MANIFEST}": sha256_of(_read(one / TAG_MANIFEST)) for one in packages
            }
            return _Handed(ActKind.EXPORT, _events(one.name for one in packages), manifests)
        copies = read_copies(folder)
        package = {f"{copies.package}/{TAG_MANIFEST}": copies.tagmanifest}
        return _Handed(ActKind.DISCLOSURE, _events([copies.package]), copies.digests | package)
    return _Handed(ActKind.EXPORT, _events(one.name for one in packages), {})


def _events(packages: Iterable[str]) -> set[str]:
    return {match[1] for one in packages if (match := _PACKAGE.fullmatch(one))}


def _check_copies(folder: Path) -> str:
    copies = read_copies(folder)
    return (
        f"{len(copies.digests)} masked copies of images of {copies.package}: derived views, no package and "
        "no original; whether they show what the originals show cannot be told without the package"
    )


def _check_originals(folder: Path, statements: list[_Statement], trust: Trust) -> str:
    """Look for the originals in the logged statements that fixed them before anything was read of them."""
    copies = read_copies(folder)
    services = [service.public_key for service in trust.services]
    captured: set[tuple[str, Sha256]] = set()
    for one in statements:
        with suppress(EvidenceBroken, ServiceUnavailable):
            if one.what == "captures":
                _check_entry(one, trust)
                captured |= set(subjects_of(check_statement(one.envelope, services, CAPTURES)))
    events = _events([copies.package])
    missing = {one for one in copies.originals if not any((event, one) in captured for event in events)}
    if missing:
        raise ServiceUnavailable(
            f"no logged capture statement here names {some(sorted(missing))}; compare with the package"
        )
    return f"{len(copies.originals)} originals, named by capture statements in the log"


def _told(report: Report) -> str:
    broken = ", ".join(report.broken) or ", ".join(report.not_checked)
    return f"see its own report: {broken}" if broken else "every required layer holds"


def statements_of(folder: Path) -> Iterator[_Statement]:
    """Yield the statements that lie in an export; raises `EvidenceBroken` where a file is none."""
    for path in sorted((folder / STATEMENTS).iterdir()):
        if path.name.endswith(".tlog-proof"):
            continue
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise EvidenceBroken(f"{path.name} is no statement's name")
        proof = path.with_name(path.name.removesuffix(".dsse.json") + ".tlog-proof")
        yield _Statement(
            path.name,
            None if match[1] is None else int(match[1]),
            match[2],
            _read(path),
            _read(proof) if proof.exists() else b"",
        )


def _officers(statements: list[_Statement], trust: Trust) -> dict[str, RegisteredKey]:
    """Return the keys that statements here give officers; none with one that does not hold."""
    services = [service.public_key for service in trust.services]
    given: dict[str, list[_Statement]] = {}
    for one in statements:
        if one.what in ("officer-key", "officer-key-end"):
            with suppress(EvidenceBroken, KeyError, IndexError, TypeError):
                key_id = Envelope.parse(one.envelope).statement["subject"][0]["digest"]["sha256"]
                given.setdefault(str(key_id), []).append(one)
    officers: dict[str, RegisteredKey] = {}
    for entries in given.values():
        with suppress(EvidenceBroken):
            for one in entries:
                if one.leaf_index is not None:
                    _check_entry(one, trust)
            officers |= officer_keys_of([_key_entry(one) for one in entries], services)
    return officers


def _key_entry(one: _Statement) -> KeyEntry:
    return KeyEntry(_WAITING if one.leaf_index is None else one.leaf_index, one.envelope)


def _check_signer(act: Act, key: RegisteredKey) -> None:
    """Call what rests on a key's statement not checked while the log has no entry of that statement."""
    if _WAITING in (key.registered_at, key.ended_at):
        raise ServiceUnavailable(
            f"a statement on the key of officer {act.officer} was not in the log when the folder was made; "
            "ask for a newer export"
        )


def _check_entry(one: _Statement, trust: Trust) -> str:
    if one.leaf_index is None:
        raise ServiceUnavailable("it was not in the log when the folder was made; ask for a newer export")
    if not one.proof:
        raise EvidenceBroken("the proof of its entry in the log is missing")
    place = check_logged(statement_leaf(one.envelope), one.leaf_index, one.proof, trust)
    check_signers_alive(one.envelope, trust, place.witnessed_at)
    return f"entry {one.leaf_index}, seen by a witness at {place.witnessed_at.isoformat()}"


def _check(one: _Statement, officers: dict[str, RegisteredKey], trust: Trust, handed: _Handed) -> str:
    services = [service.public_key for service in trust.services]
    if one.what in ("officer-key", "officer-key-end"):
        check_statement(one.envelope, services, KEYS)
        return f"signed by the service; {_check_entry(one, trust)}"
    if one.what == "captures":
        check_statement(one.envelope, services, CAPTURES)
        return f"signed by the service; {_check_entry(one, trust)}"
    act = check_act(one.envelope, one.leaf_index, officers=officers, services=services)
    # A hold on a plate names no passage.
    named = act.event in handed.events or (act.event is None and act.kind in (ActKind.HOLD, ActKind.RELEASE))
    if act.kind != one.what or not named:
        raise EvidenceBroken(f"it is a {act.kind} of another passage or kind than the folder says")
    handed.check_packages(act)
    who = f"officer {act.officer}, countersigned by the service"
    parsed = Envelope.parse(one.envelope)
    if len(parsed.signatures) < MAX_SIGNATURES:
        who = "the service alone" + (f", about officer {act.officer}" if act.officer else "")
    else:
        _check_signer(act, officers[parsed.key_id])
    verdict = f", verdict {act.detail['verdict']}" if "verdict" in act.detail else ""
    return f"{act.kind} of {act.subject}{verdict}, signed by {who}; {_check_entry(one, trust)}"


def _check_sums(folder: Path) -> str:
    data = _read(folder / SUMS)
    listed = {path: digest for digest, path in _SUM.findall(data.decode("utf-8", "replace"))}
    entries = [one for one in folder.rglob("*") if one.is_symlink() or not one.is_dir()]
    odd = sorted(
        one.relative_to(folder).as_posix() for one in entries if not stat.S_ISREG(one.lstat().st_mode)
    )
    if odd:
        raise EvidenceBroken(f"not regular files: {some(odd)}")
    there = {one.relative_to(folder).as_posix(): one for one in entries}
    if set(there) - {SUMS, ACT_FILE} != listed.keys():
        differ = sorted((set(there) - {SUMS, ACT_FILE}) ^ listed.keys())
        raise EvidenceBroken(f"listed and lying there are not the same files: {some(differ)}")
    changed = [path for path, digest in listed.items() if _digest(there[path]) != digest]
    if changed:
        raise EvidenceBroken(f"changed since: {some(changed)}")
    return f"{len(listed)} files, nothing else"


def _check_handing_over(
    folder: Path, officers: dict[str, RegisteredKey], trust: Trust, handed: _Handed
) -> str:
    services = [service.public_key for service in trust.services]
    envelope = _read(folder / ACT_FILE)
    act = check_act(envelope, None, officers=officers, services=services)
    signatures = Envelope.parse(envelope).signatures
    if len(signatures) < MAX_SIGNATURES:
        raise EvidenceBroken("the service alone signed it; an officer hands evidence over")
    key = officers[signatures[0].key_id]
    _check_signer(act, key)
    if key.ended_at is not None:
        raise EvidenceBroken(
            f"the key of officer {act.officer} had ended, at entry {key.ended_at} of the log"
        )
    named = {SUMS: sha256_of(_read(folder / SUMS)), **handed.digests}
    if dict(act.digests) != named or act.kind != handed.kind:
        raise EvidenceBroken("the officer handed over other files than these")
    if {act.event} != handed.events:
        raise EvidenceBroken("the officer handed over another passage than this")
    _check_countersigner(signatures[1].key_id, trust)
    return f"handed over by officer {act.officer} to {act.detail.get('recipient')}; its own entry comes later"


def _read(path: Path) -> bytes:
    return read_regular(path, max_bytes=MAX_TAG_BYTES)


def _check_countersigner(key_id: str, trust: Trust) -> None:
    """Call it not checked where the service's key has ended: no entry of the act is here to date it."""
    service = next(one for one in trust.services if one.key_id == key_id)
    end = trust.life_of(service.public_key).end
    if end is not None:
        raise ServiceUnavailable(
            f"the service key {key_id[:16]}... has ended, at {end.isoformat()}, and nothing here shows that "
            "this was signed before; ask for a newer export"
        )


def _digest(path: Path) -> str:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
