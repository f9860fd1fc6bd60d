"""What an operator does to an installation from the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.errors import ConfigurationError
from ingest.decoders import load_decoders
from service.reach import database_of
from service.settings import Settings
from store.calibrations import InstalledState, install_state
from store.connection import Connection, connect
from store.jobs import FailedJob, failed_jobs, retry_jobs
from store.migrate import migrate
from store.registry import load_registry, read_registry

_MOST_LISTED = 1000


async def migrate_database(settings: Settings) -> list[str]:
    """Bring the installation's database to this version's schema; return what was applied."""
    async with database_of(settings) as url:
        return await migrate(url)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Connection]:
    """Yield a connection to the installation's database, up to date; committed at the end."""
    async with database_of(settings) as url:
        await migrate(url)
        async with await connect(url) as conn:
            yield conn


async def load_registry_file(settings: Settings, path: Path) -> str:
    """Load a registry file and return one line of what it held; errors as `store.registry`.

    Raises
    ------
    ConfigurationError
        Also where a device names a decoder that is not there: all its messages would be refused.
    """
    registry = read_registry(path, allow_test_profiles=settings.test_profiles)
    decoders = sorted(load_decoders())
    for device in registry.devices:
        if device.decoder not in decoders:
            raise ConfigurationError(
                f"{path}: device {device.station_id}/{device.device_id} names the decoder "
                f"{device.decoder!r}; choose from: {', '.join(decoders)}"
            )
    async with open_database(settings) as conn:
        await load_registry(conn, registry)
    return (
        f"loaded {len(registry.sites)} sites, {len(registry.stations)} stations, "
        f"{len(registry.devices)} devices, {len(registry.officers)} officers"
    )


async def install_calibration(settings: Settings, state: InstalledState) -> bool:
    """Put a calibration in force; return False where it was installed before; errors as `install_state`."""
    not_before = datetime.now(UTC) - timedelta(days=settings.calibration_backdating_days)
    async with open_database(settings) as conn:
        return await install_state(conn, state, not_before=not_before)


async def list_failed_jobs(settings: Settings) -> list[FailedJob]:
    """Return the jobs that keep failing."""
    async with open_database(settings) as conn:
        return await failed_jobs(conn, limit=_MOST_LISTED)


async def retry_failed_jobs(settings: Settings, job_id: int | None) -> list[int]:
    """Have one failing job, or all, tried again; errors as `store.jobs.retry_jobs`."""
    async with open_database(settings) as conn:
        return await retry_jobs(conn, job_id)
