"""How a child process lives under the supervisor: it says when it is ready and ends when the pipe ends.

Rules of a supervised process
- its standard output carries one line of JSON once it is ready, and nothing else;
- its standard input is a pipe that the supervisor holds open and never writes to: end of file means
  the supervisor is gone, however it went, and the child ends too. (PR_SET_PDEATHSIG fires when the
  parent's *thread* ends, and a parent id can be reused; a pipe has neither trouble.)
- SIGTERM asks it to end; exit status 78 says that starting it again cannot help.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from domain.errors import ConfigurationError, ZhichaoError

EXIT_CONFIGURATION = 78  # EX_CONFIG of sysexits.h
GRACE_S = 15.0

Announce = Callable[..., None]
"""Call once, with whatever the supervisor should know (addresses, ports), when the process is ready."""

_TALKATIVE = ("procrastinate", "psycopg.pool", "uvicorn")
"""Loggers with a line for every job, connection or start; their warnings are of interest."""

log = logging.getLogger(__name__)


def announce(**facts: Any) -> None:
    """Tell the supervisor that this process is ready."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def when_supervisor_ends(callback: Callable[[], object]) -> None:
    """Call `callback` from a thread when the pipe on standard input ends; then, after a grace, exit hard."""

    def watch() -> None:
        while os.read(0, 4096):
            continue
        callback()
        threading.Event().wait(GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def run_child(body: Callable[[Announce], Awaitable[None]], *, supervised: bool) -> int:
    """Run `body` until it returns, is asked to end, or the supervisor is gone; return the exit status."""
    try:
        asyncio.run(_until_stopped(body, supervised=supervised))
    except ZhichaoError as error:
        return _status_of(error)
    except ExceptionGroup as group:
        known, unknown = group.split(ZhichaoError)
        if unknown is not None or known is None:
            raise
        return _status_of(_first(known))
    return 0


def _first(group: ExceptionGroup[ZhichaoError]) -> ZhichaoError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, ExceptionGroup) else inner


def _status_of(error: ZhichaoError) -> int:
    log.critical("%s", error)
    return EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1


async def _until_stopped(body: Callable[[Announce], Awaitable[None]], *, supervised: bool) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(body(announce if supervised else _log_ready))

    def stop() -> None:
        # Signal and end of file come together; a second cancellation would cut the orderly end short.
        if not task.cancelling():
            task.cancel()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop)
    if supervised:
        when_supervisor_ends(lambda: loop.call_soon_threadsafe(stop))
    try:
        await task
    except asyncio.CancelledError:
        log.info("ended as asked")


def _log_ready(**facts: Any) -> None:
    log.info("ready %s", facts or "")


def configure_logging(level: str) -> None:
    """Write log lines to standard error, one form for every process."""
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
