"""The demo's three stations: one program each, sending through the broker like any other station.

A station that dies is started again and goes on from its spool. The last of them speaks MQTT 3.1.1, as
old stations do.
"""

import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError, ServiceUnavailable

SCENARIO = "three-stations"
_AGAIN_AFTER_S = 1.0
_END_WITHIN_S = 10.0
_USAGE = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the stations are to do in this run."""

    folder: Path
    """Holds their spools, and one truth file a run."""
    truth: Path
    ports: tuple[int, int]
    """MQTT 5, MQTT 3.1.1."""
    seed: int
    rate: float
    passages: int | None
    environment: Mapping[str, str]


class Stations:
    """The station programs of one run."""

    def __init__(self, names: Sequence[str], plan: Plan) -> None:
        self._plan = plan
        self._names = names
        self._counts: dict[str, dict[str, Any]] = {}
        self._running: list[asyncio.Task[None]] = []
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    def start(self) -> None:
        """Start all of them."""
        earlier = made_before(self._plan.folder)
        for position, name in enumerate(self._names):
            total = None
            if self._plan.passages is not None:
                share, rest = divmod(self._plan.passages, len(self._names))
                total = earlier[name] + share + (position < rest)
            self._running.append(asyncio.create_task(self._keep(position, name, total), name=name))

    async def finished(self) -> None:
        """Wait until every station has sent its passages and holds a receipt for every message."""
        await asyncio.gather(*self._running)

    async def stop(self) -> None:
        """End them; what has no receipt stays in their spools."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for process in self._processes.values():
            await _end(process)

    def total(self, what: str) -> int:
        """Return the sum of one figure (passages, sent, receipted, spooled ...) over the stations."""
        return sum(int(counts.get(what, 0)) for counts in self._counts.values())

    async def _keep(self, position: int, name: str, total: int | None) -> None:
        while True:
            status = await self._play(position, name, total)
            if status == 0:
                return
            if status == _USAGE:
                raise ConfigurationError(f"the station {name} cannot run; see {self._log_of(name)}")
            log.warning("the station %s ended with status %s; starting it again", name, status)
            await asyncio.sleep(_AGAIN_AFTER_S)

    async def _play(self, position: int, name: str, total: int | None) -> int:
        with self._log_of(name).open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments(position, name, total),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=dict(self._plan.environment),
                start_new_session=True,
            )
        self._processes[name] = process
        if process.stdout is None:
            raise ServiceUnavailable(f"the station {name} was started without a pipe for its progress")
        async for line in process.stdout:
            self._counts[name] = json.loads(line)
        return await process.wait()

    def _arguments(self, position: int, name: str, total: int | None) -> list[str]:
        plan = self._plan
        old = position == len(self._names) - 1
        arguments = ["-m", "service.leash", "simulators", "play", SCENARIO, "--station", name]
        arguments += ["--port", str(plan.ports[old]), "--protocol", "311" if old else "5"]
        arguments += ["--spool", str(plan.folder), "--truth", str(plan.truth), "--progress", "json"]
        arguments += ["--seed", str(plan.seed), "--rate", str(plan.rate / len(self._names))]
        return arguments + ([] if total is None else ["--passages", str(total)])

    def _log_of(self, name: str) -> Path:
        return self._plan.folder / f"{name}.log"


def made_before(folder: Path) -> Counter[str]:
    """Return how many passages each station made in earlier runs, by their truth files.

    A passage whose spooling was cut off is made again under the same event id: it counts once.
    """
    events = {
        entry["event_id"]: entry["station"]
        for path in sorted(folder.glob("truth-*.jsonl"))
        for entry in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if entry["kind"] == "passage"
    }
    return Counter(events.values())


async def scenario_registry() -> str:
    """Return the registry, as TOML, that the scenario's stations need.

    Raises
    ------
    ConfigurationError
        The simulators are not there: they come with the source tree, not with the wheel.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "simulators", "registry", SCENARIO),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaint = await process.communicate()
    if process.returncode != 0:
        raise ConfigurationError(
            "the simulated stations cannot run; the demo needs the source tree and `make setup`: "
            + complaint.decode(errors="replace").strip()[-500:]
        )
    return printed.decode()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
