"""Logs rewritten by an insider who holds the log's own key: the witness refuses, the auditor finds out.

Each way of rewriting is tried on what the witness has cosigned and the auditor has seen. The insider signs
with the log's key and lays out honest tiles of the false history; he also tries the old proofs, the old
cosignature, and claims of another size. What he cannot do is make one tree the continuation of another.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.errors import EvidenceBroken
from evidence import ED25519, VerifierKey, Witness
from evidence.audit import Auditor, OtherHead
from evidence.audit_report import AuditReport, Verdict
from evidence.checkpoint import Checkpoint, SignedCheckpoint
from evidence.cosigning import AddCheckpoint
from evidence.log import TransparencyLog
from evidence.log_copy import FolderCopy
from evidence.merkle import Nodes, check_consistency, consistency_proof, fold, root
from evidence.note import signature_line
from evidence.tiles import WIDTH, tile_path
from evidence.witness import answer
from tests.counts import count
from tests.fixtures.evidence import Deployment

Leaves = list[bytes]


def dropped(leaves: Leaves, rng: random.Random) -> Leaves:
    """An entry is not there any more; the rest moves up, and others follow."""
    place = rng.randrange(len(leaves))
    return leaves[:place] + leaves[place + 1 :] + [rng.randbytes(32) for _ in range(rng.randint(1, 4))]


def reordered(leaves: Leaves, rng: random.Random) -> Leaves:
    """Two entries have changed places."""
    first, second = rng.sample(range(len(leaves)), 2)
    forged = list(leaves)
    forged[first], forged[second] = forged[second], forged[first]
    return forged + [rng.randbytes(32) for _ in range(rng.choice([0, 1, 5]))]


def changed(leaves: Leaves, rng: random.Random) -> Leaves:
    """An entry says something else."""
    forged = list(leaves)
    forged[rng.randrange(len(forged))] = rng.randbytes(32)
    return forged + [rng.randbytes(32) for _ in range(rng.choice([0, 1, 5]))]


def inserted(leaves: Leaves, rng: random.Random) -> Leaves:
    """An entry was slipped in among the old ones."""
    place = rng.randrange(len(leaves))
    return [*leaves[:place], rng.randbytes(32), *leaves[place:]]


def truncated(leaves: Leaves, rng: random.Random) -> Leaves:
    """The last entries are gone."""
    return leaves[: rng.randrange(1, len(leaves))]


WAYS = (dropped, reordered, changed, inserted, truncated)


def nodes_of(leaves: Leaves) -> Nodes:
    return lambda level, index: fold(leaves[index << level : (index + 1) << level])


def signed_head(deployment: Deployment, leaves: Leaves) -> bytes:
    log = deployment.keys.log
    return Checkpoint(log.name, len(leaves), root(len(leaves), nodes_of(leaves))).sign(log)


def lay_out(folder: Path, leaves: Leaves, note: bytes) -> Path:
    """Write a log's files, as fast as a test of a thousand needs it."""
    hashes, level = leaves, 0
    while hashes:
        for begin in range(0, len(hashes), WIDTH):
            tile = hashes[begin : begin + WIDTH]
            path = folder / tile_path(level, begin // WIDTH)
            path = path if len(tile) == WIDTH else path.with_name(f"{path.name}.p") / str(len(tile))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(tile))
        full = range(0, len(hashes) // WIDTH * WIDTH, WIDTH)
        hashes, level = [fold(hashes[begin : begin + WIDTH]) for begin in full], level + 1
    (folder / "checkpoint").write_bytes(note)
    return folder


def verdicts(report: AuditReport) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in report.checks}


