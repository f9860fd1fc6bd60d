"""Running a server that refuses root: which user it becomes, and whether that user can reach its files.

PostgreSQL does not start as root. Under root the server runs as `nobody`, which has a passwd entry
on every Linux; under an ordinary user it runs as that user.
"""

import os
import pwd
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import ConfigurationError


class ServerUser(NamedTuple):
    """The user a server process becomes."""

    name: str
    uid: int
    gid: int

    @property
    def popen_arguments(self) -> dict[str, Any]:
        """Arguments of `subprocess.Popen` that make the child this user; none where we are it already."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Give `path` to this user, if it is not ours to keep."""
        if os.geteuid() != self.uid:
            os.chown(path, self.uid, self.gid)


def server_user() -> ServerUser:
    """Return the user servers run as: `nobody` under root, ourselves otherwise.

    Raises
    ------
    ConfigurationError
        The user has no passwd entry, which PostgreSQL's initdb insists on.
    """
    try:
        entry = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    except KeyError:
        raise ConfigurationError(
            "the embedded database needs a user with a passwd entry: as root the user `nobody`, otherwise "
            f"one for uid {os.geteuid()}; add it, or set a database URL to use your own server"
        ) from None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def obstacle(path: Path, user: ServerUser) -> Path | None:
    """Return the outermost step on the way to `path` that `user` cannot enter (or read, `path` itself)."""
    resolved = path.resolve()
    for step in (*reversed(resolved.parents), resolved):
        if not _permits(step.stat(), user, needs_read=step == resolved):
            return step
    return None


def _permits(status: os.stat_result, user: ServerUser, *, needs_read: bool) -> bool:
    if user.uid == 0:
        return True
    if status.st_uid == user.uid:
        shift = 6
    elif status.st_gid == user.gid:
        shift = 3
    else:
        shift = 0
    wanted = (4 if needs_read else 0) | (1 if stat.S_ISDIR(status.st_mode) else 0)
    return (status.st_mode >> shift) & wanted == wanted


def copy_readable(folders: Iterable[Path], target: Path) -> None:
    """Copy folders side by side into `target`, readable by everyone; all of it or nothing."""
    unfinished = target.with_name(f"{target.name}.new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    for folder in folders:
        shutil.copytree(folder, unfinished / folder.name, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
    unfinished.rename(target)
