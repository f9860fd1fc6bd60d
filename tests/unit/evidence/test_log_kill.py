"""kill -9 at random moments of appending: nothing acknowledged is lost, nothing signed is taken back."""

import random
import signal
import subprocess
import sys
import time

from evidence.checkpoint import SignedCheckpoint
from evidence.log import TransparencyLog
from evidence.merkle import check_consistency
from tests.components import ROOT
from tests.counts import count
from tests.fixtures.evidence import Deployment
from tests.unit.evidence.log_appender import Batches
from tests.unit.evidence.test_merkle import oracle_root


def _victim_acknowledged(deployment: Deployment, salt: str, wait_s: float) -> int:
    """Run an appender, kill it a moment after its first append, and return the last size it told."""
    command = [sys.executable, "-m", "tests.unit.evidence.log_appender", str(deployment.folder), salt]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        told = [victim.stdout.readline()]
        time.sleep(wait_s)
        victim.send_signal(signal.SIGKILL)
        told += victim.stdout.read().splitlines(keepends=True)
        assert victim.wait() == -signal.SIGKILL
    return int([line for line in told if line.endswith("\n")][-1])


def test_kill_9_during_append(deployment: Deployment) -> None:
    rng = random.Random(21)
    known: list[bytes] = []
    head = None
    for round_ in range(count(200, reduced=15)):
        acknowledged = _victim_acknowledged(deployment, str(round_), rng.uniform(0, 0.03))
        log = TransparencyLog(deployment.folder / "log", deployment.keys.log, deployment.witness)
        assert log.size >= acknowledged
        leaves = log.leaf_hashes(0, log.size)
        assert leaves[: len(known)] == known
        _check_whole_batches(leaves[len(known) :], Batches(str(round_)))
        new = SignedCheckpoint.parse(log.checkpoint_note).checkpoint
        assert new.root == oracle_root(leaves)
        if head is not None:
            check_consistency(head.size, head.root, new.size, new.root, log.consistency_proof(head.size))
        known, head = leaves, new


def _check_whole_batches(appended: list[bytes], batches: Batches) -> None:
    """Check that what a victim left is its first batches, each whole, none twice."""
    while appended:
        batch = next(batches)
        assert appended[: len(batch)] == batch
        appended = appended[len(batch) :]
