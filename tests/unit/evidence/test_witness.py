"""Attacks on the log that the witness refuses: split view, rewritten, shrunken and foreign logs."""

import hashlib
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import EvidenceBroken
from evidence.checkpoint import Checkpoint, SignedCheckpoint
from evidence.merkle import consistency_proof, fold, root
from evidence.note import COSIGNATURE, ED25519, VerifierKey
from evidence.signing import KeySigner
from evidence.witness import Witness
from tests.counts import count

LOG = KeySigner("test.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)))
OTHER = KeySigner("test.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes([3] * 32)))
WITNESS = KeySigner("test.invalid/witness", Ed25519PrivateKey.from_private_bytes(bytes([2] * 32)))
NOW_S = 1_774_000_000


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """A witness that has seen nothing."""
    return Witness(tmp_path / "witness", WITNESS, VerifierKey.of(LOG, ED25519), clock=lambda: NOW_S)


def hashes(size: int, salt: str = "") -> list[bytes]:
    return [hashlib.sha256(f"{salt}{number}".encode()).digest() for number in range(size)]


def head(leaves: list[bytes], *, size: int | None = None, signer: KeySigner = LOG) -> bytes:
    size = len(leaves) if size is None else size
    nodes = lambda level, index: fold(leaves[index << level : (index + 1) << level])  # noqa: E731
    return Checkpoint("test.invalid/log", size, root(size, nodes)).sign(signer)


def proof(leaves: list[bytes], old_size: int) -> list[bytes]:
    return consistency_proof(
        old_size, len(leaves), lambda level, index: fold(leaves[index << level : (index + 1) << level])
    )


def test_a_growing_log_is_cosigned_with_the_witness_own_time(witness: Witness) -> None:
    for size in (1, 2, 5, 64, 100):
        note = head(hashes(size))
        line = witness.cosign(note, proof(hashes(size), witness.remembered_size()))
        signed = SignedCheckpoint.parse(note + line)
        assert signed.check_witness(VerifierKey.of(WITNESS, COSIGNATURE)) == NOW_S
        assert witness.remembered_size() == size


def test_the_same_head_is_cosigned_again(witness: Witness) -> None:
    note = head(hashes(9))
    assert witness.cosign(note, []) == witness.cosign(note, [])


def test_split_view_two_heads_of_one_size(witness: Witness) -> None:
    witness.cosign(head(hashes(9)), [])
    with pytest.raises(EvidenceBroken, match="two different roots of one log at size 9"):
        witness.cosign(head(hashes(9, "other")), [])


def test_a_smaller_head(witness: Witness) -> None:
    witness.cosign(head(hashes(9)), [])
    with pytest.raises(EvidenceBroken, match="refuses a head of 8"):
        witness.cosign(head(hashes(8)), [])


def test_a_head_signed_with_another_key(witness: Witness) -> None:
    with pytest.raises(EvidenceBroken):
        witness.cosign(head(hashes(9), signer=OTHER), [])
    assert witness.remembered_size() == 0


def test_a_head_of_another_log(witness: Witness) -> None:
    stranger = KeySigner("stranger.invalid", Ed25519PrivateKey.from_private_bytes(bytes([4] * 32)))
    with pytest.raises(EvidenceBroken, match=r"stranger\.invalid"):
        witness.cosign(Checkpoint("stranger.invalid", 1, bytes(32)).sign(stranger), [])


def test_the_head_is_remembered_across_a_restart(witness: Witness, tmp_path: Path) -> None:
    witness.cosign(head(hashes(9)), [])
    again = Witness(tmp_path / "witness", WITNESS, VerifierKey.of(LOG, ED25519))
    with pytest.raises(EvidenceBroken, match="two different roots"):
        again.cosign(head(hashes(9, "other")), [])


def rewritten(rng: random.Random, leaves: list[bytes], old_size: int) -> list[bytes]:
    """Change history before `old_size` in one of the ways an insider would."""
    forged = list(leaves)
    place = rng.randrange(old_size)
    way = rng.choice(["change", "drop", "swap", "insert"])
    if way == "change":
        forged[place] = rng.randbytes(32)
    elif way == "drop":
        del forged[place]
        forged.append(rng.randbytes(32))
    elif way == "swap" and old_size > 1:
        other = (place + 1) % old_size
        forged[place], forged[other] = forged[other], forged[place]
    else:
        forged.insert(place, rng.randbytes(32))
    return forged


def test_rewritten_logs(tmp_path: Path) -> None:
    """An entry dropped, reordered, rewritten or slipped in before what the witness has seen."""
    rng = random.Random(5)
    for number in range(count(1000, reduced=100)):
        witness = Witness(tmp_path / str(number), WITNESS, VerifierKey.of(LOG, ED25519), clock=lambda: NOW_S)
        leaves = hashes(rng.randint(1, 90), str(number))
        old_size = rng.randint(1, len(leaves))
        witness.cosign(head(leaves[:old_size]), [])
        forged = rewritten(rng, leaves, old_size)
        with pytest.raises(EvidenceBroken):
            witness.cosign(head(forged), proof(forged, old_size))
        with pytest.raises(EvidenceBroken):
            witness.cosign(head(forged), proof(leaves, old_size))
        assert witness.remembered_size() == old_size
