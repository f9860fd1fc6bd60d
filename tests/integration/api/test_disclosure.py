"""What leaves the house, and who looked: each an entry, by whom it should be."""

import io
import tarfile
import threading
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.auth import hash_password
from api.disclosure import by_turns
from api.turns import TookTooLong, Turns
from domain.acts import ActKind
from domain.errors import ServiceUnavailable
from domain.ids import sha256_of
from evidence.acts import KeyEntry, check_act, officer_keys_of
from store.accounts import add_account
from store.officer_keys import key_statements
from tests.fixtures.office import PASSWORD, Office, OpenedCase

pytestmark = pytest.mark.anyio

TO = {"recipient": "昆明市中级人民法院", "reason": "asked for by the court"}


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


async def acts(office: Office, kind: ActKind) -> list[bytes]:
    """Return the envelopes of the acts of a kind, whose entries are all queued."""
    async with office.pool.connection() as conn:
        rows = await (
            await conn.execute(
                """SELECT a.envelope FROM act a JOIN log_outbox o USING (leaf_hash)
                   WHERE a.kind = %s ORDER BY a.made_at""",
                [kind],
            )
        ).fetchall()
    return [bytes(row[0]) for row in rows]


async def add_administrator(office: Office) -> None:
    """Create an account that only administers."""
    async with office.pool.connection() as conn:
        await add_account(
            conn,
            username="root.admin",
            password_hash=hash_password(PASSWORD),
            role="administrator",
            officer_id=None,
        )


def gets(application: FastAPI, case: OpenedCase) -> list[str]:
    """Return an address for every GET there is, about this case where it is about one."""
    values = {"case_id": case.case_id, "event_id": case.event_id, "sha256": case.images[0], "code": "en"}
    routers = [getattr(one, "original_router", None) for one in application.routes]  # as FastAPI holds them
    routes = [route for router in routers if router is not None for route in router.routes]
    found = [route.path.format(**values) for route in routes if "GET" in route.methods]
    assert f"/images/{case.images[0]}" in found
    return [*found, f"/api/v1/packages/{case.event_id}.tar", f"/api/v1/packages/{case.event_id}/disclosure"]


async def test_no_role_gets_an_original_unnoted_nor_a_package_without_an_act(office: Office) -> None:
    await add_administrator(office)
    case = await office.open_case(0, waveform=True)
    async with office.pool.connection() as conn:
        stored = await (await conn.execute("SELECT sha256 FROM blob")).fetchall()
    originals = [office.blobs.get(row[0]) for row in stored]
    assert len(originals) > len(case.images)  # the waveform too
    application = create_app(office.wiring())
    image, giving = f"/images/{case.images[0]}", []
    for username in (None, "limei", "expired", "boss", "root.admin"):
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
            headers = {} if username is None else await bearer(client, username)
            for path in gets(application, case):
                noted = len(await acts(office, ActKind.ACCESS))
                answer = await client.get(path, headers=headers)
                if any(one in answer.content for one in originals):
                    giving.append((username, path, len(await acts(office, ActKind.ACCESS)) - noted))
    assert giving == [(username, image, 1) for username in ("limei", "expired", "boss", "root.admin")]


