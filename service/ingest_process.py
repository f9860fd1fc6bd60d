"""The ingester as a process: settings in, `ingest.runner` with the database as its sink.

It is ready once screening is warm (the first call loads tables and numpy's machinery), the database
has answered and the subscription stands.
"""

import socket
import sys
from dataclasses import replace

from domain.errors import ConfigurationError
from ingest.limits import Limits
from ingest.mqtt import BrokerSettings, TlsSettings
from ingest.runner import choose, run
from service.lifeline import Announce, configure_logging, run_child
from service.settings import BrokerKind, Settings, load_settings
from service.steps.screen import Screener
from service.steps.store import DatabaseSink
from store.blobs import BlobStore
from store.connection import open_pool


async def ingest_forever(settings: Settings, announce: Announce) -> None:
    """Ingest until cancelled; errors as `ingest.runner.run`."""
    broker = broker_settings(settings)
    screener = Screener(settings)
    screener.warm_up()
    pool = await open_pool(settings.require_database_url(), application_name="zhichao ingest")
    try:
        sink = DatabaseSink(
            pool, BlobStore(settings.blob_root), screener, capture_wait=settings.capture_deadline
        )
        await run(
            broker,
            sink,
            decoders=choose(None, replace(Limits(), max_payload_bytes=settings.max_payload_bytes)),
            ready=announce,
        )
    finally:
        await pool.close()


def broker_settings(settings: Settings) -> BrokerSettings:
    """Return how this ingester reaches its broker.

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
        client_id=settings.broker_client_id or _client_id(settings),
        username=username,
        password=password,
        tls=_tls(settings),
        share_group=settings.broker_share_group,
    )


def _client_id(settings: Settings) -> str:
    return f"zhichao-ingest-{socket.gethostname()}" if settings.broker_share_group else "zhichao-ingest"


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
    return run_child(lambda announce: ingest_forever(settings, announce), supervised=True)


if __name__ == "__main__":
    sys.exit(main())
