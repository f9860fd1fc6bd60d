"""The ingester as a process: settings in, `ingest.runner` with the database as its sink.

The broker keeps an ingester's messages under its client identifier, and two clients with one identifier
throw each other out for ever. Each ingester of this data folder therefore holds a numbered slot, a locked
file, and the slot is part of its identifier: the same after a restart, and never another's.

It is ready once weighing and screening are warm (the first call loads tables and compiled kernels), the
database has answered and the subscription stands. Where nothing is compiled yet, the first of several
ingesters compiles, and the others wait for what it keeps: it takes a core half a minute.
"""

import asyncio
import fcntl
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from domain.errors import ConfigurationError
from ingest.limits import Limits
from ingest.mqtt import BrokerSettings, TlsSettings
from ingest.runner import choose, run
from service.lifeline import GRACE_S, Announce, configure_logging, run_child
from service.settings import BrokerKind, Settings, load_settings
from service.steps.screen import Screener
from service.steps.store import DatabaseSink
from store.blobs import BlobStore
from store.connection import open_pool
from weigh.warm_up import warm_up_weighing

MOST_ON_ONE_HOST = 64

_LOOKS_AGAIN_AFTER_S = 0.2

_PREDECESSOR_ENDS_WITHIN_S = GRACE_S + 5.0
"""How long the ingester of a supervisor that was killed may still hold its slot."""


async def ingest_forever(settings: Settings, announce: Announce, *, supervised: bool = False) -> None:
    """Ingest until cancelled; errors as `ingest_slot` and `ingest.runner.run`."""
    patience_s = _PREDECESSOR_ENDS_WITHIN_S if supervised else 0.0
    async with ingest_slot(settings, patience_s=patience_s) as slot:
        broker = broker_settings(settings, slot=slot)
        screener = Screener(settings)
        async with _turn(settings.data / "compile.lock"):
            screener.warm_up()
            warm_up_weighing()
        pool = await open_pool(settings.require_database_url(), application_name="zhichao ingest")
        try:
            sink = DatabaseSink(
                pool, BlobStore(settings.blob_root), screener, capture_wait=settings.capture_deadline
            )
            limits = replace(Limits(), max_payload_bytes=settings.max_payload_bytes)
            await run(broker, sink, decoders=choose(None, limits), ready=announce)
        finally:
            await pool.close()


@asynccontextmanager
async def ingest_slot(settings: Settings, *, patience_s: float = 0.0) -> AsyncIterator[int]:
    """Hold the first free slot of the data folder; without a share group there is only slot 0.

    Raises
    ------
    ConfigurationError
        Another ingester runs here and the subscription is not shared, or all slots are taken.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    slots = range(MOST_ON_ONE_HOST if settings.broker_share_group else 1)
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + patience_s
    while True:
        for slot in slots:
            lock = _locked(settings.data / f"ingest-{slot}.lock")
            if lock is not None:
                with lock:
                    yield slot
                return
        if loop.time() >= give_up_at:
            raise ConfigurationError(_all_taken(settings))
        await asyncio.sleep(_LOOKS_AGAIN_AFTER_S)


@asynccontextmanager
async def _turn(path: Path) -> AsyncIterator[None]:
    """Hold a lock that one process of this data folder at a time can hold."""
    while True:
        lock = _locked(path)
        if lock is not None:
            with lock:
                yield
            return
        await asyncio.sleep(_LOOKS_AGAIN_AFTER_S)


def _locked(path: Path) -> IO[str] | None:
    """Return the file, locked as long as it is open; None where another process holds it."""
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _all_taken(settings: Settings) -> str:
    if settings.broker_share_group:
        return f"{MOST_ON_ONE_HOST} ingesters run in {settings.data} already; end one of them"
    holder = (settings.data / "ingest-0.lock").read_text(encoding="utf-8").strip() or "unknown"
    return (
        f"an ingester (pid {holder}) runs in {settings.data} already, and a second one would disturb it; "
        "to divide the work, use Mosquitto and set ZHICHAO_BROKER_SHARE_GROUP for both"
    )


def broker_settings(settings: Settings, *, slot: int = 0) -> BrokerSettings:
    """Return how the ingester in this slot reaches its broker.

    Raises
    ------
    ConfigurationError
        The credentials file cannot be read or has no `username:password`, or the embedded broker is to
        be shared.
    """
    if settings.broker_kind is BrokerKind.EMBEDDED and settings.broker_share_group:
        raise ConfigurationError(
            "the embedded broker cannot share a subscription; "
            "unset ZHICHAO_BROKER_SHARE_GROUP or use Mosquitto"
        )
    username, password = _credentials(settings)
    return BrokerSettings(
        host=settings.broker_host,
        port=settings.broker_port,
        client_id=_client_id(settings, slot),
        username=username,
        password=password,
        tls=_tls(settings),
        share_group=settings.broker_share_group,
    )


def _client_id(settings: Settings, slot: int) -> str:
    if settings.broker_client_id is not None:
        return settings.broker_client_id if slot == 0 else f"{settings.broker_client_id}-{slot}"
    if settings.broker_share_group is None:
        return "zhichao-ingest"
    return f"zhichao-ingest-{socket.gethostname()}-{slot}"


def _tls(settings: Settings) -> TlsSettings | None:
    if settings.broker_ca_file is None and settings.broker_cert_file is None:
        return None
    return TlsSettings(settings.broker_ca_file, settings.broker_cert_file, settings.broker_key_file)


def _credentials(settings: Settings) -> tuple[str | None, str | None]:
    path = settings.broker_credentials_file
    if path is None:
        return None, None
    try:
        first_line = path.read_text(encoding="utf-8").partition("\n")[0]
    except OSError as error:
        raise ConfigurationError(
            f"ZHICHAO_BROKER_CREDENTIALS_FILE {path} cannot be read: {error.strerror}"
        ) from None
    username, colon, password = first_line.partition(":")
    if not colon:
        raise ConfigurationError(f"the first line of {path} must be `username:password`")
    return username, password


def main() -> int:
    """Run the ingester until the supervisor ends it."""
    settings = load_settings()
    configure_logging(settings.log_level)
    return run_child(lambda announce: ingest_forever(settings, announce, supervised=True), supervised=True)


if __name__ == "__main__":
    sys.exit(main())
