"""Waveforms of the strips in, strip loads out: `process` is the door, for a batch or a batch of one.

Read in the order of the work: `layout`, `checks`, `blocks` (the one pass over the samples), `quiet` (noise
and baseline), `pulses`, `axles` (matching, speed, loads), `manoeuvres`, `doubts`, `processing` (all of it).
"""

from weigh.waveform.checks import samples_from_buffer
from weigh.waveform.criteria import Criteria
from weigh.waveform.layout import Layout, Loops
from weigh.waveform.processing import ALGORITHM, process
from weigh.waveform.strip_loads import DOUBTS, MANOEUVRES, PROBLEMS, StripLoads

__all__ = [
    "ALGORITHM",
    "DOUBTS",
    "MANOEUVRES",
    "PROBLEMS",
    "Criteria",
    "Layout",
    "Loops",
    "StripLoads",
    "process",
    "samples_from_buffer",
]
