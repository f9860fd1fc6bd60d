"""`zhichao evidence verify`: 0 verified, 1 not verified, 2 could not check; for people and for programs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evidence import trust_bytes, trust_file
from evidence.policy import LAYERS
from service.cli import main
from tests.fixtures.evidence import Deployment, copy_of


@pytest.fixture
def trust(sealed_world: Deployment, tmp_path: Path) -> Path:
    """The deployment's trust file, published apart from its packages."""
    file = tmp_path / "trust.json"
    file.write_bytes(trust_bytes(trust_file(sealed_world.keys)))
    return file


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evidence", "verify", *map(str, arguments)])


def test_an_untouched_package_is_verified(package: Path, trust: Path) -> None:
    result = verify(package, "--trust", trust)
    assert result.exit_code == 0, result.output
    assert "VERIFIED: every required layer holds" in result.output


def test_one_broken_package_among_several_is_status_1_and_all_are_reported(
    sealed_world: Deployment, package: Path, trust: Path, tmp_path: Path
) -> None:
    other = copy_of(sealed_world, 6, tmp_path)
    (package / "data/event.json").write_bytes(b"{}")
    result = verify(package, other, "--trust", trust, "--json")
    assert result.exit_code == 1
    first, second = map(json.loads, result.output.splitlines())
    assert (first["package"], first["ok"], second["package"], second["ok"]) == (
        package.name,
        False,
        other.name,
        True,
    )
    assert [layer["name"] for layer in second["layers"]] == list(LAYERS)


def test_a_policy_file_says_which_layers_must_hold(package: Path, trust: Path, tmp_path: Path) -> None:
    (package / "seal/inclusion.tlog-proof").write_bytes(b"")
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"required_layers": ["manifest", "tag-manifest", "statement"]}))
    assert verify(package, "--trust", trust).exit_code == 1
    assert verify(package, "--trust", trust, "--policy", policy).exit_code == 0


def test_sm3_is_a_layer_on_request(package: Path, trust: Path) -> None:
    assert "manifest-sm3" not in verify(package, "--trust", trust).output
    assert "manifest-sm3" in verify(package, "--trust", trust, "--sm3").output


@pytest.mark.parametrize("content", ["{", '{"required_layers": ["manifest-md5"]}', '{"sm4": 1}', "[]"])
def test_a_policy_that_cannot_be_used_is_not_checked(
    package: Path, trust: Path, tmp_path: Path, content: str
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(content)
    result = verify(package, "--trust", trust, "--policy", policy)
    assert result.exit_code == 2
    assert "not checked: " in result.stderr
    assert "VERIFIED" not in result.output


def test_a_missing_or_broken_trust_file_is_not_checked(
    package: Path, trust: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path / "nowhere"))
    assert verify(package, "--trust", tmp_path / "none.json").exit_code == 2
    own = verify(package)
    assert own.exit_code == 2
    assert "the trust file" in own.stderr
    trust.write_text('{"format": "zhichao-trust/1"}')
    broken = verify(package, "--trust", trust)
    assert broken.exit_code == 2
    assert "get it anew from its publisher" in broken.stderr


def test_a_folder_that_is_not_there_is_not_checked(trust: Path, tmp_path: Path) -> None:
    assert verify(tmp_path / "EV-none", "--trust", trust).exit_code == 2
    assert verify("--trust", trust).exit_code == 2
