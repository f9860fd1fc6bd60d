"""The decision rule drawn: what is caught by true excess, and what the guard band spares."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from benchmarks.decision import Case, Verdicts

_LIMIT_KG = 40_000


def draw(verdicts: "Mapping[Case, Verdicts]", path: Path) -> None:
    """Write both panels into one file, its format by the name's ending."""
    mpl.rcParams["svg.hashsalt"] = "decision"
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _caught(left, verdicts)
    _false(right, verdicts)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _caught(axes: Axes, verdicts: "Mapping[Case, Verdicts]") -> None:
    edges = np.arange(0.90, 1.301, 0.005)
    for case, found in verdicts.items():
        if case.guard_k_milli != 3_000:
            continue
        place = np.digitize(found.true_kg / _LIMIT_KG, edges)
        flagged = np.bincount(place, weights=found.flagged, minlength=len(edges) + 1)
        share = 100 * flagged / np.maximum(np.bincount(place, minlength=len(edges) + 1), 1)
        name = f"u = {case.u_ppm / 10_000:g} %" + (", 5 % deducted" if case.mpe_ppm else "")
        style = "--" if case.mpe_ppm else "-"
        colour = "#1f5fa8" if case.u_ppm == 10_000 else "#b4481f"
        axes.plot(100 * (edges[:-1] + 0.0025), share[1:-1], style, color=colour, label=name)
    axes.axvline(100, color="0.6", linewidth=0.8)
    axes.set_xlabel("true gross mass, % of the limit")
    axes.set_ylabel("found overloaded, %")
    axes.legend(title="guard band of 3 u")


def _false(axes: Axes, verdicts: "Mapping[Case, Verdicts]") -> None:
    for u_ppm, colour in ((10_000, "#1f5fa8"), (35_000, "#b4481f")):
        for mpe_ppm, style in ((0, "o-"), (50_000, "s--")):
            chosen = [
                (case.guard_k_milli / 1_000, found.false_percent)
                for case, found in verdicts.items()
                if (case.u_ppm, case.mpe_ppm) == (u_ppm, mpe_ppm)
            ]
            name = f"u = {u_ppm / 10_000:g} %" + (", 5 % deducted" if mpe_ppm else "")
            axes.plot(*zip(*chosen, strict=True), style, color=colour, label=name)
    axes.axhline(0.1, color="0.6", linewidth=0.8)
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.set_xlabel("guard factor k")
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(4))
    axes.set_ylabel("of those, truly within the limit, %")
    axes.legend()
