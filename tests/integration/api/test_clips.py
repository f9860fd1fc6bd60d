"""A clip on the review page: played as it came, beside the images and never as one of them."""

import httpx
import pytest
from psycopg.types.json import Jsonb

from api.app import create_app
from domain.events import CaptureRole
from domain.ids import Sha256
from evidence.acts import check_act
from tests.fixtures.office import PASSWORD, Office, OpenedCase

pytestmark = pytest.mark.anyio


async def with_a_clip(office: Office) -> tuple[OpenedCase, Sha256]:
    """Open a case with a clip in its evidence."""
    case = await office.open_case(0)
    clip = await office.store_late_capture(0, CaptureRole.CLIP, b"a clip")
    named = {"role": "clip", "image_sha256": clip}
    async with office.pool.connection() as conn:
        await conn.execute(
            """
            UPDATE reading SET reading = jsonb_set(reading, '{captures,99}', reading #> '{captures,0}' || %s)
            WHERE event_id = %s
            """,
            [Jsonb(named), case.event_id],
        )
    return case, clip


async def signed_in(client: httpx.AsyncClient) -> dict[str, str]:
    """Return the headers of a session."""
    answer = await client.post("/api/v1/session", json={"username": "limei", "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def test_a_clip_in_evidence_is_played_and_is_no_image(office: Office) -> None:
    case, clip = await with_a_clip(office)
    transport = httpx.ASGITransport(create_app(office.wiring()))
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        headers = {**await signed_in(client), "Accept": "text/html"}
        page = await client.get(f"/cases/{case.case_id}", headers=headers)
        played = await client.get(f"/images/{clip}", headers=headers)
    assert page.status_code == 200
    assert f'<video controls preload="none" src="/images/{clip}"' in page.text
    assert f'<img src="/images/{clip}"' not in page.text
    assert page.text.count("<figure data-role=") == len(case.images)
    assert "media-src 'self'" in page.headers["content-security-policy"]
    assert played.content == b"a clip"


async def test_who_watched_a_clip_is_noted_beside_the_images_they_saw(office: Office) -> None:
    case, clip = await with_a_clip(office)
    transport = httpx.ASGITransport(create_app(office.wiring()))
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        headers = await signed_in(client)
        for path in (case.images[0], case.images[1], clip, clip):
            assert (await client.get(f"/images/{path}", headers=headers)).status_code == 200
    async with office.pool.connection() as conn:
        rows = await (await conn.execute("SELECT envelope FROM act WHERE kind = 'access'")).fetchall()
    services = [office.deployment.keys.service.public_key]
    noted = [check_act(bytes(row[0]), None, officers={}, services=services) for row in rows]
    assert sorted(act.detail["shown"] for act in noted) == ["clip", "image"]
    assert {(act.subject, act.detail["account"]) for act in noted} == {(case.package.name, "limei")}
