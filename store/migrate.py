"""Migrations: numbered .sql files, each applied once, in order, in one transaction.

A file that was applied is history: its digest is kept, and a changed file is refused, because a
database made before and one made after the change would differ without anybody knowing. Several
processes may start at once; an advisory lock lets one of them migrate while the others wait.
"""

import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from typing import NamedTuple

from procrastinate.schema import SchemaManager

from domain.errors import ConfigurationError
from store.connection import Connection, connect
from store.partitions import ensure_partitions

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class Migration(NamedTuple):
    """One file of store/migrations."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Digest of the file's text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped_migrations() -> list[Migration]:
    """Return the migrations that come with this version, in the order they are applied."""
    folder = files("store") / "migrations"
    found = [
        Migration(entry.name, entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found)


async def migrate(conninfo: str, *, migrations: list[Migration] | None = None) -> list[str]:
    """Bring the database to this version's schema; return the names of the migrations applied now.

    Raises
    ------
    ConfigurationError
        An applied migration has changed, or the database is newer than this software.
    ServiceUnavailable
        The database did not answer.
    """
    wanted = shipped_migrations() if migrations is None else migrations
    conn = await connect(conninfo)
    async with conn:
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('zhichao migrate', 0))")
        await conn.execute(_LEDGER)
        await _ensure_job_tables(conn)
        applied = await _applied(conn)
        _refuse_history_changed(wanted, applied)
        pending = [migration for migration in wanted if migration.name not in applied]
        for migration in pending:
            await conn.execute(migration.sql)
            await conn.execute(
                "INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)",
                [migration.name, migration.sha256],
            )
        await ensure_partitions(conn, datetime.now(UTC).date())
    return [migration.name for migration in pending]


async def pending_migrations(conn: Connection) -> list[str]:
    """Return names of shipped migrations the database lacks; for `doctor` and readiness.

    Raises
    ------
    ConfigurationError
        As `migrate`.
    """
    cursor = await conn.execute("SELECT to_regclass('schema_migration') IS NULL")
    row = await cursor.fetchone()
    wanted = shipped_migrations()
    if row is not None and row[0]:
        return [migration.name for migration in wanted]
    applied = await _applied(conn)
    _refuse_history_changed(wanted, applied)
    return [migration.name for migration in wanted if migration.name not in applied]


async def _applied(conn: Connection) -> dict[str, str]:
    cursor = await conn.execute("SELECT name, sha256 FROM schema_migration")
    return dict(await cursor.fetchall())


def _refuse_history_changed(wanted: list[Migration], applied: dict[str, str]) -> None:
    known = {migration.name: migration.sha256 for migration in wanted}
    for name, sha256 in applied.items():
        if name not in known:
            raise ConfigurationError(
                f"the database has migration {name}, which this version does not know: it was migrated by a "
                "newer version; run that one, or restore a backup made before"
            )
        if known[name] != sha256:
            raise ConfigurationError(
                f"migration {name} was changed after it was applied to this database; restore the file as it "
                "was released and put the change into a new migration"
            )


async def _ensure_job_tables(conn: Connection) -> None:
    # Procrastinate's own schema script cannot be run twice.
    cursor = await conn.execute("SELECT to_regclass('procrastinate_jobs') IS NULL")
    row = await cursor.fetchone()
    if row is not None and row[0]:
        await conn.execute(SchemaManager.get_schema())
