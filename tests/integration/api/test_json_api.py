"""The JSON API and the web's defences, over HTTP against a real database and sealed packages."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from anyio import fail_after, to_thread

from api import auth
from api.access import COOKIE
from api.app import create_app
from api.auth import TRIES_PER_NAME
from api.shielding import MAX_BODY_BYTES
from api.wiring import PASSWORDS_AT_ONCE
from domain.events import CaptureRole
from simulators.scene import photograph
from tests.fixtures.office import PASSWORD, Office, six_axle_train

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    transport = httpx.ASGITransport(create_app(office.wiring()))
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as opened:
        yield opened


async def bearer(client: httpx.AsyncClient, username: str) -> dict[str, str]:
    """Return the headers of a tool signed in as this person."""
    answer = await client.post("/api/v1/session", json={"username": username, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def test_a_tool_reads_every_passage_once_and_finds_its_case(
    office: Office, client: httpx.AsyncClient
) -> None:
    opened = [await office.open_case(number) for number in range(3)]
    headers = await bearer(client, "boss")
    found, after = [], None
    while True:
        params = {"limit": 2} | ({"after": after} if after else {})
        page = (await client.get("/api/v1/passages", params=params, headers=headers)).json()
        found += page["passages"]
        after = page["next"]
        if after is None:
            break
    assert [one["event_id"] for one in found] == [case.event_id for case in opened]
    assert found[0]["case_id"] == opened[0].case_id
    assert found[0]["screening"]["outcome"] == "overloaded"
    assert found[0]["reading"]["text"] == opened[0].plate
    assert (found[0]["package_state"], found[0]["case_state"]) == ("complete", "awaiting-first")
    one = await client.get(f"/api/v1/passages/{opened[1].event_id}", headers=headers)
    assert one.json() == found[1]
    counted = (await client.get("/api/v1/overview", headers=headers)).json()
    assert (counted["passages"], counted["flagged"], counted["quarantined"]) == (3, 3, 1)
    assert counted["cases"]["awaiting-first"] == 3
    refused = (await client.get("/api/v1/quarantine", headers=headers)).json()["messages"]
    assert [(one["code"], one["station_id"]) for one in refused] == [("out-of-range", "KM-S1")]
    devices = (await client.get("/api/v1/stations", headers=headers)).json()
    assert {one["device_id"] for one in devices} == {"wim-1", "cam-front", "cam-rear", "cam-side"}


async def test_a_tool_claims_and_decides_like_the_page(office: Office, client: httpx.AsyncClient) -> None:
    case = await office.open_case(0)
    headers = await bearer(client, "limei")
    claimed = (await client.post(f"/api/v1/cases/{case.case_id}/claim", headers=headers)).json()
    shown = (await client.get(f"/api/v1/cases/{case.case_id}", headers=headers)).json()
    body = {
        "fencing_token": claimed["fencing_token"],
        "version": shown["version"],
        "seen": shown["seen"] | {"reading": "0" * 64},
        "verdict": "confirm",
        "plate": case.plate,
        "idempotency_key": "tool-0123456789abcdef",
    }
    url = f"/api/v1/cases/{case.case_id}/decision"
    stale = await client.post(url, json=body, headers=headers)
    assert (stale.status_code, stale.json()["error"]) == (409, "ConflictingChange")
    decided = await client.post(url, json=body | {"seen": shown["seen"]}, headers=headers)
    assert decided.json() == {"state": "awaiting-second", "round": 1, "repeated": False}
    # Blind: not even the API tells the second reviewer what the first decided.
    hidden = (
        await client.get(f"/api/v1/cases/{case.case_id}", headers=await bearer(client, "wangjg"))
    ).json()
    assert hidden["reviews"] == []
    assert hidden["plate"] is None


async def test_images_come_byte_for_byte_and_only_to_the_signed_in(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    headers = await bearer(client, "limei")
    image = await client.get(f"/images/{case.images[0]}", headers=headers)
    assert image.content == office.blobs.get(case.images[0])
    assert image.headers["content-type"] == "image/jpeg"
    stray = office.blobs.put(b"an image of somebody who was not flagged")
    assert (await client.get(f"/images/{stray}", headers=headers)).status_code == 404
    assert (await client.get(f"/images/{case.images[0]}")).status_code == 401
    for path in ("..%2f..%2fetc%2fpasswd", "A" * 64, "../" * 3 + "etc/passwd"):
        assert (await client.get(f"/images/{path}", headers=headers)).status_code in {404, 422}


async def test_basic_credentials_and_none(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/overview", auth=("limei", PASSWORD))).status_code == 200
    assert (await client.get("/api/v1/overview", auth=("limei", "wrong"))).status_code == 401
    missing = await client.get("/api/v1/overview")
    assert (missing.status_code, missing.headers["www-authenticate"]) == (401, "Bearer")


async def test_failed_sign_ins_are_slowed_down_and_names_are_not_told_apart(
    client: httpx.AsyncClient,
) -> None:
    form = {"username": "limei", "password": "wrong"}
    answers = [await client.post("/login", data=form) for _ in range(TRIES_PER_NAME + 2)]
    assert [answer.status_code for answer in answers] == [401] * (TRIES_PER_NAME + 1) + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    # Even the right password has to wait.
    blocked = await client.post("/login", data={"username": "limei", "password": PASSWORD})
    assert blocked.status_code == 429
    wrong = await client.post("/login", data={"username": "wangjg", "password": "wrong"})
    nobody = await client.post("/login", data={"username": "nobody", "password": "wrong"})
    assert (wrong.status_code, wrong.text) == (
        nobody.status_code,
        nobody.text.replace("nobody", "wangjg"),
    )


async def test_guesses_sent_at_once_get_no_more_tries_than_one_by_one(client: httpx.AsyncClient) -> None:
    form = {"username": "limei", "password": "wrong"}
    answers = await asyncio.gather(*(client.post("/login", data=form) for _ in range(20)))
    tried = [answer for answer in answers if answer.status_code == 401]
    # One more than allowed starts the wait; what was in hand beside that one may still be tried.
    assert len(tried) <= TRIES_PER_NAME + PASSWORDS_AT_ONCE
    assert {answer.status_code for answer in answers} == {401, 429}


async def test_passwords_are_tried_a_few_at_a_time_and_a_busy_tool_is_not_shut_out(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard, at_once, seen = threading.Lock(), 0, list[int]()

    def counted(stored: str | None, password: str) -> bool:
        nonlocal at_once
        with guard:
            at_once += 1
            seen.append(at_once)
        try:
            return auth_matches(stored, password)
        finally:
            with guard:
                at_once -= 1

    auth_matches = auth._matches
    monkeypatch.setattr(auth, "_matches", counted)
    credentials = ("limei", PASSWORD)
    answers = await asyncio.gather(*(client.get("/api/v1/overview", auth=credentials) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(seen) == 12
    assert max(seen) <= PASSWORDS_AT_ONCE


async def test_when_too_many_sign_in_the_next_is_told_to_come_again(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "MAX_WAITING", 0)
    answer = await client.get("/api/v1/overview", auth=("limei", PASSWORD))
    assert answer.status_code == 503


async def test_a_password_too_long_to_be_anybodys_is_refused_with_the_reason_and_no_work(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(auth, "_matches")
    too_long = {"username": "limei", "password": PASSWORD + "x" * auth.MAX_PASSWORD}
    page = await client.post("/login", data=too_long)
    assert (page.status_code, "密码不得超过 1024 个字符" in page.text) == (422, True)
    for answer in (
        await client.post("/api/v1/session", json=too_long),
        await client.get("/api/v1/overview", auth=(too_long["username"], too_long["password"])),
    ):
        assert (answer.status_code, "at most 1024 characters" in answer.json()["detail"]) == (422, True)
        assert too_long["password"] not in answer.text


async def test_who_gets_no_turn_to_sign_in_is_told_to_come_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "TURN_WAIT_S", 0)
    wiring = office.wiring()
    for _ in range(PASSWORDS_AT_ONCE):
        wiring.hashing.acquire_on_behalf_of_nowait(object())
    transport = httpx.ASGITransport(create_app(wiring))
    form = {"username": "limei", "password": PASSWORD}
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        page = await client.post("/login", data=form, headers={"Accept": "text/html"})
        answer = await client.post("/api/v1/session", json=form)
        assert (await client.get("/healthz")).status_code == 200
    assert (page.status_code, "当前登录人数过多，请稍候几秒再试。" in page.text) == (503, True)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_signing_in_does_not_wait_behind_other_works_threads(client: httpx.AsyncClient) -> None:
    threads = to_thread.current_default_thread_limiter()
    others = [object() for _ in range(int(threads.available_tokens))]
    for one in others:
        threads.acquire_on_behalf_of_nowait(one)
    try:
        with fail_after(20):
            assert "Authorization" in await bearer(client, "limei")
    finally:
        for one in others:
            threads.release_on_behalf_of(one)


async def test_signing_in_as_another_ends_the_session_that_was_there(client: httpx.AsyncClient) -> None:
    await client.post("/login", data={"username": "limei", "password": PASSWORD})
    first = client.cookies[COOKIE]
    await client.post("/login", data={"username": "wangjg", "password": PASSWORD})
    assert client.cookies[COOKIE] != first
    client.cookies.clear()
    again = await client.get("/api/v1/overview", headers={"Authorization": f"Bearer {first}"})
    assert again.status_code == 401


async def test_demo_accounts_cannot_sign_in_outside_the_demo(office: Office) -> None:
    async with office.pool.connection() as conn:
        await conn.execute("UPDATE account SET demo = true")
    for demo, status in ((False, 401), (True, 200)):
        transport = httpx.ASGITransport(create_app(office.wiring(demo=demo)))
        async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
            answer = await client.get("/api/v1/overview", auth=("limei", PASSWORD))
        assert answer.status_code == status


async def test_cookie_csrf_and_headers(office: Office, client: httpx.AsyncClient) -> None:
    case = await office.open_case(0)
    answer = await client.post(
        "/login", data={"username": "limei", "password": PASSWORD, "next": "//evil.test"}
    )
    assert answer.headers["location"] == "/queue"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    page = await client.get("/queue", headers={"Accept": "text/html"})
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"
    for path in (
        f"/cases/{case.case_id}/claim",
        f"/api/v1/cases/{case.case_id}/claim",
        "/queue/next",
        "/logout",
    ):
        assert (await client.post(path)).status_code == 403
        assert (await client.post(path, data={"csrf": "guess"})).status_code == 403
    foreign = {"Origin": "https://evil.test"}
    form = {"username": "limei", "password": PASSWORD}
    assert (await client.post("/login", data=form, headers=foreign)).status_code == 403
    token = page.text.split('name="csrf" value="')[1].split('"')[0]
    assert (await client.post("/logout", data={"csrf": token})).headers["location"] == "/login"
    assert (await client.get("/queue", headers={"Accept": "text/html"})).status_code == 303


@pytest.mark.parametrize("header", ["Negotiate abc", "Digest username=x", "Bearerx y", "x"])
async def test_a_header_that_signs_nobody_in_does_not_excuse_the_cookie(
    office: Office, client: httpx.AsyncClient, header: str
) -> None:
    case = await office.open_case(0)
    await client.post("/login", data={"username": "limei", "password": PASSWORD})
    path = f"/api/v1/cases/{case.case_id}/claim"
    assert (await client.post(path, headers={"Authorization": header})).status_code == 403
    page = await client.get("/queue", headers={"Authorization": header})
    token = page.text.split('name="csrf" value="')[1].split('"')[0]
    proved = {"Authorization": header, "X-CSRF-Token": token}
    assert (await client.post(path, headers=proved)).status_code == 200


async def test_a_bad_bearer_token_is_not_made_good_by_a_cookie(client: httpx.AsyncClient) -> None:
    await client.post("/login", data={"username": "limei", "password": PASSWORD})
    for header in ("Bearer", "Bearer guess"):
        answer = await client.get("/api/v1/overview", headers={"Authorization": header})
        assert answer.status_code == 401


async def test_what_people_and_stations_write_is_escaped(office: Office, client: httpx.AsyncClient) -> None:
    async with office.pool.connection() as conn:
        await conn.execute("UPDATE quarantine SET detail = '<script>alert(1)</script>'")
    await client.post("/login", data={"username": "boss", "password": PASSWORD})
    page = await client.get("/quarantine")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


async def test_hits_without_their_captures_are_shown(office: Office, client: httpx.AsyncClient) -> None:
    async with office.pool.connection() as conn:
        await conn.execute(
            """
            INSERT INTO hit
                (event_id, captured_at, station_id, match_key, expected_captures, deadline, state, missing)
            VALUES (repeat('b', 32), now(), 'S-BARE', 'm', '{}', now(), 'incomplete', '{no-rear-image}')
            """
        )
    await client.post("/login", data={"username": "boss", "password": PASSWORD})
    page = await client.get("/jobs")
    assert "S-BARE" in page.text
    assert "缺尾部图像" in page.text


@pytest.mark.parametrize("number", ["-1", str(2**31), str(2**63), "9" * 400])
async def test_numbers_beyond_the_database_are_the_askers_mistake(
    client: httpx.AsyncClient, number: str
) -> None:
    headers = await bearer(client, "limei")
    for path, name in (
        ("/api/v1/quarantine", "before"),
        ("/quarantine", "before"),
    ):
        answer = await client.get(path, params={name: number}, headers=headers)
        fits = name == "before" and number == str(2**31)
        assert answer.status_code == (200 if fits else 422), (path, answer.text)


async def test_enormous_bodies_are_refused(client: httpx.AsyncClient) -> None:
    body = b"username=" + b"x" * MAX_BODY_BYTES
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post("/login", content=body, headers=headers)).status_code == 413


async def test_health_and_readiness(office: Office, client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json()["ok"] is True
    assert (await client.get("/readyz")).status_code == 200
    wiring = office.wiring(ready_checks=[lambda: "the log has no writer"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(wiring)), base_url="http://office"
    ) as other:
        answer = await other.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["the log has no writer"])


async def test_the_reference_names_every_endpoint_and_no_other(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/api/v1/openapi.json")).json()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    page = Path(__file__).parents[3] / "docs" / "reference" / "http-api.md"
    rows = [line.split("`")[1] for line in page.read_text().splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(served)


async def test_nul_is_refused_wherever_it_comes(office: Office, client: httpx.AsyncClient) -> None:
    headers = await bearer(client, "limei")
    assert (await client.get("/cases/%00", headers=headers)).status_code == 400
    assert (await client.get("/queue?station=%00", headers=headers)).status_code == 400
    signing_in = await client.post("/login", data={"username": "li\0mei", "password": PASSWORD})
    assert signing_in.status_code == 401
    case = await office.open_case(0)
    claimed = (await client.post(f"/api/v1/cases/{case.case_id}/claim", headers=headers)).json()
    body = {
        "fencing_token": claimed["fencing_token"],
        "version": 1,
        "seen": {},
        "verdict": "reject",
        "reason": "other",
        "note": "a\0b",
        "idempotency_key": "nul-0123456789abcdef",
    }
    answer = await client.post(f"/api/v1/cases/{case.case_id}/decision", json=body, headers=headers)
    assert answer.status_code == 422


async def test_the_queue_lists_by_filter_and_order(office: Office, client: httpx.AsyncClient) -> None:
    opened = [(await office.open_case(number)).case_id for number in range(3)]
    await client.post("/login", data={"username": "limei", "password": PASSWORD})

    async def listed(query: str) -> list[str]:
        page = (await client.get(f"/queue?{query}")).text
        return [part.split('"')[0] for part in page.split('class="case-link" href="/cases/')[1:]]

    assert await listed("") == opened
    assert await listed("order=newest") == opened[::-1]
    assert await listed(f"order=newest&after={opened[1]}") == opened[:1]
    assert await listed("min_over=10000") == opened[:1]
    assert await listed("station=elsewhere") == []
    assert await listed("state=confirmed") == []


async def test_over_the_bridges_sign_alone_no_amount_is_proposed(
    office: Office, client: httpx.AsyncClient
) -> None:
    async with office.pool.connection() as conn:
        await conn.execute("UPDATE site_facts SET gross_limit_kg = 39000")
    case = await office.open_case(0, gross_kg=45_000)
    found = await client.get(f"/api/v1/cases/{case.case_id}", headers=await bearer(client, "limei"))
    shown = found.json()
    assert (shown["limit_kg"], shown["over_kg"]) == (39_000, 3_750)
    assert (shown["proposal"]["kind"], shown["proposal"]["amount_yuan"]) == ("undetermined", None)
    await client.post("/login", data={"username": "limei", "password": PASSWORD})
    page = await client.get(f"/cases/{case.case_id}", headers={"Accept-Language": "zh-CN"})
    assert "不提出处罚金额" in page.text
    assert "第27条" in page.text
    assert "建议：" not in page.text
    assert " 元" not in page.text


async def test_who_types_the_trailers_plate_is_asked_for_the_vehicles(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    await client.post("/login", data={"username": "limei", "password": PASSWORD})
    page = await client.get(f"/cases/{case.case_id}")
    csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "verdict": "confirm", "token": "1", "version": "1", "seen": "{}", "key": "k" * 16}
    answer = await client.post(f"/cases/{case.case_id}/decision", data={**form, "plate": "云A1234挂"})
    assert answer.status_code == 422
    assert "这是挂车号牌" in answer.text


async def test_an_image_that_came_too_late_is_listed_apart_and_not_shown(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    other_train = photograph(six_axle_train(1), CaptureRole.FRONT)
    late = await office.store_late_capture(0, CaptureRole.FRONT, other_train)
    await client.post("/login", data={"username": "limei", "password": PASSWORD})
    for language, words in (("zh-CN", "封存后到达，不属于证据"), ("en", "Arrived after sealing, not part")):
        page = (await client.get(f"/cases/{case.case_id}", params={"lang": language})).text
        assert f"{late[:12]}" in page.partition(words)[2]
        assert f"/images/{late}" not in page
        assert all(f'src="/images/{digest}"' in page for digest in case.images)
