"""Checkpoints, cosignatures and proofs: their exact form, and what is refused."""

import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import EvidenceBroken
from evidence.checkpoint import Checkpoint, SignedCheckpoint, TlogProof, cosignature, proof_text
from evidence.note import COSIGNATURE, ED25519, VerifierKey
from evidence.signing import KeySigner
from tests.counts import count

LOG = KeySigner("test.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)))
WITNESS = KeySigner("test.invalid/witness", Ed25519PrivateKey.from_private_bytes(bytes([2] * 32)))
HEAD = Checkpoint("test.invalid/log", 12, bytes(range(32)))
POSIX_S = 1_679_315_147
SIGNED = HEAD.sign(LOG)
COSIGNED = SIGNED + cosignature(HEAD.text, WITNESS, POSIX_S)
PROOF = proof_text(3, [bytes([7] * 32), bytes([8] * 32)], COSIGNED)

WITNESS_KEY = VerifierKey.of(WITNESS, COSIGNATURE)


def test_a_checkpoint_is_three_lines() -> None:
    assert HEAD.text == "test.invalid/log\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert Checkpoint.parse(HEAD.text) == HEAD


def test_a_cosignature_signs_the_bytes_the_specification_writes_down() -> None:
    stamped = SignedCheckpoint.parse(COSIGNED).note.signature_by(WITNESS_KEY)
    (posix_s,) = struct.unpack(">Q", stamped[:8])
    assert posix_s == POSIX_S
    body = "test.invalid/log\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    message = f"cosignature/v1\ntime {POSIX_S}\n{body}"
    Ed25519PublicKey.from_public_bytes(WITNESS.public_key).verify(stamped[8:], message.encode())


def test_log_and_witness_signatures_hold() -> None:
    signed = SignedCheckpoint.parse(COSIGNED)
    signed.check_log(VerifierKey.of(LOG, ED25519))
    assert signed.check_witness(WITNESS_KEY) == POSIX_S


def test_a_witness_time_that_was_changed_is_refused() -> None:
    note = SignedCheckpoint.parse(COSIGNED).note
    log_line, line = note.signatures
    later = line._replace(signature=(POSIX_S + 60).to_bytes(8, "big") + line.signature[8:])
    forged = bytes(note._replace(signatures=(log_line, later)))
    with pytest.raises(EvidenceBroken, match=r"cosignature by test\.invalid/witness"):
        SignedCheckpoint.parse(forged).check_witness(WITNESS_KEY)


def test_the_log_signature_does_not_pass_for_a_cosignature() -> None:
    as_witness = VerifierKey(LOG.name, COSIGNATURE, LOG.public_key)
    with pytest.raises(EvidenceBroken, match="0 signatures"):
        SignedCheckpoint.parse(COSIGNED).check_witness(as_witness)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = KeySigner("other.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)))
    with pytest.raises(EvidenceBroken, match="of the log"):
        SignedCheckpoint.parse(COSIGNED).check_log(VerifierKey.of(other, ED25519))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        HEAD.text.replace("12", "0"),
        HEAD.text.replace("12", "012"),
        HEAD.text.replace("12", "+12"),
        HEAD.text.replace("12", "１２"),
        HEAD.text.replace("12", "9" * 20),
        HEAD.text.replace("AAEC", "AAE"),
        HEAD.text.replace("8=\n", "8\n"),
        HEAD.text + "extension\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(EvidenceBroken):
        Checkpoint.parse(text)


def test_a_proof_reads_back() -> None:
    proof = TlogProof.parse(PROOF)
    assert (proof.leaf_index, proof.path) == (3, (bytes([7] * 32), bytes([8] * 32)))
    assert bytes(proof.signed.note) == COSIGNED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"tlog-proof@v1", b"tlog-proof@v2"),
        (b"index 3", b"index 03"),
        (b"index 3", b"index 12"),
        (b"index 3", b"extra AAAA\nindex 3"),
        (b"index 3\n", b""),
        (b"BwcH", b"BwcHBwcH"),
        (b"BwcH", b"Bw\x0bcH"),
        (b"\n\ntest.invalid", b"\ntest.invalid"),
    ],
)
def test_a_malformed_proof_is_refused(old: bytes, new: bytes) -> None:
    assert old in PROOF
    with pytest.raises(EvidenceBroken):
        TlogProof.parse(PROOF.replace(old, new, 1))


@settings(max_examples=count(20_000, reduced=500), deadline=None, derandomize=True)
@given(st.binary(max_size=200) | st.tuples(st.integers(0, len(PROOF)), st.binary(max_size=5)))
def test_the_proof_parser_reads_or_refuses_any_bytes(made: bytes | tuple[int, bytes]) -> None:
    data = made if isinstance(made, bytes) else PROOF[: made[0]] + made[1] + PROOF[made[0] + len(made[1]) :]
    try:
        proof = TlogProof.parse(data)
    except EvidenceBroken:
        return
    assert proof_text(proof.leaf_index, proof.path, bytes(proof.signed.note)) == data


@settings(max_examples=count(20_000, reduced=500), deadline=None, derandomize=True)
@given(st.text(max_size=120) | st.tuples(st.integers(0, len(HEAD.text)), st.text(max_size=3)))
def test_the_checkpoint_parser_reads_or_refuses_any_text(made: str | tuple[int, str]) -> None:
    text = (
        made
        if isinstance(made, str)
        else HEAD.text[: made[0]] + made[1] + HEAD.text[made[0] + len(made[1]) :]
    )
    try:
        head = Checkpoint.parse(text)
    except EvidenceBroken:
        return
    assert head.text == text
