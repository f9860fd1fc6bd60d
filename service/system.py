"""The whole of zhichao on one machine: database, broker, ingest, work and web under one supervisor.

Embedded parts are started only where no address is configured for them; the rest of the code
cannot tell the difference. The data folder belongs to one supervisor at a time.
"""

import asyncio
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from domain.errors import ConfigurationError
from evidence import ED25519, VerifierKey
from evidence.witness_keys import create_witness_key
from service.keys import ensure_keys
from service.reach import publish_addresses, withdraw_addresses
from service.settings import BrokerKind, Settings, environment_of
from service.supervisor import Program, Supervisor
from store.migrate import migrate


class Part(StrEnum):
    """A process of the set that can also run elsewhere."""

    INGEST = "ingest"
    WORK = "work"
    WEB = "web"


MODULES = {
    Part.INGEST: "service.ingest_process",
    Part.WORK: "service.worker",
    Part.WEB: "service.web",
}

EVERYTHING = frozenset(Part)

_STARTS_WITHIN_S = 60.0

_COMPILES_WITHIN_S = 600.0
"""On its first start an ingester compiles: half a minute of one core, many times that on a busy machine."""


class Running(NamedTuple):
    """What was started: the settings its parts run with, addresses filled in."""

    settings: Settings

    @property
    def web_address(self) -> str:
        """Where the web is."""
        return f"http://{self.settings.web_host}:{self.settings.web_port}"


@contextmanager
def sole_use_of(data: Path) -> Iterator[None]:
    """Hold the data folder against a second supervisor.

    Raises
    ------
    ConfigurationError
        Another process holds it.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise ConfigurationError(
                f"{data} is in use by another zhichao (pid {holder}); end that one, or set ZHICHAO_DATA"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            withdraw_addresses(data)


def embeds_or_is_whole(settings: Settings, parts: frozenset[Part]) -> bool:
    """Say whether these parts want the data folder for themselves; a part on shared services does not."""
    return parts == EVERYTHING or settings.database_url is None


async def start_system(
    supervisor: Supervisor,
    settings: Settings,
    *,
    parts: frozenset[Part] = EVERYTHING,
    demo: bool = False,
) -> Running:
    """Start the embedded services that are needed, bring the database up to date, then start the parts.

    `demo` allows demo accounts, and moves to a free port where a wished one is taken; otherwise a
    taken port is an error, because somebody was told that address.
    """
    asked = settings
    settings = await _with_database(supervisor, settings)
    await migrate(settings.require_database_url())
    if Part.WORK in parts:
        if demo and settings.witness_url is None:
            settings = await _with_witness(supervisor, settings)
        ensure_keys(settings)
    if settings.broker_kind is BrokerKind.EMBEDDED and Part.INGEST in parts:
        settings = await _with_broker(supervisor, settings, move=demo)
    if Part.WEB in parts:
        settings = with_usable_port(settings, "web_port", settings.web_host, move=demo)
    async with asyncio.TaskGroup() as starting:
        for part in (one for one in Part if one in parts):
            starting.create_task(supervisor.start(_program(part, settings, demo=demo)))
    if embeds_or_is_whole(asked, parts):
        publish_addresses(settings)
    return Running(settings)


def _program(part: Part, settings: Settings, *, demo: bool) -> Program:
    arguments = ("--demo",) if demo and part is Part.WEB else ()
    within_s = _COMPILES_WITHIN_S if part is Part.INGEST else _STARTS_WITHIN_S
    return Program(part.value, MODULES[part], environment_of(settings), arguments, ready_within_s=within_s)


async def _with_database(supervisor: Supervisor, settings: Settings) -> Settings:
    if settings.database_url is not None:
        return settings
    facts = await supervisor.start(
        Program("database", "service.embedded.database", environment_of(settings), ready_within_s=120.0)
    )
    return settings.model_copy(update={"database_url": SecretStr(facts["database_url"])})


async def _with_broker(supervisor: Supervisor, settings: Settings, *, move: bool) -> Settings:
    for field in ("broker_port", "broker_port_311"):
        settings = with_usable_port(settings, field, "127.0.0.1", move=move)
    environment = environment_of(settings, with_database=False)
    await supervisor.start(Program("broker", "service.embedded.broker", environment))
    return settings


async def _with_witness(supervisor: Supervisor, settings: Settings) -> Settings:
    """Start a witness as a process of its own, with its own key and state; a data folder that began without
    one goes on with the witness inside the installation, which its trust file names.
    """
    from service import witness_process  # noqa: PLC0415 (the web server, which the supervisor can do without)

    folder = settings.witness_apart_root
    if not folder.exists():
        if settings.keys_root.exists():
            return settings
        create_witness_key(folder / "keys", "zhichao-witness.invalid/witness")
    host, port = witness_process.DEFAULT_HOST, _free_port(witness_process.DEFAULT_HOST)
    published = witness_process.published_key(folder / "keys")
    settings = settings.model_copy(update={"witness_url": f"http://{host}:{port}", "witness_key": published})
    log_key = VerifierKey.of(ensure_keys(settings).log, ED25519)
    options = witness_process.WitnessOptions(folder / "keys", folder / "state", (log_key,), host, port)
    arguments = witness_process.arguments_of(options)
    environment = environment_of(settings, with_database=False)
    await supervisor.start(Program("witness", "service.witness_process", environment, arguments))
    return settings


def with_usable_port(settings: Settings, field: str, host: str, *, move: bool) -> Settings:
    """Return settings whose port in `field` is free on `host`: the one set, or with `move` another.

    Raises
    ------
    ConfigurationError
        The port is taken, and must not be moved.
    """
    port: int = getattr(settings, field)
    if _is_free(host, port):
        return settings
    if not move:
        raise ConfigurationError(
            f"port {port} on {host} is taken; end what uses it, or set ZHICHAO_{field.upper()} to another"
        )
    return settings.model_copy(update={field: _free_port(host)})


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # As servers do; without it a port would seem taken for a minute after its server ended.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
