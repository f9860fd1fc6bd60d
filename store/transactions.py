"""A transaction from the pool, with the database's absence said in our own words.

What went wrong decides what the caller may do: a server that is away is worth trying again with the
same data (ServiceUnavailable), anything else lies in the data or the code and passes unchanged. A server
that cannot write now, or not yet (standby, missing grant or table, shutting down, corrupt), is away too:
no data is to blame for it, and it may be put right at any time.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
from procrastinate.exceptions import ConnectorException

from domain.errors import ServiceUnavailable
from store.connection import Connection, Pool

_ABSENT = frozenset({"25", "42", "53", "57", "58", "XX"})
"""SQLSTATE classes that say something of the server's state, not of the data: invalid transaction state
(25006: read-only), access rule or missing object, resources, operator's intervention, system, internal."""

_LIMIT_EXCEEDED = "54"
"""SQLSTATE class "program limit exceeded": counted as operational by psycopg, but it lies in the data."""


@asynccontextmanager
async def transaction(pool: Pool, *, timeout_s: float | None = None) -> AsyncIterator[Connection]:
    """Give a connection whose work is committed at the end of the block, or rolled back if it raises.

    Parameters
    ----------
    timeout_s
        How long to wait for a free connection; the pool's own time where None.

    Raises
    ------
    ServiceUnavailable
        The database did not answer, broke off, or asks to try again (deadlock, serialisation, disk full),
        or cannot write now (read-only, a table or grant missing).
        Whether a commit took place may be unknown: what is done again must be idempotent.
    """
    with _told_apart():
        async with pool.connection(timeout=timeout_s) as conn:
            yield conn


@asynccontextmanager
async def transaction_on(conn: Connection) -> AsyncIterator[None]:
    """Open a transaction on a connection of one's own; errors as `transaction`."""
    with _told_apart():
        async with conn.transaction():
            yield


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, ConnectorException) as error:
        if not _is_absence(error):
            raise
        raise ServiceUnavailable(f"the database broke off ({error}); trying again is right") from error


def _is_absence(error: BaseException) -> bool:
    # Procrastinate wraps what psycopg raised while a job was deferred.
    cause = error.__cause__ if isinstance(error, ConnectorException) else error
    if isinstance(cause, psycopg.InterfaceError):
        return True
    if not isinstance(cause, psycopg.Error):
        return False
    sqlstate_class = (cause.sqlstate or "")[:2]
    if sqlstate_class in _ABSENT:
        return True
    return isinstance(cause, psycopg.OperationalError) and sqlstate_class != _LIMIT_EXCEEDED
