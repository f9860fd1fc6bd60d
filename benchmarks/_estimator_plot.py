"""The estimator's figures as a picture: axle error by method, and coverage by road."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks._estimator_roads import Score

LAYOUTS = {"8": "8 strips in pairs", "16": "16 strips, 1.0 m", "8_class_b": "8 in pairs, class B road"}
METHODS = {
    "inverse_variance": "inverse variance",
    "mean": "mean",
    "sinusoid": "sinusoid fit",
    "gls_plain_bias": "GLS, plain bias",
    "ours": "GLS, shrunk bias",
}
_COLOURS = ("#c9c9c9", "#9aa5b1", "#d9a662", "#7fb3d5", "#1f5f99")


def draw(scores: dict[str, Score], path: Path) -> None:
    """Write the picture; the same scores give the same file."""
    mpl.rcParams["svg.hashsalt"] = "zhichao"
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _errors(left, scores)
    _coverage(right, scores)
    figure.savefig(path, metadata={"Date": None})


def _errors(axes: Axes, scores: dict[str, Score]) -> None:
    width = 0.8 / len(METHODS)
    for at, (method, label) in enumerate(METHODS.items()):
        heights = [scores[name].rms_percent(method)[0] for name in LAYOUTS]
        places = np.arange(len(LAYOUTS)) + (at - (len(METHODS) - 1) / 2) * width
        bars = axes.bar(places, heights, width, label=label, color=_COLOURS[at])
        axes.bar_label(bars, fmt="%.2f", fontsize=6, padding=1)
    axes.set_xticks(range(len(LAYOUTS)), list(LAYOUTS.values()), fontsize=8)
    axes.set_ylabel("axle error, % rms")
    axes.set_title("Error on unseen roads, 40 weighed passes each", fontsize=10)
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _coverage(axes: Axes, scores: dict[str, Score]) -> None:
    for what, colour in (("axle", "#1f5f99"), ("group", "#d9a662"), ("gross", "#7a3b69")):
        for name, style in (("8", "-"), ("16", "--")):
            by_road = np.sort(scores[name].coverage[what]) * 100.0
            part = (np.arange(len(by_road)) + 0.5) / len(by_road) * 100.0
            axes.plot(part, by_road, style, color=colour, label=f"{what}, {name} strips", linewidth=1.4)
    axes.axhline(95.0, color="black", linewidth=0.8)
    axes.set_xlabel("roads, % (sorted)")
    axes.set_ylabel("truth inside the 95 % interval, %")
    axes.set_ylim(75.0, 100.5)
    axes.set_title("Coverage by road", fontsize=10)
    axes.legend(fontsize=7, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
