"""Passwords and acts at the command line: what happens to the signing key, and who is turned away."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from evidence import create_keys, load_keys, trust_bytes, trust_file
from service.cli import main
from service.sequencer import sequence
from service.settings import Settings
from service.wiring import log_of
from store.connection import connect
from store.outbox import take_log
from store.registry import load_registry
from store.transactions import transaction_on
from tests.fixtures.office import REGISTRY

OLD, NEW, OTHER = ("an old password of hers", "a new password of hers", "what the administrator chose")


class Installation:
    """Runs commands on an installation with one officer, who reviews."""

    def __init__(self, database_url: str, data: Path) -> None:
        self._url = database_url
        self._data = data
        self._environment = {"ZHICHAO_DATABASE_URL": database_url, "ZHICHAO_DATA": str(data)}

    def run(self, *arguments: str, typed: str = "") -> Result:
        """Run a command, lines typed to its standard input."""
        return CliRunner().invoke(main, arguments, input=typed, env=self._environment)

    def signing_keys(self) -> list[tuple[str, bool]]:
        """Return the ids of officers' keys, oldest first, and whether each is in use."""

        async def rows() -> list[tuple[str, bool]]:
            async with await connect(self._url) as conn:
                cursor = await conn.execute(
                    "SELECT key_id, ended_at IS NULL FROM officer_key ORDER BY made_at"
                )
                return [(row[0], row[1]) for row in await cursor.fetchall()]

        return asyncio.run(rows())

    def log_all(self) -> None:
        """Write every waiting entry into the log, as a worker does."""
        settings = Settings(database_url=SecretStr(self._url), data=self._data)
        keys = load_keys(settings.keys_root)

        async def write() -> None:
            async with await connect(self._url, autocommit=True) as conn:
                async with transaction_on(conn):
                    token = await take_log(conn)
                assert token is not None
                await sequence(conn, token, log_of(settings, keys), keys)

        asyncio.run(write())

    def attack(self, *statements: str) -> None:
        """Change the database as whoever owns it can."""

        async def change() -> None:
            async with await connect(self._url, autocommit=True) as conn:
                await conn.execute("SET session_replication_role = replica")
                for statement in statements:
                    await conn.execute(statement.encode())

        asyncio.run(change())

    def signs(self, password: str) -> bool:
        """Try an act, which opens the key or makes one, and fails for want of anything to act on."""
        options = ("--officer", "limei", "--reason", "asked for")
        said = self.run("evidence", "hold", "0" * 32, *options, typed=f"{password}\n").output
        assert ("is stored here" in said) != ("name or password is wrong" in said), said
        return "is stored here" in said


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Installation:
    """An installation with its registry and the officer's account."""

    async def furnish() -> None:
        async with await connect(database_url) as conn:
            await load_registry(conn, REGISTRY)

    asyncio.run(furnish())
    made = Installation(database_url, tmp_path)
    created = made.run(
        "account", "create", "limei", "--role", "reviewer", "--officer", "YN-001", typed=f"{OLD}\n"
    )
    assert created.exit_code == 0, created.output
    return made


def test_her_own_new_password_opens_the_same_key_and_the_old_one_nothing(installation: Installation) -> None:
    assert installation.signs(OLD)
    before = installation.signing_keys()
    assert installation.run("account", "password", "limei", "--own", typed=f"{OTHER}\n{NEW}\n").exit_code == 1
    changed = installation.run("account", "password", "limei", "--own", typed=f"{OLD}\n{NEW}\n")
    assert changed.exit_code == 0, changed.output
    assert installation.signs(NEW)
    assert not installation.signs(OLD)
    assert installation.signing_keys() == before
    assert [in_use for _, in_use in before] == [True]


def test_an_administrators_password_ends_the_key_and_the_next_sign_in_makes_another(
    installation: Installation,
) -> None:
    assert installation.signs(OLD)
    ((before, _),) = installation.signing_keys()
    changed = installation.run("account", "password", "limei", typed=f"{OTHER}\n")
    assert changed.exit_code == 0, changed.output
    assert installation.signing_keys() == [(before, False)]
    assert installation.signs(OTHER)
    assert [in_use for _, in_use in installation.signing_keys()] == [False, True]


