"""Migrations: applied once, in order, and never changed afterwards."""

import asyncio
from datetime import UTC, date, datetime

import pytest

from domain.errors import ConfigurationError
from store.connection import Connection, connect
from store.migrate import Migration, migrate, pending_migrations, shipped_migrations
from store.partitions import ensure_partitions

pytestmark = pytest.mark.anyio


async def test_a_second_run_applies_nothing(empty_database_url: str) -> None:
    first = await migrate(empty_database_url)
    assert first == [migration.name for migration in shipped_migrations()]
    assert await migrate(empty_database_url) == []


async def test_processes_starting_at_once_migrate_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    assert sorted(map(len, applied)) == [0, 0, len(shipped_migrations())]


async def test_an_edited_migration_is_refused(empty_database_url: str) -> None:
    original = Migration("0001_x.sql", "CREATE TABLE x (a int)")
    later = Migration("0002_y.sql", shipped_migrations()[1].sql)
    await migrate(empty_database_url, migrations=[original, later])
    with pytest.raises(ConfigurationError, match=r"0001_x\.sql was changed"):
        await migrate(
            empty_database_url, migrations=[Migration("0001_x.sql", "CREATE TABLE x (b int)"), later]
        )


async def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="newer version"):
        await migrate(database_url, migrations=shipped_migrations()[:-1])


async def test_a_failing_migration_leaves_nothing(empty_database_url: str) -> None:
    good = Migration("0001_x.sql", "CREATE TABLE x (a int)")
    with pytest.raises(Exception, match="no_such_table"):
        await migrate(
            empty_database_url, migrations=[good, Migration("0002_y.sql", "SELECT * FROM no_such_table")]
        )
    conn = await connect(empty_database_url)
    async with conn:
        cursor = await conn.execute(
            "SELECT to_regclass('x') IS NULL, to_regclass('schema_migration') IS NULL"
        )
        assert await cursor.fetchone() == (True, True)


async def test_pending_names_what_is_missing(empty_database_url: str, connection: Connection) -> None:
    assert await pending_migrations(connection) == []
    empty = await connect(empty_database_url)
    async with empty:
        assert await pending_migrations(empty) == [migration.name for migration in shipped_migrations()]


@pytest.mark.usefixtures("native_partitions")
async def test_partitions_are_there_for_the_months_around_now(connection: Connection) -> None:
    made = await ensure_partitions(connection, date(2031, 12, 5), months_behind=1, months_ahead=1)
    assert made == ["passage_2031_11", "passage_2031_12", "passage_2032_01"]
    assert await ensure_partitions(connection, date(2031, 12, 5), months_behind=1, months_ahead=1) == []
    cursor = await connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", [f"passage_{datetime.now(UTC):%Y_%m}"]
    )
    assert await cursor.fetchone() == (True,)
