"""A package signed by Ed25519 and by SM2, as the settings ask."""

from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from evidence import Policy, verify_package
from evidence.policy import LAYERS, SM2_LAYER
from service.pipeline import complete, settle
from service.settings import Settings
from service.wiring import seals_of
from tests.fixtures.bench import EVENT, EXPECTED, ROLES, Bench, images_of
from tests.integration.store.messages import passage
from tests.unit.evidence.test_sm2 import sm2_key

pytestmark = pytest.mark.anyio


async def test_a_package_is_signed_by_sm2_too_where_a_key_is_set(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "sm2"
    folder.mkdir(mode=0o700)
    signer = sm2_key(folder / "key.pem")
    settings = Settings(
        data=tmp_path, sm2_key_file=folder / "key.pem", trust_file=tmp_path / "trust-sm2.json"
    )
    seals = seals_of(settings)
    shop = bench.shop._replace(seals=seals)
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(shop, EVENT)
    await bench.log()
    await complete(shop, EVENT)
    package = await bench.package()
    assert package is not None
    policy = Policy(required_layers=frozenset({*LAYERS, SM2_LAYER}))
    assert verify_package(bench.shop.evidence_root / package.folder, seals.trust, policy=policy).ok
    assert [key.public_key for key in seals.trust.sm2] == [signer.public_key]
    # The trust file from before the SM2 key: nothing signed with it may be sealed before it is published.
    with pytest.raises(ConfigurationError, match="does not name"):
        seals_of(settings.model_copy(update={"trust_file": None}))
