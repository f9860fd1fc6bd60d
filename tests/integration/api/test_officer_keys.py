"""Officers' keys in the web: made at sign-in, opened by the session's token, by nothing that is stored."""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import auth
from api.app import create_app
from api.auth import hash_password, token_digest
from domain.acts import Act, ActKind
from domain.errors import ConflictingChange, EvidenceBroken, NotPermitted
from domain.ids import OfficerId
from evidence.acts import KeyEntry, RegisteredKey, check_act, officer_keys_of
from evidence.dsse import Envelope
from evidence.officer_keys import unlock_with_password, unlock_with_token
from service.officer_keys import OfficerKeyRing
from store.accounts import account, drop_expired, set_disabled, set_password
from store.acts import add_act
from store.cases import PostgresCaseBook
from store.connection import Connection
from store.officer_keys import key_in_use, key_of_session, key_statements
from tests.fixtures.noting_signer import NotingSigner
from tests.fixtures.office import CHEAP, PASSWORD, Office, OpenedCase

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
NEW_PASSWORD = "another horse battery staple"
LIFTED = Act(
    act_id="act-1",
    kind=ActKind.DISCLOSURE,
    officer=OfficerId("YN-001"),
    licence="YN5301-001",
    event=None,
    subject="EV-1",
    reason="asked for by the party",
    digests=(),
    made_at=NOW,
)


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    transport = httpx.ASGITransport(create_app(office.wiring()))
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as opened:
        yield opened


