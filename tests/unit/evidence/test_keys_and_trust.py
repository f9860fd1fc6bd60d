"""Keys in files that only their owner may read, and the trust file that is published apart."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError
from evidence import LocalTestAuthority, Policy, Trust, create_keys, load_keys, trust_bytes, trust_file
from evidence.keys import TEST_ROOT_NAME

PRIVATE = ("service.pem", "log.pem", "witness.pem", "tsa.pem")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with new keys."""
    create_keys(tmp_path / "keys", name="example.org")
    return tmp_path / "keys"


def test_keys_load_as_they_were_made(tmp_path: Path) -> None:
    made = create_keys(tmp_path / "keys", name="example.org")
    loaded = load_keys(tmp_path / "keys")
    for role in ("service", "log", "witness"):
        assert getattr(made, role).public_key == getattr(loaded, role).public_key
        assert getattr(loaded, role).name == f"example.org/{role}"
    assert len({loaded.service.public_key, loaded.log.public_key, loaded.witness.public_key}) == 3


def test_key_files_are_private_and_the_roots_key_is_nowhere(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    keys = {path.name for path in folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()}
    assert keys == set(PRIVATE)
    for name in PRIVATE:
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
@pytest.mark.parametrize("name", PRIVATE)
def test_a_key_open_to_others_is_refused(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    load = LocalTestAuthority if name == "tsa.pem" else load_keys
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load(folder)


def test_a_folder_open_to_others_is_refused(folder: Path) -> None:
    folder.chmod(0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        load_keys(folder)


def test_keys_are_never_overwritten(folder: Path) -> None:
    before = (folder / "log.pem").read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        create_keys(folder)
    assert (folder / "log.pem").read_bytes() == before


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_names_a_signed_note_cannot_carry_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name keys"):
        create_keys(tmp_path / "keys", name=name)


def test_missing_damaged_and_exchanged_keys(folder: Path) -> None:
    tsa = (folder / "tsa.pem").read_bytes()
    for content, why in ((b"no key", "not a private key"), (tsa, "not an Ed25519 key")):
        (folder / "log.pem").write_bytes(content)
        with pytest.raises(ConfigurationError, match=why):
            load_keys(folder)
    (folder / "log.pem").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_keys(folder)


def test_the_trust_file_reads_back_and_has_one_digest(folder: Path, tmp_path: Path) -> None:
    keys = load_keys(folder)
    path = tmp_path / "trust.json"
    path.write_bytes(trust_bytes(trust_file(keys)))
    trust = Trust.load(path)
    assert [service.public_key for service in trust.services] == [keys.service.public_key]
    assert [log.public_key for log in trust.logs] == [keys.log.public_key]
    assert [witness.public_key for witness in trust.witnesses] == [keys.witness.public_key]
    assert trust.tsa_roots == (keys.tsa_root,)
    assert trust == Trust.parse(trust_bytes(trust_file(load_keys(folder))))
    assert TEST_ROOT_NAME.partition(",")[0] in path.read_text()


def test_a_real_authority_leaves_the_test_root_out(folder: Path) -> None:
    assert trust_file(load_keys(folder), tsa_roots=[])["time_authorities"] == []


def _without_format(document: dict[str, Any]) -> None:
    del document["format"]


def _short_service_key(document: dict[str, Any]) -> None:
    document["services"][0]["ed25519"] = "AAAA"


def _witness_as_log(document: dict[str, Any]) -> None:
    document["logs"] = document["witnesses"]


def _broken_root(document: dict[str, Any]) -> None:
    document["time_authorities"][0]["root_pem"] = "-----BEGIN"


def _logs_not_a_list(document: dict[str, Any]) -> None:
    document["logs"] = 5


def _services_of_strings(document: dict[str, Any]) -> None:
    document["services"] = ["key"]


@pytest.mark.parametrize(
    "damage",
    [
        _without_format,
        _short_service_key,
        _witness_as_log,
        _broken_root,
        _logs_not_a_list,
        _services_of_strings,
    ],
)
def test_a_malformed_trust_file_is_refused_whole(folder: Path, damage: Any) -> None:
    document = trust_file(load_keys(folder))
    damage(document)
    with pytest.raises(ConfigurationError, match="trust file cannot be used"):
        Trust.parse(trust_bytes(document))


def test_a_missing_trust_file_and_one_that_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Trust.load(tmp_path / "trust.json")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Trust.parse(b"[1.5]")


def test_a_policy_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps({"required_layers": ["layout", "entry"], "log_delay_s": 60}))
    assert Policy.load(path) == Policy(required_layers=frozenset({"layout", "entry"}), log_delay_s=60)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"log_delay_s": -1}',
        '{"log_delay_s": 1.5}',
        '{"log_delay_s": true}',
        '{"other": 1}',
        '{"required_layers": ["signature"]}',
        '{"required_layers": "layout"}',
    ],
)
def test_a_malformed_policy_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="policy"):
        Policy.load(path)
