"""Who is asking: the session behind a cookie, a bearer token or HTTP Basic, and what their role allows.

A request that is known by its cookie must prove with the session's CSRF token that it comes from
our own pages before it may change anything; bearer and Basic are sent by programs on purpose. An
Authorization header of any other scheme is nobody's credentials here, and frees nobody from that proof.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.auth import check_password, token_digest
from api.wiring import Wiring
from domain.errors import NotPermitted
from store import accounts
from store.accounts import Account

COOKIE = "zhichao_session"
REVIEWING_ROLES = frozenset({"reviewer", "supervisor"})


class SignInNeeded(NotPermitted):
    """The request carries no valid credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The person a request acts for."""

    username: str
    role: str
    officer_id: str | None
    csrf_token: str | None
    """None only where an Authorization header signed them in, which no foreign page can send."""
    token: str | None = field(default=None, repr=False)
    """The session's; it opens their signing key."""
    account: Account | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    """With the account, where HTTP Basic signed them in."""

    @property
    def may_review(self) -> bool:
        """Whether the role may review; a valid licence is checked at every claim and decision."""
        return self.role in REVIEWING_ROLES


def wiring_of(request: Request) -> Wiring:
    """Return what the service handed in."""
    wiring: Wiring = request.app.state.wiring
    return wiring


def address_of(request: Request) -> str:
    """Return the peer's address; a reverse proxy is made known to uvicorn, not here."""
    return request.client.host if request.client else "unknown"


async def principal_of(request: Request) -> Principal:
    """Return who is asking.

    Raises
    ------
    SignInNeeded
        No credentials, or none that are valid.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "basic":
            return await _by_basic(request, value)
        case "bearer":
            return await _by_token(request, value.strip(), by_cookie=False)
        case _:
            return await _by_token(request, request.cookies.get(COOKIE, ""), by_cookie=True)


async def _by_token(request: Request, token: str, *, by_cookie: bool) -> Principal:
    if not token:
        raise SignInNeeded("sign in first")
    wiring = wiring_of(request)
    async with wiring.transaction() as conn:
        found = await accounts.session(conn, token_digest(token), wiring.now())
    if found is None or (found.demo and not wiring.demo):
        raise SignInNeeded("the session has ended; sign in again")
    return Principal(
        username=found.username,
        role=found.role,
        officer_id=found.officer_id,
        csrf_token=found.csrf_token if by_cookie else None,
        token=token,
    )


async def _by_basic(request: Request, value: str) -> Principal:
    try:
        username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SignInNeeded("the Authorization header is not valid Basic") from error
    found = await check_password(wiring_of(request), username, password, address_of(request))
    return Principal(
        username=found.username,
        role=found.role,
        officer_id=found.officer_id,
        csrf_token=None,
        account=found,
        password=password,
    )


SignedInPerson = Annotated[Principal, Depends(principal_of)]


async def changing_person(request: Request, person: SignedInPerson) -> Principal:
    """Return who is asking to change something, the CSRF token checked where one is due.

    Raises
    ------
    NotPermitted
        The CSRF token is missing or wrong.
    """
    if person.csrf_token is None:
        return person
    given = request.headers.get("x-csrf-token")
    if given is None:
        field = (await request.form()).get("csrf")
        given = field if isinstance(field, str) else ""
    if not hmac.compare_digest(given.encode(), person.csrf_token.encode()):
        raise NotPermitted("the form is too old or not from this site; reload the page and try again")
    return person


ChangingPerson = Annotated[Principal, Depends(changing_person)]