async def token_of(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> str:
    """Sign in and return the session's token."""
    answer = await client.post("/api/v1/session", json={"username": username, "password": password})
    return str(answer.json()["token"])


async def confirm(client: httpx.AsyncClient, case: OpenedCase, **how: Any) -> httpx.Response:
    """Claim and confirm a case with these credentials."""
    url = f"/api/v1/cases/{case.case_id}"
    claimed = (await client.post(f"{url}/claim", **how)).json()
    shown = (await client.get(url, **how)).json()
    body = {
        "fencing_token": claimed["fencing_token"],
        "version": shown["version"],
        "seen": shown["seen"],
        "verdict": "confirm",
        "plate": case.plate,
        "idempotency_key": f"tool-{shown['version']}-0123456789abcdef",
    }
    return await client.post(f"{url}/decision", json=body, **how)


def bearer(token: str) -> dict[str, dict[str, str]]:
    """Return what a tool sends with each request."""
    return {"headers": {"Authorization": f"Bearer {token}"}}


async def registered(office: Office) -> dict[str, RegisteredKey]:
    """Return the officers' keys as a verifier knows them, entries counted as they were queued."""
    async with office.pool.connection() as conn:
        given = await key_statements(conn)
    entries = [KeyEntry(place, one.envelope) for place, one in enumerate(given)]
    return officer_keys_of(entries, [office.deployment.keys.service.public_key])


async def envelopes(office: Office, case: OpenedCase) -> list[bytes]:
    """Return the envelopes of a case's reviews."""
    async with office.pool.connection() as conn:
        return [one.envelope for one in await PostgresCaseBook(conn).reviews(case.case_id)]


async def test_a_decision_is_signed_with_the_key_of_whoever_signed_in(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    assert (await confirm(client, case, **bearer(await token_of(client, "limei")))).status_code == 200
    assert (await confirm(client, case, auth=("wangjg", PASSWORD))).status_code == 200
    officers, services = await registered(office), [office.deployment.keys.service.public_key]
    acts = [
        check_act(one, None, officers=officers, services=services) for one in await envelopes(office, case)
    ]
    assert [act.officer for act in acts] == ["YN-001", "YN-002"]
    # Signing in again opens the same key; it makes none anew.
    await token_of(client, "limei")
    assert await registered(office) == officers


async def test_a_slow_token_never_stops_the_loop_while_somebody_signs_in(office: Office) -> None:
    signer = NotingSigner(office.deployment.keys.service)
    application = create_app(office.wiring(officer_keys=OfficerKeyRing(signer, cost=CHEAP)))
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        await token_of(client, "limei")
        async with office.pool.connection() as conn:
            await set_password(conn, "limei", hash_password(NEW_PASSWORD))
        given = len(signer.threads)
        await token_of(client, "limei", NEW_PASSWORD)
    assert given < len(signer.threads)  # the key that opens no more was ended, and another one given
    assert threading.current_thread() not in signer.threads


async def test_the_database_alone_opens_no_key(office: Office, client: httpx.AsyncClient) -> None:
    token = await token_of(client, "limei")
    async with office.pool.connection() as conn:
        stored = await key_in_use(conn, "limei")
        session = await key_of_session(conn, token_digest(token), datetime.now(UTC))
        tables = ("account", "web_session", "officer_key", "officer_key_statement")
        rows = [
            value
            for table in tables
            for row in await (await conn.execute(f"SELECT * FROM {table}".encode())).fetchall()  # noqa: S608
            for value in row
        ]
    assert stored is not None
    assert session is not None
    whose = (OfficerId("YN-001"), stored.public_key)
    dumped = [bytes(one).hex() if isinstance(one, bytes | memoryview) else str(one) for one in rows]
    assert token not in dumped
    for guess in {*dumped, ""}:
        with pytest.raises(NotPermitted):
            unlock_with_token(session.locked, guess, officer=whose[0], public_key=whose[1])
        with pytest.raises(NotPermitted):
            unlock_with_password(stored.locked, guess, officer=whose[0], public_key=whose[1])
    assert unlock_with_token(session.locked, token, officer=whose[0], public_key=whose[1])


async def test_another_officers_session_signs_with_no_key_but_its_own(
    office: Office, client: httpx.AsyncClient
) -> None:
    case, another = await office.open_case(0), await office.open_case(1)
    li, wang = await token_of(client, "limei"), await token_of(client, "wangjg")
    # Somebody who can write to the database hands Li's key to Wang's session.
    async with office.pool.connection() as conn:
        await conn.execute(
            """UPDATE web_session w SET key_id = l.key_id, locked_key = l.locked_key FROM web_session l
               WHERE w.username = 'wangjg' AND l.username = 'limei'"""
        )
    refused = await confirm(client, case, **bearer(wang))
    assert (refused.status_code, refused.json()["error"]) == (403, "NotPermitted")
    # Renaming the session to Li's account does not open her key with Wang's token either.
    async with office.pool.connection() as conn:
        await conn.execute(
            "UPDATE web_session SET username = 'limei' WHERE token_sha256 = %s", [token_digest(wang)]
        )
    refused = await confirm(client, another, **bearer(wang))
    assert (refused.status_code, await envelopes(office, another)) == (403, [])
    assert (await confirm(client, another, **bearer(li))).status_code == 200


async def test_a_session_from_before_keys_is_asked_to_sign_in_again(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    token = await token_of(client, "limei")
    async with office.pool.connection() as conn:
        await conn.execute("UPDATE web_session SET key_id = NULL, locked_key = NULL")
    refused = await confirm(client, case, **bearer(token))
    assert (refused.status_code, "sign in again" in refused.json()["detail"]) == (403, True)
    assert (await confirm(client, case, **bearer(await token_of(client, "limei")))).status_code == 200


async def test_signed_out_or_expired_a_session_keeps_no_key(
    office: Office, client: httpx.AsyncClient
) -> None:
    await client.post("/logout", headers=bearer(await token_of(client, "limei"))["headers"])
    digest = token_digest(await token_of(client, "limei"))
    async with office.pool.connection() as conn:
        expiries = await (await conn.execute("SELECT expires_at FROM web_session")).fetchall()
        assert len(expiries) == 1  # the first one is gone
        assert await key_of_session(conn, digest, expiries[0][0] - timedelta(seconds=1)) is not None
        assert await key_of_session(conn, digest, expiries[0][0]) is None
        await drop_expired(conn, expiries[0][0])
        assert await (await conn.execute("SELECT locked_key FROM web_session")).fetchall() == []


async def test_a_password_set_anew_ends_the_key_for_good_and_gives_another(
    office: Office, client: httpx.AsyncClient
) -> None:
    case = await office.open_case(0)
    await confirm(client, case, **bearer(await token_of(client, "limei")))
    (before,) = (await registered(office)).items()
    async with office.pool.connection() as conn:
        await set_password(conn, "limei", hash_password(NEW_PASSWORD))
    await token_of(client, "limei", NEW_PASSWORD)
    after = await registered(office)
    assert after[before[0]].ended_at is not None
    assert [key.ended_at for key in after.values()].count(None) == 1
    services = [office.deployment.keys.service.public_key]
    (envelope,) = await envelopes(office, case)
    check_act(envelope, None, officers=after, services=services)
    with pytest.raises(EvidenceBroken, match="had ended"):
        check_act(envelope, 10, officers=after, services=services)


async def reset(office: Office, conn: Connection) -> None:
    """Set another password for Li, as an administrator does."""
    await set_password(conn, "limei", hash_password(NEW_PASSWORD))
    await office.officer_keys.end(conn, "limei", reason="password reset", now=NOW)


async def disable(office: Office, conn: Connection) -> None:
    """Shut Li out, as an administrator does."""
    await set_disabled(conn, "limei", True)
    await office.officer_keys.end(conn, "limei", reason="account disabled", now=NOW)


async def disable_and_enable(office: Office, conn: Connection) -> None:
    """Shut Li out and let her in again at once."""
    await disable(office, conn)
    await set_disabled(conn, "limei", False)


async def change_own(office: Office, conn: Connection) -> None:
    """Change Li's password, as she does herself; her key stays."""
    await set_password(conn, "limei", hash_password(NEW_PASSWORD))
    await office.officer_keys.relock(conn, "limei", old=PASSWORD, new=NEW_PASSWORD)


@pytest.mark.parametrize("crossing", [reset, disable, disable_and_enable, change_own])
@pytest.mark.parametrize("key_opened_first", [False, True])
async def test_a_sign_in_that_crosses_a_reset_leaves_no_session_and_no_key_of_the_old_password(
    office: Office,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    crossing: Callable[[Office, Connection], Awaitable[None]],
    key_opened_first: bool,
) -> None:
    await token_of(client, "limei")
    (before,) = await registered(office)
    open_key = auth.open_key

    async def crossed(*arguments: Any) -> Any:
        key = await open_key(*arguments) if key_opened_first else None
        async with office.pool.connection() as conn:
            await crossing(office, conn)
        return key if key_opened_first else await open_key(*arguments)

    monkeypatch.setattr(auth, "open_key", crossed)
    answer = await client.post("/api/v1/session", json={"username": "limei", "password": PASSWORD})
    async with office.pool.connection() as conn:
        sessions = await (await conn.execute("SELECT username, key_id FROM web_session")).fetchall()
        stored = await key_in_use(conn, "limei")
    kept = None if stored is None else stored.key_id
    if crossing is disable_and_enable and not key_opened_first:  # in the new state: with a key of its own
        assert (answer.status_code, sessions) == (200, [("limei", kept)])
        assert kept not in {None, before}
    else:
        assert (answer.status_code, sessions) == (401, [])
        assert kept == (before if crossing is change_own else None)


async def test_a_changed_password_keeps_the_key(office: Office) -> None:
    sign = await office.signing_as("limei")
    ring = office.officer_keys
    async with office.pool.connection() as conn:
        with pytest.raises(NotPermitted):
            await ring.relock(conn, "limei", old="wrong", new=NEW_PASSWORD)
        await ring.relock(conn, "limei", old=PASSWORD, new=NEW_PASSWORD)
        found = await account(conn, "limei")
    assert found is not None
    key = await ring.by_password(office.pool.connection, found, NEW_PASSWORD, NOW)
    assert key.key_id == (await sign(LIFTED)).key_id


async def test_an_act_with_a_key_that_has_ended_is_not_stored(office: Office) -> None:
    signed = await (await office.signing_as("limei"))(LIFTED)
    async with office.pool.connection() as conn:
        assert await office.officer_keys.end(conn, "limei", reason="lost", now=NOW)
    async with office.pool.connection() as conn:
        with pytest.raises(NotPermitted, match="sign in again"):
            await add_act(conn, LIFTED, signed)


async def test_a_replayed_envelope_is_no_second_act_and_an_act_is_never_changed(office: Office) -> None:
    signed = await (await office.signing_as("limei"))(LIFTED)
    async with office.pool.connection() as conn:
        await add_act(conn, LIFTED, signed)
    for again in (LIFTED, replace(LIFTED, act_id="act-2", subject="EV-2")):
        async with office.pool.connection() as conn:
            with pytest.raises(ConflictingChange):
                await add_act(conn, again, signed)
            await conn.rollback()
    async with office.pool.connection() as conn:
        for statement in (b"UPDATE act SET subject = 'EV-2'", b"DELETE FROM act"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                await conn.execute(statement)
            await conn.rollback()
        row = await (await conn.execute("SELECT envelope FROM act")).fetchone()
    assert row is not None
    assert len(Envelope.parse(bytes(row[0])).signatures) == 2
