"""The web application: routers, shielding and how errors are answered, put together."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from api import (
    disclosure,
    files,
    json_cases,
    json_passages,
    json_service,
    web_item,
    web_operations,
    web_queue,
    web_recompute,
    web_session,
)
from api.access import Principal, SignInNeeded, principal_of
from api.auth import SignInBlocked, SignInRefused
from api.languages import language_of
from api.pages import render, translated
from api.refusals import sentence_for
from api.seals import SealChecks
from api.shielding import Shielding
from api.turns import TookTooLong
from api.web_session import own_path
from api.wiring import Wiring
from domain.errors import (
    ConflictingChange,
    EvidenceBroken,
    InputRefused,
    NotFound,
    NotPermitted,
    RuleViolation,
    ServiceUnavailable,
    ZhichaoError,
)

log = logging.getLogger(__name__)

STATUS: dict[type[ZhichaoError], HTTPStatus] = {
    SignInNeeded: HTTPStatus.UNAUTHORIZED,
    SignInRefused: HTTPStatus.UNAUTHORIZED,
    SignInBlocked: HTTPStatus.TOO_MANY_REQUESTS,
    NotFound: HTTPStatus.NOT_FOUND,
    NotPermitted: HTTPStatus.FORBIDDEN,
    ConflictingChange: HTTPStatus.CONFLICT,
    RuleViolation: HTTPStatus.UNPROCESSABLE_ENTITY,
    InputRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    EvidenceBroken: HTTPStatus.INTERNAL_SERVER_ERROR,
    TookTooLong: HTTPStatus.GATEWAY_TIMEOUT,
    ServiceUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""How errors are answered; the nearest class counts, and what is not named is 500."""

RETRY_AFTER_S = 5
"""What a client is told to wait when the database or another service is away."""


def create_app(wiring: Wiring) -> FastAPI:
    """Return the application, ready to be served; it opens and closes nothing of the wiring."""
    app = FastAPI(
        title="zhichao",
        version=wiring.version,
        description="Off-site truck overload enforcement: passages, evidence, cases.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.wiring = wiring
    app.state.seals = SealChecks(wiring)
    for router in (
        json_service.router,
        json_passages.router,
        json_cases.router,
        files.router,
        disclosure.router,
        web_session.router,
        web_queue.router,
        web_item.router,
        web_recompute.router,
        web_operations.router,
    ):
        app.include_router(router)
    app.mount("/static", files.static_files)
    app.add_middleware(Shielding)
    for error, status in STATUS.items():
        app.add_exception_handler(error, _answer(status))
    app.add_exception_handler(ZhichaoError, _answer(HTTPStatus.INTERNAL_SERVER_ERROR))
    app.add_exception_handler(HTTPException, _unrouted)
    return app


def _answer(status: HTTPStatus) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(request: Request, error: Exception) -> Response:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s %s: %s", request.method, request.url.path, error)
        return await _problem(request, status, str(error), error)

    return handler


async def _unrouted(request: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
    return await _problem(request, status, status.phrase, error)


async def _problem(request: Request, status: HTTPStatus, detail: str, error: Exception) -> Response:
    headers = {}
    if isinstance(error, SignInBlocked):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, ServiceUnavailable):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        if status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse({"error": type(error).__name__, "detail": detail}, status, headers)
    if isinstance(error, SignInNeeded):
        target = own_path(request.url.path) if request.method == "GET" else "/queue"
        return RedirectResponse(f"/login?next={target}", HTTPStatus.SEE_OTHER)
    page = render(
        request,
        "problem.html",
        person=await _person_if_known(request, error),
        status=status,
        heading=translated(request, "This did not work"),
        sentence=sentence_for(error, language_of(request)),
        detail=detail,
    )
    page.headers.update(headers)
    return page


async def _person_if_known(request: Request, error: Exception) -> Principal | None:
    if isinstance(error, ServiceUnavailable):  # the session lies in the database too; do not wait again
        return None
    try:
        return await principal_of(request)
    except (NotPermitted, ServiceUnavailable):
        return None
