"""Verifying a package offline, layer by layer, with keys from a trust file only.

Every layer catches what another misses (see docs/reference/evidence.md), so a layer that fails
does not end the verification; those that build on it say that they were not reached. Nothing here
raises on the content of a package: whatever its bytes, the answer is a report.

A layer is a function in one of the modules here: it takes what the layers before it found, returns
what holds as a sentence, and raises `EvidenceBroken` where it does not. Its name stands in
`policy.LAYERS`, in order, and its function beside that name in `table.CHECKS`.
"""

import os
from itertools import takewhile
from pathlib import Path

from domain.errors import EvidenceBroken, ServiceUnavailable
from domain.ids import PACKAGE_NAME, EventId
from evidence.bag import folder_name
from evidence.policy import LAYERS, ON_REQUEST, Policy
from evidence.report import Layer, Report
from evidence.trust import Trust
from evidence.verify.inspection import Earlier, Inspection, printable
from evidence.verify.table import CHECKS

__all__ = ["verify_package"]


def verify_package(path: Path, trust: Trust, *, policy: Policy | None = None) -> Report:
    """Verify the package in a folder; of a supplement, those before it too, where they lie beside it.

    Parameters
    ----------
    path
        The package's folder; its name must be the one the package was sealed under.
    trust
        Keys and roots, from outside the package.
    policy
        What is asked for; by default every layer but those on request.
    """
    policy = policy or Policy()
    root = Path(os.path.abspath(path))
    earlier = None
    for folder in reversed(_followed(root)):
        found = Inspection(folder, trust, policy, earlier)
        earlier = Earlier(found, _report(found))
    return _report(Inspection(root, trust, policy, earlier))


def _followed(root: Path) -> list[Path]:
    """Return the packages beside it that a supplement follows, the nearest first, up to a gap."""
    match = PACKAGE_NAME.fullmatch(root.name)
    if match is None or match["supplement"] is None:
        return []
    earlier = reversed(range(int(match["supplement"])))
    names = (folder_name(EventId(match["event"]), number) for number in earlier)
    return list(takewhile(os.path.lexists, (root.parent / name for name in names)))


def _report(found: Inspection) -> Report:
    policy = found.policy
    requested = [name for name in ON_REQUEST if name in policy.required_layers]
    layers = []
    for name in (*LAYERS, *requested):
        ok, checked, detail = True, True, ""
        try:
            detail = CHECKS[name](found)
        except (EvidenceBroken, OSError) as error:
            ok, detail = False, str(error)
        except ServiceUnavailable as error:
            ok, checked, detail = False, False, f"not checked: {error}"
        layers.append(Layer(name, ok, printable(detail), name in policy.required_layers, checked))
    return Report(printable(found.root.name), found.trust.digest, layers)
