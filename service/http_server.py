"""uvicorn as a part of a process of ours: it ends by cancelling, and says when it listens."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from domain.errors import ServiceUnavailable

POLL_S = 0.02


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: our lifeline ends it, by cancelling."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `service.lifeline`."""
        yield


async def serve_http(
    app: Any, *, host: str, port: int, listening: Callable[[], None], advice: str, **options: Any
) -> None:
    """Serve an ASGI application until cancelled.

    Parameters
    ----------
    app
        The application.
    host, port
        Where to listen.
    listening
        Called once it does.
    advice
        What to set where it cannot, for the error.
    **options
        Further options of `uvicorn.Config`.

    Raises
    ------
    ServiceUnavailable
        It cannot listen there.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        **options,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if serving.done():
                await serving
                raise ServiceUnavailable(f"cannot listen on {host}:{port}; {advice}")
            await asyncio.sleep(POLL_S)
        listening()
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
