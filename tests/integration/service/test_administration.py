"""The commands an operator works with, on a real database."""

import asyncio
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from click.testing import CliRunner, Result

from domain.ids import sha256_of
from evidence.acts import check_act
from service.cli import main
from service.keys import ensure_keys
from service.settings import load_settings
from store.blobs import BlobStore
from store.connection import connect
from store.intake import store_batch
from store.intake_batch import RefusalRow
from store.jobs import MAX_ATTEMPTS
from tests.integration.store.messages import batch, refusal

PASSWORD = "a password of some length"
OTHER_PASSWORD = "another one of some length"

Command = Callable[..., Result]
Database = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the installation's data folder."""
    return tmp_path / "data"


@pytest.fixture
def command(database_url: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return what runs `zhichao` on a fresh database, with text for its standard input."""
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHICHAO_DATA", str(data))

    def run(*arguments: str, given: str = "", status: int = 0) -> Result:
        result = CliRunner().invoke(main, arguments, input=given)
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def database(database_url: str) -> Database:
    """Return what runs one statement, and gives its rows if it has any."""

    def run(statement: LiteralString, *arguments: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url, autocommit=True) as conn:
            cursor = conn.execute(statement, arguments or None)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def signed_in(command: Command, database: Database) -> None:
    """Create the account `li`, who is signed in."""
    command("account", "create", "li", "--role", "supervisor", given=f"{PASSWORD}\n")
    database(
        "INSERT INTO web_session (token_sha256, username, csrf_token, created_at, expires_at) "
        "VALUES (sha256('t'), 'li', 'c', now(), now() + interval '1 hour')"
    )


@pytest.mark.usefixtures("signed_in")
def test_a_disabled_account_is_out_at_once_and_can_come_back(command: Command, database: Database) -> None:
    command("account", "disable", "li")
    assert database("SELECT disabled FROM account") == [(True,)]
    assert database("SELECT count(*) FROM web_session") == [(0,)]
    command("account", "enable", "li")
    assert database("SELECT disabled FROM account") == [(False,)]
    assert database("SELECT count(*) FROM web_session") == [(0,)]


@pytest.mark.usefixtures("signed_in")
def test_a_new_password_ends_the_sessions_of_the_old_one(command: Command, database: Database) -> None:
    before = database("SELECT password_hash FROM account")
    result = command("account", "password", "li", given=f"{OTHER_PASSWORD}\n")
    assert OTHER_PASSWORD not in result.output
    assert database("SELECT password_hash FROM account") != before
    assert database("SELECT count(*) FROM web_session") == [(0,)]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("new", "status", "reason"),
    [("short", 78, "at least 12"), ("", 78, "no password was given"), ("x" * 1_025, 1, "at most 1024")],
)
def test_a_new_password_too_short_or_too_long_changes_nothing(
    command: Command, database: Database, new: str, status: int, reason: str
) -> None:
    before = database("SELECT password_hash FROM account")
    assert reason in command("account", "password", "li", given=f"{new}\n", status=status).stderr
    assert database("SELECT password_hash FROM account") == before


@pytest.mark.parametrize("what", ["disable", "enable", "password"])
def test_an_account_that_is_not_there_is_named(command: Command, what: str) -> None:
    result = command("account", what, "nobody", given=f"{PASSWORD}\n", status=1)
    assert "there is no account nobody" in result.stderr


def _job(database: Database, status: str, attempts: int) -> int:
    ((job_id,),) = database(
        """
        INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts, scheduled_at)
        VALUES ('pipeline', 'settle_hit', '{"event_id": "e"}', %s, %s, now() + interval '5 min') RETURNING id
        """,
        status,
        attempts,
    )
    return int(job_id)


def test_failed_jobs_are_listed_and_tried_again(command: Command, database: Database) -> None:
    given_up, waiting = _job(database, "failed", 9), _job(database, "todo", MAX_ATTEMPTS)
    fresh = _job(database, "todo", 1)
    database("INSERT INTO job_failure (job_id, error) VALUES (%s, 'the disk is full')", given_up)
    listed = command("jobs", "list").output
    assert f"{given_up} settle_hit e: given up after 9 attempts\n         the disk is full" in listed
    assert f"{waiting} settle_hit e: still tried after {MAX_ATTEMPTS} attempts" in listed
    assert f"{fresh} settle_hit" not in listed

    assert command("jobs", "retry", str(given_up)).output == f"job {given_up} will be tried again\n"
    assert command("jobs", "retry").output == f"job {waiting} will be tried again\n"
    assert command("jobs", "retry").output == "no job has failed\n"
    assert database(
        "SELECT id, status, attempts, scheduled_at IS NULL FROM procrastinate_jobs ORDER BY id"
    ) == [
        (given_up, "todo", 0, True),
        (waiting, "todo", 0, True),
        (fresh, "todo", 1, False),
    ]


def test_a_job_that_has_not_failed_is_left_alone(command: Command, database: Database) -> None:
    doing = _job(database, "doing", 9)
    assert f"job {doing} has not failed" in command("jobs", "retry", str(doing), status=1).stderr
    assert database("SELECT status, attempts FROM procrastinate_jobs") == [("doing", 9)]


async def _refuse(database_url: str, blobs: BlobStore, row: RefusalRow) -> None:
    stored = batch(row)
    await blobs.put_all(list(stored.blobs()))
    async with await connect(database_url) as conn:
        await store_batch(conn, stored)


@pytest.mark.parametrize("payload", [b"\0\xff{", bytes(100_000)])
def test_a_refused_message_comes_out_as_it_was_sent(
    command: Command, database_url: str, data: Path, tmp_path: Path, payload: bytes
) -> None:
    asyncio.run(_refuse(database_url, BlobStore(data / "blobs"), refusal(1, payload=payload)))
    result = command("quarantine", "export", "1", str(tmp_path / "message"))
    assert (tmp_path / "message").read_bytes() == payload
    assert f"{len(payload)} bytes" in result.output
    assert "broken-json" in result.output


def test_no_refused_message_is_written_out_without_an_access_in_the_log(
    command: Command, database: Database, database_url: str, data: Path, tmp_path: Path
) -> None:
    asyncio.run(_refuse(database_url, BlobStore(data / "blobs"), refusal(1)))
    command("quarantine", "export", "1", str(tmp_path), status=78)
    entries = "SELECT envelope FROM act JOIN log_outbox USING (leaf_hash) WHERE act.kind = 'access'"
    assert database(entries) == []  # who was refused has seen nothing
    for name in ("one", "two"):
        command("quarantine", "export", "1", str(tmp_path / name))
    services = [ensure_keys(load_settings()).service.public_key]
    acts = [check_act(bytes(row[0]), None, officers={}, services=services) for row in database(entries)]
    digest = sha256_of((tmp_path / "one").read_bytes())
    assert [(act.subject, act.digests) for act in acts] == [("quarantine:1", (("quarantine:1", digest),))] * 2
    assert {act.detail["system_account"] for act in acts} == {getpass.getuser()}


def test_a_replay_says_what_it_kept_and_why(command: Command, database_url: str, data: Path) -> None:
    asyncio.run(_refuse(database_url, BlobStore(data / "blobs"), refusal(1)))
    printed = command("quarantine", "replay").output
    assert printed.startswith("1 is kept: ")
    assert printed.endswith("0 accepted, 1 kept\n")
    assert command("quarantine", "replay", "--code", "unknown-station").output == "0 accepted, 0 kept\n"
    assert "9 is kept: nothing in quarantine has the id 9" in command("quarantine", "replay", "9").output


def test_an_export_overwrites_nothing(
    command: Command, database_url: str, data: Path, tmp_path: Path
) -> None:
    asyncio.run(_refuse(database_url, BlobStore(data / "blobs"), refusal(1)))
    there = tmp_path / "there"
    there.write_text("kept")
    assert "name a new file" in command("quarantine", "export", "1", str(there), status=78).stderr
    assert there.read_text() == "kept"
    assert "has the id 9" in command("quarantine", "export", "9", str(tmp_path / "new"), status=1).stderr
    assert not (tmp_path / "new").exists()
