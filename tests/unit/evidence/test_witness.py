"""Attacks on the log that the witness refuses: split view, rewritten, shrunken and foreign logs."""

import hashlib
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import EvidenceBroken
from evidence.checkpoint import Checkpoint, SignedCheckpoint
from evidence.cosigning import MalformedRequest, NotSignedByLog, OtherSizeRemembered, SplitView, UnknownLog
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


def cosign(witness: Witness, note: bytes, path: list[bytes]) -> bytes:
    """Bring a head with a proof that begins where the witness is."""
    return witness.cosign(note, witness.remembered_size(), path)


def test_a_growing_log_is_cosigned_with_the_witness_own_time(witness: Witness) -> None:
    for size in (1, 2, 5, 64, 100):
        note = head(hashes(size))
        line = cosign(witness, note, proof(hashes(size), witness.remembered_size()))
        signed = SignedCheckpoint.parse(note + line)
        assert signed.check_witness(VerifierKey.of(WITNESS, COSIGNATURE)) == NOW_S
        assert witness.remembered_size() == size


def test_the_same_head_is_cosigned_again(witness: Witness) -> None:
    note = head(hashes(9))
    assert cosign(witness, note, []) == cosign(witness, note, [])


def test_split_view_two_heads_of_one_size(witness: Witness, tmp_path: Path) -> None:
    cosign(witness, head(hashes(9)), [])
    other = head(hashes(9, "other"))
    with pytest.raises(SplitView, match="two different roots of one log at size 9"):
        cosign(witness, other, [])
    remembered = SignedCheckpoint.parse((tmp_path / "witness/head").read_bytes())
    (kept,) = (tmp_path / "witness/refused").iterdir()
    refused = SignedCheckpoint.parse(kept.read_bytes())
    for signed in (remembered, refused):  # both notes are signed by the log: that is the proof
        signed.check_log(VerifierKey.of(LOG, ED25519))
    assert remembered.checkpoint.root != refused.checkpoint.root
    assert remembered.checkpoint.size == refused.checkpoint.size == 9


def test_a_head_kept_by_an_earlier_version_is_read(witness: Witness, tmp_path: Path) -> None:
    """It was the text alone, without signatures."""
    (tmp_path / "witness").mkdir()
    (tmp_path / "witness/head").write_bytes(head(hashes(9)).partition(b"\n\n")[0] + b"\n")
    assert witness.remembered_size() == 9
    cosign(witness, head(hashes(12)), proof(hashes(12), 9))


def test_a_log_that_changes_its_key_is_known_by_both(tmp_path: Path) -> None:
    keys = [VerifierKey.of(signer, ED25519) for signer in (LOG, OTHER)]
    witness = Witness(tmp_path / "witness", WITNESS, *keys)
    cosign(witness, head(hashes(3)), [])
    cosign(witness, head(hashes(5), signer=OTHER), proof(hashes(5), 3))
    assert witness.remembered_size() == 5


def test_a_smaller_head(witness: Witness) -> None:
    cosign(witness, head(hashes(9)), [])
    for claimed in (0, 5, 8):
        with pytest.raises(OtherSizeRemembered, match="at 9 entries"):
            witness.cosign(head(hashes(8)), claimed, [])
    with pytest.raises(MalformedRequest, match="cannot continue one of 9"):
        witness.cosign(head(hashes(8)), 9, [])


def test_a_head_signed_with_another_key(witness: Witness) -> None:
    with pytest.raises(NotSignedByLog):
        cosign(witness, head(hashes(9), signer=OTHER), [])
    assert witness.remembered_size() == 0


def test_a_head_of_another_log(witness: Witness) -> None:
    stranger = KeySigner("stranger.invalid", Ed25519PrivateKey.from_private_bytes(bytes([4] * 32)))
    with pytest.raises(UnknownLog, match=r"stranger\.invalid"):
        cosign(witness, Checkpoint("stranger.invalid", 1, bytes(32)).sign(stranger), [])


def test_the_head_is_remembered_across_a_restart(witness: Witness, tmp_path: Path) -> None:
    cosign(witness, head(hashes(9)), [])
    again = Witness(tmp_path / "witness", WITNESS, VerifierKey.of(LOG, ED25519))
    with pytest.raises(EvidenceBroken, match="two different roots"):
        cosign(again, head(hashes(9, "other")), [])


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
        cosign(witness, head(leaves[:old_size]), [])
        forged = rewritten(rng, leaves, old_size)
        with pytest.raises(EvidenceBroken):
            cosign(witness, head(forged), proof(forged, old_size))
        with pytest.raises(EvidenceBroken):
            cosign(witness, head(forged), proof(leaves, old_size))
        assert witness.remembered_size() == old_size
