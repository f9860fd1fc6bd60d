"""`zhichao doctor`: looks at everything a working installation rests on, and says what to do."""

import asyncio
from datetime import UTC, datetime

from domain.errors import ZhichaoError
from service.checks import installation, running
from service.checks.authority import check_authority
from service.checks.devices import check_devices
from service.checks.finding import Finding, fine, wrong
from service.checks.witness import ask_witness
from service.reach import as_running, database_of
from service.settings import Settings
from store.connection import connect

__all__ = ["Finding", "examine"]


async def examine(settings: Settings) -> list[Finding]:
    """Return one finding or more for everything looked at; nothing found wrong means it should work."""
    found = [
        *installation.check_variables(),
        *installation.check_combinations(settings),
        *installation.check_files(settings),
        *installation.check_folders(settings),
        *installation.check_keys(as_running(settings)),
        *check_authority(settings, datetime.now(UTC)),
        *installation.check_weights(),
        *installation.check_law(settings),
    ]
    found += await asyncio.to_thread(ask_witness, as_running(settings))
    found += await running.check_broker(as_running(settings))
    found += await _database(settings)
    return found


async def _database(settings: Settings) -> list[Finding]:
    if settings.database_url is None and not (settings.data / "database").exists():
        return [fine("database", "none yet; the first start makes an embedded one")]
    try:
        async with database_of(settings) as url, await connect(url) as conn:
            found = await running.check_database(conn)
            if all(one.verdict == "fine" for one in found if one.subject == "schema"):
                found += await check_devices(settings, conn)
            return found
    except ZhichaoError as error:
        return [wrong("database", str(error), "see above; nothing else of the database was looked at")]
