"""The demo's result: what was sent, against what the service made of it, and whether that is good.

The comparison with the truth is the simulators' own (`python -m simulators score`), over the public
API; that every package verifies is checked here, with the installation's trust file.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from domain.errors import ServiceUnavailable
from evidence import Trust, verify_package
from service.demo.accounts import DemoAccount
from service.demo.watch import packages_of
from service.settings import Settings
from store.connection import Pool


class Result(NamedTuple):
    """The simulators' score, and what came of verifying the packages."""

    score: dict[str, Any]
    receipted: bool
    """Every message was named by a receipt."""
    packages: int
    verified: int
    incomplete: int

    @property
    def good(self) -> bool:
        """Whether this run is as it must be: nothing lost, nothing invented, nobody accused wrongly."""
        return bool(
            self.score["good"]
            and self.receipted
            and self.packages == self.verified == self.score["flagged"]
            and self.score["cases"] == self.packages - self.incomplete
        )


async def result_of(
    settings: Settings, pool: Pool, truth: Path, account: DemoAccount, *, receipted: bool
) -> Result:
    """Score this run's passages and verify all of their packages."""
    address = f"http://{settings.web_host}:{settings.web_port}"
    score = await _score(settings.data, truth, address, account)
    async with pool.connection() as conn:
        packages = await packages_of(conn, _events(truth))
    trust = Trust.load(settings.trust_path)
    reports = [
        await asyncio.to_thread(verify_package, settings.evidence_root / folder, trust)
        for folder, _ in packages
    ]
    return Result(
        score=score,
        receipted=receipted,
        packages=len(packages),
        verified=sum(report.ok for report in reports),
        incomplete=sum(not complete for _, complete in packages),
    )


def show(result: Result, console: Console) -> None:
    """Print the one table."""
    score = result.score
    table = Table(title="zhichao demo" + ("" if result.good else ": NOT AS IT MUST BE"), show_header=False)
    for label, value in (
        ("passages sent", score["sent"]),
        ("stored", score["stored"]),
        ("every message receipted", "yes" if result.receipted else "NO"),
        ("findings equal to the oracle's", score["equal_to_oracle"]),
        ("flagged", score["flagged"]),
        ("wrongly flagged (true static mass within its limit)", score["wrongly_flagged"]),
        ("missed (over the true limit, not flagged)", score["missed"]),
        ("plates right, of those read", f"{score['plates_right']} of {score['plates_read']}"),
        ("packages sealed", result.packages),
        ("packages verified", result.verified),
        ("packages incomplete (never a case)", result.incomplete),
        ("cases opened", score["cases"]),
    ):
        table.add_row(label, str(value))
    console.print(table)


async def _score(folder: Path, truth: Path, address: str, account: DemoAccount) -> dict[str, Any]:
    secret = folder / "score-password"
    secret.unlink(missing_ok=True)
    descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{account.password}\n")
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "simulators", "score", "--truth", str(truth), "--api", address, "--json"),
            *("--user", account.username, "--password-file", str(secret)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, complaint = await process.communicate()
    finally:
        secret.unlink()
    if not printed:
        raise ServiceUnavailable(
            f"the run could not be scored: {complaint.decode(errors='replace').strip()[-500:]}"
        )
    score: dict[str, Any] = json.loads(printed)
    return score


def _events(truth: Path) -> list[str]:
    entries = map(json.loads, truth.read_text(encoding="utf-8").splitlines())
    return sorted({entry["event_id"] for entry in entries if entry["kind"] == "passage"})
