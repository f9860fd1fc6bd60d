"""Accounts, sessions and failed sign-ins. Passwords and tokens arrive here hashed, never in the clear."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors
from psycopg.rows import class_row

from domain.errors import ConfigurationError, ConflictingChange, NotFound
from store.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Someone who may sign in."""

    username: str
    password_hash: str
    """Argon2id, in PHC form."""
    role: str
    officer_id: str | None
    demo: bool
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A sign-in that has not expired, with what is needed of its account."""

    username: str
    role: str
    officer_id: str | None
    demo: bool
    csrf_token: str
    expires_at: datetime


async def add_account(
    conn: Connection,
    *,
    username: str,
    password_hash: str,
    role: str,
    officer_id: str | None,
    demo: bool = False,
) -> None:
    """Store a new account.

    Raises
    ------
    ConflictingChange
        The name is taken.
    ConfigurationError
        The name, the role or the officer is not acceptable.
    """
    try:
        await conn.execute(
            """INSERT INTO account (username, password_hash, role, officer_id, demo)
               VALUES (%s, %s, %s, %s, %s)""",
            [username, password_hash, role, officer_id, demo],
        )
    except errors.UniqueViolation as error:
        raise ConflictingChange(f"the account {username} exists already; choose another name") from error
    except errors.CheckViolation as error:
        raise ConfigurationError(
            f"account {username!r} with role {role!r} is not acceptable: 2 to 32 characters a-z 0-9 . _ -, "
            "beginning with a letter; role reviewer, supervisor or administrator"
        ) from error
    except errors.ForeignKeyViolation as error:
        raise ConfigurationError(
            f"there is no officer {officer_id}; add the officer to the registry"
        ) from error


async def set_password(conn: Connection, username: str, password_hash: str) -> None:
    """Replace a password and end every session of the account; NotFound where there is none."""
    cursor = await conn.execute(
        "UPDATE account SET password_hash = %s WHERE username = %s", [password_hash, username]
    )
    if cursor.rowcount != 1:
        raise NotFound(f"there is no account {username}")
    await conn.execute("DELETE FROM web_session WHERE username = %s", [username])


async def set_disabled(conn: Connection, username: str, disabled: bool) -> None:
    """Let an account sign in no more, and end its sessions; or let it again. NotFound where there is none."""
    cursor = await conn.execute("UPDATE account SET disabled = %s WHERE username = %s", [disabled, username])
    if cursor.rowcount != 1:
        raise NotFound(f"there is no account {username}")
    if disabled:
        await conn.execute("DELETE FROM web_session WHERE username = %s", [username])


async def account(conn: Connection, username: str) -> Account | None:
    """Return an account, disabled or not."""
    async with conn.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute(
            """SELECT username, password_hash, role, officer_id, demo, disabled
               FROM account WHERE username = %s""",
            [username],
        )
        return await cursor.fetchone()


async def demo_accounts(conn: Connection) -> list[str]:
    """Return the names of demo accounts that could still sign in."""
    cursor = await conn.execute("SELECT username FROM account WHERE demo AND NOT disabled ORDER BY username")
    return [row[0] for row in await cursor.fetchall()]


async def add_session(
    conn: Connection,
    account: Account,
    *,
    token_sha256: bytes,
    csrf_token: str,
    now: datetime,
    expires_at: datetime,
    key_id: str | None = None,
    locked_key: bytes | None = None,
) -> bool:
    """Store a session, with the officer's key as its token opens it, and forget those that expired.

    False, and nothing stored, where the account was changed since it was read (`still_stands`), or the key
    has ended.
    """
    await drop_expired(conn, now)
    if not await still_stands(conn, account):
        return False
    cursor = await conn.execute(
        """INSERT INTO web_session (token_sha256, username, csrf_token, created_at, expires_at, key_id,
               locked_key)
           SELECT %(token)s, %(username)s, %(csrf)s, %(now)s, %(expires)s, %(key)s::text, %(locked)s
           WHERE %(key)s::text IS NULL OR EXISTS (
               SELECT FROM officer_key
               WHERE key_id = %(key)s AND username = %(username)s AND ended_at IS NULL)""",
        {
            "token": token_sha256,
            "username": account.username,
            "csrf": csrf_token,
            "now": now,
            "expires": expires_at,
            "key": key_id,
            "locked": locked_key,
        },
    )
    return cursor.rowcount == 1


async def still_stands(conn: Connection, account: Account) -> bool:
    """Say whether an account has the password and officer it was read with, and is not disabled.

    It stays so until the caller's transaction ends: who sets a password or disables waits.
    """
    cursor = await conn.execute(
        """SELECT FROM account WHERE username = %s AND password_hash = %s AND NOT disabled
               AND officer_id IS NOT DISTINCT FROM %s FOR NO KEY UPDATE""",
        [account.username, account.password_hash, account.officer_id],
    )
    return await cursor.fetchone() is not None


async def session(conn: Connection, token_sha256: bytes, now: datetime) -> Session | None:
    """Return the running session of a token, of an account that is not disabled."""
    async with conn.cursor(row_factory=class_row(Session)) as cursor:
        await cursor.execute(
            """SELECT a.username, a.role, a.officer_id, a.demo, s.csrf_token, s.expires_at
               FROM web_session s JOIN account a USING (username)
               WHERE s.token_sha256 = %s AND s.expires_at > %s AND NOT a.disabled""",
            [token_sha256, now],
        )
        return await cursor.fetchone()


async def drop_session(conn: Connection, token_sha256: bytes) -> None:
    """End a session."""
    await conn.execute("DELETE FROM web_session WHERE token_sha256 = %s", [token_sha256])


async def drop_expired(conn: Connection, now: datetime) -> None:
    """Forget the sessions whose time is over, with the officers' keys that were locked for them."""
    await conn.execute("DELETE FROM web_session WHERE expires_at <= %s", [now])


async def blocked_until(conn: Connection, subjects: Sequence[str], now: datetime) -> datetime | None:
    """Return until when any of these may not try to sign in, or None."""
    cursor = await conn.execute(
        "SELECT max(blocked_until) FROM login_failure WHERE subject = ANY(%s) AND blocked_until > %s",
        [list(subjects), now],
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def count_failure(conn: Connection, subject: str, *, allowed: int, now: datetime) -> None:
    """Count a failed sign-in; beyond `allowed` each doubles the wait, from 2 s to 15 minutes.

    The count begins anew after a day without failure.
    """
    await conn.execute(
        """INSERT INTO login_failure AS f (subject, failures, blocked_until, last_at)
           VALUES (%(subject)s, 1, %(now)s, %(now)s)
           ON CONFLICT (subject) DO UPDATE SET
               failures = CASE WHEN f.last_at < %(now)s - interval '1 day' THEN 1 ELSE f.failures + 1 END,
               blocked_until = CASE
                   WHEN f.last_at < %(now)s - interval '1 day' OR f.failures + 1 <= %(allowed)s THEN %(now)s
                   ELSE %(now)s
                       + least(900, 2 ^ least(f.failures + 1 - %(allowed)s, 12)) * interval '1 second'
                   END,
               last_at = %(now)s""",
        {"subject": subject, "now": now, "allowed": allowed},
    )


async def clear_failures(conn: Connection, subject: str) -> None:
    """Forget the failures of someone who signed in."""
    await conn.execute("DELETE FROM login_failure WHERE subject = %s", [subject])