async def test_a_package_leaves_with_the_officers_signature(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    url = f"/api/v1/packages/{case.event_id}/disclosure"
    answer = await client.post(url, data=TO, headers=await bearer(client, "limei"))
    assert answer.status_code == 200
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert members == {
        f"{case.package.name}/{file.relative_to(case.package).as_posix()}": file.read_bytes()
        for file in case.package.rglob("*")
        if file.is_file()
    }
    (envelope,) = await acts(office, ActKind.DISCLOSURE)
    services = [office.deployment.keys.service.public_key]
    async with office.pool.connection() as conn:
        entries = [KeyEntry(n, one.envelope) for n, one in enumerate(await key_statements(conn))]
    act = check_act(envelope, None, officers=officer_keys_of(entries, services), services=services)
    assert (act.officer, act.licence, act.reason) == ("YN-001", "YN5301-001", TO["reason"])
    assert (act.event, act.subject) == (case.event_id, case.package.name)
    assert act.detail == {"recipient": TO["recipient"]}
    tagmanifest = f"{case.package.name}/tagmanifest-sha256.txt"
    assert act.digests == ((tagmanifest, sha256_of(members[tagmanifest])),)
    assert await acts(office, ActKind.ACCESS) == []


async def test_who_takes_a_package_slowly_keeps_no_turn_from_others_and_what_hangs_keeps_one() -> None:
    turns, hanging = Turns(1, wait_s=0.01, work_s=0.01), threading.Event()
    slow = by_turns(turns, iter([b"1", b"2"]))
    assert await anext(slow) == b"1"
    assert [piece async for piece in by_turns(turns, iter([b"3", b""]))] == [b"3", b""]
    assert [piece async for piece in slow] == [b"2"]
    try:
        with pytest.raises(TookTooLong):
            await anext(by_turns(turns, (bytes(hanging.wait()) for _ in "1")))
        with pytest.raises(ServiceUnavailable, match="at the same time"):
            await anext(by_turns(turns, iter([b"4"])))
    finally:
        hanging.set()


@pytest.mark.parametrize("kind", ["drawing", "packing"])
async def test_pictures_and_packages_are_made_in_turns(office: Office, kind: str) -> None:
    case = await office.open_case(0, waveform=True)
    taken = Turns(0, wait_s=0.0, work_s=1.0)
    transport = httpx.ASGITransport(create_app(office.wiring(**{kind: taken})))
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        headers = await bearer(client, "limei")
        page = await client.get(f"/cases/{case.case_id}", headers=headers)
        given = await client.post(f"/api/v1/packages/{case.event_id}/disclosure", data=TO, headers=headers)
    assert (page.status_code, given.status_code) == ((503, 200) if kind == "drawing" else (200, 503))
    # What could not be begun is not stated either.
    assert len(await acts(office, ActKind.DISCLOSURE)) == (given.status_code == 200)


@pytest.mark.parametrize(
    ("username", "change", "status"),
    [
        ("expired", {}, 403),
        ("boss", {}, 403),
        ("root.admin", {}, 403),
        (None, {}, 401),
        ("limei", {"reason": "  "}, 422),
        ("limei", {"recipient": "a\nb"}, 422),
        ("limei", {"supplement": "3"}, 404),
        ("limei", {"supplement": str(2**31)}, 422),
    ],
)
async def test_without_licence_recipient_or_reason_nothing_leaves(
    office: Office, client: httpx.AsyncClient, username: str | None, change: dict[str, str], status: int
) -> None:
    await add_administrator(office)
    case = await office.open_case(0)
    url = f"/api/v1/packages/{case.event_id}/disclosure"
    headers = {} if username is None else await bearer(client, username)
    answer = await client.post(url, data=TO | change, headers=headers)
    assert (answer.status_code, await acts(office, ActKind.DISCLOSURE)) == (status, [])


async def test_a_package_that_is_not_the_one_sealed_here_is_not_signed_for(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    async with office.pool.connection() as conn:
        await conn.execute("UPDATE package SET tagmanifest = repeat('0', 64)")
    url = f"/api/v1/packages/{case.event_id}/disclosure"
    answer = await client.post(url, data=TO, headers=await bearer(client, "limei"))
    assert (answer.status_code, await acts(office, ActKind.DISCLOSURE)) == (422, [])


async def test_the_page_hands_a_package_out_only_with_its_own_form(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    await client.post("/login", data={"username": "limei", "password": PASSWORD})
    url = f"/api/v1/packages/{case.event_id}/disclosure"
    assert (await client.post(url, data=TO)).status_code == 403
    page = (await client.get(f"/cases/{case.case_id}")).text
    assert url in page
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    assert (await client.post(url, data=TO | {"csrf": csrf})).status_code == 200


async def test_who_looked_at_originals_is_noted_once_a_session_and_package(
    office: Office, client: httpx.AsyncClient
) -> None:
    cases = [await office.open_case(number) for number in range(2)]
    li, boss = await bearer(client, "limei"), await bearer(client, "boss")
    for headers in (li, li, boss):
        for path in (
            f"/images/{cases[0].images[0]}",
            f"/images/{cases[0].images[1]}",
        ):
            shown = await client.get(path, headers=headers)
            # What a browser kept would be seen by the next session, or person, without a note.
            assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    await client.get(f"/images/{cases[1].images[0]}", headers=li)
    for _ in range(2):
        await client.get(f"/images/{cases[1].images[0]}", auth=("wangjg", PASSWORD))
    services = [office.deployment.keys.service.public_key]
    noted = [
        check_act(one, None, officers={}, services=services) for one in await acts(office, ActKind.ACCESS)
    ]
    assert {(act.detail["account"], act.subject, act.officer) for act in noted} == {
        ("limei", cases[0].package.name, "YN-001"),
        ("boss", cases[0].package.name, None),
        ("limei", cases[1].package.name, "YN-001"),
        ("wangjg", cases[1].package.name, "YN-002"),
    }
    assert len(noted) == 4


async def test_who_is_refused_has_seen_nothing_and_is_not_noted(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    assert (await client.get(f"/images/{case.images[0]}")).status_code == 401
    assert (await client.get(f"/images/{'0' * 64}", headers=await bearer(client, "limei"))).status_code == 404
    assert await acts(office, ActKind.ACCESS) == []
