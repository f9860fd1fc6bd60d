"""How a command finds the database and the addresses of an installation, running or not.

A running supervisor leaves `addresses.json` (mode 0600: it holds the database's password) in the data
folder. Where the database is embedded and nothing is running, a command starts it for its own time.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from service.embedded.database import SERVER_SETTINGS
from service.embedded.postgres import EmbeddedPostgres
from service.settings import Settings

_FIELDS = ("broker_port", "broker_port_311", "web_host", "web_port", "witness_url", "witness_key")


def publish_addresses(settings: Settings) -> None:
    """Write down where this installation's parts are, for commands run beside it."""
    addresses = {field: getattr(settings, field) for field in _FIELDS}
    addresses["database_url"] = settings.require_database_url()
    path = _path(settings.data)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(addresses, file)
    unfinished.rename(path)


def withdraw_addresses(data: Path) -> None:
    """Say that nothing is running in this data folder any more."""
    _path(data).unlink(missing_ok=True)


def as_running(settings: Settings) -> Settings:
    """Return the settings with the addresses of the running installation filled in, if one is running."""
    path = _path(settings.data)
    if not path.exists() or not _is_held(settings.data):
        return settings
    found = json.loads(path.read_text(encoding="utf-8"))
    url = found.pop("database_url")
    return settings.model_copy(update={**found, "database_url": SecretStr(url)})


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[str]:
    """Yield a connection string of the installation's database, starting an embedded one if it is down.

    Raises
    ------
    ConfigurationError
        The embedded database is in use by a process that left no address; end it first.
    """
    if settings.database_url is None:
        settings = as_running(settings)
    if settings.database_url is not None:
        yield settings.require_database_url()
        return
    server = EmbeddedPostgres(settings.data / "database", settings=dict(SERVER_SETTINGS))
    url = await asyncio.to_thread(server.start)
    try:
        yield url
    finally:
        await asyncio.to_thread(server.stop)


def _is_held(data: Path) -> bool:
    """Say whether a supervisor holds the folder; one that was killed leaves its addresses behind."""
    with (data / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _path(data: Path) -> Path:
    return data / "addresses.json"
