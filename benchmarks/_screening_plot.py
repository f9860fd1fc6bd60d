"""Records screened in a second, beside the memory's speed and the peers."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.result import Result

_NAMES = {
    "memory_read": "input read once (bound)",
    "ours": "zhichao, whole rule",
    "one_thread_records_s": "zhichao, one thread",
    "cold_records_s": "zhichao, nothing remembered",
    "polars": "polars, whole rule",
    "pandas": "pandas, whole rule",
    "polars_simplified": "polars, simplified rule",
    "duckdb_simplified": "DuckDB, simplified rule",
}


def draw(result: Result, path: Path) -> None:
    """Write the picture; the same result gives the same file."""
    mpl.rcParams["svg.hashsalt"] = "zhichao"
    values = {"ours": result.ours, **result.bounds, **result.peers, **result.figures}
    rates = {name: values[key] / 1e6 for key, name in _NAMES.items()}
    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    axes = figure.subplots()
    colours = [
        "#9aa5b1" if "(bound)" in name else "#1f5f99" if "zhichao" in name else "#d9a662" for name in rates
    ]
    bars = axes.barh(list(rates), list(rates.values()), color=colours)
    axes.bar_label(bars, fmt="%.2f", fontsize=8, padding=2)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(f"million records a second, {result.figures['threads']} threads")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
