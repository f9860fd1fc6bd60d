"""A witness as a process of its own: C2SP tlog-witness over HTTP, on loopback unless told otherwise.

It needs nothing of the log's installation but the log's published key: no database, no settings, none of its
folders. So it can run on another machine, under another administration. Anybody may send it requests; what
counts is the log's signature on the checkpoint. Put TLS and a limit on slow clients (a reverse proxy) before
any address that others can reach.
"""

import argparse
import asyncio
import hashlib
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import ConfigurationError, ZhichaoError
from evidence import VerifierKey, Witness
from evidence.cosigning import ADD_CHECKPOINT, MAX_REQUEST_BYTES
from evidence.witness import Answer, answer
from evidence.witness_keys import load_witness_key, published_witness_key
from service.http_server import serve_http
from service.lifeline import Announce, configure_logging, run_child

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8090
BODY_WITHIN_S = 10.0
MOST_CONNECTIONS = 64

_KEEP_ALIVE_S = 75

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)


class WitnessOptions(NamedTuple):
    """What a witness is run with."""

    keys: Path
    """Folder of its own key."""
    state: Path
    """Folder of the heads it remembers."""
    logs: tuple[VerifierKey, ...]
    """Published keys of the logs it knows; several of one name while that log changes keys."""
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT


def witnesses_of(options: WitnessOptions) -> dict[str, Witness]:
    """Return a witness for each log, by origin, each with a folder of its own.

    Raises
    ------
    ConfigurationError
        The key cannot be used, or no log is named.
    """
    if not options.logs:
        raise ConfigurationError("a witness needs at least one log: give its published key")
    signer = load_witness_key(options.keys)
    by_origin: dict[str, list[VerifierKey]] = {}
    for key in options.logs:
        by_origin.setdefault(key.name, []).append(key)
    return {
        origin: Witness(options.state / hashlib.sha256(origin.encode()).hexdigest()[:16], signer, *keys)
        for origin, keys in by_origin.items()
    }


async def serve_witness(options: WitnessOptions, announce: Announce) -> None:
    """Answer requests until cancelled; errors as `witnesses_of` and `serve_http`."""
    witnesses = witnesses_of(options)
    for origin, witness in witnesses.items():
        log.info("witness of %s, last seen at %d entries", origin, witness.remembered_size())
    await serve_http(
        application(witnesses),
        host=options.host,
        port=options.port,
        listening=lambda: announce(address=f"http://{options.host}:{options.port}"),
        advice="choose another --host or --port",
        lifespan="off",
        ws="none",
        http="h11",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


def application(
    witnesses: Mapping[str, Witness], *, body_within_s: float = BODY_WITHIN_S
) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
    """Return the witness as an ASGI application."""

    async def respond(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] != ADD_CHECKPOINT:
            reply = _plain(HTTPStatus.NOT_FOUND, f"a witness answers POST {ADD_CHECKPOINT} only")
        elif scope["method"] != "POST":
            reply = _plain(HTTPStatus.METHOD_NOT_ALLOWED, f"use POST {ADD_CHECKPOINT}")
        else:
            reply = await _replied(witnesses, receive, body_within_s)
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", str(len(reply.body)).encode()),
        ]
        if reply.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append((b"allow", b"POST"))
        if reply.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status.value, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    return respond


async def _replied(witnesses: Mapping[str, Witness], receive: Receive, body_within_s: float) -> Answer:
    try:
        body = await asyncio.wait_for(_body(receive), body_within_s)
    except TimeoutError:
        return _plain(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time")
    if body is None:
        return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {MAX_REQUEST_BYTES} bytes")
    try:
        reply = await asyncio.to_thread(answer, witnesses, body)
    except (ZhichaoError, OSError):
        log.exception("no head can be remembered")
        return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, "the witness cannot keep heads; its log says why")
    if reply.status is not HTTPStatus.OK:
        log.warning("refused with %d: %s", reply.status, reply.body.decode("utf-8", "replace").strip())
    return reply


async def _body(receive: Receive) -> bytes | None:
    """Return the request's body; None where it is too long."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_REQUEST_BYTES:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            return body


def _plain(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{text}\n".encode())


def arguments_of(options: WitnessOptions) -> tuple[str, ...]:
    """Return the command line on which this module runs with these options."""
    logs = [part for key in options.logs for part in ("--log", str(key))]
    places = ("--keys", str(options.keys), "--state", str(options.state))
    return (*places, "--host", options.host, "--port", str(options.port), *logs)


def options_of(arguments: Sequence[str]) -> WitnessOptions:
    """Return the options that `arguments_of` wrote."""
    parser = argparse.ArgumentParser(prog="service.witness_process")
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--log", action="append", default=[])
    parser.add_argument("--host", default=DEFAULT_HOST)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    found = parser.parse_args(arguments)
    logs = tuple(map(VerifierKey.parse, found.log))
    return WitnessOptions(found.keys, found.state, logs, found.host, found.port)


def published_key(keys: Path) -> str:
    """Return the witness's key as it stands in trust files."""
    return published_witness_key(load_witness_key(keys))


def main() -> int:
    """Run the witness until the supervisor ends it."""
    configure_logging("INFO")
    options = options_of(sys.argv[1:])
    return run_child(lambda announce: serve_witness(options, announce), supervised=True)


if __name__ == "__main__":
    sys.exit(main())
