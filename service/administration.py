"""What an operator does to an installation from the command line."""

from pathlib import Path

from api.auth import hash_password
from domain.errors import ConfigurationError
from ingest.decoders import load_decoders
from service.reach import database_of
from service.settings import Settings
from store.accounts import add_account
from store.connection import connect
from store.migrate import migrate
from store.registry import load_registry, read_registry


async def migrate_database(settings: Settings) -> list[str]:
    """Bring the installation's database to this version's schema; return what was applied."""
    async with database_of(settings) as url:
        return await migrate(url)


async def load_registry_file(settings: Settings, path: Path) -> str:
    """Load a registry file and return one line of what it held; errors as `store.registry`.

    Raises
    ------
    ConfigurationError
        Also where a device names a decoder that is not there: all its messages would be refused.
    """
    registry = read_registry(path)
    decoders = sorted(load_decoders())
    for device in registry.devices:
        if device.decoder not in decoders:
            raise ConfigurationError(
                f"{path}: device {device.station_id}/{device.device_id} names the decoder "
                f"{device.decoder!r}; choose from: {', '.join(decoders)}"
            )
    async with database_of(settings) as url:
        await migrate(url)
        async with await connect(url) as conn:
            await load_registry(conn, registry)
    return (
        f"loaded {len(registry.sites)} sites, {len(registry.stations)} stations, "
        f"{len(registry.devices)} devices, {len(registry.officers)} officers"
    )


async def create_account(
    settings: Settings, username: str, *, role: str, officer: str | None, password: str
) -> None:
    """Create an account that may sign in; errors as `store.accounts.add_account`."""
    async with database_of(settings) as url:
        await migrate(url)
        async with await connect(url) as conn:
            await add_account(
                conn,
                username=username,
                password_hash=hash_password(password),
                role=role,
                officer_id=officer,
            )