@pytest.mark.parametrize("way", WAYS)
def test_rewritten_logs_are_refused_and_found(
    deployment: Deployment, tmp_path: Path, way: Callable[[Leaves, random.Random], Leaves]
) -> None:
    rng = random.Random(way.__name__)
    for number in range(count(1000, reduced=60) // len(WAYS)):
        leaves = [
            rng.randbytes(32) for _ in range(rng.choice([2, 3, 8, 60, 255, 256, 257, rng.randint(2, 900)]))
        ]
        forged = way(leaves, rng)
        folder = tmp_path / f"{way.__name__}-{number}"
        witness = Witness(
            folder / "witness", deployment.keys.witness, VerifierKey.of(deployment.keys.log, ED25519)
        )
        honest = signed_head(deployment, leaves)
        cosigned = honest + witness.cosign(honest, 0, [])
        note = signed_head(deployment, forged)
        _refused(witness, leaves, forged, note)
        _found(
            deployment, folder, leaves, lay_out(folder / "log", forged, _passed_off(note, cosigned)), cosigned
        )
        shutil.rmtree(folder)


def _refused(witness: Witness, leaves: Leaves, forged: Leaves, note: bytes) -> None:
    """Bring the false head with every proof an insider could think of; through the protocol's own bytes."""
    old = len(leaves)
    proofs: list[tuple[int, list[bytes]]] = [(old, []), (0, []), (len(forged), [])]
    if old <= len(forged):
        proofs.append((old, consistency_proof(old, len(forged), nodes_of(forged))))
        honest = leaves + forged[old:]
        if len(honest) == len(forged):
            proofs.append((old, consistency_proof(old, len(honest), nodes_of(honest))))
    else:
        proofs.append((len(forged), consistency_proof(len(forged), old, nodes_of(leaves))))
    origin = SignedCheckpoint.parse(note).checkpoint.origin
    for old_size, path in proofs:
        reply = answer({origin: witness}, bytes(AddCheckpoint(old_size, tuple(path), note)))
        assert reply.status in (400, 409, 422), reply
        assert b"\xe2\x80\x94" not in reply.body  # no signature line
    assert witness.remembered_size() == old


def _passed_off(note: bytes, cosigned: bytes) -> bytes:
    """Put the witness's line for the honest head under the false one."""
    return note + signature_line(SignedCheckpoint.parse(cosigned).note.signatures[1])


def _found(deployment: Deployment, folder: Path, leaves: Leaves, place: Path, cosigned: bytes) -> None:
    auditor = Auditor(FolderCopy(place), deployment.trust)
    report = auditor.audit(last=cosigned)
    assert report.status == 1
    assert not report.may_be_followed
    found = verdicts(report)
    assert found["witness"] is Verdict.BROKEN  # the cosignature is of another head
    assert found["continues"] is Verdict.BROKEN
    (proof,) = report.contradictions
    for one in (proof.first, proof.second):
        SignedCheckpoint.parse(one).check_log(deployment.trust.logs[0])
    # an auditor who comes for the first time finds it by what others have seen
    honest = lay_out(folder / "mirror", leaves, cosigned)
    others = [OtherHead("others", cosigned, FolderCopy(honest))]
    late = Auditor(FolderCopy(place), deployment.trust).audit(others=others)
    if not folder.name.startswith("truncated"):  # an old copy is of one history; only who saw more can tell
        assert verdicts(late)["other head others"] is Verdict.BROKEN
        assert len(late.contradictions) == 1


def test_a_log_restored_from_a_backup_is_refused_by_the_witness(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Whether it then goes on with as many entries as before, fewer, or more."""
    rng = random.Random(8)
    for number in range(count(50, reduced=6)):
        folder = tmp_path / str(number)
        witness = Witness(
            folder / "witness", deployment.keys.witness, VerifierKey.of(deployment.keys.log, ED25519)
        )
        log = TransparencyLog(folder / "log", deployment.keys.log, witness)
        log.append([rng.randbytes(32) for _ in range(rng.randint(1, 300))])
        shutil.copytree(folder / "log", folder / "backup")
        lost = rng.randint(1, 20)
        log.append([rng.randbytes(32) for _ in range(lost)])
        seen = log.checkpoint_note
        restored = TransparencyLog(folder / "backup", deployment.keys.log, witness)
        with pytest.raises(EvidenceBroken):
            restored.append([rng.randbytes(32) for _ in range(lost + rng.choice([-lost + 1, 0, 3]))])
        assert log.size == witness.remembered_size()
        report = Auditor(FolderCopy(folder / "backup"), deployment.trust).audit(last=seen)
        assert verdicts(report)["continues"] is Verdict.BROKEN


def test_two_logs_for_two_readers_never_get_both_cosigned(deployment: Deployment, tmp_path: Path) -> None:
    """A split view kept up over many heads: one branch is cosigned, of the other not one head."""
    rng = random.Random(9)
    witness = Witness(tmp_path / "w", deployment.keys.witness, VerifierKey.of(deployment.keys.log, ED25519))
    common = [rng.randbytes(32) for _ in range(40)]
    shown, hidden = list(common), list(common)
    note = signed_head(deployment, common)
    witness.cosign(note, 0, [])
    for _ in range(count(60, reduced=12)):
        size = len(shown)
        shown += [rng.randbytes(32) for _ in range(rng.randint(1, 3))]
        hidden += [rng.randbytes(32) for _ in range(len(shown) - size + rng.choice([0, 0, 1]))]
        witness.cosign(
            signed_head(deployment, shown), size, consistency_proof(size, len(shown), nodes_of(shown))
        )
        size = witness.remembered_size()
        if size > len(hidden):
            continue
        path = consistency_proof(size, len(hidden), nodes_of(hidden))
        with pytest.raises(EvidenceBroken):
            witness.cosign(signed_head(deployment, hidden), size, path)
    assert list((tmp_path / "w/refused").iterdir())


def test_every_proof_of_every_size_to_64_from_the_files_of_a_log(deployment: Deployment) -> None:
    """The log as it is written, head by head: each continues each earlier one, as the auditor sees it."""
    heads = []
    known: Leaves = []
    rng = random.Random(10)
    for size in range(1, 65):
        known.append(rng.randbytes(32))
        heads.append(deployment.log.append(known[-1:]))
        assert heads[-1].root == root(size, nodes_of(known))
        for old in heads:
            path = deployment.log.consistency_proof(old.size)
            check_consistency(old.size, old.root, size, heads[-1].root, path)
