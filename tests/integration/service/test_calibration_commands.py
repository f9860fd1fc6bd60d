"""A calibration is installed for good, and the strips of a lane are judged on its stored passages."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from domain.ids import sha256_of
from domain.screening import Outcome
from domain.weighing import WeighedAxle
from service.cli import main
from store.blobs import BlobStore
from store.connection import connect
from store.intake import store_batch
from tests.integration.store.messages import REGISTRY, STATION, T0, WEIGHING, batch, passage
from tests.unit.weigh.calibration.weighed import INSTALLATION, STRIPS, weighed
from weigh.calibration.fit import fit_calibration

Command = Callable[..., Result]

LANE = ("--station", "S1", "--device", "wim-1")


@pytest.fixture
def command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return what runs `zhichao` on a fresh database with the test registry."""
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ZHICHAO_TEST_PROFILES", "true")

    def run(*arguments: str | Path, status: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == status, result.output
        return result

    registry = tmp_path / "registry.toml"
    registry.write_text(REGISTRY, encoding="utf-8")
    run("registry", "load", registry)
    return run


def state_file(folder: Path, *, version: int = 1, days: int = 0, station: str = STATION) -> Path:
    """Write a fitted calibration, valid from some days after a month before the passages."""
    state = fit_calibration(
        weighed(31, 40, gain=9.80665),
        replace(INSTALLATION, station=STATION),
        version=version,
        valid_from=T0 - timedelta(days=30 - days),
        passes_sha256=sha256_of(b"passes"),
    )
    file = folder / f"state-{station}-{version}-{days}.json"
    file.write_text(json.dumps(state.to_document() | {"station": station}), encoding="utf-8")
    return file


def test_a_calibration_is_installed_once_and_never_changed(command: Command, tmp_path: Path) -> None:
    first = state_file(tmp_path)
    assert "in force from 2026-10-24" in command("calibrate", "install", first).output
    assert "was installed before" in command("calibrate", "install", first).output
    other = state_file(tmp_path, days=1)
    assert "with other figures" in command("calibrate", "install", other, status=78).stderr
    earlier = state_file(tmp_path, version=2, days=-1)
    assert "begins later" in command("calibrate", "install", earlier, status=78).stderr
    command("calibrate", "install", state_file(tmp_path, version=2, days=1))


def test_a_calibration_of_no_registered_device_is_refused(command: Command, tmp_path: Path) -> None:
    file = state_file(tmp_path, station="S9")
    assert "not registered" in command("calibrate", "install", file, status=78).stderr


def test_without_a_calibration_no_strip_is_judged(command: Command) -> None:
    assert "no calibration in force" in command("calibrate", "health", *LANE, status=1).stderr


def test_strips_are_judged_on_the_usable_passages_of_their_lane(
    command: Command, tmp_path: Path, database_url: str
) -> None:
    command("calibrate", "install", state_file(tmp_path))
    assert "no passage" in command("calibrate", "health", *LANE, status=1).output

    blobs = BlobStore(tmp_path / "data" / "blobs")
    asyncio.run(_store(database_url, blobs, dead_from=10_000))
    sound = command("calibrate", "health", *LANE).output
    assert sound.count("sound") == STRIPS

    asyncio.run(_store(database_url, blobs, dead_from=0, first=1_000))
    ill = command("calibrate", "health", *LANE, "--passages", "120", status=1).output
    assert [line.split()[1] for line in ill.splitlines() if line[:5].strip().isdecimal()] == [
        "sound", "sound", "sound", "dead", "sound", "sound", "sound", "sound",
    ]  # fmt: skip


async def _store(database_url: str, blobs: BlobStore, *, dead_from: int, first: int = 1) -> None:
    """Store 120 passages, every tenth unusable and nonsense; strip 4 says nothing from one on."""
    passes = weighed(33, 120, gain=9.80665)
    rows = []
    for number in range(len(passes)):
        load = passes.strip_load[number][passes.axle[number]].copy()
        if number >= dead_from:
            load[:, 3] = np.nan
        outcome = Outcome.UNUSABLE if number % 10 == 0 else Outcome.WITHIN
        if outcome is Outcome.UNUSABLE:
            load[:, 5] = 0.0
        axles = tuple(
            WeighedAxle(
                load_kg=9_000,
                place_mm=0,
                u_ppm=None,
                strip_loads_n=tuple(None if np.isnan(n) else round(n) for n in axle.tolist()),
            )
            for axle in load
        )
        at = T0 + timedelta(seconds=10 * (first + number))
        row = passage(first + number, outcome=outcome, at=at, match_key=f"m-{first + number}")
        rows.append(replace(row, weighing=WEIGHING.model_copy(update={"axles": axles})))
    stored = batch(*rows)
    await blobs.put_all(list(stored.blobs()))
    async with await connect(database_url) as conn:
        await store_batch(conn, stored)
