"""How long a flagged passage takes from the roadside to the review page.

The whole of zhichao on embedded defaults, one simulated station at 20 passages a second with three
captures of 1920 x 1080 each, made beforehand; a tenth is overloaded. A passage's time runs from the
moment the station has written it down, before it can be sent, until the queue page, got by HTTP,
lists its case. After `WARM_UP_S` every flagged passage counts.

The bound printed beside it is the promise: 5 s at the 95th percentile.

Of every image, and of the record of every flagged passage, received in that time it is told how long it took
from its arrival until the capture statement that names its digest was in the log, cosigned: the aim is 10 s.
"""

import argparse
import asyncio
import json
import re
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx

from benchmarks.result import Result
from domain.errors import ServiceUnavailable
from service.demo.accounts import DemoAccount, make_accounts
from service.settings import Settings, environment_of
from service.supervisor import Supervisor
from service.system import start_system
from store.connection import connect
from store.registry import RegistryFile, load_registry, parse_registry

SCENARIO = "ten-percent"
RATE = 20.0
WARM_UP_S = 60.0
MEASURED_S = 130.0
LEAST_FLAGGED = 200
LAST_ARRIVAL_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1
PROMISE_S = 5.0
LOGGED_AIM_S = 10.0

_LOGGED = """
SELECT extract(epoch FROM coalesce(logged_at, clock_timestamp()) - received_at)::float8, logged_at IS NULL
FROM (
    SELECT event_id, received_at FROM capture
    UNION ALL SELECT event_id, received_at FROM passage JOIN hit USING (event_id)
) AS original
LEFT JOIN capture_statement_subject USING (event_id)
LEFT JOIN capture_statement USING (statement_id)
LEFT JOIN log_outbox USING (outbox_id)
WHERE received_at >= %s ORDER BY 1
"""

_CASE = re.compile(r'href="/cases/([^"/?]+)"')


@dataclass
class Journeys:
    """When each flagged passage was written down, and when the queue page first listed it.

    Both by the twelve digits of the event id that stand in the case id.
    """

    written: dict[str, float] = field(default_factory=dict)
    listed: dict[str, float] = field(default_factory=dict)

    def outstanding(self) -> set[str]:
        """Events written down but not listed yet."""
        return self.written.keys() - self.listed.keys()

    def durations_s(self, since: float, until: float) -> list[float]:
        """Times of all written down after `since`, in seconds, sorted; `until` stands for never."""
        return sorted(self.listed.get(event, until) - at for event, at in self.written.items() if at >= since)


class Statements(NamedTuple):
    """How long originals took from their arrival into a logged capture statement, in seconds, sorted."""

    durations_s: list[float]
    waiting: int
    """How many were in none yet when it was asked; their time runs until then."""


