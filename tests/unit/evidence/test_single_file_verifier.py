"""The single-file verifier of the documents: short, on its own, and of one mind with ours.

What it says of every attacked package is compared where those are attacked (`second_opinion`).
"""

import ast
import json
import os
import random
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domain.device_signatures import DeviceSignature, SignatureState
from domain.errors import EvidenceBroken
from domain.units import utc_text
from evidence import (
    Trust,
    as_json,
    as_text,
    build,
    entry_leaf,
    leaf_hash,
    sign_statement,
    trust_bytes,
    verify_package,
    write_seal,
)
from evidence.checkpoint import TlogProof, cosignature
from evidence.merkle import check_inclusion, fold, inclusion_proof, root
from evidence.parsing import base64_text
from evidence.seal import SEAL_FILES
from tests.components import find, require
from tests.counts import count
from tests.fixtures import evidence as fixtures
from tests.fixtures.evidence import CAPTURED_AT, WITH_SM3, Deployment, contents
from tests.fixtures.second_opinion import ALONE, SINGLE_FILE, disagreement, failing, opinion, trust_of

SOURCE = SINGLE_FILE.read_text("utf-8")


def run(*arguments: object, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the file as its reader does: isolated, so that nothing of ours can be imported."""
    return subprocess.run(
        [sys.executable, "-I", SINGLE_FILE, *map(str, arguments)],
        env={"PATH": os.environ["PATH"] if path is None else path, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def trust(sealed_world: Deployment, tmp_path: Path) -> Path:
    """The trust file as it is published."""
    require("openssl")
    file = tmp_path / "trust.json"
    file.write_bytes(trust_bytes(trust_of(sealed_world)))
    return file


def test_it_is_at_most_300_lines_and_imports_nothing_of_ours() -> None:
    assert SOURCE.count("\n") <= 300
    nodes = list(ast.walk(ast.parse(SOURCE)))
    named = {
        alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    named |= {str(node.module).split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert named <= {*sys.stdlib_module_names, "cryptography"}


def test_it_verifies_a_package_and_names_the_trust_file(
    sealed_world: Deployment, package: Path, trust: Path
) -> None:
    done = run(trust, "--sm3", package)
    assert (done.returncode, done.stderr) == (0, "")
    assert sealed_world.trust.digest in done.stdout
    assert "manifest-sm3  holds" in done.stdout
    assert done.stdout.endswith("\nVERIFIED\n\n")


def test_one_broken_package_among_several_is_status_1(package: Path, trust: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / package.name
    broken.parent.mkdir()
    package.rename(broken)
    (broken / "data/event.json").write_bytes(b"{}")
    done = run(trust, broken, broken)
    assert done.returncode == 1
    assert "NOT VERIFIED" in done.stdout
    assert "manifest      BROKEN: data/event.json has changed" in done.stdout


def test_without_openssl_it_says_not_checked_and_never_verified(package: Path, trust: Path) -> None:
    done = run(trust, package, path="/nonexistent")
    assert done.returncode == 2
    assert "time-stamp    NOT CHECKED: the command openssl is not on this machine" in done.stdout
    assert "\nNOT CHECKED\n" in done.stdout
    (package / "seal/statement.sig").write_bytes(bytes(64))
    broken = run(trust, package, path="/nonexistent")
    assert broken.returncode == 1, "what is broken is broken, with openssl or without"


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"format": "zhichao-trust/2"}', "\x00", "9" * 5000]
)
def test_a_trust_file_that_cannot_be_used_is_status_2(
    package: Path, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "trust.json"
    if content is not None:
        file.write_text(content)
    done = run(file, package)
    assert done.returncode == 2
    assert done.stdout.startswith("not checked: ")
    assert "Traceback" not in done.stderr


def test_a_misspelt_revocation_is_not_passed_over(
    sealed_world: Deployment, package: Path, tmp_path: Path
) -> None:
    document = trust_of(sealed_world)
    document["services"][0]["revoke_at"] = "2026-03-01T00:00:00Z"
    file = tmp_path / "trust.json"
    file.write_bytes(trust_bytes(document))
    assert run(file, package).returncode == 2


def test_a_folder_that_is_not_there_and_a_wrong_command_line_are_status_2(
    trust: Path, tmp_path: Path
) -> None:
    for arguments in ((trust, tmp_path / "EV-none"), (trust,), (), (tmp_path,)):
        assert run(*arguments).returncode == 2


@pytest.mark.parametrize("kind", ["services", "logs", "witnesses", "time_authorities"])
@pytest.mark.parametrize("member", ["valid_from", "valid_to", "revoked_at"])
@pytest.mark.parametrize("offset_s", [-3600, -1, 0, 1, 2, 3600])
def test_it_judges_the_life_of_keys_as_we_do(
    sealed_world: Deployment, package: Path, kind: str, member: str, offset_s: int
) -> None:
    """Every kind of key, each bound, around the very second at which the witness saw the entry."""
    document: dict[str, Any] = trust_of(sealed_world)
    entry = document[kind][0]
    witnessed_at = (CAPTURED_AT + timedelta(seconds=40)).replace(microsecond=0)
    document[kind][0] = ({"key": entry} if isinstance(entry, str) else entry) | {
        member: utc_text(witnessed_at + timedelta(seconds=offset_s))
    }
    report = verify_package(package, Trust.parse(trust_bytes(document)), policy=WITH_SM3)
    said = opinion(package, document, sm3=True)
    assert not disagreement(report, said)
    assert report.ok == ("keys" not in failing(said))


def test_a_token_still_counts_after_its_certificate_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificates need to have been valid when the token was made, not when it is read."""
    require("openssl")
    made_at = datetime(2014, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(fixtures, "KEYS_MADE_AT", made_at)
    past = Deployment(tmp_path)
    past.now = made_at + timedelta(days=30)
    package = past.seal(contents(1, captured_at=past.now))
    assert past.verify(package).ok
    assert failing(opinion(package, trust_of(past))) == set()


def test_a_token_from_after_its_certificate_ended_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("openssl")
    made_at = datetime(2014, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(fixtures, "KEYS_MADE_AT", made_at)
    past = Deployment(tmp_path)
    past.now = made_at + timedelta(days=3660)
    package = past.seal(contents(1, captured_at=past.now))
    assert "time-stamp" in past.verify(package).broken
    assert "time-stamp" in failing(opinion(package, trust_of(past)))


def test_a_trust_file_that_lists_devices_is_beyond_it_and_it_says_so(
    sealed_world: Deployment, package: Path, tmp_path: Path
) -> None:
    require("openssl")
    key = base64_text(sealed_world.keys.witness.public_key)
    document = trust_of(sealed_world)
    document["devices"] = [{"station": "S1", "device": "wim-1", "ed25519": key}]
    file = tmp_path / "trust.json"
    file.write_bytes(trust_bytes(document))
    assert not verify_package(package, Trust.load(file)).ok, "that device has not signed"
    done = run(file, package)
    assert done.returncode == 2
    assert "elsewhere     NOT CHECKED: `zhichao evidence verify`" in done.stdout
    assert done.stdout.endswith("\nNOT CHECKED\n\n")


@pytest.mark.parametrize("state", ["valid", "unknown-key", "invalid"])
def test_a_message_that_a_device_signed_is_beyond_it_and_it_says_so(
    deployment: Deployment, state: SignatureState
) -> None:
    require("openssl")
    signed = DeviceSignature(state=state, key_id="k1")
    made = contents()
    package = deployment.seal(replace(made, wire=(replace(made.wire[0], signature=signed),)))
    said = opinion(package, trust_of(deployment))
    assert failing(said) == {"elsewhere"}
    assert said["elsewhere"].startswith("NOT CHECKED")


def test_a_second_signature_is_beyond_it_and_it_says_so(deployment: Deployment) -> None:
    require("openssl")
    built, keys = build(deployment.evidence, contents()), deployment.keys
    envelope = sign_statement(built, {}, keys.service, keys.witness)
    token = deployment.authority.stamp(envelope)
    leaf = entry_leaf(built.tagmanifest, envelope, token)
    deployment.log.append([leaf_hash(leaf)])
    proof = deployment.log.inclusion_proof(0)
    write_seal(deployment.evidence, built.folder, envelope=envelope, token=token, leaf=leaf, proof=proof)
    said = opinion(deployment.evidence / built.folder, trust_of(deployment))
    assert failing(said) == {"elsewhere"}
    assert said["elsewhere"].startswith("NOT CHECKED")


def test_a_witness_whose_key_has_ended_makes_nothing_older_for_either(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Who still has the ended key of a witness cosigns today, and writes a day of its life."""
    require("openssl")
    other = Deployment(tmp_path / "ended", name="ended.invalid")
    package = deployment.seal(contents())
    proof = package / "seal/inclusion.tlog-proof"
    head = TlogProof.parse(proof.read_bytes()).signed.checkpoint
    old = CAPTURED_AT.replace(microsecond=0) - timedelta(days=1)
    line = cosignature(head.text, other.keys.witness, int(old.timestamp()))
    proof.write_bytes(proof.read_bytes() + line)
    document: dict[str, Any] = trust_of(deployment)
    ended = {"key": trust_of(other)["witnesses"][0], "valid_to": utc_text(CAPTURED_AT)}
    document["witnesses"].append(ended)
    report = verify_package(package, Trust.parse(trust_bytes(document)))
    said = opinion(package, document)
    assert report.ok, as_text(report)
    assert not failing(said), said


def test_a_token_granted_with_modifications_is_refused_by_both(
    sealed_world: Deployment, package: Path
) -> None:
    """RFC 3161, 2.4.2, lets status 1 carry a token too, another one than was asked for: none is sealed."""
    require("openssl")
    token = package / "seal/statement.tsr"
    granted = token.read_bytes()
    assert granted.count(b"\x30\x03\x02\x01\x00") == 1, "the status alone"
    for status in (1, 2, 5):
        token.write_bytes(granted.replace(b"\x30\x03\x02\x01\x00", bytes([0x30, 3, 2, 1, status])))
        assert "time-stamp" in sealed_world.verify(package).broken
        assert opinion(package, trust_of(sealed_world))["time-stamp"].startswith("BROKEN")


def test_a_sample_of_bit_flips_is_detected_by_it_too(sealed_world: Deployment, package: Path) -> None:
    require("openssl")
    rng = random.Random(21)
    trust = trust_of(sealed_world)
    files = sorted(path for path in package.rglob("*") if path.is_file())
    for _ in range(count(1_000, reduced=40)):
        path = rng.choice([rng.choice(files), package / "seal" / rng.choice(SEAL_FILES)])
        original = path.read_bytes()
        flipped = bytearray(original)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        said = opinion(package, trust)
        assert failing(said), path
        assert not disagreement(sealed_world.verify(package), said), path
        path.write_bytes(original)
    assert not failing(opinion(package, trust))


def test_packages_of_any_bytes_get_an_answer(package: Path, sealed_world: Deployment) -> None:
    """Garbage in place of any file: an answer, never an error."""
    require("openssl")
    rng = random.Random(22)
    trust = trust_of(sealed_world)
    garbage = (b"", b"\xff\xfe", b"[" * 3000, b"{}", b"null", b"5", rng.randbytes(300))
    files = sorted(path for path in package.rglob("*") if path.is_file())
    pairs = [(path, data) for path in files for data in garbage]
    for path, data in rng.sample(pairs, count(len(pairs), reduced=40)):
        original = path.read_bytes()
        path.write_bytes(data)
        assert failing(opinion(package, trust)), (path, data)
        path.write_bytes(original)


def test_names_that_would_write_to_the_terminal_are_shown_and_not_obeyed(
    sealed_world: Deployment, package: Path, trust: Path
) -> None:
    """A file, and the folder itself, named by bytes that are no text and by an escape sequence."""
    strange = os.fsdecode(b"\xff\x1b[2J\nVERIFIED")
    (package / "data/images" / strange).write_bytes(b"")
    shown = package.rename(package.with_name(f"EV-{strange}"))
    done = run(trust, shown)
    assert (done.returncode, done.stderr) == (1, "")
    assert "\x1b" not in done.stdout
    assert "\nVERIFIED" not in done.stdout
    ours = as_text(sealed_world.verify(shown))
    assert "\x1b" not in ours
    assert "\nVERIFIED" not in ours
    assert as_json(sealed_world.verify(shown)).encode()


def test_it_follows_an_entry_into_a_log_of_any_size_up_to_64(
    sealed_world: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written another way than ours: it takes the right path of every place, and no other."""
    monkeypatch.setattr(ALONE, "openssl", without_openssl)
    trust, seal = trust_of(sealed_world), tmp_path / "EV-any/seal"
    seal.mkdir(parents=True)
    (seal / "entry.sha256").write_bytes(b"entry")
    rng = random.Random(23)

    def followed(index: int, size: int, path: list[bytes], root_hash: bytes) -> bool:
        lines = "".join(f"{base64_text(one)}\n" for one in path)
        head = f"log\n{size}\n{base64_text(root_hash)}\n\n— log {base64_text(bytes(68))}\n"
        proof = f"c2sp.org/tlog-proof@v1\nindex {index}\n{lines}\n{head}"
        (seal / "inclusion.tlog-proof").write_text(proof, encoding="utf-8")
        return opinion(seal.parent, trust)["inclusion"] == "holds"

    for size in range(1, 65):
        for index in {0, size - 1, *rng.sample(range(size), min(size, count(64, reduced=2)))}:
            leaves = [leaf_hash(b"entry" if at == index else b"%d" % at) for at in range(size)]
            nodes = partial(node_of, leaves)
            path, top = inclusion_proof(index, size, nodes), root(size, nodes)
            assert followed(index, size, path, top), (index, size)
            place, end = rng.randrange(70), rng.randrange(1, 70)
            with suppress(EvidenceBroken):
                check_inclusion(leaves[index], place, end, path, top)
                continue
            assert not followed(place, end, path, top), (index, size, place, end)
        assert not followed(index, size, [*path, bytes(32)], top)
        assert not followed(index, size, path[:-1], top) or not path


def node_of(leaves: list[bytes], level: int, number: int) -> bytes:
    """Return the hash of a complete subtree."""
    return fold(leaves[number << level : (number + 1) << level])


def without_openssl(*_: object, **__: object) -> str:
    raise NotImplementedError


def test_an_openssl_of_another_maker_says_nothing_of_a_time_stamp(
    package: Path, trust: Path, tmp_path: Path
) -> None:
    """LibreSSL, as macOS has it, knows no -attime: its refusal must not pass for a false token."""
    other = tmp_path / "bin/openssl"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n[ $1 = version ] && echo LibreSSL 3.3.6\n")
    other.chmod(0o755)
    done = run(trust, package, path=str(other.parent))
    assert done.returncode == 2
    assert "time-stamp    NOT CHECKED: the command openssl is not of OpenSSL 1.1" in done.stdout


def test_json_output_of_ours_names_the_layers_it_names(sealed_world: Deployment, package: Path) -> None:
    """Both list the same layers, but what the single file leaves to others."""
    if find("openssl") is None:
        pytest.skip("openssl is not installed")
    named = [layer.name for layer in sealed_world.verify(package, policy=WITH_SM3).layers]
    alone = opinion(package, trust_of(sealed_world), sm3=True)
    assert set(named) - set(alone) == {"device"}
    assert set(alone) - set(named) == {"elsewhere"}
    assert json.dumps(alone)
