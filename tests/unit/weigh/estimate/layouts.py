"""Layouts that several tests weigh with, and tables for them."""

import numpy as np
from numpy.typing import NDArray

from weigh.estimate import GlsTable

PAIRS_8_M = np.array([0.0, 3.1, 4.0, 6.6, 7.4, 10.1, 11.0, 14.2])
CLASS_A_M3 = 16e-6
NOISE = 0.015

ALL_8 = (1 << 8) - 1


def table(position_m: NDArray[np.float64] = PAIRS_8_M, *, roughness_m3: float = CLASS_A_M3) -> GlsTable:
    """Return a table of strips of equal noise."""
    return GlsTable(position_m, np.full(len(position_m), NOISE), roughness_m3)


PAIRS_8 = table()
