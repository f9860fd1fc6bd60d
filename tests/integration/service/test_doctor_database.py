"""doctor on real databases: each thing seeded wrong is found and told what to do about."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from service.checks.finding import Finding
from service.checks.running import check_database
from service.doctor import examine
from service.settings import Settings
from store.accounts import add_account, set_disabled
from store.connection import Connection, connect
from store.drift import Watched, keep_drift
from store.hits import HitState, set_state
from store.intake import store_batch
from store.registry import load_registry, parse_registry
from tests.integration.store.messages import REGISTRY, SCALE, STATION, batch, passage

pytestmark = pytest.mark.anyio

Seed = Callable[[Connection], Awaitable[object]]


UNSAFE_SERVER = "the server may lose what it has confirmed"
"""What doctor rightly says of the tests' own server, which runs without fsync."""


def _found(findings: list[Finding], verdict: str) -> list[str]:
    assert all(finding.advice for finding in findings if finding.verdict != "fine")
    return [
        f"{finding.subject}: {finding.detail}"
        for finding in findings
        if finding.verdict == verdict and UNSAFE_SERVER not in finding.detail
    ]


OFFICER_2 = """
[[officers]]
officer_id = "O2"
name = "王二"
licences = [{number = "L-3", valid_from = 2026-01-01, valid_to = 2099-12-31}]
"""


async def _in_order(conn: Connection, registry: str = REGISTRY) -> None:
    """Load a registry, and let two licensed officers in."""
    licensed = registry.replace("valid_to = 2028-05-01", "valid_to = 2099-12-31") + OFFICER_2
    await load_registry(conn, parse_registry(licensed))
    for name, officer in (("wang.yi", "O1"), ("wang.er", "O2")):
        await add_account(conn, username=name, password_hash="x", role="reviewer", officer_id=officer)


async def test_a_server_that_forgets_is_found(connection: Connection) -> None:
    findings = await check_database(connection)
    assert any(finding.verdict == "wrong" and UNSAFE_SERVER in finding.detail for finding in findings)


async def test_a_sound_database_has_nothing_wrong(connection: Connection) -> None:
    await _in_order(connection)
    findings = await check_database(connection)
    assert (_found(findings, "wrong"), _found(findings, "warning")) == ([], [])


async def test_a_drift_alarm_is_warned_of(connection: Connection) -> None:
    await _in_order(connection)
    watched = Watched(STATION, SCALE, 1, "certificate:C-2026-1")
    await keep_drift(connection, watched, {}, alarm_since=datetime(2026, 11, 20, tzinfo=UTC))
    (found,) = _found(await check_database(connection), "warning")
    assert found.startswith("drift: S1/wim-1, lane 1: alarm on since 2026-11-20 under certificate:C-2026-1")


async def test_an_empty_registry_is_warned_of(connection: Connection) -> None:
    (found,) = _found(await check_database(connection), "warning")
    assert found.startswith("registry: empty")


async def test_missing_migrations_are_found(empty_database_url: str) -> None:
    async with await connect(empty_database_url) as conn:
        (found,) = _found(await check_database(conn), "wrong")
    assert "0001_registry.sql" in found


async def test_a_ctype_that_confuses_plates_is_found(postgres_server: str) -> None:
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE doctor_c TEMPLATE template0 LOCALE 'C'")
        try:
            async with await connect(make_conninfo(postgres_server, dbname="doctor_c")) as conn:
                found = _found(await check_database(conn), "wrong")
        finally:
            admin.execute("DROP DATABASE doctor_c WITH (FORCE)")
    assert any("ctype is C" in one for one in found)


async def _tests_only_profile(conn: Connection) -> None:
    await conn.execute("UPDATE site_facts SET completeness_profile = 'plates-test'")


async def _demo_account(conn: Connection) -> None:
    await add_account(conn, username="demo", password_hash="x", role="supervisor", officer_id=None, demo=True)


async def _exact_instrument(conn: Connection) -> None:
    await conn.execute("UPDATE certificate SET mpe_in_service_ppm = 0")


async def _one_disabled(conn: Connection) -> None:
    await set_disabled(conn, "wang.er", True)


async def _one_without_licence(conn: Connection) -> None:
    await conn.execute("UPDATE officer_licence SET valid_to = '2026-01-31' WHERE officer_id = 'O2'")


async def _one_who_only_administers(conn: Connection) -> None:
    await conn.execute("UPDATE account SET role = 'administrator' WHERE username = 'wang.er'")


@pytest.mark.parametrize("seed", [_one_disabled, _one_without_licence, _one_who_only_administers])
async def test_too_few_who_may_decide_are_warned_of(connection: Connection, seed: Seed) -> None:
    await _in_order(connection)
    await seed(connection)
    (found,) = _found(await check_database(connection), "warning")
    assert "1 officers with a licence valid today" in found


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (_tests_only_profile, "'plates-test' is not for evidence"),
        (_demo_account, "demo accounts exist: demo"),
        (_exact_instrument, "S1/wim-1 has a maximum permissible error of 0"),
    ],
)
async def test_what_must_not_be_in_a_deployment_is_found(
    connection: Connection, seed: Seed, expected: str
) -> None:
    await _in_order(connection)
    await seed(connection)
    (found,) = _found(await check_database(connection), "wrong")
    assert expected in found


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("announcement", "no announcement is in force"),
        ("legal_basis", "no legal basis is in force"),
        ("certificate", "no verification certificate of wim-1 is in force"),
    ],
)
async def test_what_is_not_in_force_today_is_warned_of(
    connection: Connection, table: str, expected: str
) -> None:
    await _in_order(connection)
    await connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    (found,) = _found(await check_database(connection), "warning")
    assert expected in found


async def test_a_site_whose_entry_has_ended_is_warned_of(connection: Connection) -> None:
    ended = REGISTRY.replace("lanes = 3\nvalid_from", "lanes = 3\nvalid_to = 2026-01-31\nvalid_from")
    await _in_order(connection, ended)
    (found,) = _found(await check_database(connection), "warning")
    assert "no entry of its own holds today: its messages are refused" in found


async def test_evidence_without_its_captures_is_warned_of(connection: Connection) -> None:
    await _in_order(connection)
    await store_batch(connection, batch(passage(1, at=datetime.now(UTC))))
    await set_state(connection, passage(1).key.event_id, HitState.INCOMPLETE, missing=("no-rear-image",))
    (found,) = _found(await check_database(connection), "warning")
    assert "1 flagged passages of the last 7 days make no case" in found
    assert "no-rear-image 1 x (stations: S1)" in found


async def test_a_given_up_job_is_warned_of(connection: Connection) -> None:
    await _in_order(connection)
    await connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('pipeline', 'x', 'failed')"
    )
    (found,) = _found(await check_database(connection), "warning")
    assert "1 were given up" in found


async def test_a_database_that_does_not_answer_is_one_finding() -> None:
    settings = Settings.model_validate({"database_url": "postgresql://nobody@127.0.0.1:9/none"})
    found = [one for one in await examine(settings) if one.subject == "database"]
    assert [one.verdict for one in found] == ["wrong"]
    assert "cannot connect" in found[0].detail
