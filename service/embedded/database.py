"""The embedded PostgreSQL as a supervised process: starts the server, starts it again if it dies.

The server itself is a grandchild of the supervisor; killed with SIGKILL, it is back within half a
second, on the same port, and clients reconnect.
"""

import asyncio
import logging
import sys
from collections.abc import Mapping

from service.embedded.postgres import EmbeddedPostgres
from service.lifeline import Announce, configure_logging, run_child
from service.settings import load_settings

CHECK_EVERY_S = 0.1

SERVER_SETTINGS: Mapping[str, str] = {
    # Every message is one small transaction's part and must survive a power cut: full durability stays on.
    "max_connections": "60",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
}

log = logging.getLogger(__name__)


async def _keep(server: EmbeddedPostgres, announce: Announce) -> None:
    url = await asyncio.to_thread(server.start)
    try:
        announce(database_url=url)
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            if not server.running:
                log.warning("the database server ended unasked; starting it again")
                await asyncio.to_thread(server.start)
    finally:
        server.stop()


def main() -> int:
    """Run the embedded database until the supervisor ends it."""
    settings = load_settings()
    configure_logging(settings.log_level)
    server = EmbeddedPostgres(settings.data / "database", settings=dict(SERVER_SETTINGS))
    return run_child(lambda announce: _keep(server, announce), supervised=True)


if __name__ == "__main__":
    sys.exit(main())
