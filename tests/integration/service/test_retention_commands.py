"""`zhichao retention` and the commands of holds, as an officer types them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.auth import hash_password
from domain.screening import Outcome
from service.cli import main
from store.blobs import BlobStore
from store.connection import connect
from store.intake import store_batch
from tests.integration.store.messages import batch, capture, passage, with_registry

PASSWORD = "a password of an officer"
EVENT = passage(1).key.event_id


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> "Command":
    """Return what runs a command on an installation with one passage never flagged, of eight days ago."""
    asyncio.run(_fill(database_url, BlobStore(tmp_path / "blobs")))
    environment = {"ZHICHAO_DATABASE_URL": database_url, "ZHICHAO_DATA": str(tmp_path)}
    return Command(environment)


class Command:
    """Runs `zhichao` with the officer's password on standard input."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def __call__(self, *words: str, password: str = PASSWORD) -> Result:
        """Run and return what came of it."""
        return CliRunner().invoke(main, words, env=self._environment, input=f"{password}\n")


async def _fill(url: str, blobs: BlobStore) -> None:
    stored = batch(passage(1, outcome=Outcome.WITHIN), capture(1))
    await blobs.put_all(list(stored.blobs()))
    eight_days_ago = datetime.now(UTC) - timedelta(days=8)
    async with await connect(url) as conn:
        await with_registry(conn)
        await store_batch(conn, stored)
        await conn.execute("UPDATE passage SET stored_at = %s", [eight_days_ago])
        await conn.execute("UPDATE capture SET stored_at = %s", [eight_days_ago])
        await conn.execute(
            "INSERT INTO account (username, password_hash, role, officer_id) "
            "VALUES ('li.si', %s, 'reviewer', 'O1'), ('root.admin', %s, 'administrator', NULL)",
            [hash_password(PASSWORD), hash_password(PASSWORD)],
        )


def test_what_is_due_is_told_held_released_and_deleted(run: Command) -> None:
    dry = run("retention", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "due: 1 captures, 1 messages" in dry.output.splitlines()[0]
    held = run("evidence", "hold", EVENT, "--reason", "事故调查", "--officer", "li.si")
    assert held.exit_code == 0, held.output
    assert f"hold 1: event {EVENT}" in held.output
    assert "deleted: no rows" in run("retention").output
    assert "事故调查" in run("evidence", "holds").output
    released = run("evidence", "release", "1", "--reason", "结案", "--officer", "li.si")
    assert "released" in released.output
    assert run("evidence", "holds").output == "there is no legal hold\n"
    assert "结案" in run("evidence", "holds", "--all").output
    assert "deleted: unflagged: 2" in run("retention", "--officer", "li.si").output
    assert "due: 0 captures, 0 messages" in run("retention", "--dry-run").output


def test_who_is_no_officer_or_mistypes_neither_holds_nor_deletes(run: Command) -> None:
    words = ("evidence", "hold", EVENT, "--reason", "事故调查", "--officer")
    mistyped = run(*words, "li.si", password="not the password")
    assert (mistyped.exit_code, "name or password is wrong" in mistyped.output) == (1, True)
    administrator = run(*words, "root.admin")
    assert (administrator.exit_code, "is no officer" in administrator.output) == (1, True)
    assert run("retention", "--officer", "root.admin").exit_code == 1
    assert "due: 1 captures" in run("retention", "--dry-run").output


@pytest.mark.parametrize(("officer", "password"), [("li.si", ""), ("", PASSWORD), ("", "")])
def test_an_officer_without_a_password_does_not_become_a_round_without_an_officer(
    run: Command, officer: str, password: str
) -> None:
    refused = run("retention", "--officer", officer, password=password)
    assert (refused.exit_code != 0, "deleted" in refused.output) == (True, False), refused.output
    assert "due: 1 captures" in run("retention", "--dry-run").output
