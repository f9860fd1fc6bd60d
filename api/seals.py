"""Verifying packages for the page: in a thread, remembered per view, always anew when a case is decided."""

import threading
from dataclasses import dataclass
from pathlib import Path

from api.wiring import Wiring
from cases.ports import SealReport
from domain.errors import EvidenceBroken

MAX_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class MissingLayer:
    """The one layer of a package that is not there."""

    name: str
    detail: str
    ok: bool = False


@dataclass(frozen=True, slots=True)
class MissingPackage:
    """What is reported of a package that cannot be verified at all."""

    layers: tuple[MissingLayer, ...]
    ok: bool = False
    broken: tuple[str, ...] = ("package",)
    not_checked: tuple[str, ...] = ()


class SealChecks:
    """Verdicts by folder, each valid as long as no file of the folder has changed size or time."""

    def __init__(self, wiring: Wiring) -> None:
        self._root = wiring.evidence_root.resolve()
        self._verify = wiring.verify
        self._turns = wiring.verifying
        self._lock = threading.Lock()
        self._remembered: dict[str, tuple[object, SealReport]] = {}

    async def for_view(self, folder: str) -> SealReport:
        """Return the verdict to show; a remembered one where the files look the same."""
        return await self._turns.run(self._check, folder, False)

    async def for_decision(self, folder: str) -> SealReport:
        """Return a verdict from the bytes as they are now."""
        return await self._turns.run(self._check, folder, True)

    def _check(self, folder: str, anew: bool) -> SealReport:
        path = (self._root / folder).resolve()
        if path.parent != self._root or not path.is_dir():
            detail = f"the folder {folder} is not there; ask `zhichao evidence history` if it was deleted"
            return MissingPackage((MissingLayer("package", detail),))
        stamp = _stamp(path)
        with self._lock:
            remembered = self._remembered.get(folder)
        if not anew and remembered is not None and remembered[0] == stamp:
            return remembered[1]
        try:
            report = self._verify(path)
        except (EvidenceBroken, OSError) as error:
            return MissingPackage((MissingLayer("package", str(error)),))
        with self._lock:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.pop(next(iter(self._remembered)))
            self._remembered[folder] = (stamp, report)
        return report


def _stamp(path: Path) -> object:
    found = []
    for file in sorted(path.rglob("*")):
        facts = file.lstat()
        found.append((str(file.relative_to(path)), facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size))
    return tuple(found)
