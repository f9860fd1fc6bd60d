"""`zhichao keys`: a key is followed by another, or revoked, by statements in the log."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from click.testing import CliRunner, Result

from domain.errors import EvidenceBroken, ServiceUnavailable
from domain.ids import sha256_of
from evidence import Trust, VerifierKey, check_statement, leaf_hash, load_keys
from evidence.dsse import Envelope
from evidence.key_life import KeyLife
from evidence.keys import load_signer
from evidence.signing import key_id
from evidence.statements import KEYS
from evidence.witness_keys import create_witness_key, published_witness_key
from service import key_changes
from service.cli import main
from service.keys import ensure_keys, keys_of, remote_witness_keys
from service.settings import Settings
from service.wiring import log_of, seals_of

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


def _cosigned(settings: Settings) -> None:
    """Have the witness inside the installation cosign a first head."""
    log_of(settings, keys_of(settings)).append([leaf_hash(b"an entry")])


def test_the_own_witness_ends_when_another_takes_its_place(
    settings: Settings, command: Command, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key is in the operator's hands: nothing it cosigns from then on counts, and it cosigns nothing."""
    command("rotate", "witness")
    _cosigned(settings)
    keys, log = keys_of(settings), log_of(settings, keys_of(settings))
    former, own = (key_id(_former(settings)), key_id(keys.witness.public_key))
    apart = published_witness_key(create_witness_key(tmp_path / "apart", "example.net/witness"))
    monkeypatch.setenv("ZHICHAO_WITNESS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ZHICHAO_WITNESS_KEY", apart)
    for refused in (("trust-file",), ("trust-file", "--write")):
        assert "rotate witness --write-trust" in command(*refused, status=78).stderr
    before = datetime.now(UTC)
    command("rotate", "witness", "--write-trust")
    trust = Trust.load(settings.trust_path)
    assert str(trust.witnesses[0]) == apart
    ends = [one.valid_to for one in _lives(settings, [former, own])]
    assert all(one is not None and one <= before + timedelta(minutes=1) for one in ends)
    ((envelope,),) = database(f"SELECT envelope FROM key_statement WHERE key_id = '{own}'")  # noqa: S608
    Envelope.parse(envelope).check(keys.witness.public_key)
    with pytest.raises(ServiceUnavailable, match="was ended"):
        log.append([leaf_hash(b"another")])
    assert remote_witness_keys(Settings()) == [trust.witnesses[0]]
    assert "no other witness" in command("rotate", "witness", status=78).stderr
    command("revoke", own[:16], "--reason", "read by others", "--at", "2026-03-20T08:30:00Z")
    command("revoke", key_id(trust.witnesses[0].public_key), "--reason", "stolen", "--write-trust")
    assert [one.revoked_at is not None for one in _lives(settings, [_apart_id(apart), own])] == [True, True]
    with pytest.raises(ServiceUnavailable, match="has ended"):
        remote_witness_keys(Settings())


def test_a_witness_apart_is_followed_by_another_and_stays_in_the_trust_file(
    settings: Settings, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        published_witness_key(create_witness_key(tmp_path / name, f"example.{name}/witness"))
        for name in ("net", "org")
    )
    monkeypatch.setenv("ZHICHAO_WITNESS_URL", "http://127.0.0.1:9")
    for published in (first, second):
        monkeypatch.setenv("ZHICHAO_WITNESS_KEY", published)
        command("rotate", "witness", "--write-trust")
    named = [str(one) for one in Trust.load(settings.trust_path).witnesses]
    assert named[0] == second
    assert first in named
    assert [one.end is None for one in _lives(settings, [_apart_id(one) for one in (second, first)])] == [
        True,
        False,
    ]


def _former(settings: Settings) -> bytes:
    (path,) = (settings.keys_root / "former").glob("witness-*.pem")
    return load_signer(path, "former").public_key


def _lives(settings: Settings, ids: list[str]) -> list[KeyLife]:
    trust = Trust.load(settings.trust_path)
    return [trust.lives.get(one, KeyLife()) for one in ids]


def _apart_id(published: str) -> str:
    """Return the id by which `zhichao keys` names a witness apart."""
    return key_id(VerifierKey.parse(published).public_key)


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
    begun = database("SELECT envelope FROM key_statement WHERE role = 'service'")
    command("rotate", "service", "--overlap-days", "2", "--write-trust")
    ended = database("SELECT envelope FROM key_statement WHERE role = 'service'")
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
