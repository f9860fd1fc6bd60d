"""The page that computes a case's package again."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from evidence import PackageContents, build
from service.recomputation import recompute
from service.settings import Settings
from simulators import passages
from simulators.scenario import load_scenario
from store.blobs import BlobStore
from tests.fixtures.office import PASSWORD, Office
from tests.fixtures.packages import Traffic, small_picture

pytestmark = pytest.mark.anyio


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageContents:
    """The contents of a package that follow from its messages."""
    monkeypatch.setattr(passages, "photograph", lambda _vehicle, _role: small_picture())
    scenario = load_scenario("three-stations")
    traffic = Traffic(scenario, scenario.stations[0], Settings(), BlobStore(tmp_path / "pictures"))
    return next(traffic.contents())


async def page(office: Office, contents: PackageContents, folder: Path, *, language: str = "zh-CN") -> str:
    """Return the page of a case, as if its package had these contents."""
    case = await office.open_case(0)
    package = folder / build(folder, contents).folder
    app = create_app(office.wiring(recompute=lambda _folder: recompute(package)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://office") as client:
        address = f"/cases/{case.case_id}/recomputed"
        assert (await client.get(address)).status_code == 401
        signed = await client.post("/api/v1/session", json={"username": "limei", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {signed.json()['token']}", "Accept": "text/html"}
        assert address in (await client.get(f"/cases/{case.case_id}", headers=headers)).text
        answer = await client.get(address, params={"lang": language}, headers=headers)
    assert answer.status_code == 200
    return answer.text


async def test_every_step_stands_beside_what_was_decided(
    office: Office, sealed: PackageContents, tmp_path: Path
) -> None:
    text = await page(office, sealed, tmp_path)
    mass = sealed.event["screening"]["adjudication"]
    assert "逐位一致" in text
    assert "≠" not in text
    for figure in ("after_deduction_kg", "after_guard_kg", "limit_kg", "over_kg"):
        assert f"{mass[figure]:,} kg".replace(",", " ") in text


async def test_a_difference_is_shown_with_its_place(
    office: Office, sealed: PackageContents, tmp_path: Path
) -> None:
    proposal = sealed.event["proposal"] | {"amount_yuan": 99_999}
    dearer = replace(sealed, event=sealed.event | {"proposal": proposal})
    text = await page(office, dearer, tmp_path, language="en")
    assert "Not equal" in text
    assert "<code>proposal.amount_yuan</code>: 99999 ≠" in text


async def test_what_cannot_be_computed_here_says_why(
    office: Office, sealed: PackageContents, tmp_path: Path
) -> None:
    screening = sealed.event["screening"] | {"algorithm": "zhichao-screen/9"}
    text = await page(office, replace(sealed, event=sealed.event | {"screening": screening}), tmp_path)
    assert "本软件无法复算此证据包" in text
    assert "zhichao-screen/9" in text
