"""What leaves the house, and who looked: each an entry, by whom it should be."""

import io
import tarfile
from collections.abc import AsyncIterator

import httpx
import pytest

from api.app import create_app
from domain.acts import ActKind
from evidence.acts import KeyEntry, check_act, officer_keys_of
from store.officer_keys import key_statements
from tests.fixtures.office import PASSWORD, Office

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


async def test_a_package_leaves_with_the_officers_signature(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    url = f"/api/v1/packages/{case.event_id}/disclosure"
    answer = await client.post(url, data=TO, headers=await bearer(client, "limei"))
    assert answer.status_code == 200
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert f"{case.package.name}/tagmanifest-sha256.txt" in archive.getnames()
    (envelope,) = await acts(office, ActKind.DISCLOSURE)
    services = [office.deployment.keys.service.public_key]
    async with office.pool.connection() as conn:
        entries = [KeyEntry(n, one.envelope) for n, one in enumerate(await key_statements(conn))]
    act = check_act(envelope, None, officers=officer_keys_of(entries, services), services=services)
    assert (act.officer, act.licence, act.reason) == ("YN-001", "YN5301-001", TO["reason"])
    assert (act.event, act.subject) == (case.event_id, case.package.name)
    assert act.detail == {"recipient": TO["recipient"]}
    assert await acts(office, ActKind.ACCESS) == []


@pytest.mark.parametrize(
    ("username", "change", "status"),
    [
        ("expired", {}, 403),
        ("boss", {}, 403),
        ("limei", {"reason": "  "}, 422),
        ("limei", {"recipient": "a\nb"}, 422),
        ("limei", {"supplement": "3"}, 404),
    ],
)
async def test_without_licence_recipient_or_reason_nothing_leaves(
    office: Office, client: httpx.AsyncClient, username: str, change: dict[str, str], status: int
) -> None:
    case = await office.open_case(0)
    url = f"/api/v1/packages/{case.event_id}/disclosure"
    answer = await client.post(url, data=TO | change, headers=await bearer(client, username))
    assert (answer.status_code, await acts(office, ActKind.DISCLOSURE)) == (status, [])


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
            f"/api/v1/packages/{cases[0].event_id}.tar",
        ):
            assert (await client.get(path, headers=headers)).status_code == 200
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
