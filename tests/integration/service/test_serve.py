"""Plain `zhichao serve` on embedded defaults: it serves, it ends cleanly, and it knows no demo accounts."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from service.demo.accounts import make_accounts
from service.embedded.postgres import EmbeddedPostgres
from store.connection import connect
from store.migrate import migrate
from store.registry import load_registry, parse_registry
from tests.components import ROOT
from tests.integration.service.running import free_port
from tests.integration.store.messages import REGISTRY

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


def _environment(data: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHICHAO_")}
    ports = {f"ZHICHAO_{name}": str(free_port()) for name in ("WEB_PORT", "BROKER_PORT", "BROKER_PORT_311")}
    return kept | ports | {"ZHICHAO_DATA": str(data)} | settings


async def _zhichao(environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "service.cli", *arguments),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_serve_answers_and_its_commands_find_it(server_folder: Path) -> None:
    registry = server_folder / "registry.toml"
    registry.write_text(REGISTRY)
    environment = _environment(server_folder / "data")
    serving = await _zhichao(environment, "serve")
    assert serving.stdout is not None
    async for line in serving.stdout:
        if b"the web is at" in line:
            break
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{environment['ZHICHAO_WEB_PORT']}") as web:
        assert (await web.get("/healthz")).status_code == 200
        assert (await web.get("/api/v1/passages")).status_code == 401
        loading = await _zhichao(environment, "registry", "load", str(registry))
        printed, _ = await loading.communicate()
        assert (loading.returncode, b"loaded 1 sites" in printed) == (0, True), printed
        creating = await _zhichao(
            environment, "account", "create", "wang", "--role", "reviewer", "--officer", "O1"
        )
        printed, _ = await creating.communicate(b"correct horse battery staple\n")
        assert creating.returncode == 0, printed
        login = ("wang", "correct horse battery staple")
        assert (await web.get("/api/v1/passages", auth=login)).status_code == 200
    second = await _zhichao(environment, "serve")
    printed, _ = await second.communicate()
    assert second.returncode == 78
    assert b"is in use by another zhichao" in printed
    serving.send_signal(signal.SIGTERM)
    rest, _ = await serving.communicate()
    assert serving.returncode == 0, rest.decode()


async def test_serve_refuses_a_database_with_demo_accounts(server_folder: Path) -> None:
    data = server_folder / "data"
    server = EmbeddedPostgres(data / "database")
    url = await asyncio.to_thread(server.start)
    await migrate(url)
    officers = parse_registry(REGISTRY)
    one = officers.officers[0]
    three = [one.model_copy(update={"officer_id": f"O{number}"}) for number in (1, 2, 3)]
    async with await connect(url) as conn:
        registry = officers.model_copy(update={"officers": three})
        await load_registry(conn, registry)
        await make_accounts(conn, registry)
    await asyncio.to_thread(server.stop)
    serving = await _zhichao(_environment(data), "serve", "--only", "web")
    printed, _ = await serving.communicate()
    assert serving.returncode == 78
    assert b"holds demo accounts (reviewer1, reviewer2, reviewer3, supervisor)" in printed
