"""How fast packages are sealed and verified, against the disk alone and against `sha256sum`.

A package is 5 images of 300 kB and a clip of 3 MB, with a weigh message and the documents beside it. Sealing
is all of it by the code that serves in production, each part written through to the disk: both digests of
every file, the folder, the DSSE statement, a token of the test time-stamp authority, the log's entry, head
and the witness's cosignature, the seal. Two packages are made at a time, each written by two threads, and the
log takes them in batches, as the sequencer does. The bound writes the files of the very same packages on as
many threads, fsyncs each, and does nothing else: `seal_of_fsync` is the part of its speed that sealing has.
Beside it the same is told of one thread that writes the files one after the other. Batches of all three take
turns, since times of a disk wander.

Verifying is every layer of every package, one after the other in one thread, against one call of
`sha256sum` over the same files, both from warm caches, in turns; the best pass of each counts. The SM3
manifest is told apart.

    make bench NAME=evidence
    make bench NAME=evidence ARGS="--packages 20"
"""

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.result import Result
from domain.events import CaptureRole
from domain.ids import DeviceId, EventId, sha256_of
from domain.units import utc_text
from evidence import (
    ED25519,
    BuiltPackage,
    ClipItem,
    ImageItem,
    LocalTestAuthority,
    PackageContents,
    Policy,
    TransparencyLog,
    Trust,
    VerifierKey,
    WireItem,
    Witness,
    build,
    create_keys,
    entry_leaf,
    leaf_hash,
    sign_statement,
    trust_bytes,
    trust_file,
    verify_package,
    write_seal,
)
from evidence.package import WRITERS
from evidence.policy import LAYERS, SM3_LAYER

PACKAGES = 200
BATCH = 20
AT_A_TIME = 2
THREADS = AT_A_TIME * WRITERS
"""Threads that write, while packages are sealed and in the bound."""
PASSES = 3
IMAGE_BYTES, CLIP_BYTES = 300_000, 3_000_000
ROLES = (*[CaptureRole.FRONT] * 2, CaptureRole.REAR, *[CaptureRole.SIDE] * 2)
SEAL_OF_FSYNC, VERIFY_OF_SHA256SUM = 0.4, 0.3
SEED = 20261123


class Stamped(NamedTuple):
    """A package that only the log is missing from."""

    built: BuiltPackage
    envelope: bytes
    token: bytes
    leaf: bytes


class Took(NamedTuple):
    """Seconds for all packages."""

    seal_s: float
    fsync_s: float
    """The bound, on as many threads as sealing."""
    one_by_one_s: float
    """The bound on one thread."""


class Sealer:
    """A deployment of its own, with keys, authority, log and witness below one folder."""

    def __init__(self, folder: Path) -> None:
        self.keys = create_keys(folder / "keys", name="bench.invalid")
        self.authority = LocalTestAuthority(folder / "keys")
        log_key = VerifierKey.of(self.keys.log, ED25519)
        self.log = TransparencyLog(
            folder / "log", self.keys.log, Witness(folder / "witness", self.keys.witness, log_key)
        )
        self.evidence = folder / "evidence"
        self.trust = Trust.parse(trust_bytes(trust_file(self.keys)))

    def seal(self, batch: Sequence[PackageContents], threads: ThreadPoolExecutor) -> None:
        """Seal a batch: packages on the threads, one append to the log for all of them."""
        stamped = list(threads.map(self._stamp, batch))
        first = self.log.size
        self.log.append([leaf_hash(one.leaf) for one in stamped])
        for _ in threads.map(self._finish, stamped, range(first, first + len(stamped))):
            pass

    def _stamp(self, contents: PackageContents) -> Stamped:
        built = build(self.evidence, contents)
        envelope = sign_statement(built, {"gross_kg": 52_340}, self.keys.service)
        token = self.authority.stamp(envelope)
        return Stamped(built, envelope, token, entry_leaf(built.tagmanifest, envelope, token))

    def _finish(self, one: Stamped, index: int) -> None:
        write_seal(
            self.evidence,
            one.built.folder,
            envelope=one.envelope,
            token=one.token,
            leaf=one.leaf,
            proof=self.log.inclusion_proof(index),
        )


def main(arguments: list[str]) -> Result:
    """Run the benchmark; fewer `--packages` shorten it for a look, `--folder` says on which disk."""
    parser = argparse.ArgumentParser(prog="evidence", description=__doc__)
    parser.add_argument("--packages", type=int, default=PACKAGES)
    parser.add_argument(
        "--folder", type=Path, help="where to write; without it, the system's temporary folder"
    )
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="zhichao-bench-", dir=options.folder))
    try:
        sealer = Sealer(folder)
        took = _seal_all(sealer, folder / "bound", options.packages)
        return _result(sorted(sealer.evidence.glob("EV-*")), sealer.trust, took)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _seal_all(sealer: Sealer, bound: Path, count: int) -> Took:
    """Seal all packages, and write the same files for the bound, batch by batch."""
    seal_s = fsync_s = one_by_one_s = 0.0
    _seal_one_to_begin_with(sealer)
    with ThreadPoolExecutor(AT_A_TIME) as packages, ThreadPoolExecutor(THREADS) as files_at_a_time:
        for number in range(0, count, BATCH):
            batch = [_contents(number + one) for one in range(min(BATCH, count - number))]
            os.sync()
            started = time.perf_counter()
            sealer.seal(batch, packages)
            seal_s += time.perf_counter() - started
            files = list(_files_of(sealer.evidence, batch))
            fsync_s += _bound_s(bound, files, files_at_a_time)
            one_by_one_s += _bound_s(bound, files)
    return Took(seal_s, fsync_s, one_by_one_s)


