"""Forgeries that leave every digest right: trusted names over others' signatures, and other spellings."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.ids import sha256_of
from evidence import BuiltPackage, Signer, as_text
from evidence.bag import manifest_text, parse_manifest
from evidence.checkpoint import Checkpoint, TlogProof, cosignature, proof_text
from evidence.package import TAG_MANIFEST
from evidence.parsing import canonical_json
from tests.fixtures.evidence import Deployment, contents

pytestmark = pytest.mark.usefixtures("second_opinion")

PROOF = "seal/inclusion.tlog-proof"


class Impostor:
    """Signs with a key of his own under the name, and with the public key, of somebody trusted."""

    def __init__(self, victim: Signer) -> None:
        self.name, self.public_key = victim.name, victim.public_key
        self._own = Ed25519PrivateKey.from_private_bytes(bytes(range(7, 39)))

    def sign(self, message: bytes) -> bytes:
        """Return a signature that the victim never made."""
        return self._own.sign(message)


def head_of(package: Path) -> tuple[TlogProof, Checkpoint, int]:
    """The package's proof, its head, and the time at which the witness saw it."""
    proof = TlogProof.parse((package / PROOF).read_bytes())
    cosigned = proof.signed.note.signatures[1].signature
    return proof, proof.signed.checkpoint, int.from_bytes(cosigned[:8], "big")


def test_statement_signed_by_an_impostor(deployment: Deployment) -> None:
    """Stamped, logged and witnessed like any other: only the signature gives it away."""
    deployment.keys = deployment.keys._replace(service=Impostor(deployment.keys.service))
    report = deployment.verify(deployment.seal(contents(1)))
    assert report.broken == ("statement",), as_text(report)


def test_head_signed_by_an_impostor_of_the_log(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    proof, head, seconds = head_of(package)
    note = head.sign(Impostor(deployment.keys.log)) + cosignature(head.text, deployment.keys.witness, seconds)
    (package / PROOF).write_bytes(proof_text(proof.leaf_index, proof.path, note))
    assert deployment.verify(package).broken == ("checkpoint",)


def test_head_cosigned_by_an_impostor_of_the_witness(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    proof, head, seconds = head_of(package)
    note = head.sign(deployment.keys.log) + cosignature(head.text, Impostor(deployment.keys.witness), seconds)
    (package / PROOF).write_bytes(proof_text(proof.leaf_index, proof.path, note))
    assert set(deployment.verify(package).broken) == {"witness", "witness-time"}


def test_witness_time_moved_under_a_genuine_cosignature(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    proof, head, seconds = head_of(package)
    line = cosignature(head.text, deployment.keys.witness, seconds).decode()
    moved = cosignature(head.text, Impostor(deployment.keys.witness), seconds + 60).decode()
    assert line != moved
    note = head.sign(deployment.keys.log) + moved.encode()
    (package / PROOF).write_bytes(proof_text(proof.leaf_index, proof.path, note))
    assert "witness" in deployment.verify(package).broken


def test_log_that_signs_one_head_twice(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    text, _, rest = (package / PROOF).read_bytes().rpartition("— test.invalid/witness".encode())
    line = text[text.index("— ".encode()) :]
    (package / PROOF).write_bytes(text + line + "— test.invalid/witness".encode() + rest)
    assert deployment.verify(package).broken == ("checkpoint",)


@pytest.mark.parametrize("change", ["more", "fewer"])
def test_tag_manifest_of_other_files_than_it_must_list(deployment: Deployment, change: str) -> None:
    """Sealed with the right keys over a tag manifest that leaves bag-info.txt open, or lists payload too."""
    package = deployment.seal(contents(1))
    listed = parse_manifest((package / TAG_MANIFEST).read_bytes(), TAG_MANIFEST)
    if change == "more":
        listed["data/event.json"] = sha256_of((package / "data/event.json").read_bytes())
    else:
        del listed["bag-info.txt"]
    (package / TAG_MANIFEST).write_bytes(manifest_text(listed))
    for file in (package / "seal").iterdir():
        file.unlink()
    (package / "seal").rmdir()
    event = json.loads((package / "data/event.json").read_bytes())
    digest = sha256_of((package / TAG_MANIFEST).read_bytes())
    deployment.seal_built(BuiltPackage(package.name, digest, event["event_id"], 0, None))
    assert deployment.verify(package).broken == ("tag-manifest",)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-20T08:30:00.25Z",
        "2026-03-20T08:30:00Z",
        "2026-03-20T08:30:00.250000+00:00",
        "2026-03-20 08:30:00.250000Z",
        "20260320T083000.250000Z",
        "2026-03-20T16:30:00.250000+08:00",
        "2026-03-20T08:30:00.250000",
        "2026-W12-5T08:30:00.250000Z",
    ],
)
def test_time_of_capture_in_another_spelling(deployment: Deployment, text: str) -> None:
    package = deployment.seal(contents(1))
    event = json.loads((package / "data/event.json").read_bytes())
    (package / "data/event.json").write_bytes(canonical_json(event | {"captured_at": text}))
    assert "event" in deployment.verify(deployment.reseal(package)).broken


def test_path_too_long_too_short_or_beyond_the_end(deployment: Deployment) -> None:
    for number in range(1, 4):
        package = deployment.seal(contents(number))
    original = (package / PROOF).read_bytes()
    proof = TlogProof.parse(original)
    note = bytes(proof.signed.note)
    forged = [
        (proof.leaf_index, (*proof.path, bytes(32))),
        (proof.leaf_index, (*proof.path, *proof.path)),
        (proof.leaf_index, proof.path[:-1]),
        (proof.leaf_index, ()),
        (proof.leaf_index - 1, proof.path),
        (proof.signed.checkpoint.size, proof.path),
        (10**18, proof.path),
    ]
    for index, path in forged:
        (package / PROOF).write_bytes(proof_text(index, path, note))
        assert "inclusion" in deployment.verify(package).broken, (index, path)
    (package / PROOF).write_bytes(original)
    assert deployment.verify(package).ok
