"""A clip on the review page: played as it came, beside the images and never as one of them."""

import httpx
import pytest
from psycopg.types.json import Jsonb

from api.app import create_app
from domain.events import CaptureRole
from tests.fixtures.office import PASSWORD, Office

pytestmark = pytest.mark.anyio


async def test_a_clip_in_evidence_is_played_and_is_no_image(office: Office) -> None:
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
    transport = httpx.ASGITransport(create_app(office.wiring()))
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        answer = await client.post("/api/v1/session", json={"username": "limei", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.json()['token']}", "Accept": "text/html"}
        page = await client.get(f"/cases/{case.case_id}", headers=headers)
        played = await client.get(f"/images/{clip}", headers=headers)
    assert page.status_code == 200
    assert f'<video controls preload="none" src="/images/{clip}"' in page.text
    assert f'<img src="/images/{clip}"' not in page.text
    assert page.text.count("<figure data-role=") == len(case.images)
    assert "media-src 'self'" in page.headers["content-security-policy"]
    assert played.content == b"a clip"
