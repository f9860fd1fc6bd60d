"""One vehicle's strip signals with the pulses found in them."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from weigh.waveform import Layout, StripLoads
from weigh.waveform.blocks import block_samples
from weigh.waveform.criteria import Criteria
from weigh.waveform.processing import read_pulses

INK, PULSE, CENTRE = "#1f2933", "#9fc5e8", "#c0392b"


def draw(path: Path, samples: NDArray[Any], layout: Layout, found: StripLoads, vehicle: int) -> None:
    """Write a picture of one vehicle of a batch: signals in kN, windows summed over, centres of gravity."""
    one = samples[vehicle : vehicle + 1]
    pulses = read_pulses(one, layout)
    block_s = block_samples(layout, Criteria()) / layout.sample_rate_hz
    with mpl.rc_context({"font.size": 9, "axes.edgecolor": INK, "svg.hashsalt": "zhichao"}):
        figure = Figure(figsize=(9, 8), layout="constrained")
        rows = figure.subplots(layout.strips, 1, sharex=True, sharey=True)
        for strip, axes in enumerate(rows):
            signal = one[0, strip] / 1_000
            axes.plot([i / layout.sample_rate_hz for i in range(len(signal))], signal, color=INK, lw=0.8)
            for at in range(pulses.number[0, strip]):
                first, stop = pulses.first[0, strip, at], pulses.stop[0, strip, at]
                axes.axvspan(first * block_s, stop * block_s, color=PULSE, alpha=0.6, lw=0)
                axes.axvline(pulses.time_s[0, strip, at], color=CENTRE, lw=0.8)
            axes.set_ylabel(f"{layout.position_m[strip]:g} m", rotation=0, ha="right", va="center")
            axes.spines[["top", "right"]].set_visible(False)
        rows[-1].set_xlabel("seconds")
        rows[0].set_title(
            f"{found.axle_count[vehicle]} axles at {3.6 * found.speed_m_s[vehicle]:.1f} km/h: signals in"
            " kN, the window of each pulse, its centre of gravity",
            loc="left",
        )
        figure.savefig(path, dpi=110)
