"""What the web shows of evidence deleted at the end of its retention, and whom it notes as watching."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from psycopg.types.json import Jsonb

from api.app import create_app
from domain.events import CaptureRole
from domain.retention import Rule, terms_of
from service.officer_at_hand import ActingOfficer
from service.retention import Keeper, retain
from store.accounts import account
from tests.fixtures.office import CAPTURED_AT, PASSWORD, Office, OpenedCase

pytestmark = pytest.mark.anyio


async def signed_in(office: Office, *paths: str) -> list[httpx.Response]:
    """Return what an officer who has just signed in is answered."""
    transport = httpx.ASGITransport(create_app(office.wiring()))
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        answer = await client.post("/api/v1/session", json={"username": "limei", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.json()['token']}", "Accept": "text/html"}
        return [await client.get(path, headers=headers) for path in paths]


async def deleted(office: Office, case: OpenedCase) -> None:
    """Have an officer delete the evidence of the case, rejected long ago."""
    async with office.pool.connection() as conn:
        found = await account(conn, "limei")
        assert found is not None
        await conn.execute("UPDATE hit SET state = 'open'")
        await conn.execute("UPDATE case_file SET state = 'rejected'")
    key = await office.officer_keys.by_password(office.pool.connection, found, PASSWORD, CAPTURED_AT)
    officer = ActingOfficer("limei", "YN5301-001", key)
    deployment = office.deployment
    terms = terms_of(dict.fromkeys(Rule, 760))
    keeper = Keeper(office.pool, office.blobs, deployment.evidence, terms, deployment.keys.service, officer)
    done = await retain(keeper, datetime.now(UTC) + timedelta(days=761))
    assert done.packages == [case.package.name]


async def test_the_page_of_a_case_whose_evidence_was_deleted_says_so_in_chinese(office: Office) -> None:
    case = await office.open_case(0, waveform=True)
    await deleted(office, case)
    page, image = await signed_in(office, f"/cases/{case.case_id}", f"/images/{case.images[0]}")
    assert (page.status_code, image.status_code) == (200, 404)
    for said in ("因保存期限届满删除", "已驳回案件保存期限", "YN-001", "正待记入日志", "日志仍可证明"):
        assert said in page.text
    assert f"zhichao evidence history {case.case_id}" in page.text
    assert case.plate not in page.text
    assert "/images/" not in page.text


async def test_who_watches_a_clip_and_nothing_else_is_noted(office: Office) -> None:
    case = await office.open_case(0)
    clip = await office.store_late_capture(0, CaptureRole.CLIP, b"a clip")
    async with office.pool.connection() as conn:
        await conn.execute(
            """UPDATE reading
               SET reading = jsonb_set(reading, '{captures,99}', reading #> '{captures,0}' || %s)""",
            [Jsonb({"role": "clip", "image_sha256": clip})],
        )
    (played,) = await signed_in(office, f"/images/{clip}")
    async with office.pool.connection() as conn:
        noted = await (await conn.execute("SELECT kind, officer_id, event_id, subject FROM act")).fetchall()
    assert played.content == b"a clip"
    assert noted == [("access", "YN-001", case.event_id, case.package.name)]
