"""Keeps a set of processes running: starts them in order, restarts what dies, ends all in reverse.

A child is restarted with a back-off that doubles from 0.2 s to 10 s and falls back after 30 s of
health. A child that ends with status 78 has a configuration that cannot work: starting it again
would not help, so the whole set ends with its message. See `service.lifeline` for the child's side.
"""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from domain.errors import ConfigurationError, ServiceUnavailable
from service.lifeline import EXIT_CONFIGURATION

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 10.0
HEALTHY_AFTER_S = 30.0
END_WITHIN_S = 20.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Program:
    """One process to keep running: a Python module of ours with its arguments and environment."""

    name: str
    module: str
    environment: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    ready_within_s: float = 60.0


@dataclass
class Child:
    """A program's present process."""

    program: Program
    process: asyncio.subprocess.Process
    facts: dict[str, Any]
    restarts: int = 0
    keeper: asyncio.Task[None] | None = field(default=None, repr=False)


class Supervisor:
    """A set of child processes that live and end together.

    Parameters
    ----------
    log_folder
        Where each child's standard error goes, one file a program; None leaves it on ours.
    """

    def __init__(self, log_folder: Path | None = None) -> None:
        self._log_folder = log_folder
        self._children: dict[str, Child] = {}
        self._ending = False
        self._hopeless: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def children(self) -> dict[str, Child]:
        """The children by name, in the order they were started."""
        return dict(self._children)

    async def start(self, program: Program) -> dict[str, Any]:
        """Start a program, wait until it is ready, keep it running from then on; return what it announced.

        Raises
        ------
        ConfigurationError
            It ended saying that its configuration cannot work.
        ServiceUnavailable
            It ended, or was not ready in time.
        """
        process, facts = await self._launch(program)
        child = Child(program, process, facts)
        self._children[program.name] = child
        child.keeper = asyncio.create_task(self._keep(child), name=f"keep {program.name}")
        return facts

    async def wait(self) -> None:
        """Return never, unless a child's configuration turns out to be hopeless.

        Raises
        ------
        ConfigurationError
            The child's name and what to look at.
        """
        raise ConfigurationError(await self._hopeless)

    async def stop(self) -> None:
        """End all children, the last started first; kill those that do not end in time."""
        self._ending = True
        for child in reversed(self._children.values()):
            if child.keeper is not None:
                child.keeper.cancel()
                with suppress(asyncio.CancelledError):
                    await child.keeper
            await _end(child.program.name, child.process)
        self._children.clear()

    async def _keep(self, child: Child) -> None:
        backoff_s = FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            status = await child.process.wait()
            if loop.time() - started > HEALTHY_AFTER_S:
                backoff_s = FIRST_BACKOFF_S
            log.warning("%s ended with status %s; starting it again", child.program.name, status)
            while not await self._relaunch(child):
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)

    async def _relaunch(self, child: Child) -> bool:
        try:
            child.process, child.facts = await self._launch(child.program)
        except ServiceUnavailable as error:
            log.warning("%s", error)
            return False
        except ConfigurationError as error:
            if not self._hopeless.done():
                self._hopeless.set_result(str(error))
            return False
        child.restarts += 1
        return True

    async def _launch(self, program: Program) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
        with self._stderr_of(program) as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                program.module,
                *program.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=dict(program.environment),
                start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, in order
            )
        try:
            return process, await _until_ready(program, process)
        except BaseException:
            await _end(program.name, process)
            raise

    def _stderr_of(self, program: Program) -> IO[bytes]:
        if self._log_folder is None:
            return open(sys.stderr.fileno(), "wb", closefd=False)
        self._log_folder.mkdir(parents=True, exist_ok=True)
        return (self._log_folder / f"{program.name}.log").open("ab")


async def _until_ready(program: Program, process: asyncio.subprocess.Process) -> dict[str, Any]:
    try:
        line = await asyncio.wait_for(_output(process).readline(), program.ready_within_s)
    except TimeoutError:
        raise ServiceUnavailable(
            f"{program.name} was not ready within {program.ready_within_s:.0f} s; see its log"
        ) from None
    if line:
        facts: dict[str, Any] = json.loads(line)
        return facts
    status = await process.wait()
    if status == EXIT_CONFIGURATION:
        raise ConfigurationError(f"{program.name} cannot start with this configuration; its log says why")
    raise ServiceUnavailable(f"{program.name} ended with status {status} before it was ready; see its log")


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise ServiceUnavailable("the process was started without a pipe to announce itself on")
    return process.stdout


async def _end(name: str, process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), END_WITHIN_S)
    except TimeoutError:
        log.warning("%s did not end within %.0f s and is killed", name, END_WITHIN_S)
        process.kill()
        await process.wait()
