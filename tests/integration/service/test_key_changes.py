"""`zhichao keys`: a key is followed by another, or revoked, by statements in the log."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from click.testing import CliRunner, Result

from domain.errors import EvidenceBroken
from domain.ids import sha256_of
from evidence import Trust, check_statement, load_keys
from evidence.dsse import Envelope
from evidence.signing import key_id
from evidence.statements import KEYS
from service import key_changes
from service.cli import main
from service.keys import ensure_keys
from service.settings import Settings
from service.wiring import seals_of

Command = Callable[..., Result]
Database = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of an installation with keys, on a fresh database."""
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path / "data"))
    made = Settings()
    ensure_keys(made)
    return made


@pytest.fixture
def command(settings: Settings) -> Command:
    """Return what runs `zhichao keys`."""

    def run(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(main, ["keys", *arguments])
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def database(database_url: str) -> Database:
    """Return what runs one query and gives its rows."""

    def run(statement: LiteralString) -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url, autocommit=True) as conn:
            return conn.execute(statement).fetchall()

    return run


def _service_id(settings: Settings) -> str:
    return key_id(load_keys(settings.keys_root).service.public_key)


def test_a_rotation_is_a_statement_by_the_old_key_in_the_log(
    settings: Settings, command: Command, database: Database
) -> None:
    old = load_keys(settings.keys_root)
    command("rotate", "service")
    new = load_keys(settings.keys_root)
    ((envelope, queued, subject),) = database(
        "SELECT envelope, leaf_hash IS NOT NULL, subject "
        "FROM key_statement JOIN log_outbox USING (outbox_id) WHERE kind = 'keys'"
    )
    assert (queued, subject) == (True, key_id(old.service.public_key))
    statement = check_statement(envelope, [old.service.public_key], KEYS)
    assert [one["digest"]["sha256"] for one in statement["subject"]] == [
        key_id(old.service.public_key),
        key_id(new.service.public_key),
    ]
    Envelope.parse(envelope).check_second(new.service.public_key)
    with pytest.raises(EvidenceBroken):
        check_statement(envelope, [new.service.public_key], KEYS)
    assert (new.log.public_key, new.witness.public_key) == (old.log.public_key, old.witness.public_key)


def test_a_witness_key_is_followed_too(settings: Settings, command: Command) -> None:
    old = load_keys(settings.keys_root).witness.public_key
    command("rotate", "witness", "--write-trust")
    trust = Trust.load(settings.trust_path)
    assert [key.public_key for key in trust.witnesses] == [
        load_keys(settings.keys_root).witness.public_key,
        old,
    ]
    assert set(trust.lives) == {key_id(old)}


def test_the_trust_file_is_rewritten_on_request_only_and_its_digest_told(
    settings: Settings, command: Command
) -> None:
    published = settings.trust_path.read_bytes()
    told = command("rotate", "service")
    assert "was not changed" in told.stderr
    assert settings.trust_path.read_bytes() == published
    with pytest.raises(Exception, match="does not name this installation's service key"):
        seals_of(settings)
    written = command("trust-file").output
    assert settings.trust_path.read_bytes() == published
    told = command("trust-file", "--write")
    assert settings.trust_path.read_text() == written
    assert sha256_of(settings.trust_path.read_bytes()) in told.output
    seals_of(settings)
    assert len(Trust.load(settings.trust_path).services) == 2


class _CutOff(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("step", ["keep_key_statement", "write_down", "put_into_use"])
def test_a_rotation_cut_off_at_any_step_is_ended_as_it_was_begun(
    settings: Settings, command: Command, database: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old = _service_id(settings)

    def cut_off(*_: object, **__: object) -> None:
        raise _CutOff

    with monkeypatch.context() as patched:
        patched.setattr(key_changes, step, cut_off)
        result = CliRunner().invoke(main, ["keys", "rotate", "service", "--overlap-days", "1"])
        assert isinstance(result.exception, _CutOff)
    assert _service_id(settings) == old
    begun = database("SELECT envelope FROM key_statement")
    command("rotate", "service", "--overlap-days", "2", "--write-trust")
    ended = database("SELECT envelope FROM key_statement")
    assert len(ended) == 1
    assert begun in ([], ended)
    predicate = Envelope.parse(ended[0][0]).statement["predicate"]
    trust = Trust.load(settings.trust_path)
    assert set(trust.lives) == {old}
    assert trust.lives[old].members() == {"valid_to": predicate["valid_to"]}
    assert _service_id(settings) != old


def test_doctor_tells_of_a_rotation_that_was_cut_off(
    settings: Settings, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object, **__: object) -> None:
        raise _CutOff

    with monkeypatch.context() as patched:
        patched.setattr(key_changes, "write_down", cut_off)
        CliRunner().invoke(main, ["keys", "rotate", "service"])
    findings = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    (advice,) = [one["advice"] for one in findings if one["subject"] == "keys"]
    assert "zhichao keys rotate service" in advice


def test_a_key_in_use_is_rotated_before_it_is_revoked(
    settings: Settings, command: Command, database: Database
) -> None:
    stolen = _service_id(settings)
    refused = command("revoke", stolen[:12], "--reason", "stolen", status=78)
    assert "rotate service" in refused.stderr
    command("rotate", "service")
    command("revoke", stolen[:12], "--reason", "stolen", "--at", "2026-03-20T08:30:00Z", "--write-trust")
    assert (
        Trust.load(settings.trust_path).lives[stolen].members()["revoked_at"] == "2026-03-20T08:30:00.000000Z"
    )
    ((envelope,),) = database("SELECT envelope FROM key_statement WHERE what = 'revocation'")
    keys = load_keys(settings.keys_root)
    statement = check_statement(envelope, [keys.service.public_key], KEYS)
    assert statement["subject"] == [{"name": "revoked", "digest": {"sha256": stolen}}]
    assert statement["predicate"]["reason"] == "stolen"
    listed = command("list").output
    assert re.search(rf"service +{stolen} former revoked_at 2026-03-20\S+ valid_to", listed)


def test_a_revocation_repeated_says_what_the_first_said(settings: Settings, command: Command) -> None:
    stolen = _service_id(settings)
    command("rotate", "service")
    for day in ("20", "21"):
        command("revoke", stolen, "--reason", "stolen", "--at", f"2026-03-{day}T00:00:00Z")
    assert "revoked_at 2026-03-20T00" in command("list").output


def test_a_logs_key_can_be_revoked_though_not_followed(settings: Settings, command: Command) -> None:
    log_id = key_id(load_keys(settings.keys_root).log.public_key)
    command("revoke", log_id, "--reason", "stolen", "--write-trust")
    assert Trust.load(settings.trust_path).lives[log_id].revoked_at is not None
    command("rotate", "log", status=2)


@pytest.mark.parametrize("wrong", ["", "ffffffffffffffff", "0"])
def test_an_id_that_names_no_one_key(command: Command, wrong: str) -> None:
    assert "zhichao keys list" in command("revoke", wrong, "--reason", "x", status=78).stderr


def test_a_revocation_in_the_future_is_refused(settings: Settings, command: Command) -> None:
    log_id = key_id(load_keys(settings.keys_root).log.public_key)
    command("revoke", log_id, "--reason", "x", "--at", "2999-01-01T00:00:00Z", status=78)
