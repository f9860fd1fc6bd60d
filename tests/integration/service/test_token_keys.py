"""An installation whose service key lies in a token: from the first start, and by a rotation."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from domain.errors import ConfigurationError
from evidence import Trust, verify_package
from evidence.signing import key_id
from evidence.token_signer import Token
from service.cli import main
from service.keys import ensure_keys, keys_of
from service.pipeline import complete, settle
from service.settings import Settings
from service.wiring import seals_of
from tests.fixtures.bench import EVENT, EXPECTED, ROLES, Bench, images_of
from tests.fixtures.tokens import MakeKey
from tests.integration.store.messages import passage

Command = Callable[..., Result]


def with_token(data: Path, token: Token) -> Settings:
    """Return settings whose service key lies in a token."""
    return Settings(
        data=data, pkcs11_module=token.module, pkcs11_token=token.label, pkcs11_pin_file=token.pin_file
    )


@pytest.fixture
def command(database_url: str, tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return what runs `zhichao keys` with the token in its settings."""
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path))
    monkeypatch.setenv("ZHICHAO_PKCS11_MODULE", str(token.module))
    monkeypatch.setenv("ZHICHAO_PKCS11_TOKEN", token.label)
    monkeypatch.setenv("ZHICHAO_PKCS11_PIN_FILE", str(token.pin_file))

    def run(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(main, ["keys", *arguments])
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.mark.anyio
async def test_packages_are_sealed_by_the_token(
    bench: Bench, token: Token, make_key: MakeKey, tmp_path: Path
) -> None:
    public_key = make_key(token, "service")
    settings = with_token(tmp_path / "token", token)
    seals = seals_of(settings)
    shop = bench.shop._replace(seals=seals)
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(shop, EVENT)
    package = await bench.package()
    assert package is not None
    assert key_id(public_key) in package.envelope.decode()
    assert not (settings.keys_root / "service.pem").exists()
    await bench.log()
    trust = seals.trust._replace(
        logs=bench.shop.seals.trust.logs,
        witnesses=bench.shop.seals.trust.witnesses,
    )
    await complete(shop._replace(seals=seals._replace(trust=trust)), EVENT)
    report = verify_package(bench.shop.evidence_root / package.folder, trust)
    assert report.ok, report


def test_a_key_in_a_file_is_followed_by_one_in_a_token_and_that_by_another(
    command: Command, token: Token, make_key: MakeKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file = key_id(ensure_keys(Settings(data=tmp_path, pkcs11_module=None)).service.public_key)
    first, second = make_key(token, "service"), make_key(token, "service-2")
    settings = with_token(tmp_path, token)
    with pytest.raises(ConfigurationError, match="keys rotate service"):
        keys_of(settings)
    command("rotate", "service", "--write-trust")
    assert keys_of(settings).service.public_key == first
    assert not (settings.keys_root / "service.pem").exists()
    assert (settings.keys_root / "former" / f"service-{in_file[:16]}.pem").exists()
    trust = Trust.load(settings.trust_path)
    assert {key.key_id for key in trust.services} == {in_file, key_id(first)}
    assert set(trust.lives) == {in_file}

    assert "cannot follow itself" in command("rotate", "service", status=78).output
    told = command("rotate", "service", "--to-label", "service-2", "--write-trust")
    assert "ZHICHAO_PKCS11_KEY=service-2" in told.output
    trust = Trust.load(settings.trust_path)
    assert {key.key_id for key in trust.services} == {in_file, key_id(first), key_id(second)}
    assert set(trust.lives) == {in_file, key_id(first)}
    monkeypatch.setenv("ZHICHAO_PKCS11_KEY", "service-2")
    assert f"{key_id(second)} in use" in command("list").output
    command("revoke", key_id(first)[:12], "--reason", "token lost")


def test_a_label_is_for_tokens_only(command: Command, tmp_path: Path) -> None:
    ensure_keys(Settings(data=tmp_path, pkcs11_module=None))
    assert "in a token only" in command("rotate", "witness", "--to-label", "x", status=78).output
