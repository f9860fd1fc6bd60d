"""The running system as an acceptance test meets it: the simulators' commands, and people on the web."""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from evidence import Trust, verify_package
from service.demo.accounts import DemoAccount, make_accounts
from service.demo.stations import scenario_registry
from simulators.truth import read_truth
from store.connection import connect
from store.registry import parse_registry
from tests.integration.service.running import RunningSystem

_SETTLED = """
SELECT count(*) FILTER (WHERE state IN ('open', 'incomplete')) >= %s
    OR EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'failed')
FROM hit WHERE event_id = ANY(%s)
"""
_PAGE = 500


@dataclass(frozen=True)
class Installation:
    """A running system with its demo accounts."""

    system: RunningSystem
    accounts: dict[str, DemoAccount]

    @property
    def address(self) -> str:
        """Where the web is."""
        return f"http://127.0.0.1:{self.system.settings.web_port}"

    @asynccontextmanager
    async def signed_in(self, username: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client that has signed in through the form and keeps its cookie, as a browser does."""
        account = self.accounts[username]
        async with httpx.AsyncClient(
            base_url=self.address, trust_env=False, timeout=60, headers={"Accept": "text/html"}
        ) as client:
            form = {"username": account.username, "password": account.password}
            answer = await client.post("/login", data=form)
            assert answer.status_code == 303, answer.text
            yield client

    async def simulate(self, *arguments: str) -> None:
        """Run one command of the simulators to its end, which is 0 only when all has been receipted."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulators", *arguments, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complaint.decode(errors="replace")

    async def play(
        self, scenario: str, *, name: str, passages: int, rate: float, station: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """Play a scenario to its end; return its true passages by event id."""
        truth = self.system.folder / f"truth-{name}.jsonl"
        only = () if station is None else ("--station", station)
        await self.simulate(
            *("play", scenario, *only, "--port", str(self.system.settings.broker_port)),
            *("--passages", str(passages), "--rate", str(rate)),
            *("--spool", str(self.system.folder / f"spool-{name}"), "--truth", str(truth)),
        )
        return read_truth(truth)[0]

    async def settle(self, events: Collection[str]) -> None:
        """Wait until every one of these flagged passages is a case, or known to be incomplete."""
        await self.system.until(_SETTLED, len(events), list(events))
        assert await self.failed_jobs() == []

    async def failed_jobs(self) -> list[tuple[Any, ...]]:
        """Return the jobs that were given up."""
        return await self.system.rows(
            "SELECT task_name, args FROM procrastinate_jobs WHERE status = 'failed'"
        )

    async def cases(self, username: str) -> dict[str, dict[str, Any]]:
        """Return all cases by event id, as the JSON API lists them page by page."""
        found: dict[str, dict[str, Any]] = {}
        async with self.signed_in(username) as client:
            after: dict[str, str] = {}
            while True:
                answer = await client.get("/api/v1/cases", params={"limit": str(_PAGE), **after})
                assert answer.status_code == 200, answer.text
                page = answer.json()
                found |= {case["event_id"]: case for case in page["cases"]}
                if page["next"] is None:
                    return found
                after = {"after": page["next"]}

    def package(self, case: dict[str, Any]) -> Path:
        """Return where the sealed package of a case lies."""
        return self.system.settings.evidence_root / str(case["package_folder"])

    async def verify(self, case: dict[str, Any]) -> None:
        """Verify a case's package with the trust this installation publishes."""
        trust = Trust.load(self.system.settings.trust_path)
        report = await asyncio.to_thread(verify_package, self.package(case), trust)
        assert report.ok, report


async def accounts_for(system: RunningSystem) -> dict[str, DemoAccount]:
    """Create the demo accounts; the officers are the same in every scenario's registry."""
    registry = parse_registry(await scenario_registry(), source="the simulators' registry")
    async with await connect(system.settings.require_database_url()) as conn:
        return {account.username: account for account in await make_accounts(conn, registry)}
