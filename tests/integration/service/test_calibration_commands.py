"""A calibration is installed for good, and the strips of a lane are judged on its stored passages."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from domain.ids import Sequence, event_id, sha256_of
from domain.screening import Outcome
from domain.weighing import WeighedAxle
from service.cli import main
from service.weighed_file import read_weighed_file
from store.blobs import BlobStore
from store.connection import connect
from store.intake import store_batch
from store.intake_batch import PassageRow
from tests.integration.store.messages import EPOCH, REGISTRY, SCALE, STATION, T0, WEIGHING, batch, passage
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
    monkeypatch.setenv("ZHICHAO_CALIBRATION_BACKDATING_DAYS", "36500")

    def run(*arguments: str | Path, status: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == status, result.output
        return result

    registry = tmp_path / "registry.toml"
    registry.write_text(REGISTRY, encoding="utf-8")
    run("registry", "load", registry)
    return run


def state_file(
    folder: Path, *, version: int = 1, days: int = 0, station: str = STATION, begins: datetime | None = None
) -> Path:
    """Write a fitted calibration, valid from some days after a month before the passages."""
    state = fit_calibration(
        weighed(31, 40, gain=9.80665),
        replace(INSTALLATION, station=STATION),
        version=version,
        valid_from=begins or T0 - timedelta(days=30 - days),
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


def test_a_calibration_that_begins_in_the_past_is_refused(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZHICHAO_CALIBRATION_BACKDATING_DAYS")
    now = datetime.now(UTC)
    earlier = state_file(tmp_path, begins=now - timedelta(hours=25))
    assert "in the past" in command("calibrate", "install", earlier, status=78).stderr
    command("calibrate", "install", state_file(tmp_path, begins=now - timedelta(hours=23)))


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


def test_stored_passages_and_their_reference_loads_become_a_file_to_fit_on(
    command: Command, tmp_path: Path, database_url: str
) -> None:
    asyncio.run(
        _store_rows(database_url, BlobStore(tmp_path / "data" / "blobs"), [_three_axles(7), _three_axles(8)])
    )
    references = tmp_path / "references.csv"
    events = [event_id(STATION, SCALE, EPOCH, Sequence(number)) for number in (8, 7)]
    lines = [
        f"{event},{axle},{load}" for event in events for axle, load in ((1, 7_100), (2, 9_400), (3, 9_600))
    ]
    references.write_text("\n".join(["event,axle,reference_kg", *lines]) + "\n", encoding="utf-8")
    out = tmp_path / "passes.csv"
    assert "2 weighed passes" in command("calibrate", "collect", references, "--out", out).output

    passes, _ = read_weighed_file(out)
    assert passes.reference_kg.tolist() == [[7_100, 9_400, 9_600]] * 2
    assert passes.measured_kg.tolist() == [[7_000, 9_500, 9_500]] * 2
    assert passes.axle_type.tolist() == [[0, 1, 1]] * 2
    assert passes.group.tolist() == [[1, 2, 2]] * 2
    assert passes.strip_load[0, :, 0].tolist() == [70_000, 95_000, 95_000]
    assert np.isnan(passes.strip_load[:, :, 1]).all()
    assert passes.speed_m_s == pytest.approx([17.611] * 2)
    assert np.isnan(passes.temperature_k).all()
    assert "never written over" in command("calibrate", "collect", references, "--out", out, status=78).stderr


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["{event},1,7100", "{event},2,9400"], "2 reference loads, but the strips saw 3 axles"),
        (["{event},1,7100", "{event},3,9400"], "column axle"),
        (["{event},1"], "2 cells"),
        (["0123456789abcdef0123456789abcdef,1,7100"], "no passage 0123456789abcdef"),
    ],
)
def test_reference_loads_that_do_not_fit_are_refused(
    lines: list[str], complaint: str, command: Command, tmp_path: Path, database_url: str
) -> None:
    asyncio.run(_store_rows(database_url, BlobStore(tmp_path / "data" / "blobs"), [_three_axles(7)]))
    event = event_id(STATION, SCALE, EPOCH, Sequence(7))
    references = tmp_path / "references.csv"
    text = "\n".join(["event,axle,reference_kg", *(line.format(event=event) for line in lines)])
    references.write_text(text, encoding="utf-8")
    out = tmp_path / "passes.csv"
    assert complaint in command("calibrate", "collect", references, "--out", out, status=1).stderr
    assert not out.exists()


def _three_axles(number: int) -> PassageRow:
    return replace(passage(number, outcome=Outcome.WITHIN), weighing=WEIGHING)


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
    await _store_rows(database_url, blobs, rows)


async def _store_rows(database_url: str, blobs: BlobStore, rows: list[PassageRow]) -> None:
    stored = batch(*rows)
    await blobs.put_all(list(stored.blobs()))
    async with await connect(database_url) as conn:
        await store_batch(conn, stored)
