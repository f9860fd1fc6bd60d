"""Accounts set from the command line, and what becomes of the signing key that each opens."""

from datetime import UTC, datetime

from api.auth import hash_password, password_matches
from domain.errors import NotPermitted
from service.administration import open_database
from service.keys import ensure_keys
from service.officer_keys import OfficerKeyRing
from service.settings import Settings
from store.accounts import account, add_account, set_disabled, set_password
from store.connection import Connection
from store.officer_keys import hold_account, key_in_use


async def create_account(
    settings: Settings, username: str, *, role: str, officer: str | None, password: str
) -> None:
    """Create an account that may sign in; errors as `store.accounts.add_account` and `hash_password`."""
    hashed = hash_password(password)
    async with open_database(settings) as conn:
        await add_account(
            conn,
            username=username,
            password_hash=hashed,
            role=role,
            officer_id=officer,
        )


async def disable_account(settings: Settings, username: str) -> None:
    """Shut an account out: its open sessions and its signing key end; errors as `set_disabled`.

    The end of the key is a statement in the log: what was signed before it holds, nothing after it does.
    """
    async with open_database(settings) as conn:
        await set_disabled(conn, username, True)
        await _end_key(settings, conn, username, "account disabled")


async def enable_account(settings: Settings, username: str) -> None:
    """Let an account in again; its next sign-in makes another signing key. Errors as `set_disabled`."""
    async with open_database(settings) as conn:
        await set_disabled(conn, username, False)


async def change_password(settings: Settings, username: str, password: str) -> None:
    """Replace an account's password; its sessions and its signing key end; errors as `set_password`.

    Who sets a password for another knows it. The key, which only the old one opens, is ended by a logged
    statement; the officer gets another at the next sign-in.
    """
    hashed = hash_password(password)
    async with open_database(settings) as conn:
        await set_password(conn, username, hashed)
        await _end_key(settings, conn, username, "password reset")


async def change_own_password(settings: Settings, username: str, *, old: str, new: str) -> None:
    """Replace a password by whoever knows it: the signing key stays, locked with the new one.

    Raises
    ------
    NotPermitted
        The old password is wrong, or the account is disabled.
    """
    async with open_database(settings) as conn:
        await hold_account(
            conn, username
        )  # or a reset that comes meanwhile would be undone by the old password
        found = await account(conn, username)
        if found is None or found.disabled or not password_matches(found.password_hash, old):
            raise NotPermitted("name or password is wrong")
        await set_password(conn, username, hash_password(new))
        if await key_in_use(conn, username) is not None:
            await OfficerKeyRing(ensure_keys(settings).service).relock(conn, username, old=old, new=new)


async def _end_key(settings: Settings, conn: Connection, username: str, reason: str) -> None:
    """End an account's key, if it has one, in the caller's transaction, which holds the account."""
    if await key_in_use(conn, username) is not None:
        ring = OfficerKeyRing(ensure_keys(settings).service)
        await ring.end(conn, username, reason=reason, now=datetime.now(UTC))
