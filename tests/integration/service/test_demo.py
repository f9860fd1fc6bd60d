"""`make run` from end to end: twenty passages from the roadside to cases, judged by the demo itself."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.components import ROOT
from tests.integration.service.running import processes_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]


async def _demo(data: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "service.demo", "--data", str(data), *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


def _figure(printed: str, label: str) -> str:
    found = re.search(rf"{re.escape(label)}\s*│\s*([^│]*?)\s*│", printed)
    assert found, printed
    return found[1]


async def test_the_demo_ends_well_and_goes_on_with_the_same_data(server_folder: Path) -> None:
    data = server_folder / "demo"
    for _ in range(2):
        process = await _demo(data, "--passages", "20", "--exit", "--rate", "10")
        output, _ = await process.communicate()
        printed = output.decode()
        assert process.returncode == 0, printed
        flagged = _figure(printed, "flagged")
        assert int(flagged) > 0
        assert _figure(printed, "passages sent") == _figure(printed, "stored") == "20"
        assert _figure(printed, "findings equal to the oracle's") == "20"
        assert _figure(printed, "wrongly flagged (true static mass within its limit)") == "0"
        assert _figure(printed, "packages verified") == _figure(printed, "cases opened") == flagged
        assert list((data / "witness-apart/state").glob("*/head"))  # cosigned by a process of its own
        assert not (data / "witness").exists()


async def test_ctrl_c_ends_every_process(server_folder: Path) -> None:
    process = await _demo(server_folder / "demo")
    assert process.stdout is not None
    async for line in process.stdout:
        if b"Ctrl-C ends everything" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = await process.communicate()
    assert process.returncode == 0, rest.decode()
    assert await asyncio.to_thread(processes_of, server_folder) == []
