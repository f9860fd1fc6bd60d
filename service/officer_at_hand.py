"""An officer at the command line: password checked, licence valid today, their own key opened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from api.auth import password_matches
from domain.errors import NotPermitted
from evidence import Signer
from evidence.officer_keys import OfficerKey
from service.officer_keys import OfficerKeyRing
from store.accounts import account
from store.cases import PostgresCaseBook
from store.connection import Connection
from store.registry import local_day


class ActingOfficer(NamedTuple):
    """Who signs an act."""

    username: str
    licence: str
    key: OfficerKey


async def acting_officer(
    conn: Connection, username: str, password: str, *, service: Signer, now: datetime
) -> ActingOfficer:
    """Return an officer with their key opened; a key made for the first time is committed with `conn`.

    Raises
    ------
    NotPermitted
        Name or password is wrong, the account is disabled, of the demo or no officer's, or no licence is
        valid today.
    """
    found = await account(conn, username)
    if found is None or found.disabled or found.demo or not password_matches(found.password_hash, password):
        raise NotPermitted("name or password is wrong")
    who = await PostgresCaseBook(conn).reviewer(username, local_day(now))
    if who.officer_id is None or who.licence is None:
        raise NotPermitted(f"{username} is no officer with a licence valid today; only one may sign for this")
    ring = OfficerKeyRing(service)
    key = await ring.by_password(lambda: _same(conn), found, password, now)
    return ActingOfficer(username, who.licence, key)


@asynccontextmanager
async def _same(conn: Connection) -> AsyncIterator[Connection]:
    async with conn.transaction():
        yield conn
