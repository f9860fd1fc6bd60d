"""What `doctor` asks of a database before anybody trusts it with evidence."""

from typing import NamedTuple

from store.connection import Connection

OLDEST_VERSION = 15
NEWEST_VERSION = 18


class DatabaseFacts(NamedTuple):
    """How the connected database was made and how its server runs."""

    version: int
    """Major version."""
    encoding: str
    ctype: str
    locale_provider: str
    """c: the C library, i: ICU, b: built in."""
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str
    timescaledb: bool
    max_connections: int


async def database_facts(conn: Connection) -> DatabaseFacts:
    """Return the facts of the connected database."""
    cursor = await conn.execute(
        """
        SELECT current_setting('server_version_num')::int / 10000, pg_encoding_to_char(encoding), datctype,
            datlocprovider::text, current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
            current_setting('synchronous_commit'),
            EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb'),
            current_setting('max_connections')::int
        FROM pg_database WHERE datname = current_database()
        """
    )
    (row,) = await cursor.fetchall()
    return DatabaseFacts(*row)


def objections(facts: DatabaseFacts) -> list[str]:
    """Return what speaks against using such a database, each with what to do; empty when nothing does."""
    found = []
    if not OLDEST_VERSION <= facts.version <= NEWEST_VERSION:
        found.append(
            f"PostgreSQL {facts.version} is not supported; use a version from {OLDEST_VERSION} to "
            f"{NEWEST_VERSION}"
        )
    if facts.encoding != "UTF8":
        found.append(
            f"the database's encoding is {facts.encoding}, which cannot hold plates; create it with "
            "ENCODING 'UTF8'"
        )
    if facts.locale_provider == "c" and facts.ctype in {"C", "POSIX"}:
        # pg_trgm drops what the ctype does not call a letter: 云A12345 would equal 京A12345.
        found.append(
            f"the database's ctype is {facts.ctype}, under which text search ignores Chinese characters; "
            "create it with LOCALE 'C.UTF-8' TEMPLATE template0"
        )
    if not (facts.fsync and facts.full_page_writes):
        found.append(
            "the server may lose what it has confirmed (fsync or full_page_writes is off); switch both on"
        )
    if facts.synchronous_commit == "off":
        found.append("the server confirms commits before they are on disk; set synchronous_commit = on")
    return found
