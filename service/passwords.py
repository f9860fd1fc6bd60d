"""Passwords set from the command line, and what becomes of the signing key that each opens."""

from datetime import UTC, datetime

from api.auth import hash_password, password_matches
from domain.errors import NotPermitted
from service.administration import open_database
from service.keys import ensure_keys
from service.officer_keys import OfficerKeyRing
from service.settings import Settings
from store.accounts import account, set_password
from store.officer_keys import key_in_use


async def change_password(settings: Settings, username: str, password: str) -> None:
    """Replace an account's password; its sessions and its signing key end; errors as `set_password`.

    Who sets a password for another knows it. The key, which only the old one opens, is ended by a logged
    statement; the officer gets another at the next sign-in.
    """
    now = datetime.now(UTC)
    async with open_database(settings) as conn:
        await set_password(conn, username, hash_password(password))
        if await key_in_use(conn, username) is not None:
            ring = OfficerKeyRing(ensure_keys(settings).service)
            await ring.end(conn, username, reason="password reset", now=now)


async def change_own_password(settings: Settings, username: str, *, old: str, new: str) -> None:
    """Replace a password by whoever knows it: the signing key stays, locked with the new one.

    Raises
    ------
    NotPermitted
        The old password is wrong.
    """
    async with open_database(settings) as conn:
        found = await account(conn, username)
        if found is None or not password_matches(found.password_hash, old):
            raise NotPermitted("name or password is wrong")
        await set_password(conn, username, hash_password(new))
        if await key_in_use(conn, username) is not None:
            await OfficerKeyRing(ensure_keys(settings).service).relock(conn, username, old=old, new=new)