def main(arguments: list[str]) -> Result:
    """Run the benchmark; `--seconds` and `--warm-up` shorten it for a look."""
    parser = argparse.ArgumentParser(prog="end_to_end", description=__doc__)
    parser.add_argument("--seconds", type=float, default=MEASURED_S)
    parser.add_argument("--warm-up", type=float, default=WARM_UP_S)
    parser.add_argument("--rate", type=float, default=RATE)
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="zhichao-bench-"))
    folder.chmod(0o755)
    try:
        return asyncio.run(_measure(folder, options.rate, options.warm_up, options.seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(folder: Path, rate: float, warm_up_s: float, measured_s: float) -> Result:
    registry = parse_registry(await _registry(), source=f"the scenario {SCENARIO}")
    supervisor = Supervisor(folder / "logs")
    try:
        running = await start_system(supervisor, Settings(data=folder), demo=True)
        account = await _prepare(running.settings, registry)
        count = round(rate * (warm_up_s + measured_s))
        process = await _play(running.settings, folder, rate, count)
        try:
            journeys, since, sent_s = await _follow(
                running.web_address, account, folder, process, warm_up_s=warm_up_s
            )
            return _result(journeys, since, rate, sent_s, await _statements(running.settings, since))
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
    finally:
        await supervisor.stop()


async def _follow(
    address: str,
    account: DemoAccount,
    folder: Path,
    process: asyncio.subprocess.Process,
    *,
    warm_up_s: float,
) -> tuple[Journeys, float, float]:
    """Return the journeys, when measuring began (monotonic), and how many seconds the station sent after."""
    journeys = Journeys()
    truth = folder / "truth.jsonl"
    async with httpx.AsyncClient(base_url=address, timeout=30.0, follow_redirects=True) as web:
        await web.post("/login", data={"username": account.username, "password": account.password})
        started, ended_at, offset = None, None, 0
        while True:
            offset = _note_written(truth, offset, journeys)
            if started is None and offset:
                started = time.monotonic()
            await _note_listed(web, journeys)
            if ended_at is None and process.returncode is not None:
                ended_at = time.monotonic()
            if ended_at is not None and (
                not journeys.outstanding() or time.monotonic() - ended_at > LAST_ARRIVAL_WITHIN_S
            ):
                break
            await asyncio.sleep(LOOK_EVERY_S)
    since = (started or 0.0) + warm_up_s
    return journeys, since, ended_at - since


async def _statements(settings: Settings, since: float) -> Statements:
    """Ask the database of what was received since then (monotonic), once the last has had its time."""
    began_at = datetime.now(UTC) - timedelta(seconds=time.monotonic() - since)
    given_up_at = time.monotonic() + LOGGED_AIM_S
    async with await connect(settings.require_database_url(), autocommit=True) as conn:
        while True:
            found = await (await conn.execute(_LOGGED, [began_at])).fetchall()
            waiting = sum(waits for _, waits in found)
            if not waiting or time.monotonic() > given_up_at:
                return Statements([seconds for seconds, _ in found], waiting)
            await asyncio.sleep(LOOK_EVERY_S)


def _result(
    journeys: Journeys, since: float, rate: float, measured_s: float, statements: Statements
) -> Result:
    durations = journeys.durations_s(since, time.monotonic())
    if len(durations) < 2 or len(statements.durations_s) < 2:
        raise ServiceUnavailable("no flagged passages were sent after the warm-up; let it run longer")
    p95 = statistics.quantiles(durations, n=20)[-1]
    logged_p95 = statistics.quantiles(statements.durations_s, n=20)[-1]
    return Result(
        name="end_to_end",
        unit="s",
        ours=round(p95, 3),
        bounds={"promise": PROMISE_S},
        figures={
            "case_p50_s": round(statistics.median(durations), 3),
            "case_p95_s": round(p95, 3),
            "case_max_s": round(durations[-1], 3),
            "originals_logged_p50_s": round(statistics.median(statements.durations_s), 3),
            "originals_logged_p95_s": round(logged_p95, 3),
            "originals_logged_max_s": round(statements.durations_s[-1], 3),
            "originals": len(statements.durations_s),
            "flagged": len(durations),
            "passages_per_s": rate,
            "measured_s": round(measured_s, 1),
        },
        ok={
            "all_flagged_arrived": not journeys.outstanding(),
            "enough_flagged": len(durations) >= LEAST_FLAGGED,
            "case_p95_within_5_s": p95 <= PROMISE_S,
            "originals_all_logged": statements.waiting == 0,
            "originals_logged_p95_within_10_s": logged_p95 <= LOGGED_AIM_S,
        },
    )


def _note_written(truth: Path, offset: int, journeys: Journeys) -> int:
    """Read what the station has newly written down; return how far the file was read."""
    if not truth.exists():
        return 0
    with truth.open("rb") as file:
        file.seek(offset)
        new = file.read()
    whole = new[: new.rfind(b"\n") + 1]
    now = time.monotonic()
    for line in whole.splitlines():
        entry = json.loads(line)
        if entry["oracle"]["outcome"] == "overloaded":
            journeys.written.setdefault(entry["event_id"][:12].upper(), now)
    return offset + len(whole)


async def _note_listed(web: httpx.AsyncClient, journeys: Journeys) -> None:
    """Get the queue page, newest passages first, as a reviewer's browser does."""
    page = await web.get("/queue", params={"order": "newest"})
    page.raise_for_status()
    now = time.monotonic()
    for case in _CASE.findall(page.text):
        journeys.listed.setdefault(case.rsplit("-", 1)[-1], now)


async def _play(settings: Settings, folder: Path, rate: float, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "simulators", "play", SCENARIO, "--premade"),
        *("--port", str(settings.broker_port), "--rate", str(rate), "--passages", str(count)),
        *("--seed", str(secrets.randbelow(1_000)), "--spool", str(folder / "spool")),
        *("--truth", str(folder / "truth.jsonl")),
        env=dict(environment_of(settings, with_database=False)),
    )


async def _registry() -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", "registry", SCENARIO, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    return printed.decode()


async def _prepare(settings: Settings, registry: RegistryFile) -> DemoAccount:
    async with await connect(settings.require_database_url()) as conn:
        await load_registry(conn, registry)
        return (await make_accounts(conn, registry))[0]
