"""Sign-in page, sign-out, and the choice of language."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from api import languages
from api.access import COOKIE, ChangingPerson, address_of, wiring_of
from api.auth import SignInBlocked, SignInRefused, sign_in, sign_out
from api.languages import language_of
from api.pages import render, translated
from api.refusals import sentence_for
from domain.errors import RuleViolation

router = APIRouter(include_in_schema=False)
_YEAR_S = 365 * 24 * 3600


def own_path(target: str) -> str:
    """Return the target if it is a path of this site, else the start page: no open redirects."""
    parts = urlsplit(target)
    inside = not parts.scheme and not parts.netloc and target.startswith("/") and "\\" not in target
    return target if inside and not target.startswith("//") and target.isprintable() else "/queue"


@router.get("/")
async def start() -> Response:
    """Lead to the queue."""
    return RedirectResponse("/queue", 303)


@router.get("/login")
async def sign_in_page(request: Request, target: Annotated[str, Query(alias="next")] = "/queue") -> Response:
    """Show the sign-in form."""
    return render(request, "login.html", target=own_path(target), username="", problem=None)


@router.post("/login")
async def signing_in(
    request: Request,
    username: Annotated[str, Form()],
    password: Annotated[str, Form()],
    target: Annotated[str, Form(alias="next")] = "/queue",
) -> Response:
    """Check the password and set the cookie."""
    wiring = wiring_of(request)
    origin = request.headers.get("origin")
    # A foreign page could otherwise sign somebody in under another name (login CSRF).
    if origin is not None and origin != "null" and urlsplit(origin).netloc != request.headers.get("host"):
        problem = translated(request, "The form did not come from this site.")
        return render(request, "login.html", status=403, target="/queue", username="", problem=problem)
    try:
        fresh = await sign_in(wiring, username.strip(), password, address_of(request))
    except SignInBlocked as blocked:
        problem = translated(request, "Too many failed tries. Wait %(seconds)s seconds and try again.")
        page = render(
            request,
            "login.html",
            status=429,
            target=own_path(target),
            username=username,
            problem=problem % {"seconds": blocked.retry_after_s},
        )
        page.headers["Retry-After"] = str(blocked.retry_after_s)
        return page
    except (SignInRefused, RuleViolation) as refused:
        if isinstance(refused, SignInRefused):
            status, problem = 401, translated(request, "Name or password is wrong.")
        else:
            status, problem = 422, sentence_for(refused, language_of(request)) or str(refused)
        return render(
            request, "login.html", status=status, target=own_path(target), username=username, problem=problem
        )
    await sign_out(wiring, request.cookies.get(COOKIE, ""))  # whoever was signed in here before
    answer = RedirectResponse(own_path(target), 303)
    answer.set_cookie(
        COOKIE,
        fresh.token,
        max_age=int(wiring.session_length.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=wiring.secure_cookies,
    )
    return answer


@router.post("/logout")
async def signing_out(request: Request, person: ChangingPerson) -> Response:
    """End the session of whoever asks, by cookie or token."""
    await sign_out(wiring_of(request), person.token or "")
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=wiring_of(request).secure_cookies)
    return answer


@router.get("/language/{code}")
async def choose_language(
    request: Request, code: str, target: Annotated[str, Query(alias="next")] = "/queue"
) -> Response:
    """Remember a language and return to the page."""
    answer = RedirectResponse(own_path(target), 303)
    chosen = languages.known(code)
    if chosen is not None:
        answer.set_cookie(
            languages.COOKIE,
            chosen,
            max_age=_YEAR_S,
            httponly=True,
            samesite="lax",
            secure=wiring_of(request).secure_cookies,
        )
    return answer
