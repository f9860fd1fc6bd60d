"""Signing for the person who asks: with their own key, opened by token or password."""

from functools import partial

from api.access import Principal
from api.auth import open_key, token_digest
from api.wiring import OpenKey, Wiring
from cases.ports import Sign
from domain.acts import Act, SignedAct
from domain.errors import NotPermitted
from store.officer_keys import key_of_session


async def signing(wiring: Wiring, person: Principal) -> Sign:
    """Return what signs acts with this person's key.

    Raises
    ------
    NotPermitted
        They are no officer, or their session holds no key of theirs that is in use.
    """
    return partial(sign_bounded, wiring, key=await _key(wiring, person))


async def sign_bounded(wiring: Wiring, act: Act, key: OpenKey | None) -> SignedAct:
    """Sign an act off the event loop, where the service's token may be slow or hang.

    Raises
    ------
    ServiceUnavailable
        Too many ask for a signature, or this one took too long.
    """
    return await wiring.signing.run(wiring.officer_keys.sign, act, key)


async def _key(wiring: Wiring, person: Principal) -> OpenKey:
    if person.officer_id is None:
        raise NotPermitted("this account belongs to no officer; an administrator can name the officer")
    if person.account is not None and person.password is not None:
        opened = await open_key(wiring, person.account, person.password)
        if opened is not None:
            return opened
    if person.token is not None:
        async with wiring.transaction() as conn:
            stored = await key_of_session(conn, token_digest(person.token), wiring.now())
        if stored is not None and stored.officer_id == person.officer_id:
            return wiring.officer_keys.by_token(stored, person.token)
    raise NotPermitted("this session holds no signing key; sign in again")
