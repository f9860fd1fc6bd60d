"""A second signature by SM2: made and checked by openssl, never in place of the first."""

import base64
import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError, EvidenceBroken
from domain.units import utc_text
from evidence import (
    Policy,
    Trust,
    as_text,
    build,
    entry_leaf,
    leaf_hash,
    sign_statement,
    trust_bytes,
    trust_file,
    verify_package,
    write_seal,
)
from evidence.dsse import Envelope
from evidence.parsing import base64_text, canonical_json
from evidence.policy import LAYERS, SM2_LAYER
from evidence.sm2 import IDENTITY, Sm2Signer, check_sm2_signature
from tests.components import require
from tests.fixtures.evidence import CAPTURED_AT, Deployment, contents

WITH_SM2 = Policy(required_layers=frozenset({*LAYERS, SM2_LAYER}))


def sm2_key(path: Path) -> Sm2Signer:
    """Make an SM2 key as documented; where this machine's openssl lacks SM2 the test says so."""
    openssl = require("openssl")
    made = subprocess.run(
        [openssl, "genpkey", "-algorithm", "SM2", "-out", path], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"this openssl makes no SM2 keys: {made.stderr[:200]}")
    path.chmod(0o600)
    return Sm2Signer("test.invalid/service", path)


@pytest.fixture
def signer(tmp_path: Path) -> Sm2Signer:
    """An SM2 signer with a key of its own."""
    folder = tmp_path / "sm2"
    folder.mkdir(mode=0o700)
    return sm2_key(folder / "key.pem")


def seal(deployment: Deployment, second: Sm2Signer | None, **changes: Any) -> Path:
    """Build and seal a package that is signed twice."""
    built = build(deployment.evidence, contents())
    envelope = sign_statement(built, {"gross_kg": 52_340}, deployment.keys.service, second)
    if changes:
        document = json.loads(envelope)
        document["signatures"][1] |= changes
        envelope = canonical_json(document)
    token = deployment.authority.stamp(envelope)
    leaf = entry_leaf(built.tagmanifest, envelope, token)
    deployment.log.append([leaf_hash(leaf)])
    proof = deployment.log.inclusion_proof(deployment.log.size - 1)
    write_seal(deployment.evidence, built.folder, envelope=envelope, token=token, leaf=leaf, proof=proof)
    return deployment.evidence / built.folder


def trust_of(deployment: Deployment, signer: Sm2Signer, **life: str) -> Trust:
    """Return a trust that names the SM2 key."""
    document = trust_file(deployment.keys, sm2=signer)
    document["sm2"][0] |= life
    return Trust.parse(trust_bytes(document))


def test_both_signatures_hold_and_the_report_says_so(deployment: Deployment, signer: Sm2Signer) -> None:
    package = seal(deployment, signer)
    report = verify_package(package, trust_of(deployment, signer), policy=WITH_SM2)
    assert report.ok, report
    details = {layer.name: layer.detail for layer in report.layers}
    assert "and by the SM2 key" in details["statement"]
    assert details["sm2"].startswith("signed by SM2")
    assert (package / "seal/statement.sig").stat().st_size == 64, "the first signature alone"


def test_absence_is_allowed_unless_the_policy_asks(deployment: Deployment, signer: Sm2Signer) -> None:
    package = seal(deployment, None)
    trust = trust_of(deployment, signer)
    assert verify_package(package, trust).ok
    assert verify_package(package, trust, policy=WITH_SM2).broken == (SM2_LAYER,)


def test_a_key_the_trust_file_does_not_name_vouches_for_nothing(
    deployment: Deployment, signer: Sm2Signer
) -> None:
    package = seal(deployment, signer)
    report = deployment.verify(package)
    assert report.ok
    assert "was not checked" in {layer.name: layer.detail for layer in report.layers}["statement"]
    assert deployment.verify(package, policy=WITH_SM2).broken == (SM2_LAYER,)


@pytest.mark.parametrize("policy", [Policy(), WITH_SM2])
def test_a_second_signature_that_does_not_hold_breaks_the_statement(
    deployment: Deployment, signer: Sm2Signer, policy: Policy
) -> None:
    """Whoever holds the service's key alone cannot pass off a package as signed twice."""
    other = base64_text(signer.sign(b"another statement"))
    package = seal(deployment, signer, sig=other)
    report = verify_package(package, trust_of(deployment, signer), policy=policy)
    assert "statement" in report.broken


