"""The review web over a furnished office, served on a free port."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from api.app import create_app
from store.connection import Pool, open_pool
from tests.fixtures.office import Office, OpenedCase

CASES = 3
START_TIMEOUT_S = 60


@dataclass(frozen=True)
class ServedOffice:
    """The web's address and what is in it."""

    address: str
    office: Office
    cases: list[OpenedCase]


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.listening.set()


@pytest.fixture
def served_office(database_url: str, tmp_path: Path) -> Iterator[ServedOffice]:
    """A furnished office with three cases, served until the test ends."""
    ready: dict[str, ServedOffice] = {}
    started, ending = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        pool = await open_pool(database_url)
        try:
            office = Office(pool, tmp_path)
            await office.furnish()
            cases = [await office.open_case(number, waveform=number == CASES - 1) for number in range(CASES)]
            config = uvicorn.Config(create_app(office.wiring()), host="127.0.0.1", port=0, log_config=None)
            server = _Server(config)
            serving = asyncio.create_task(server.serve())
            await server.listening.wait()
            port = server.servers[0].sockets[0].getsockname()[1]
            ready["office"] = ServedOffice(f"http://127.0.0.1:{port}", office, cases)
            started.set()
            await ending.wait()
            server.should_exit = True
            await serving
        finally:
            started.set()
            await pool.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    started.wait(START_TIMEOUT_S)
    yield ready["office"]
    loop.call_soon_threadsafe(ending.set)
    thread.join()
    loop.close()


@pytest.fixture
async def office(pool: Pool, tmp_path: Path) -> Office:
    """A furnished office without cases."""
    furnished = Office(pool, tmp_path)
    await furnished.furnish()
    return furnished
