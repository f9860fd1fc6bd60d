"""One transaction on a connection of the pool, with an unreachable database told apart from bad content.

Whoever stores input must know the difference: what the database could not take for want of a
connection, room or a lock is tried again; what it refuses for its content is not.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from procrastinate.exceptions import ConnectorException

from domain.errors import ServiceUnavailable
from store.connection import Connection, Pool


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection in a transaction that is committed at the end, or rolled back by an error.

    Raises
    ------
    ServiceUnavailable
        The database did not answer, or could not go on. Whether a commit took place may be unknown:
        what is done again must be idempotent.
    """
    try:
        async with pool.connection() as conn:
            yield conn
    except psycopg.OperationalError as error:
        raise _unavailable(error) from error
    except ConnectorException as error:
        # Procrastinate wraps what psycopg raised while a job was deferred.
        if isinstance(error.__cause__, psycopg.OperationalError):
            raise _unavailable(error.__cause__) from error
        raise


def _unavailable(error: psycopg.OperationalError) -> ServiceUnavailable:
    return ServiceUnavailable(f"the database cannot go on ({error}); it is tried again")
