"""Connections to PostgreSQL: the pool, and the two questions a launcher asks before there is one.

Every connection speaks UTC, so that a timestamp read back is the one that was stored, and its
text the same wherever the service runs.
"""

from typing import TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from domain.errors import ServiceUnavailable

Connection: TypeAlias = psycopg.AsyncConnection[TupleRow]
Pool: TypeAlias = AsyncConnectionPool[Connection]

_SESSION_OPTIONS = "-c timezone=UTC"
_PROBE_TIMEOUT_S = 2


async def open_pool(
    conninfo: str,
    *,
    min_size: int = 1,
    max_size: int = 8,
    timeout_s: float = 30.0,
    application_name: str = "zhichao",
    statement_within_s: float | None = None,
) -> Pool:
    """Open a pool and wait until it holds `min_size` connections; the caller closes it.

    Connections are checked when handed out, so a restarted server costs a reconnect, not an error.

    Parameters
    ----------
    statement_within_s
        How long one statement may take, waiting for locks included, before the server breaks it off.

    Raises
    ------
    ServiceUnavailable
        The server did not answer within `timeout_s`.
    """
    options = _SESSION_OPTIONS
    if statement_within_s is not None:
        options += f" -c statement_timeout={round(statement_within_s * 1000)}"
    pool: Pool = AsyncConnectionPool(
        conninfo,
        connection_class=psycopg.AsyncConnection[TupleRow],
        min_size=min_size,
        max_size=max_size,
        timeout=timeout_s,
        kwargs={"options": options, "application_name": application_name},
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=timeout_s)
    except psycopg.OperationalError as error:
        await pool.close()
        raise ServiceUnavailable(
            f"the database did not answer within {timeout_s:g} s ({error}); "
            "check that it runs and that the database URL is right"
        ) from error
    return pool


async def connect(conninfo: str, *, autocommit: bool = False) -> Connection:
    """Open one connection outside any pool; the caller closes it.

    Raises
    ------
    ServiceUnavailable
        The server did not answer, or refused the user or database named.
    """
    try:
        return await psycopg.AsyncConnection.connect(
            conninfo, autocommit=autocommit, options=_SESSION_OPTIONS, application_name="zhichao"
        )
    except psycopg.OperationalError as error:
        raise ServiceUnavailable(
            f"cannot connect to the database ({error}); check that it runs and that the database URL is right"
        ) from error


def answers(conninfo: str) -> bool:
    """Say whether the server accepts this connection now; for a launcher's readiness loop."""
    try:
        psycopg.connect(conninfo, connect_timeout=_PROBE_TIMEOUT_S).close()
    except psycopg.OperationalError:
        return False
    return True


def ensure_database(conninfo: str, name: str) -> None:
    """Create the database `name` if the server lacks it; `conninfo` names another one of the server."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