def _seal_one_to_begin_with(sealer: Sealer) -> None:
    """Load what is loaded once, outside the measured time; the package does not count."""
    with ThreadPoolExecutor(1) as threads:
        contents = _contents(10**6)
        sealer.seal([contents], threads)
    shutil.rmtree(sealer.evidence / f"EV-{contents.event_id}")


def _contents(number: int) -> PackageContents:
    rng = random.Random(SEED + number)
    captured_at = datetime.now(UTC)
    weigh = b'{"gross_kg":52340,"number":%d}' % number
    images = (rng.randbytes(IMAGE_BYTES) for _ in ROLES)
    clip = rng.randbytes(CLIP_BYTES)
    return PackageContents(
        event_id=EventId(f"{number:032x}"),
        supplement=0,
        predecessor_tagmanifest=None,
        event={"captured_at": utc_text(captured_at), "gross_kg": 52_340, "weighing": None},
        wire=(WireItem("weigh.json", weigh, "zhichao/v1/S1/wim-1/weigh", (("schema", "1"),)),),
        images=tuple(
            ImageItem(role, DeviceId(f"cam-{place}"), sha256_of(data), data)
            for place, (role, data) in enumerate(zip(ROLES, images, strict=True))
        ),
        reading={"text": "云A12345"},
        arrival={"received_at": utc_text(captured_at)},
        station={"certificate": {"number": "J-2026-001"}, "clock": {"offset_ms": 3}},
        clips=(ClipItem(DeviceId("cam-clip"), sha256_of(clip), clip),),
    )


def _files_of(evidence: Path, batch: Sequence[PackageContents]) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every file of the sealed packages, read back from where they lie."""
    for contents in batch:
        package = evidence / f"EV-{contents.event_id}"
        for path in sorted(path for path in package.rglob("*") if path.is_file()):
            yield str(path.relative_to(evidence)), path.read_bytes()


def _folders(bound: Path, files: Sequence[tuple[str, bytes]]) -> None:
    for folder in {(bound / name).parent for name, _ in files}:
        folder.mkdir(parents=True, exist_ok=True)


def _bound_s(
    bound: Path, files: Sequence[tuple[str, bytes]], threads: ThreadPoolExecutor | None = None
) -> float:
    """Write the files and fsync each, on the threads or in this one; return the seconds of that alone."""

    def write(file: tuple[str, bytes]) -> None:
        descriptor = os.open(bound / file[0], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(descriptor, file[1])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    _folders(bound, files)
    os.sync()
    started = time.perf_counter()
    for _ in map(write, files) if threads is None else threads.map(write, files):
        pass
    took = time.perf_counter() - started
    shutil.rmtree(bound)
    return took


def _verify_all(packages: Sequence[Path], trust: Trust, policy: Policy) -> tuple[float, bool]:
    """Return seconds, and whether every layer of every package holds."""
    started = time.perf_counter()
    reports = [verify_package(package, trust, policy=policy) for package in packages]
    took = time.perf_counter() - started
    return took, all(layer.ok for report in reports for layer in report.layers)


def _sha256sum(files: Sequence[Path]) -> float:
    started = time.perf_counter()
    subprocess.run(["sha256sum", "--", *files], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _result(packages: Sequence[Path], trust: Trust, took: Took) -> Result:
    files = [path for package in packages for path in sorted(package.rglob("*")) if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    _sha256sum(files)
    verify_s, sum_s, whole = [], [], True
    for _ in range(PASSES):
        seconds, holds = _verify_all(packages, trust, Policy())
        whole &= holds
        verify_s.append(seconds)
        sum_s.append(_sha256sum(files))
    sm3_s, sm3_whole = _verify_all(packages, trust, Policy(required_layers=frozenset({*LAYERS, SM3_LAYER})))
    count, verify_of_sum = len(packages), min(sum_s) / min(verify_s)
    seal_of_fsync = took.fsync_s / took.seal_s
    return Result(
        name="evidence",
        unit="packages/s",
        ours=round(count / took.seal_s, 2),
        bounds={
            "fsync": round(count / took.fsync_s, 2),
            "fsync_one_by_one": round(count / took.one_by_one_s, 2),
        },
        figures={
            "packages": count,
            "bytes_a_package": size // count,
            "files_a_package": round(len(files) / count, 1),
            "packages_a_log_append": BATCH,
            "packages_at_a_time": AT_A_TIME,
            "threads": THREADS,
            "seal_of_fsync": round(seal_of_fsync, 3),
            "seal_of_fsync_one_by_one": round(took.one_by_one_s / took.seal_s, 3),
            "verified_per_s": round(count / min(verify_s), 1),
            "sha256sum_per_s": round(count / min(sum_s), 1),
            "verify_of_sha256sum": round(verify_of_sum, 3),
            "verified_with_sm3_per_s": round(count / sm3_s, 1),
        },
        ok={
            "all_layers": whole and sm3_whole,
            "seal_of_fsync_at_least_0.4": seal_of_fsync >= SEAL_OF_FSYNC,
            "verify_of_sha256sum_at_least_0.3": verify_of_sum >= VERIFY_OF_SHA256SUM,
        },
    )
