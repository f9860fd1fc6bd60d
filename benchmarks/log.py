"""How the transparency log behaves as it grows to ten million entries: appending, proving, checkpoints.

For each size a log of that many leaves is laid out in tiles, signed and cosigned, and then opened by the
code that serves in production. Appending means all of it, each step written through to the disk: tiles, the
head signed by the log, the witness's remembered head and cosignature, the published checkpoint. The bound
beside it writes files of the same number and lengths through to the disk, and does nothing else.

That the cost grows as the logarithm of the size is claimed by counting (files written, hashes read, length of
proofs), since times of a disk wander; the times are told beside it.

    make bench NAME=log
    make bench NAME=log ARGS="--largest 100000"
"""

import argparse
import hashlib
import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import evidence.durable
import evidence.tiles
from benchmarks.result import Result
from evidence.checkpoint import Checkpoint, SignedCheckpoint, TlogProof
from evidence.log import TransparencyLog
from evidence.merkle import check_consistency, check_inclusion, fold, root
from evidence.note import ED25519, VerifierKey
from evidence.signing import KeySigner
from evidence.tiles import Tiles
from evidence.witness import Witness

SEED = 20261123
LARGEST = 10_000_000
BATCH = 500
APPENDS = 15
PROOFS = 200
CHECKPOINT_WITHIN_S = 1.0
_WIDTH = 256
_LOG = KeySigner("bench.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)))
_WITNESS = KeySigner("bench.invalid/witness", Ed25519PrivateKey.from_private_bytes(bytes([2] * 32)))


class Measured(NamedTuple):
    """What was found at one size."""

    size: int
    build_s: float
    open_s: float
    append_1_s: list[float]
    append_500_s: list[float]
    fsync_500_s: list[float]
    files_1: int
    files_500: int
    tiles_read_1: int
    inclusion_s: float
    consistency_s: float
    inclusion_hashes: int
    consistency_hashes: int
    tiles_read_proof: int


def main(arguments: list[str]) -> Result:
    """Run the benchmark; a smaller largest log makes it a look."""
    parser = argparse.ArgumentParser(prog="log", description=__doc__)
    parser.add_argument("--largest", type=int, default=LARGEST)
    parser.add_argument(
        "--folder", type=Path, help="where the logs are laid out; default: a temporary folder"
    )
    options = parser.parse_args(arguments)
    sizes = [size for size in (10**power for power in range(3, 10)) if size < options.largest]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = [_measure(Path(folder) / str(size), size) for size in [*sizes, options.largest]]
    least, most = found[0], found[-1]
    slowest = max(max(one.append_1_s + one.append_500_s) for one in found)
    return Result(
        name="log",
        unit="entries/s",
        ours=round(BATCH / statistics.median(most.append_500_s)),
        bounds={"fsync": round(BATCH / statistics.median(most.fsync_500_s))},
        figures={
            "batch": BATCH,
            "slowest_checkpoint_ms": _ms(slowest),
            "sizes": {f"{one.size:.0e}".replace("e+0", "e"): _figures(one) for one in found},
        },
        ok={
            "checkpoint_within_1_s": slowest < CHECKPOINT_WITHIN_S,
            "append_log_n": all(_append_is_logarithmic(one, least) for one in found),
            "prove_log_n": all(_proof_is_logarithmic(one) for one in found),
            "largest_is_10_m": most.size >= LARGEST,
        },
    )


def _append_is_logarithmic(one: Measured, least: Measured) -> bool:
    """One entry more writes at most one tile a level more than in the least log, and reads as little."""
    levels = math.ceil(math.log(one.size, _WIDTH))
    return one.files_1 <= least.files_1 + levels and one.tiles_read_1 <= 4 * math.log2(one.size) + 8


def _proof_is_logarithmic(one: Measured) -> bool:
    bits = math.ceil(math.log2(one.size + APPENDS * (BATCH + 1)))
    return (
        one.inclusion_hashes <= bits
        and one.consistency_hashes <= bits + 1
        and one.tiles_read_proof <= 2 * bits + 2
    )


def _figures(one: Measured) -> dict[str, Any]:
    return {
        "build_s": round(one.build_s, 2),
        "open_ms": _ms(one.open_s),
        "append_1_ms": _ms(statistics.median(one.append_1_s)),
        "append_500_ms": _ms(statistics.median(one.append_500_s)),
        "append_slowest_ms": _ms(max(one.append_1_s + one.append_500_s)),
        "fsync_500_ms": _ms(statistics.median(one.fsync_500_s)),
        "files_written_1": one.files_1,
        "files_written_500": one.files_500,
        "tiles_read_1": one.tiles_read_1,
        "inclusion_us": round(one.inclusion_s * 1e6),
        "inclusion_hashes": one.inclusion_hashes,
        "consistency_us": round(one.consistency_s * 1e6),
        "consistency_hashes": one.consistency_hashes,
        "tiles_read_proof": one.tiles_read_proof,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 2)


def _measure(folder: Path, size: int) -> Measured:
    began = time.perf_counter()
    _lay_out(folder / "log", size)
    build_s = time.perf_counter() - began
    witness = Witness(folder / "witness", _WITNESS, VerifierKey.of(_LOG, ED25519))
    note = Checkpoint(_LOG.name, size, root(size, Tiles(folder / "log").node)).sign(_LOG)
    (folder / "log" / "checkpoint").write_bytes(note + witness.cosign(note, 0, []))
    began = time.perf_counter()
    log = TransparencyLog(folder / "log", _LOG, witness)
    open_s = time.perf_counter() - began
    files_1, tiles_1 = _counted(lambda: log.append(_leaves(log.size, log.size + 1)))
    files_500, _ = _counted(lambda: log.append(_leaves(log.size, log.size + BATCH)))
    one, many, fsync = [], [], []
    for _ in range(APPENDS):  # in turns, so that what else the disk does meets all
        one.append(_seconds(lambda: log.append(_leaves(log.size, log.size + 1))))
        many.append(_seconds(lambda: log.append(_leaves(log.size, log.size + BATCH))))
        fsync.append(_seconds(lambda: _written_through(folder / "bound", files_500)))
    proving = _prove(log)
    return Measured(size, build_s, open_s, one, many, fsync, len(files_1), len(files_500), tiles_1, *proving)


def _prove(log: TransparencyLog) -> tuple[float, float, int, int, int]:
    """Median times of proofs from all over the log, their greatest lengths, each proof checked."""
    rng = random.Random(SEED)
    head = SignedCheckpoint.parse(log.checkpoint_note).checkpoint
    inclusion, consistency, longest, longest_consistency, most_read = [], [], 0, 0, 0
    nodes = Tiles(log._folder).node
    for _ in range(PROOFS):
        index = rng.randrange(head.size)
        began = time.perf_counter()
        proof = TlogProof.parse(log.inclusion_proof(index))
        inclusion.append(time.perf_counter() - began)
        check_inclusion(_leaves(index, index + 1)[0], index, head.size, proof.path, head.root)
        longest = max(longest, len(proof.path))
        old_size = rng.randrange(1, head.size)
        began = time.perf_counter()
        path = log.consistency_proof(old_size)
        consistency.append(time.perf_counter() - began)
        check_consistency(old_size, root(old_size, nodes), head.size, head.root, path)
        longest_consistency = max(longest_consistency, len(path))
        _, read = _counted(lambda index=index: log.inclusion_proof(index))  # type: ignore[misc]
        most_read = max(most_read, read)
    return (
        statistics.median(inclusion),
        statistics.median(consistency),
        longest,
        longest_consistency,
        most_read,
    )


def _lay_out(folder: Path, size: int) -> None:
    """Write the tiles of a log of `size` leaves in bulk, without the durability an append pays for."""
    above = _write_level(folder, 0, _leaf_tiles(size))
    level = 1
    while above:
        tiles = (above[start : start + _WIDTH] for start in range(0, len(above), _WIDTH))
        above = _write_level(folder, level, tiles)
        level += 1


def _leaf_tiles(size: int) -> Iterator[list[bytes]]:
    for start in range(0, size, _WIDTH):
        yield _leaves(start, min(start + _WIDTH, size))


def _write_level(folder: Path, level: int, tiles: Iterator[list[bytes]]) -> list[bytes]:
    """Write a level's tiles and return the hashes of the full ones. Paths as c2sp.org/tlog-tiles says."""
    above = []
    for number, tile in enumerate(tiles):
        digits = f"{number:03}".rjust(-(-len(f"{number:03}") // 3) * 3, "0")
        parts = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        path = folder.joinpath("tile", str(level), *(f"x{part}" for part in parts[:-1]), parts[-1])
        if len(tile) < _WIDTH:
            path = path.with_name(f"{path.name}.p") / str(len(tile))
        else:
            above.append(fold(tile))
        if number % 1000 == 0 or len(tile) < _WIDTH:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(tile))
    return above


def _leaves(start: int, stop: int) -> list[bytes]:
    return [hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(start, stop)]


def _counted(job: Callable[[], object]) -> tuple[list[int], int]:
    """Run a job; return the lengths of the files it wrote through, and how many tiles it read."""
    lengths: list[int] = []
    with _replaced(evidence.durable, "write_new", lambda _path, data, **_mode: lengths.append(len(data))):
        reads: list[int] = []
        with _replaced(evidence.tiles, "read_regular", lambda _path, **_most: reads.append(1)):
            job()
    return lengths, len(reads)


@contextmanager
def _replaced(module: Any, name: str, note: Callable[..., None]) -> Iterator[None]:
    """Tell `note` of every call of a module's function."""
    original = getattr(module, name)

    def told(*args: Any, **kwargs: Any) -> Any:
        note(*args, **kwargs)
        return original(*args, **kwargs)

    setattr(module, name, told)
    try:
        yield
    finally:
        setattr(module, name, original)


def _written_through(folder: Path, lengths: list[int]) -> None:
    folder.mkdir(exist_ok=True)
    for number, length in enumerate(lengths):
        evidence.durable.replace(folder / str(number), bytes(length))


def _seconds(job: Callable[[], object]) -> float:
    began = time.perf_counter()
    job()
    return time.perf_counter() - began
