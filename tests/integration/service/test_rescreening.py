"""Passages of the database, exported and screened again, end as they ended when they arrived."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from domain.errors import ConfigurationError
from domain.ids import StationId
from service.cli import main
from service.passage_export import Exported, export_days, export_passages
from service.rescreening import screen_files
from service.rule import rule_of
from service.settings import Settings
from service.steps.screen import Screener
from store.columnar import parquet_files, read_batches
from store.columnar_schemas import FINDINGS, RECORDS
from store.connection import Connection, connect
from store.intake import store_batch
from store.intake_batch import PassageRow
from store.registry import local_day
from tests.counts import count
from tests.integration.store.messages import batch, passage, with_registry
from tests.unit.weigh.vehicles import context_choices, random_vehicle
from weigh import REASONS

PASSAGES = count(10_000, reduced=800)
FIRST, LAST = date(2026, 11, 18), date(2026, 11, 21)
STATIONS = (StationId("S1"), StationId("站/2 .."))
CODES = ("drift-alarm", "temperature-not-covered")


async def stored_passages(conn: Connection, settings: Settings) -> None:
    """Store vehicles near every edge of the rule, over some days, some of them held back."""
    random, contexts = Random(20_261_123), context_choices()
    start = datetime(2026, 11, 17, 12, tzinfo=UTC)
    rows = []
    for number in range(PASSAGES):
        row = passage(number, at=start + timedelta(seconds=random.randint(0, 5 * 86_400)))
        header = row.message.header.model_copy(update={"station": random.choice(STATIONS)})
        if random.random() < 0.1:
            clock = header.clock.model_copy(update={"offset_ms": random.choice((999, 1_000, 1_001, -5_000))})
            header = header.model_copy(update={"clock": clock})
        record = random_vehicle(random).model_copy(update={"match_key": f"m-{number}"})
        message = row.message.model_copy(update={"header": header, "record": record})
        held = tuple(random.sample(CODES, random.choice((0, 0, 0, 0, 1, 2))))
        rows.append((row, message, random.choice(contexts), held))
    screenings = Screener(settings).screen(
        [message for _, message, _, _ in rows],
        [context for _, _, context, _ in rows],
        [held for *_, held in rows],
    )
    passages = [
        PassageRow(message, context, screening)
        for (_, message, context, _), screening in zip(rows, screenings, strict=True)
    ]
    for at in range(0, len(passages), 500):
        await store_batch(conn, batch(*passages[at : at + 500]))


async def stored_findings(conn: Connection, first: date, last: date) -> dict[str, dict[str, Any]]:
    """What the database says of the passages of some local days, in the columns of findings."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT event_id, captured_at, station_id, gross_kg, screening FROM passage")
        found = await cursor.fetchall()
    return {
        row["event_id"]: _as_columns(row) for row in found if first <= local_day(row["captured_at"]) <= last
    }


def _as_columns(row: dict[str, Any]) -> dict[str, Any]:
    screening = row["screening"]
    sums = [code for code in screening["doubts"] if code.startswith("axle-sum-unconfirmed:")]
    return {
        "record_id": row["event_id"],
        "local_day": local_day(row["captured_at"]),
        "station": row["station_id"],
        "gross_kg": row["gross_kg"],
        "outcome": screening["outcome"],
        "taken_as": screening["taken_as"],
        "limit_kg": screening["adjudication"]["limit_kg"],
        "adjudged_kg": screening["adjudication"]["adjudged_kg"],
        "over_kg": screening["adjudication"]["over_kg"],
        "reasons": screening["reasons"],
        "doubts": [code for code in screening["doubts"] if code not in sums],
        "unconfirmed_axle_sum_kg": int(sums[0].partition(":")[2]) if sums else None,
        "axle_flags": screening["axle_flags"],
    }


