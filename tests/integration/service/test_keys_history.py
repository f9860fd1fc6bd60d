"""`zhichao keys history`: a revocation is no use if nobody notices that a trust file leaves it out."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from evidence import Trust, load_keys
from evidence.signing import key_id
from service.cli import main
from service.keys import ensure_keys
from service.sequencer import sequence
from service.settings import Settings
from service.wiring import log_of
from store.connection import connect
from store.outbox import take_log

History = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of an installation whose service key was stolen, followed, revoked, all logged."""
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path / "data"))
    made = Settings()
    stolen = key_id(ensure_keys(made).service.public_key)
    _run("rotate", "service")
    _run("revoke", stolen, "--reason", "stolen", "--at", "2026-03-20T08:30:00Z", "--write-trust")
    _log_all(made, database_url)
    return made


def _run(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["keys", *arguments])
    assert result.exit_code == status, result.output
    return result


def _log_all(settings: Settings, database_url: str) -> None:
    async def once() -> None:
        keys = load_keys(settings.keys_root)
        async with await connect(database_url, autocommit=True) as conn:
            token = await take_log(conn)
            assert token is not None
            await sequence(conn, token, log_of(settings, keys), keys)

    asyncio.run(once())


def _without_revocation(settings: Settings, path: Path) -> Path:
    document = json.loads(settings.trust_path.read_bytes())
    for entry in document["services"]:
        entry.pop("revoked_at", None)
    path.write_text(json.dumps(document))
    return path


def test_a_revocation_left_out_of_the_trust_file_is_noticed_by_everybody(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.loads(_run("history", "--json", "--to", str(tmp_path / "handed")).stdout)
    assert (told["ok"], told["notes"], told["disagreements"]) == (True, [], [])
    assert [(one["leaf_index"], one["what"]) for one in told["statements"]] == [
        (0, "rotation"),
        (1, "revocation"),
        (2, "trust-file"),
    ]
    assert told["statements"][2]["subject"] == Trust.load(settings.trust_path).digest
    assert "without weight" in told["statements"][0]["signature"]["detail"]
    shortened = str(_without_revocation(settings, tmp_path / "shortened.json"))
    assert "the trust file does not" in _run("history", "--trust", shortened, status=1).output

    # Somebody else, with the folder and a trust file alone.
    trust = tmp_path / "trust.json"
    trust.write_bytes(settings.trust_path.read_bytes())
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    handed = ("history", "--from", str(tmp_path / "handed"))
    _run(*handed, "--trust", str(trust))
    assert "the trust file does not" in _run(*handed, "--trust", shortened, status=1).output
    _run("history", "--trust", str(trust), status=2)
    _run("history", "--from", str(tmp_path), "--trust", str(trust), status=2)
    statements = tmp_path / "handed" / "statements"
    proof = statements / "000000001-revocation.tlog-proof"
    proof.write_bytes((statements / "000000000-rotation.tlog-proof").read_bytes())
    assert "missing from the log" in _run(*handed, "--trust", str(trust), status=1).output


def test_a_revocation_taken_out_of_the_database_leaves_its_entry_in_the_log(
    settings: Settings, database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("DELETE FROM key_statement WHERE what = 'revocation'")
    told = _run("history", "--trust", str(_without_revocation(settings, tmp_path / "trust.json")), status=1)
    assert "statement is stored no more: entry 1" in told.output


def test_every_trust_file_a_command_writes_is_stated_once(settings: Settings, database_url: str) -> None:
    first = Trust.load(settings.trust_path).digest
    _run("trust-file", "--write")
    _run("rotate", "service", "--write-trust")
    second = Trust.load(settings.trust_path).digest
    told = _run("history", status=2).output
    assert told.count(f"trust file published, sha256 {first}") == 1
    assert told.count(f"trust file published, sha256 {second}") == 1
    assert "waits to be logged" in told