NO_RAWIN = """#!/bin/sh
[ "$1" = pkeyutl ] && { echo "pkeyutl: Unrecognized flag rawin" >&2; exit 1; }
exec {openssl} "$@"
"""
"""An openssl before 3.0: it makes SM2 keys, and can neither sign nor check by them."""


@pytest.mark.parametrize(
    "openssl", [None, "#!/bin/sh\nexit 1\n", NO_RAWIN], ids=["missing", "without SM2", "before 3.0"]
)
def test_no_openssl_for_sm2_is_not_checked_and_never_broken(
    deployment: Deployment,
    signer: Sm2Signer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    openssl: str | None,
) -> None:
    package, tools = seal(deployment, signer), tmp_path / "tools"
    tools.mkdir()
    if openssl is not None:
        (tools / "openssl").write_text(openssl.replace("{openssl}", require("openssl")))
        (tools / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    report = verify_package(package, trust_of(deployment, signer), policy=WITH_SM2)
    assert (report.broken, report.not_checked) == ((), ("statement", SM2_LAYER))
    assert (report.ok, report.status) == (False, 2)
    assert "install OpenSSL" in as_text(report)
    assert "\nNOT CHECKED: statement, sm2" in as_text(report)


def test_an_sm2_key_revoked_before_and_after(deployment: Deployment, signer: Sm2Signer) -> None:
    package = seal(deployment, signer)
    before = trust_of(deployment, signer, revoked_at=utc_text(CAPTURED_AT))
    assert verify_package(package, before).broken == ("keys",)
    after = trust_of(deployment, signer, revoked_at=utc_text(CAPTURED_AT + timedelta(days=1)))
    assert verify_package(package, after).ok


@pytest.mark.parametrize("place", [0, 1, 3, 20, -1])
def test_a_flipped_signature_does_not_hold(signer: Sm2Signer, place: int) -> None:
    signature = bytearray(signer.sign(b"message"))
    check_sm2_signature(signer.public_key, bytes(signature), b"message")
    signature[place] ^= 1
    with pytest.raises(EvidenceBroken):
        check_sm2_signature(signer.public_key, bytes(signature), b"message")


def test_bytes_after_a_signature_or_another_message(signer: Sm2Signer) -> None:
    signature = signer.sign(b"message")
    for made, message in ((signature + b"\0", b"message"), (signature, b"massage"), (b"", b"message")):
        with pytest.raises(EvidenceBroken):
            check_sm2_signature(signer.public_key, made, message)


def test_anyones_openssl_agrees_by_the_documented_command(
    deployment: Deployment, signer: Sm2Signer, tmp_path: Path
) -> None:
    package = seal(deployment, signer)
    envelope = Envelope.parse((package / "seal/statement.dsse.json").read_bytes())
    (tmp_path / "sm2.sig").write_bytes(envelope.signatures[1].signature)
    (tmp_path / "sm2.der").write_bytes(signer.public_key)
    command = [
        *("openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", str(tmp_path / "sm2.der")),
        *("-rawin", "-digest", "sm3", "-pkeyopt", f"distid:{IDENTITY}"),
        *("-in", str(package / "seal/statement.pae"), "-sigfile", str(tmp_path / "sm2.sig")),
    ]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Signature Verified Successfully" in checked.stdout, checked.stderr


def test_a_key_open_to_others_and_one_of_another_kind_are_refused(signer: Sm2Signer, tmp_path: Path) -> None:
    key = tmp_path / "sm2" / "key.pem"
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Sm2Signer("x", key)
    key.chmod(0o600)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", key], check=True)
    with pytest.raises(ConfigurationError, match="cannot sign by SM2"):
        Sm2Signer("x", key)


def _truncated(entry: dict[str, Any]) -> None:
    entry["sm2"] = base64.b64encode(base64.b64decode(entry["sm2"])[:-1]).decode()


def _another_curve(entry: dict[str, Any]) -> None:
    key = bytearray(base64.b64decode(entry["sm2"]))
    key[20] ^= 1
    entry["sm2"] = base64.b64encode(key).decode()


def _misnamed(entry: dict[str, Any]) -> None:
    entry["sm-2"] = entry.pop("sm2")


@pytest.mark.parametrize("damage", [_truncated, _another_curve, _misnamed])
def test_a_malformed_sm2_key_is_refused_with_the_whole_trust_file(
    deployment: Deployment, signer: Sm2Signer, damage: Callable[[dict[str, Any]], None]
) -> None:
    document = trust_file(deployment.keys, sm2=signer)
    damage(document["sm2"][0])
    with pytest.raises(ConfigurationError, match="trust file cannot be used"):
        Trust.parse(trust_bytes(document))
