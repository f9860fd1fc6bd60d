"""Officers' keys at work: made and opened at sign-in, re-locked for the session, ended with a reset password.

An account that belongs to an officer gets its key at its first sign-in, when its password is at hand. Where
the password was set anew by an administrator, the key does not open any more: it is ended, by a logged
statement, and another one is given.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from typing import TypeVar, TypeVarTuple, Unpack

from anyio import CapacityLimiter, to_thread

from domain.acts import Act, SignedAct
from domain.errors import ConflictingChange, NotPermitted
from domain.ids import OfficerId
from evidence import Signer, statement_leaf
from evidence.acts import sign_act, sign_officer_key, sign_officer_key_end
from evidence.officer_keys import Cost, OfficerKey, unlock_with_password, unlock_with_token
from store.accounts import Account, still_stands
from store.connection import Connection
from store.officer_keys import StoredKey, end_key, give_key, hold_account, key_in_use, relock_key

Begin = Callable[[], AbstractAsyncContextManager[Connection]]
"""Gives a connection whose work is committed at the end of the block."""

_ATTEMPTS = 3
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class OfficerKeyRing:
    """What signs for officers, with their keys, and for the service beside them.

    Parameters
    ----------
    service
        The service's key, which countersigns.
    cost
        What trying a password costs; only tests make it cheap.
    """

    def __init__(self, service: Signer, *, cost: Cost | None = None) -> None:
        self._service = service
        self._cost = cost

    async def by_password(self, begin: Begin, account: Account, password: str, now: datetime) -> OfficerKey:
        """Open an officer's key with the password that their account was read with; make one where none is.

        Raises
        ------
        NotPermitted
            The account is no officer's.
        ConflictingChange
            The account was changed since, or the key is being changed by others again and again.
        """
        username, officer = account.username, account.officer_id
        if officer is None:
            raise NotPermitted(f"{username} is no officer's account; it has no signing key")
        for _ in range(_ATTEMPTS):
            async with begin() as conn:
                stored = await key_in_use(conn, username)
            opened = None if stored is None else await _in_thread(_opened, stored, password)
            if opened is not None:
                return opened
            key, locked = await _in_thread(self._made, OfficerId(officer), password)
            async with begin() as conn:
                if await self._replace(conn, account, stored, key=key, locked=locked, now=now):
                    return key
        raise ConflictingChange(f"the signing key of {username} is being changed; sign in again")

    def by_token(self, stored: StoredKey, token: str) -> OfficerKey:
        """Open the key that was locked for a session; raises `NotPermitted`."""
        return unlock_with_token(
            stored.locked, token, officer=stored.officer_id, public_key=stored.public_key
        )

    def sign(self, act: Act, key: OfficerKey | None) -> SignedAct:
        """Sign an act with an officer's key and countersign it; errors as `evidence.acts.sign_act`."""
        return sign_act(act, key, self._service)

    async def end(self, conn: Connection, username: str, *, reason: str, now: datetime) -> bool:
        """End an account's key in the caller's transaction; False where it has none."""
        await hold_account(conn, username)
        stored = await key_in_use(conn, username)
        if stored is not None:
            await self._end(conn, stored, reason, now)
        return stored is not None

    async def relock(self, conn: Connection, username: str, *, old: str, new: str) -> None:
        """Lock an account's key with a new password, in the caller's transaction.

        Raises
        ------
        NotPermitted
            The old password does not open it.
        """
        await hold_account(conn, username)
        stored = await key_in_use(conn, username)
        if stored is None:
            return
        key = await _in_thread(_opened, stored, old)
        if key is None:
            raise NotPermitted("the signing key does not open with the present password; sign in once first")
        await relock_key(conn, stored.key_id, await _in_thread(self._locked, key, new))

    async def _replace(
        self,
        conn: Connection,
        account: Account,
        stored: StoredKey | None,
        *,
        key: OfficerKey,
        locked: bytes,
        now: datetime,
    ) -> bool:
        """Give a new key in the place of one that does not open; False where somebody else was first.

        The password is asked for again here, under the account's lock: one that was right a moment ago would
        otherwise take the key from whoever set another, and come by a key of its own.
        """
        username = account.username
        if not await still_stands(conn, account):
            raise ConflictingChange(f"the account {username} was changed meanwhile; sign in again")
        present = await key_in_use(conn, username)
        if present != stored:
            return False
        if stored is not None:
            await self._end(conn, stored, "password set anew", now)
        envelope = await _in_thread(partial(sign_officer_key, key, self._service, at=now))
        await give_key(
            conn,
            username,
            StoredKey(key.key_id, key.officer, key.public_key, locked),
            envelope=envelope,
            leaf=statement_leaf(envelope),
            at=now,
        )
        return True

    async def _end(self, conn: Connection, stored: StoredKey, reason: str, now: datetime) -> None:
        sign = partial(
            sign_officer_key_end, stored.key_id, stored.officer_id, self._service, at=now, reason=reason
        )
        envelope = await _in_thread(sign)  # a token may take its time, and the loop serves everybody
        await end_key(conn, stored.key_id, envelope=envelope, leaf=statement_leaf(envelope), at=now)

    def _made(self, officer: OfficerId, password: str) -> tuple[OfficerKey, bytes]:
        key = OfficerKey.generate(officer)
        return key, self._locked(key, password)

    def _locked(self, key: OfficerKey, password: str) -> bytes:
        return key.lock_with_password(password, cost=self._cost)


async def _in_thread(work: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """Do slow work beside the event loop; the caller bounds how much at once, other work's threads do not."""
    return await to_thread.run_sync(work, *arguments, limiter=CapacityLimiter(1))


def _opened(stored: StoredKey, password: str) -> OfficerKey | None:
    try:
        return unlock_with_password(
            stored.locked, password, officer=stored.officer_id, public_key=stored.public_key
        )
    except NotPermitted:
        return None
