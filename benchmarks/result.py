"""The one line a benchmark ends with."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a benchmark measured.

    `ours`, `peers` and `bounds` are in `unit`; `ratios` holds `vs_<peer>` and `of_<bound>`; percentages in
    `figures` are 0-100; `ok` holds the claims that must hold for the exit code to be 0.
    """

    name: str
    unit: str
    ours: float
    peers: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    ok: dict[str, bool] = field(default_factory=dict)

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as much as each peer, and which part of each bound."""
        versus = {f"vs_{name}": round(self.ours / value, 4) for name, value in self.peers.items()}
        of = {f"of_{name}": round(self.ours / value, 4) for name, value in self.bounds.items()}
        return versus | of

    def line(self) -> str:
        """Return the JSON object, on one line."""
        return json.dumps(
            {
                "name": self.name,
                "unit": self.unit,
                "ours": self.ours,
                "peers": self.peers,
                "bounds": self.bounds,
                "ratios": self.ratios,
                "figures": self.figures,
                "ok": self.ok,
            },
            ensure_ascii=False,
        )

    @property
    def holds(self) -> bool:
        """Whether every claim is true."""
        return all(self.ok.values())
