"""Waveforms from a simulated station through broker, ingester and worker to cases, as real processes."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from evidence import Trust, sealed_event, verify_package
from service.recomputation import as_text, recompute
from simulators.score import equals_oracle
from tests.components import ROOT
from tests.counts import count
from tests.integration.service.running import RunningSystem, running_system

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

PASSAGES = count(60, reduced=10)

SETTLED = "SELECT NOT EXISTS (SELECT FROM hit WHERE state NOT IN ('open', 'incomplete'))"


async def _calibrate(system: RunningSystem) -> None:
    """Install the simulated station's calibration, as an operator does."""
    printing = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "simulators", "calibration", "waveforms"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    document, _ = await printing.communicate()
    file = system.folder / "calibration.json"
    file.write_bytes(document)
    installing = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "service.cli", "calibrate", "install", str(file)),
        cwd=ROOT,
        env=os.environ
        | {
            "ZHICHAO_DATA": str(system.settings.data),
            "ZHICHAO_DATABASE_URL": system.settings.require_database_url(),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await installing.communicate()
    assert installing.returncode == 0, printed.decode()
    assert b"calibration 1 of SIM-WAVE/wim-1, lane 1: in force" in printed


async def test_waveforms_become_cases_and_bad_drives_do_not(server_folder: Path) -> None:
    async with running_system(server_folder) as system:
        await system.load_scenario("waveforms")
        await _calibrate(system)
        playing = await system.play("waveforms", passages=PASSAGES, rate=5)
        assert await playing.wait() == 0
        truth = system.true_passages()
        stored = {
            row[0]: row[1:]
            for row in await system.rows("SELECT event_id, screening, weighing, wire_blob FROM passage")
        }
        refused = await system.rows("SELECT code, detail FROM quarantine")
        assert (set(stored), refused) == (set(truth), [])
        for event, (screening, weighing, blob) in stored.items():
            entry = truth[event]
            assert equals_oracle(screening, entry["oracle"]), (entry, screening)
            assert len(weighing["axles"]) == len(entry["true_axle_loads_kg"])
            assert blob is not None
            if entry["drive"] != "normal":
                assert (screening["outcome"], entry["drive"] in screening["reasons"]) == ("unusable", True)
        await system.until(SETTLED)
        await system.until("SELECT NOT EXISTS (SELECT FROM drift_sample)")
        assert {row[0] for row in await system.rows("SELECT basis FROM drift")} == {"calibration:1"}
        hits = {event for event, (screening, *_) in stored.items() if screening["outcome"] == "overloaded"}
        cases = {row[0] for row in await system.rows("SELECT event_id FROM case_file")}
        assert len(hits) >= 2
        assert cases == hits
        assert all(truth[event]["truly_overloaded"] for event in cases)
        trust = Trust.load(system.settings.trust_path)
        for event in cases:
            folder = system.settings.evidence_root / f"EV-{event}"
            assert verify_package(folder, trust).ok
            assert (folder / "data/wire/waveform.zcwf").read_bytes().startswith(b"ZCWF")
            assert (folder / "data/station/calibration.json").exists()
            again = recompute(folder)
            assert again.equal, as_text(again, "en")
            assert again.not_computed == ()
        proposed = await system.rows("SELECT event_id, proposal FROM case_file")
        for event, proposal in proposed:
            assert proposal == sealed_event(system.settings.evidence_root / f"EV-{event}")["proposal"]