def test_who_is_disabled_signs_nothing_more_and_the_log_says_from_when(installation: Installation) -> None:
    assert installation.signs(OLD)
    ((before, _),) = installation.signing_keys()
    assert installation.run("account", "disable", "limei").exit_code == 0
    assert installation.signing_keys() == [(before, False)]
    assert not installation.signs(OLD)
    installation.log_all()
    assert "ended by entry" in installation.run("evidence", "officers").output
    assert installation.run("account", "disable", "limei").exit_code == 0
    assert installation.run("account", "enable", "limei").exit_code == 0
    assert installation.signs(OLD)
    assert [in_use for _, in_use in installation.signing_keys()] == [False, True]


def test_a_history_of_nothing_is_not_checked(installation: Installation) -> None:
    assert installation.signs(OLD)
    told = installation.run("evidence", "history", "EV-" + "0" * 32)
    assert (told.exit_code, "nothing here has the id" in told.output) == (2, True)


def test_an_export_of_nothing_leaves_nothing(installation: Installation, tmp_path: Path) -> None:
    options = ("--officer", "limei", "--recipient", "court", "--reason", "asked for")
    for name, password, more in (("court", OLD, ()), ("thief", OTHER, ()), ("party", OLD, ("--masked",))):
        folder = tmp_path / "out" / name
        told = installation.run(
            "evidence", "export", "EV-" + "0" * 32, str(folder), *options, *more, typed=f"{password}\n"
        )
        assert told.exit_code == 1, told.output
        assert not folder.parent.exists()


def test_an_officer_sees_every_key_that_was_given_in_their_name(
    installation: Installation, tmp_path: Path
) -> None:
    assert installation.signs(OLD)
    ((first, _),) = installation.signing_keys()
    told = installation.run("evidence", "officers")
    assert (told.exit_code, told.output.splitlines()[0]) == (2, f"waits   {first}  not in the log yet")
    installation.log_all()
    told = installation.run("evidence", "officers")
    given, log = told.output.splitlines()
    assert given.startswith(f"holds   {first}  officer YN-001, given by entry ")
    assert (told.exit_code, given.endswith("in use")) == (0, True)
    assert log.startswith("holds   log  all ")
    assert installation.run("account", "password", "limei", typed=f"{OTHER}\n").exit_code == 0
    assert installation.signs(OTHER)
    installation.log_all()
    *lines, _ = installation.run("evidence", "officers").output.splitlines()
    assert sorted((first in line, "ended by entry" in line) for line in lines) == [
        (False, False),
        (True, True),
    ]
    others = tmp_path / "other-trust.json"
    others.write_bytes(trust_bytes(trust_file(create_keys(tmp_path / "other keys"))))
    told = installation.run("evidence", "officers", "--trust", str(others))
    assert (told.exit_code, told.output.count("BROKEN")) == (1, 3)


def test_an_officers_key_forged_by_row_never_holds(installation: Installation) -> None:
    assert installation.signs(OLD)
    installation.log_all()
    ((first, _),) = installation.signing_keys()
    # Its statement is taken for logged where it is not, or for another entry's.
    moved = f"UPDATE officer_key_statement SET outbox_id = 1 WHERE key_id = '{first}'"  # noqa: S608
    assert installation.run("account", "password", "limei", typed=f"{OTHER}\n").exit_code == 0
    assert installation.signs(OTHER)
    installation.attack(moved, "UPDATE log_outbox SET leaf_index = outbox_id - 1, logged_at = now()")
    told = installation.run("evidence", "officers")
    assert told.exit_code == 1
    (forged,) = [line for line in told.output.splitlines() if first not in line and " log  " not in line]
    assert (forged.startswith("BROKEN"), "is missing from the log" in forged) == (True, True)
    installation.attack("UPDATE officer_key_statement SET envelope = 'forged'")
    assert "holds " not in installation.run("evidence", "officers").output


def test_an_officers_key_whose_statement_was_removed_is_told(installation: Installation) -> None:
    assert installation.signs(OLD)
    installation.log_all()
    installation.attack("DELETE FROM officer_key_statement", "UPDATE log_outbox SET subject = 'x'")
    told = installation.run("evidence", "officers")
    assert (told.exit_code, "whose statement is stored no more" in told.output) == (1, True)
