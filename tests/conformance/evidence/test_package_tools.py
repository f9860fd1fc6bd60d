"""Sealed packages under the tools anybody has: sha256sum, bagit.py, openssl, and the documented commands."""

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bagit
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from evidence import build
from tests.components import ROOT, require
from tests.fixtures import evidence as fixtures
from tests.fixtures.evidence import Deployment, contents

DOCUMENT = ROOT / "docs/reference/evidence.md"
BIN = Path(sys.executable).parent


def documented(mark: str) -> str:
    """Return the code block that follows a mark in the reference."""
    found = re.search(rf"<!-- {mark} -->\n```[a-z]+\n(.*?)```\n", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert found, f"docs/reference/evidence.md has no block marked {mark}"
    return found[1]


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a folder, stopping at the first command that fails."""
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"],
        cwd=folder,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def trust_folder(sealed_world: Deployment, tmp_path: Path) -> Path:
    """The two files the documented commands want, made as documented."""
    require("openssl")
    folder = tmp_path / "trust"
    folder.mkdir()
    (folder / "tsa-root.pem").write_bytes(sealed_world.trust.tsa_roots[0].public_bytes(Encoding.PEM))
    key = base64.b64encode(sealed_world.trust.services[0].public_key).decode()
    made = run(documented("make-keys"), folder, TRUST=str(folder), SERVICE_KEY_BASE64=key)
    assert made.returncode == 0, made.stderr
    return folder


def test_sha256sum_checks_both_manifests_and_the_entry(package: Path) -> None:
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt", "seal/entry.sha256"):
        checked = run(f"sha256sum --check --strict {manifest}", package)
        assert checked.returncode == 0, checked.stderr
    (package / "data/images/01-front.jpg").write_bytes(b"other")
    assert run("sha256sum --check manifest-sha256.txt", package).returncode != 0


def test_openssl_checks_the_sm3_manifest_as_documented(package: Path) -> None:
    require("openssl")
    checked = run(documented("check-sm3"), package)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (package / "data/images/01-front.jpg").write_bytes(b"other")
    assert run(documented("check-sm3"), package).returncode != 0


def test_the_documented_commands_print_the_anti_forgery_code(package: Path) -> None:
    require("openssl")
    printed = run(documented("anti-forgery-code"), package)
    assert printed.returncode == 0, printed.stderr
    event = json.loads((package / "data/event.json").read_bytes())
    assert printed.stdout == event["anti_forgery"]["code"] + "\n"


def test_bagit_validates_a_sealed_package(package: Path) -> None:
    validated = run("bagit.py --validate .", package)
    assert validated.returncode == 0, validated.stderr
    bag = bagit.Bag(str(package))
    assert bag.is_valid()
    assert bag.info["External-Identifier"] == package.name.removeprefix("EV-")


def test_bagit_validates_a_package_before_it_is_sealed(package: Path, tmp_path: Path) -> None:
    (package / "seal").rename(tmp_path / "seal")
    assert run("bagit.py --validate .", package).returncode == 0


def test_the_documented_commands_accept_a_package(package: Path, trust_folder: Path) -> None:
    checked = run(documented("check-package"), package, TRUST=str(trust_folder))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Verification: OK" in checked.stdout + checked.stderr
    assert "Signature Verified Successfully" in checked.stdout


@pytest.mark.parametrize(
    "name",
    [
        "data/event.json",
        "bag-info.txt",
        "tagmanifest-sha256.txt",
        "seal/statement.pae",
        "seal/statement.sig",
        "seal/statement.dsse.json",
        "seal/statement.tsr",
        "seal/entry.sha256",
    ],
)
def test_the_documented_commands_refuse_a_changed_file(package: Path, trust_folder: Path, name: str) -> None:
    path = package / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert run(documented("check-package"), package, TRUST=str(trust_folder)).returncode != 0


def test_the_documented_commands_refuse_a_link(package: Path, trust_folder: Path) -> None:
    (package / "data/images/01-front.jpg").rename(package / "moved.jpg")
    (package / "data/images/01-front.jpg").symlink_to("../../moved.jpg")
    assert run("bagit.py --validate .", package).returncode == 0, "why the first command is there"
    assert run(documented("check-package"), package, TRUST=str(trust_folder)).returncode != 0


def test_the_documented_commands_refuse_other_keys(package: Path, trust_folder: Path, tmp_path: Path) -> None:
    forger = Deployment(tmp_path / "forger")
    key = base64.b64encode(forger.trust.services[0].public_key).decode()
    run(documented("make-keys"), trust_folder, TRUST=str(trust_folder), SERVICE_KEY_BASE64=key)
    checked = run(documented("check-package"), package, TRUST=str(trust_folder))
    assert "Signature Verification Failure" in checked.stdout
    assert checked.returncode != 0


def test_openssl_refuses_the_token_over_other_bytes_or_under_another_root(
    package: Path, trust_folder: Path, tmp_path: Path
) -> None:
    command = 'openssl ts -verify -data "$DATA" -in seal/statement.tsr -CAfile "$ROOT_FILE"'
    root = str(trust_folder / "tsa-root.pem")
    assert run(command, package, DATA="seal/statement.dsse.json", ROOT_FILE=root).returncode == 0
    assert run(command, package, DATA="seal/statement.pae", ROOT_FILE=root).returncode != 0
    other = Deployment(tmp_path / "forger").keys.folder / "tsa-root.crt"
    assert run(command, package, DATA="seal/statement.dsse.json", ROOT_FILE=str(other)).returncode != 0


def test_openssl_prints_that_the_test_authority_is_a_test(package: Path) -> None:
    require("openssl")
    printed = run(
        "openssl ts -reply -in seal/statement.tsr -token_out -out token.der && "
        "openssl pkcs7 -inform DER -in token.der -print_certs -noout",
        package,
    )
    assert "NOT FOR EVIDENCE" in printed.stdout, printed.stderr


def test_the_documented_fifteen_lines_follow_the_entry_into_the_log(
    sealed_world: Deployment, package: Path
) -> None:
    script = documented("check-log")
    for number, sealed in enumerate(sorted(sealed_world.evidence.iterdir())):
        followed = subprocess.run(
            [sys.executable, "-c", script], cwd=sealed, capture_output=True, text=True, check=False
        )
        assert followed.returncode == 0, (number, followed.stderr)
        assert followed.stdout.startswith("test.invalid/log ")
    (package / "seal/entry.sha256").write_bytes(b"other")
    assert (
        subprocess.run(
            [sys.executable, "-c", script], cwd=package, capture_output=True, check=False
        ).returncode
        == 1
    )


def test_the_documented_command_follows_a_supplement_to_its_predecessor(deployment: Deployment) -> None:
    first = build(deployment.evidence, contents(1))
    late = replace(contents(1), supplement=1, predecessor_tagmanifest=first.tagmanifest)
    package, other = deployment.seal(late), deployment.seal(contents(2))
    later = contents(1, captured_at=fixtures.CAPTURED_AT + timedelta(seconds=1))
    elsewhen = replace(later, supplement=2, predecessor_tagmanifest=first.tagmanifest)
    lacking = replace(late, supplement=3, images=contents(1).images[:1])
    command = documented("check-predecessor")
    before = str(deployment.evidence / first.folder)
    assert run(command, package, PREDECESSOR=before).returncode == 0
    assert run(command, package, PREDECESSOR=str(other)).returncode != 0
    assert run(command, deployment.seal(elsewhen), PREDECESSOR=before).returncode != 0
    done = run(command, deployment.seal(lacking), PREDECESSOR=before)
    assert done.returncode != 0
    assert "is not here any more" in done.stdout


def test_the_documented_commands_accept_a_token_whose_certificate_has_ended_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("openssl")
    monkeypatch.setattr(fixtures, "KEYS_MADE_AT", datetime(2014, 1, 1, tzinfo=UTC))
    past = Deployment(tmp_path)
    past.now = datetime(2014, 2, 1, tzinfo=UTC)
    package = past.seal(contents(1, captured_at=past.now))
    keys = tmp_path / "trust"
    keys.mkdir()
    (keys / "tsa-root.pem").write_bytes(past.trust.tsa_roots[0].public_bytes(Encoding.PEM))
    key = base64.b64encode(past.trust.services[0].public_key).decode()
    run(documented("make-keys"), keys, TRUST=str(keys), SERVICE_KEY_BASE64=key)
    checked = run(documented("check-package"), package, TRUST=str(keys))
    assert checked.returncode == 0, checked.stdout + checked.stderr
