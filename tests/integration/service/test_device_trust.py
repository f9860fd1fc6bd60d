"""`zhichao keys devices`: the registered keys of devices, in the trust file on request and kept there."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence import Trust
from service.checks.devices import check_devices
from service.checks.finding import Finding
from service.checks.installation import check_keys
from service.cli import main
from service.keys import ensure_keys
from service.settings import Settings
from store.connection import connect
from store.registry import load_registry, parse_registry
from tests.integration.store.messages import REGISTRY

PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
KEY = f"""
[[device_keys]]
station_id = "S1"
device_id = "wim-1"
key_id = "k1"
public_key = "{PUBLIC}"
valid_from = 2026-01-01T00:00:00+08:00
"""
OPTIONAL = REGISTRY.replace('kind = "camera"', 'kind = "camera"\nsignature = "optional"')

Command = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation whose registry has a scale with a key, and a camera that need not sign."""
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path / "data"))
    made = Settings()
    ensure_keys(made)
    of_camera = KEY.replace('"wim-1"', '"cam-front"').replace("11qYAYKx", "22qYAYKx")
    asyncio.run(_register(database_url, OPTIONAL + KEY + of_camera))
    return made


async def _register(url: str, registry: str) -> None:
    async with await connect(url) as conn:
        await load_registry(conn, parse_registry(registry))


async def _checked(settings: Settings, url: str) -> list[Finding]:
    async with await connect(url) as conn:
        return await check_devices(settings, conn)


@pytest.fixture
def command(settings: Settings) -> Command:
    """Run `zhichao keys` and return what it prints."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["keys", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_devices_that_must_sign_are_listed_with_the_life_of_their_keys(
    settings: Settings, command: Command
) -> None:
    published = settings.trust_path.read_bytes()
    assert json.loads(command("devices")) == {
        "devices": [
            {
                "station": "S1",
                "device": "wim-1",
                "ed25519": PUBLIC,
                "valid_from": "2025-12-31T16:00:00.000000Z",
            }
        ]
    }
    assert settings.trust_path.read_bytes() == published
    assert Trust.load(settings.trust_path).devices == ()


def test_what_is_listed_stays_when_the_trust_file_is_written_anew(
    settings: Settings, command: Command, database_url: str
) -> None:
    command("devices", "--write")
    (listed,) = Trust.load(settings.trust_path).devices
    assert (listed.station, listed.device) == ("S1", "wim-1")
    assert check_keys(settings)[0].verdict == "fine"
    command("rotate", "service", "--write-trust")
    assert len(Trust.load(settings.trust_path).services) == 2
    assert Trust.load(settings.trust_path).devices == (listed,)
    asyncio.run(_register(database_url, KEY + "revoked_at = 2026-11-01T00:00:00Z"))
    command("trust-file", "--write")
    assert Trust.load(settings.trust_path).devices == (listed,)
    (outdated,) = asyncio.run(_checked(settings, database_url))[1:]
    assert (outdated.verdict, outdated.subject) == ("wrong", "trust file")
    command("devices", "--write")
    assert [one.verdict for one in asyncio.run(_checked(settings, database_url))] == ["fine"]
    (revoked,) = Trust.load(settings.trust_path).devices
    assert revoked.life.revoked_at is not None