def findings_in(path: Path) -> list[dict[str, Any]]:
    """The findings of a file, without the tables' digest."""
    rows = [row for piece in read_batches(path, FINDINGS) for row in piece.to_pylist()]
    return [{name: value for name, value in row.items() if name != "tables"} for row in rows]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rule_formula": "limit", "rule_guard_k_milli": 2_000, "rule_default_u_gross_ppm": 22_000},
        {"law_confirmed_rows": frozenset({"gb1589-2-single-single", "gb1589-2-single-dual"})},
    ],
    ids=["default", "another rule", "confirmed rows"],
)
async def test_stored_findings_are_reproduced_to_the_last_figure(
    connection: Connection, tmp_path: Path, changes: dict[str, Any]
) -> None:
    settings = Settings(data=tmp_path, **changes)
    await with_registry(connection)
    await stored_passages(connection, settings)
    exported = await export_passages(connection, FIRST, LAST, tmp_path / "years")
    summary = screen_files(
        tmp_path / "years",
        tmp_path / "findings.parquet",
        rule=rule_of(settings),
        confirmed_rows=settings.law_confirmed_rows,
    )
    wanted = await stored_findings(connection, FIRST, LAST)
    found = findings_in(tmp_path / "findings.parquet")
    assert {row["record_id"]: row for row in found} == wanted
    assert len(found) == len(wanted) == exported.passages == summary.records
    assert {row["outcome"] for row in found} == {"within", "overloaded", "unusable", "statistics-only"}
    reasons = {reason for row in found for reason in row["reasons"]}
    assert {"clock-unreliable", *CODES} <= reasons
    assert summary.outcomes == _counted([row["outcome"] for row in found])
    assert sum(summary.reasons.values()) == sum(len(row["reasons"]) for row in found)


def _counted(words: Sequence[str]) -> dict[str, int]:
    return {word: words.count(word) for word in set(words)}


@pytest.mark.anyio
async def test_a_day_and_a_station_lie_in_a_file_of_their_own(connection: Connection, tmp_path: Path) -> None:
    """A local day begins at 16:00 UTC; a station's name cannot lead out of the folder."""
    await with_registry(connection)
    await stored_passages(connection, Settings(data=tmp_path))
    exported = await export_passages(connection, FIRST, LAST, tmp_path / "years")
    files = parquet_files(tmp_path / "years")
    assert exported.files == len(files) == 4 * len(STATIONS)
    assert {path.parent.name for path in files} == {"station=S1", "station=%E7%AB%99%2F2%20.."}
    for path in files:
        rows = [row for piece in read_batches(path, RECORDS) for row in piece.to_pylist()]
        assert {f"day={row['local_day']}" for row in rows} == {path.parent.parent.name}
        assert len({row["station"] for row in rows}) == 1
        moments = [row["captured_at"] for row in rows]
        assert moments == sorted(moments)
        assert {local_day(moment) for moment in moments} == {rows[0]["local_day"]}
        held = {code for row in rows for code in row["held_reasons"]}
        assert held
        assert not held & set(REASONS)


@pytest.mark.anyio
async def test_days_without_passages_and_days_in_the_wrong_order(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    empty = await export_passages(connection, date(2020, 1, 1), date(2020, 1, 3), tmp_path / "empty")
    assert empty == Exported(0, 0)
    settings = Settings(data=tmp_path, database_url=database_url)
    with pytest.raises(ConfigurationError, match="before they begin"):
        await export_days(settings, LAST, FIRST, tmp_path / "years")
    assert await export_days(settings, FIRST, LAST, tmp_path / "years") == Exported(0, 0)
    with pytest.raises(ConfigurationError, match="is there already"):
        await export_days(settings, FIRST, LAST, tmp_path / "years")
    with pytest.raises(ConfigurationError, match="no folder of any"):
        screen_files(
            tmp_path / "years", tmp_path / "f.parquet", rule=rule_of(settings), confirmed_rows=frozenset()
        )


def test_the_commands_lead_from_the_database_to_findings(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path))

    async def store_some() -> None:
        async with await connect(database_url) as conn:
            await with_registry(conn)
            await stored_passages(conn, Settings(data=tmp_path))

    asyncio.run(store_some())
    years, findings = tmp_path / "years", tmp_path / "findings.parquet"
    days = ["--from", str(FIRST), "--to", str(LAST)]
    exported = CliRunner().invoke(main, ["export", "passages", *days, "--out", str(years)])
    assert exported.exit_code == 0, exported.output
    screened = CliRunner().invoke(main, ["screen", str(years), "--out", str(findings)])
    assert screened.exit_code == 0, screened.output
    rows = len(findings_in(findings))
    assert f"{rows} passages in {4 * len(STATIONS)} files" in exported.output
    assert f"{rows} records" in screened.output
    assert rows > PASSAGES // 2
