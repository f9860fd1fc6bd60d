"""Signing in: argon2id passwords, hashed session tokens, back-off of failed tries.

An unknown name costs the same time as a known one, and both get the same answer. Failures are
counted by name and address together, and by address; each beyond the allowance doubles the wait.

Argon2 takes 64 MiB for every password it tries. No more than `Wiring.hashing` allows are tried at a
time, and whether a name has to wait is asked once its turn has come: a flood of guesses sent at once
neither fills the memory nor gets more tries than the same guesses one by one. Who waits too long for
a turn, or finds too many waiting, is told to come again.

A session begins only while the account stands as its password was found right: what is disabled, or given
another password, while somebody signs in, ends that sign-in.
"""

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from anyio import CapacityLimiter, fail_after, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from api.wiring import OpenKey, Wiring
from domain.errors import ConflictingChange, NotPermitted, RuleViolation, ServiceUnavailable
from store import accounts
from store.accounts import Account

TRIES_PER_NAME = 5
TRIES_PER_ADDRESS = 30
MAX_PASSWORD = 1_024
MAX_WAITING = 100
"""How many sign-ins may wait for their turn; more are told to come again."""
TURN_WAIT_S = 10.0
"""How long a sign-in waits for its turn before it is told to come again."""
_HASHER = PasswordHasher()


class SignInRefused(NotPermitted):
    """Name or password is wrong; which of the two is not said."""


class SignInBlocked(NotPermitted):
    """Too many failed tries; `retry_after_s` says how long to wait."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many failed sign-ins; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session: the token goes to the client and is not kept here."""

    token: str = field(repr=False)
    csrf_token: str = field(repr=False)
    expires_at: datetime


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password in PHC form; deliberately slow (tens of milliseconds).

    Raises
    ------
    RuleViolation
        It is longer than `MAX_PASSWORD`.
    """
    refuse_too_long(password)
    return _HASHER.hash(password)


def refuse_too_long(password: str) -> None:
    """Raise `RuleViolation` for a password that nobody can have set, before any work is spent on it."""
    if len(password) > MAX_PASSWORD:
        raise RuleViolation(f"a password has at most {MAX_PASSWORD} characters; this one is longer")


def token_digest(token: str) -> bytes:
    """Return what is stored of a session token."""
    return hashlib.sha256(token.encode()).digest()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe())


def password_matches(stored: str, password: str) -> bool:
    """Say whether a password is the one of a stored hash; raises `RuleViolation` where it is too long."""
    refuse_too_long(password)
    return _matches(stored, password)


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(stored or _nobodys_hash(), password)
    except (VerifyMismatchError, InvalidHashError):
        return False


async def check_password(wiring: Wiring, username: str, password: str, address: str) -> Account:
    """Return the account if the password is right.

    Raises
    ------
    SignInBlocked
        Too many failures before this one.
    SignInRefused
        Name or password is wrong, the account is disabled, or a demo account outside the demo.
    RuleViolation
        The password is longer than any can be.
    ServiceUnavailable
        Too many people sign in at this moment.
    """
    refuse_too_long(password)
    if not username.isprintable():  # PostgreSQL has no text with NUL in it, and no account such a name
        raise SignInRefused("name or password is wrong")
    async with _turn(wiring):
        return await _check_in_turn(wiring, username, password, address)


@asynccontextmanager
async def _turn(wiring: Wiring) -> AsyncIterator[None]:
    """Hold one of the turns at work with a password; ServiceUnavailable where none comes in time."""
    busy = ServiceUnavailable("too many sign-ins at this moment; try again in some seconds")
    if wiring.hashing.statistics().tasks_waiting >= MAX_WAITING:
        raise busy
    try:
        with fail_after(TURN_WAIT_S):
            await wiring.hashing.acquire()
    except TimeoutError:
        raise busy from None
    try:
        yield
    finally:
        wiring.hashing.release()


async def _check_in_turn(wiring: Wiring, username: str, password: str, address: str) -> Account:
    now = wiring.now()
    by_name, by_address = f"name:{username[:64]}@{address}", f"address:{address}"
    async with wiring.transaction() as conn:
        until = await accounts.blocked_until(conn, [by_name, by_address], now)
        found = await accounts.account(conn, username)
    if until is not None:
        raise SignInBlocked(max(1, round((until - now).total_seconds())))
    stored = found.password_hash if found is not None else None
    # A thread of its own: whoever has a turn does not wait again, behind other work's threads.
    right = await to_thread.run_sync(_matches, stored, password, limiter=CapacityLimiter(1))
    if found is None or not right or found.disabled or (found.demo and not wiring.demo):
        async with wiring.transaction() as conn:
            await accounts.count_failure(conn, by_name, allowed=TRIES_PER_NAME, now=now)
            await accounts.count_failure(conn, by_address, allowed=TRIES_PER_ADDRESS, now=now)
        raise SignInRefused("name or password is wrong")
    async with wiring.transaction() as conn:
        await accounts.clear_failures(conn, by_name)
    return found


async def sign_in(wiring: Wiring, username: str, password: str, address: str) -> SignedIn:
    """Check a password, open the officer's key and begin a session; errors as in `check_password`."""
    found = await check_password(wiring, username, password, address)
    try:
        key = await open_key(wiring, found, password)
    except ConflictingChange as changed:
        raise SignInRefused(str(changed)) from changed
    now = wiring.now()
    fresh = SignedIn(secrets.token_urlsafe(32), secrets.token_urlsafe(24), now + wiring.session_length)
    async with wiring.transaction() as conn:
        begun = await accounts.add_session(
            conn,
            found,
            token_sha256=token_digest(fresh.token),
            csrf_token=fresh.csrf_token,
            now=now,
            expires_at=fresh.expires_at,
            key_id=None if key is None else key.key_id,
            locked_key=None if key is None else key.lock_with_token(fresh.token),
        )
    if not begun:
        raise SignInRefused("the account was changed while you signed in; sign in again")
    return fresh


async def open_key(wiring: Wiring, found: Account, password: str) -> OpenKey | None:
    """Open the signing key of an officer whose password is right, or make it; None for who is no officer.

    Raises
    ------
    ConflictingChange
        The account or its key is being changed.
    ServiceUnavailable
        Too many people sign in at this moment.
    """
    if found.officer_id is None:
        return None
    async with _turn(wiring):
        return await wiring.officer_keys.by_password(wiring.transaction, found, password, wiring.now())


async def sign_out(wiring: Wiring, token: str) -> None:
    """End the session of a token."""
    async with wiring.transaction() as conn:
        await accounts.drop_session(conn, token_digest(token))
