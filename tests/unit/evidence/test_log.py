"""The log in its files: layout, proofs, recovery, and a single writer."""

import hashlib
import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import evidence.durable
from domain.errors import ConflictingChange, EvidenceBroken
from evidence.checkpoint import SignedCheckpoint, TlogProof
from evidence.log import TransparencyLog
from evidence.merkle import check_consistency, check_inclusion
from evidence.note import COSIGNATURE, ED25519, VerifierKey
from evidence.tiles import Tiles
from tests.counts import count
from tests.fixtures.evidence import Deployment
from tests.unit.evidence.test_merkle import oracle_root


def leaves(start: int, stop: int, salt: str = "") -> list[bytes]:
    return [hashlib.sha256(f"{salt}{number}".encode()).digest() for number in range(start, stop)]


def reopened(deployment: Deployment) -> TransparencyLog:
    return TransparencyLog(deployment.folder / "log", deployment.keys.log, deployment.witness)


def check_whole(deployment: Deployment, log: TransparencyLog, expected: Sequence[bytes]) -> None:
    """Check leaves, root, signatures and some proofs of a log against a list."""
    assert log.leaf_hashes(0, log.size) == list(expected)
    signed = SignedCheckpoint.parse(log.checkpoint_note)
    assert signed.checkpoint.root == oracle_root(expected)
    signed.check_log(VerifierKey.of(deployment.keys.log, ED25519))
    signed.check_witness(VerifierKey.of(deployment.keys.witness, COSIGNATURE))
    for index in {0, log.size // 2, log.size - 1}:
        proof = TlogProof.parse(log.inclusion_proof(index))
        head = proof.signed.checkpoint
        check_inclusion(expected[index], proof.leaf_index, head.size, proof.path, head.root)


def test_the_tiles_of_the_specifications_example(tmp_path: Path) -> None:
    """c2sp.org/tlog-tiles: a tree of 70,000 is 273 full tiles, one of 112, one full above, 17, and 1."""
    Tiles(tmp_path).append(0, leaves(0, 70_000))
    files = {str(path.relative_to(tmp_path / "tile")): path for path in tmp_path.rglob("*") if path.is_file()}
    level0 = [name for name in files if name.startswith("0/") and ".p/" not in name]
    assert len(level0) == 273
    assert {name for name in files if name not in level0} == {
        "0/273.p/112",
        "1/000",
        "1/001.p/17",
        "2/000.p/1",
    }
    assert files["0/272"].stat().st_size == 8192
    assert files["0/273.p/112"].stat().st_size == 112 * 32


def test_tile_numbers_beyond_a_thousand_are_split(tmp_path: Path) -> None:
    assert Tiles(tmp_path)._path(0, 1_234_067) == tmp_path / "tile/0/x001/x234/067"


def test_appends_of_all_sizes_keep_root_and_proofs(deployment: Deployment) -> None:
    rng = random.Random(3)
    known: list[bytes] = []
    heads = []
    while len(known) < 1100:
        batch = leaves(len(known), len(known) + rng.choice([1, 2, 7, 100, 255, 256, 257]))
        known += batch
        heads.append(deployment.log.append(batch))
        check_whole(deployment, deployment.log, known)
    for head in heads:
        proof = deployment.log.consistency_proof(head.size)
        check_consistency(head.size, head.root, heads[-1].size, heads[-1].root, proof)
    check_whole(deployment, reopened(deployment), known)


def test_full_tiles_replace_their_partial_ones(deployment: Deployment) -> None:
    for number in range(0, 300, 50):
        deployment.log.append(leaves(number, number + 50))
    partial = {path.parent.name for path in (deployment.folder / "log/tile/0").rglob("*.p/*")}
    assert partial == {"001.p"}


def test_a_range_of_leaves_across_tiles(deployment: Deployment) -> None:
    deployment.log.append(leaves(0, 600))
    assert deployment.log.leaf_hashes(250, 520) == leaves(250, 520)
    assert deployment.log.leaf_hashes(7, 7) == []
    with pytest.raises(EvidenceBroken, match="not in a log of 600"):
        deployment.log.leaf_hashes(0, 601)


def test_a_second_writer_is_turned_away(deployment: Deployment) -> None:
    frozen = reopened(deployment)
    deployment.log.append(leaves(0, 3))
    with pytest.raises(ConflictingChange, match="another writer"):
        frozen.append(leaves(0, 1, "frozen"))
    check_whole(deployment, reopened(deployment), leaves(0, 3))


def test_an_empty_append_and_a_short_hash_are_refused(deployment: Deployment) -> None:
    for wrong in ([], [bytes(31)]):
        with pytest.raises(EvidenceBroken, match="32 bytes"):
            deployment.log.append(wrong)


def test_a_changed_tile_is_found_when_the_log_is_opened(deployment: Deployment) -> None:
    deployment.log.append(leaves(0, 300))
    tile = deployment.folder / "log/tile/0/000"
    tile.write_bytes(bytes(8192))
    tile = deployment.folder / "log/tile/1/000.p/1"
    tile.write_bytes(bytes(32))
    with pytest.raises(EvidenceBroken, match="root of its checkpoint"):
        reopened(deployment)


def test_a_log_restored_from_an_old_copy_is_refused(deployment: Deployment) -> None:
    deployment.log.append(leaves(0, 3))
    old = deployment.log.checkpoint_note
    deployment.log.append(leaves(3, 5))
    (deployment.folder / "log/checkpoint").write_bytes(old)
    restored = reopened(deployment)
    with pytest.raises(EvidenceBroken, match="restored from an old copy"):
        restored.append(leaves(3, 4, "other"))


class _Killed(BaseException):
    """Stands for SIGKILL at a certain write; nothing catches it."""


class _KillAt:
    """Replaces `durable.write_new`: writes until the n-th call, leaves half a file there, and dies."""

    def __init__(self, moment: int) -> None:
        self.left = moment
        self.write = evidence.durable.write_new

    def __call__(self, path: Path, data: bytes, **mode: Any) -> None:
        if self.left == 0:
            path.write_bytes(data[: len(data) // 2])
            raise _Killed
        self.left -= 1
        self.write(path, data, **mode)


def test_a_kill_at_every_write_of_an_append_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crashed append is wholly there or wholly gone, and other entries may follow either way."""
    rng = random.Random(4)
    outcomes = set()
    for round_ in range(count(200, reduced=30)):
        deployment = Deployment(tmp_path / str(round_))
        known = leaves(0, rng.choice([1, 3, 254, 255, 256, 300]))
        deployment.log.append(known)
        batch = leaves(0, rng.choice([1, 2, 5, 258]), "crashed")
        with monkeypatch.context() as patch:
            patch.setattr(evidence.durable, "write_new", _KillAt(round_ % 7))
            with suppress(_Killed):
                deployment.log.append(batch)
        log = reopened(deployment)
        survived = log.leaf_hashes(len(known), log.size)
        assert survived in ([], batch)
        outcomes.add(bool(survived))
        known += survived
        for step in range(4):
            more = leaves(0, rng.choice([1, 2, 4, 255]), f"after {step}")
            known += more
            log.append(more)
            check_whole(deployment, log, known)
    assert outcomes == {True, False}
