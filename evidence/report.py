"""The verdict on a package, layer by layer, for people and for programs."""

import json
from typing import NamedTuple

from domain.ids import Sha256

VERIFIED, NOT_VERIFIED, NOT_CHECKED = range(3)
"""Exit statuses of whoever reports."""

STATUSES = ("verified", "not-verified", "not-checked")
"""The same as words for programs."""


class Layer(NamedTuple):
    """One thing that was checked."""

    name: str
    ok: bool
    detail: str
    """What holds, or what does not and why."""
    required: bool = True
    """Whether the policy asks for this layer."""
    checked: bool = True
    """False where it could not be told on this machine; then `ok` is false too, and nothing is broken."""


class Report(NamedTuple):
    """Everything that was checked of one package."""

    package: str
    """The folder's name."""
    trust_digest: Sha256
    layers: list[Layer]

    @property
    def ok(self) -> bool:
        """Whether every layer the policy requires holds."""
        return all(layer.ok for layer in self.layers if layer.required)

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of required layers that do not hold."""
        return tuple(one.name for one in self.layers if one.required and one.checked and not one.ok)

    @property
    def not_checked(self) -> tuple[str, ...]:
        """Names of required layers that could not be checked here."""
        return tuple(one.name for one in self.layers if one.required and not one.checked)

    @property
    def status(self) -> int:
        """Exit status: 0 verified, 1 something does not hold, 2 something could not be checked."""
        return NOT_VERIFIED if self.broken else NOT_CHECKED if self.not_checked else VERIFIED


def as_text(report: Report) -> str:
    """Return the report for a terminal."""
    width = max(len(layer.name) for layer in report.layers)
    lines = [f"package    {report.package}", f"trust file sha256 {report.trust_digest}", ""]
    lines += [f"{_mark(layer):7} {layer.name:{width}}  {layer.detail}" for layer in report.layers]
    verdict = "VERIFIED: every required layer holds"
    if report.not_checked:
        verdict = f"NOT CHECKED: {', '.join(report.not_checked)}; that speaks neither for nor against it"
    if report.broken:
        verdict = f"NOT VERIFIED: {', '.join(report.broken)}"
    return "\n".join([*lines, "", verdict, ""])


def as_json(report: Report) -> str:
    """Return the report as one JSON object on one line."""
    document = {
        "package": report.package,
        "ok": report.ok,
        "status": STATUSES[report.status],
        "trust_sha256": report.trust_digest,
        "layers": [layer._asdict() for layer in report.layers],
    }
    return json.dumps(document, ensure_ascii=False)


def _mark(layer: Layer) -> str:
    if layer.ok:
        return "holds"
    if not layer.checked:
        return "UNKNOWN"
    return "BROKEN" if layer.required else "(fails)"
