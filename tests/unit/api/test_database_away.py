"""What the web answers while no database does: 503 and words, never 500."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from api import wiring
from api.access import COOKIE
from api.app import create_app
from cases.ports import SealReport
from domain.errors import NotFound
from evidence import KeySigner
from service.officer_keys import OfficerKeyRing
from store.blobs import BlobStore

pytestmark = pytest.mark.anyio


def _no_package(_folder: Path) -> wiring.Recomputed:
    raise NotFound("nothing is asked of packages here")


def _no_seal(package: Path) -> SealReport:
    raise AssertionError(f"{package} was asked for without a database")


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a web whose pool points at a port where nobody listens."""
    monkeypatch.setattr(wiring, "DATABASE_WAIT_S", 0.2)
    with socket.socket() as unheard:  # bound, so that nobody else gets the port; never listening
        unheard.bind(("127.0.0.1", 0))
        pool: AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]] = AsyncConnectionPool(
            f"host=127.0.0.1 port={unheard.getsockname()[1]} dbname=nowhere",
            connection_class=psycopg.AsyncConnection[TupleRow],
            open=False,
        )
        await pool.open()
        app = create_app(
            wiring.Wiring(
                pool=pool,
                blobs=BlobStore(tmp_path / "blobs"),
                evidence_root=tmp_path,
                verify=_no_seal,
                officer_keys=OfficerKeyRing(KeySigner("test.invalid", Ed25519PrivateKey.generate())),
                recompute=_no_package,
                version="test",
            )
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://office", cookies={COOKIE: "somebody"}
        ) as opened:
            yield opened
        await pool.close()


async def test_readyz_names_the_database_and_healthz_lives(client: httpx.AsyncClient) -> None:
    ready = await client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["ok"] is False
    assert "database" in ready.json()["problems"][0]
    assert (await client.get("/healthz")).json()["ok"] is True


@pytest.mark.parametrize("path", ["/queue", "/cases/ZC-20261120-0123456789AB", "/stations", "/jobs"])
async def test_pages_answer_503_with_a_readable_page(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "5"
    assert "数据库暂无响应，请稍后重试。" in page.text
    english = await client.get(path, params={"lang": "en"}, headers={"Accept": "text/html"})
    assert "数据库" not in english.text
    assert "trying again is right" in english.text


async def test_the_api_answers_503(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/overview", "/api/v1/passages", "/api/v1/stations"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["error"]) == (503, "ServiceUnavailable")
    signing_in = await client.post("/api/v1/session", json={"username": "limei", "password": "x"})
    assert signing_in.status_code == 503


async def test_signing_in_says_so_too(client: httpx.AsyncClient) -> None:
    form = {"username": "limei", "password": "x"}
    answer = await client.post("/login", data=form, headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "数据库暂无响应" in answer.text
