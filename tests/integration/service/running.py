"""A whole system of real processes on loopback for a test, and simulated stations that feed it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString

from domain.errors import ServiceUnavailable
from service.settings import Settings
from service.supervisor import Supervisor
from service.system import start_system
from store.connection import connect
from store.registry import load_registry, parse_registry


def free_port() -> int:
    """Return a TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that still work in the folder."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:  # ended meanwhile, or another user's
                continue
            if str(folder) in command or str(folder) in environment:
                lines.append(command)
    return lines


class RunningSystem:
    """Database, broker, ingest, work and web under a supervisor, and what a test asks and does of them."""

    def __init__(self, folder: Path, supervisor: Supervisor, settings: Settings) -> None:
        self.folder = folder
        self.supervisor = supervisor
        self.settings = settings

    async def rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Return what a query gives, asked again while the database is away."""
        while True:
            try:
                async with await connect(self.settings.require_database_url()) as conn:
                    return await (await conn.execute(statement, values)).fetchall()
            except ServiceUnavailable:
                await asyncio.sleep(0.1)

    async def value(self, statement: LiteralString, *values: object) -> Any:
        """Return the one figure a query gives."""
        ((figure,),) = await self.rows(statement, *values)
        return figure

    async def until(self, statement: LiteralString, *values: object) -> None:
        """Wait until a query says true; the test's own time limit is the only one."""
        while True:
            if await self.value(statement, *values):
                return
            await asyncio.sleep(0.2)

    async def load_scenario(self, scenario: str) -> None:
        """Load the registry the simulated stations of a scenario need."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulators", "registry", scenario, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        async with await connect(self.settings.require_database_url()) as conn:
            await load_registry(conn, parse_registry(printed.decode(), allow_test_profiles=True))

    async def play(
        self, scenario: str, *, passages: int, rate: float, seed: int = 1
    ) -> asyncio.subprocess.Process:
        """Start the stations of a scenario; they end with status 0 once every message is receipted."""
        arguments = ["play", scenario, "--port", str(self.settings.broker_port), "--seed", str(seed)]
        arguments += ["--passages", str(passages), "--rate", str(rate), "--truth", str(self.truth)]
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulators", *arguments, "--spool", str(self.folder / "spool")
        )

    @property
    def truth(self) -> Path:
        """The stations' truth file."""
        return self.folder / "truth.jsonl"

    def true_passages(self) -> dict[str, dict[str, Any]]:
        """Return the passages that were sent, by event id."""
        entries = map(json.loads, self.truth.read_text(encoding="utf-8").splitlines())
        return {entry["event_id"]: entry for entry in entries if entry["kind"] == "passage"}

    async def kill(self, name: str) -> None:
        """Kill a child as a power cut would, once it is back from its last kill."""
        while True:
            process = self.supervisor.children[name].process
            if process.returncode is None:
                return process.kill()
            await asyncio.sleep(0.1)

    async def kill_postgres(self) -> None:
        """Kill the database server itself, beneath the process that keeps it."""
        pid = int((self.settings.data / "database/data/postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def running_system(folder: Path, **settings: Any) -> AsyncIterator[RunningSystem]:
    """Run everything below `folder`, which the database's user must be able to enter; end it afterwards.

    Sites of scenarios for tests, with their own completeness profile, may make cases here.
    """
    chosen = Settings(
        data=folder / "data",
        broker_port=free_port(),
        broker_port_311=free_port(),
        web_port=free_port(),
        test_profiles=True,
        **settings,
    )
    supervisor = Supervisor(folder / "logs")
    try:
        running = await start_system(supervisor, chosen, demo=True)
        yield RunningSystem(folder, supervisor, running.settings)
    finally:
        await supervisor.stop()
