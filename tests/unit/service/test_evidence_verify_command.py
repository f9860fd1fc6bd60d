"""`zhichao evidence verify`: 0 verified, 1 not verified, 2 could not check; for people and for programs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from domain.ids import sha256_of
from evidence import build, trust_bytes, trust_file
from evidence.parsing import canonical_json
from evidence.policy import LAYERS
from service.cli import main
from tests.fixtures.evidence import Deployment, contents, copy_of


@pytest.fixture
def trust(sealed_world: Deployment, tmp_path: Path) -> Path:
    """The deployment's trust file, published apart from its packages."""
    return trust_of(sealed_world, tmp_path)


def trust_of(world: Deployment, folder: Path) -> Path:
    """Write a deployment's trust file into a folder that holds no package of its own."""
    file = folder / "trust.json"
    file.write_bytes(trust_bytes(trust_file(world.keys)))
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


def sealed_again(world: Deployment, first: Path, folder: Path) -> Path:
    """Have the same keys seal another package of the same event, elsewhere."""
    other = folder / first.name
    shutil.copytree(first, other)
    (other / "data/reading.json").write_bytes(canonical_json({"text": "云B54321"}))
    seal, world.evidence = world.evidence, folder
    try:
        return world.reseal(other)
    finally:
        world.evidence = seal


def test_two_first_packages_of_one_event_are_a_finding_though_each_verifies_alone(
    deployment: Deployment, tmp_path: Path
) -> None:
    file = trust_of(deployment, tmp_path)
    first = deployment.seal(contents(1))
    other = sealed_again(deployment, first, tmp_path / "handed/later")
    for alone in (first, other):
        assert verify(alone, "--trust", file).exit_code == 0
    both = verify(first, other, "--trust", file)
    assert both.exit_code == 1
    assert "NOT VERIFIED: same-event" in both.output
    assert "2 different packages bear this name" in both.output
    assert verify(tmp_path, "--trust", file).output == both.output, "the folder above both"
    *_, finding = map(json.loads, verify(first, other, "--trust", file, "--json").output.splitlines())
    assert (finding["package"], finding["status"]) == (first.name, "not-verified")
    assert str(other) in finding["layers"][0]["detail"]


def test_a_supplement_of_another_first_package_than_the_one_beside_which_it_is_shown(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Alone it is not checked; a first package that it does not follow contradicts it."""
    file = trust_of(deployment, tmp_path)
    first = deployment.seal(contents(1))
    named = sha256_of(b"another first package")
    late = deployment.seal(replace(contents(1), supplement=1, predecessor_tagmanifest=named))
    shown = tmp_path / "shown" / late.name
    shown.parent.mkdir()
    late.rename(shown)
    assert verify(shown, "--trust", file).exit_code == 2
    assert verify(first, shown, "--trust", file).exit_code == 1


def test_copies_of_one_package_and_a_broken_one_are_no_second_package(
    sealed_world: Deployment, package: Path, trust: Path, tmp_path: Path
) -> None:
    again = copy_of(sealed_world, 5, tmp_path / "copy")
    assert verify(package, again, "--trust", trust).exit_code == 0
    (again / "data/event.json").write_bytes(b"{}")
    (again / "tagmanifest-sha256.txt").write_bytes(b"")
    result = verify(package, again, "--trust", trust)
    assert result.exit_code == 1
    assert "same-event" not in result.output


def test_a_folder_of_packages_passes_over_none_that_looks_like_one(
    sealed_world: Deployment, package: Path, trust: Path, tmp_path: Path
) -> None:
    copy_of(sealed_world, 6, tmp_path / "deep/er")
    assert verify(tmp_path, "--trust", trust).exit_code == 0
    renamed = package.rename(tmp_path / "renamed")
    result = verify(tmp_path, "--trust", trust)
    assert result.exit_code == 1
    assert "shown as" in result.output
    renamed.rename(tmp_path / "EV-copy of it")
    assert verify(tmp_path, "--trust", trust).exit_code == 1


def test_a_supplement_alone_is_status_2(deployment: Deployment, tmp_path: Path) -> None:
    file = trust_of(deployment, tmp_path)
    first = build(deployment.evidence, contents(1))
    late = replace(contents(1), supplement=1, predecessor_tagmanifest=first.tagmanifest)
    package = deployment.seal(late)
    before = deployment.seal_built(first)
    assert verify(package, "--trust", file).exit_code == 0
    shutil.rmtree(before)
    result = verify(package, "--trust", file)
    assert result.exit_code == 2
    assert "NOT CHECKED: predecessor" in result.output
