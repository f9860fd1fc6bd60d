"""The policy that a deployment verifies its evidence by: it may ask for more, never for less."""

from pathlib import Path
from typing import cast

import pytest

from evidence import trust_bytes, trust_file
from evidence.policy import LAYERS
from service.settings import Settings
from service.wiring import policy_of, web_wiring
from store.connection import Pool
from tests.fixtures.evidence import Deployment


def settings_with(policy: str, world: Deployment, folder: Path) -> Settings:
    """Return settings of an installation whose policy is this JSON."""
    (folder / "policy.json").write_text(policy, encoding="utf-8")
    (folder / "trust.json").write_bytes(trust_bytes(trust_file(world.keys)))
    return Settings(
        data=folder,
        keys_folder=world.folder / "keys",
        trust_file=folder / "trust.json",
        policy_file=folder / "policy.json",
    )


def test_a_policy_that_names_one_layer_takes_no_other_away(sealed_world: Deployment, tmp_path: Path) -> None:
    policy = policy_of(settings_with('{"required_layers": ["sm2"]}', sealed_world, tmp_path))
    assert policy is not None
    assert policy.required_layers == {*LAYERS, "sm2"}
    assert policy_of(Settings(data=tmp_path)) is None


@pytest.mark.parametrize(
    ("policy", "broken"),
    [
        ('{"require_device_signature": true}', ["device"]),
        ('{"required_layers": ["sm2"]}', ["sm2"]),
        ("{}", []),
    ],
)
def test_a_confirmation_is_verified_by_the_deployments_policy(
    sealed_world: Deployment, package: Path, tmp_path: Path, policy: str, broken: list[str]
) -> None:
    settings = settings_with(policy, sealed_world, tmp_path)
    report = web_wiring(settings, cast(Pool, None), demo=False).verify(package)
    assert [layer.name for layer in report.layers if not layer.ok] == broken
