"""The web as a process: the API and the review pages on uvicorn, on loopback unless told otherwise.

`--demo` is given by `make run` only. Without it the process refuses to start while the database holds
demo accounts, whose passwords were printed on somebody's screen.
"""

import logging
import sys

from api.app import create_app
from domain.errors import ConfigurationError
from service.http_server import serve_http
from service.lifeline import Announce, configure_logging, run_child
from service.settings import Settings, load_settings
from service.wiring import web_wiring
from store.accounts import demo_accounts
from store.connection import Pool, open_pool

STATEMENT_WITHIN_S = 20.0
"""More than any page's question takes; a row that somebody holds is not waited for any longer."""

log = logging.getLogger(__name__)


async def serve_web(settings: Settings, announce: Announce, *, demo: bool) -> None:
    """Serve until cancelled.

    Raises
    ------
    ConfigurationError
        Not the demo, and there are demo accounts.
    """
    pool = await open_pool(
        settings.require_database_url(),
        application_name="zhichao web",
        statement_within_s=STATEMENT_WITHIN_S,
    )
    try:
        if not demo:
            await _refuse_demo_accounts(pool)
        address = f"http://{settings.web_host}:{settings.web_port}"
        await serve_http(
            create_app(web_wiring(settings, pool, demo=demo)),
            host=settings.web_host,
            port=settings.web_port,
            listening=lambda: announce(address=address),
            advice="set ZHICHAO_WEB_HOST and ZHICHAO_WEB_PORT",
        )
    finally:
        await pool.close()


async def _refuse_demo_accounts(pool: Pool) -> None:
    async with pool.connection() as conn:
        names = await demo_accounts(conn)
    if names:
        raise ConfigurationError(
            f"this database holds demo accounts ({', '.join(names)}) and cannot be served; "
            "use another ZHICHAO_DATA or ZHICHAO_DATABASE_URL, or `make run` for the demo"
        )


def main() -> int:
    """Run the web until the supervisor ends it."""
    settings = load_settings()
    configure_logging(settings.log_level)
    demo = "--demo" in sys.argv[1:]
    return run_child(lambda announce: serve_web(settings, announce, demo=demo), supervised=True)


if __name__ == "__main__":
    sys.exit(main())
