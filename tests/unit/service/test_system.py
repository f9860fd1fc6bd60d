"""One machine's set of processes: its ports, and its sole use of the data folder."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from service.reach import as_running, publish_addresses
from service.settings import Settings
from service.system import sole_use_of, with_usable_port


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Return a port that something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_demo_moves_to_a_free_port(taken_port: int) -> None:
    moved = with_usable_port(Settings(web_port=taken_port), "web_port", "127.0.0.1", move=True)
    assert moved.web_port != taken_port
    assert with_usable_port(moved, "web_port", "127.0.0.1", move=True) == moved


def test_a_configured_port_that_is_taken_is_an_error_that_names_its_variable(taken_port: int) -> None:
    with pytest.raises(ConfigurationError, match="ZHICHAO_WEB_PORT"):
        with_usable_port(Settings(web_port=taken_port), "web_port", "127.0.0.1", move=False)


def test_a_data_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigurationError, match="in use by another zhichao")
    with sole_use_of(tmp_path), refused, sole_use_of(tmp_path):
        pytest.fail("two supervisors hold one folder")
    with sole_use_of(tmp_path):
        assert (tmp_path / "lock").exists()


def test_addresses_are_private_and_known_only_while_something_runs(tmp_path: Path) -> None:
    there = Settings.model_validate(
        {"data": tmp_path, "database_url": "postgresql://u:secret@db/x", "web_port": 9999}
    )
    asked = Settings(data=tmp_path)
    with sole_use_of(tmp_path):
        publish_addresses(there)
        assert (tmp_path / "addresses.json").stat().st_mode & 0o077 == 0
        assert as_running(asked).require_database_url() == "postgresql://u:secret@db/x"
        assert as_running(asked).web_port == 9999
        left_behind = (tmp_path / "addresses.json").read_bytes()
    assert as_running(asked) == asked
    (tmp_path / "addresses.json").write_bytes(left_behind)  # as after kill -9 of the supervisor
    assert as_running(asked) == asked
