"""FHWA W records as columns: whole lines of bytes in, one row a truck out (domain.md E4).

The rule of what a usable record is stands in the reader of single lines, `ingest.fhwa`, and is held
against it in the tests; here it is only fast. Lines that are no usable record are named by their place,
so that the reader can say why.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.events import MAX_AXLES
from weigh import _fhwa_kernel as kernel

SUM_TOLERANCE_LB_PER_FIGURE = 50
MAX_SPACING_TENTH_FT = 1_968
_SHORTEST = kernel.FIXED_COLUMNS + 2 * 9 - 4
_KG_PER_LB, _MM_PER_TENTH_FOOT = (45_359_237, 100_000_000), (3_048, 100)


@dataclass(frozen=True)
class WColumns:
    """The trucks of a block of lines, and what became of the others.

    Attributes
    ----------
    line : (R,), number of the line in the block, from 0
    code : (R, 8) uint8, state (2) and station (6) as written
    day : (R,), local day, as days since 1970-01-01
    hour, direction, lane, vehicle_class : (R,), direction as its digit
    gross_lb, gross_kg : (R,)
    axle_offset, spacing_offset : (R + 1,), the axles of truck r lie at axle_offset[r]:axle_offset[r + 1]
    weight_lb, load_kg : (sum of axles,)
    spacing_tenth_ft, spacing_mm : (sum of axles - R,)
    rejected : (K, 3) int64, number of the line from 0, and the bytes where it begins and ends
    lines, blank, hours_missing, hours_without_trucks : how many lines there are, and of these kinds
    """

    line: NDArray[np.int64]
    code: NDArray[np.uint8]
    day: NDArray[np.int32]
    hour: NDArray[np.int32]
    direction: NDArray[np.int32]
    lane: NDArray[np.int32]
    vehicle_class: NDArray[np.int32]
    gross_lb: NDArray[np.int32]
    axle_offset: NDArray[np.int32]
    weight_lb: NDArray[np.int32]
    spacing_tenth_ft: NDArray[np.int32]
    rejected: NDArray[np.int64]
    lines: int
    blank: int
    hours_missing: int
    hours_without_trucks: int

    @property
    def spacing_offset(self) -> NDArray[np.int32]:
        """Where each truck's spacings begin; one fewer a truck than axles."""
        return np.asarray(self.axle_offset - np.arange(len(self.axle_offset)), dtype=np.int32)

    @property
    def gross_kg(self) -> NDArray[np.int32]:
        """The recorded total, kg, rounded half to even; not the sum of rounded axles."""
        return _converted(self.gross_lb, *_KG_PER_LB)

    @property
    def load_kg(self) -> NDArray[np.int32]:
        """Axle loads, kg, each rounded half to even on its own."""
        return _converted(self.weight_lb, *_KG_PER_LB)

    @property
    def spacing_mm(self) -> NDArray[np.int32]:
        """Distances to the next axle, mm, each rounded half to even on its own."""
        return _converted(self.spacing_tenth_ft, *_MM_PER_TENTH_FOOT)


def parse_w_lines(data: bytes | bytearray | memoryview) -> WColumns:
    """Read whole lines; the last may lack its newline. Lines may differ in length and end with CR LF.

    Memory is about 2.5 times that of `data`, and 24 bytes a line.
    """
    read = np.frombuffer(data, dtype=np.uint8)
    most_rows, most_axles = len(read) // _SHORTEST + 1, len(read) // 9 + MAX_AXLES
    code = np.empty((most_rows, 8), dtype=np.uint8)
    facts = np.empty((most_rows, 6), dtype=np.int32)
    line = np.empty(most_rows, dtype=np.int64)
    weight, spacing = np.empty((2, most_axles), dtype=np.int32)
    offset = np.empty(most_rows + 1, dtype=np.int32)
    rejected = np.empty((int(np.count_nonzero(read == ord("\n"))) + 1, 3), dtype=np.int64)
    bounds = (MAX_AXLES, MAX_SPACING_TENTH_FT, SUM_TOLERANCE_LB_PER_FIGURE)
    counts = kernel.parse(read, code, facts, line, weight, spacing, offset, rejected, bounds).tolist()
    rows = counts[kernel.RECORD]
    axles = int(offset[rows])
    return WColumns(
        line=line[:rows],
        code=code[:rows],
        day=facts[:rows, kernel.DAY],
        hour=facts[:rows, kernel.HOUR],
        direction=facts[:rows, kernel.DIRECTION],
        lane=facts[:rows, kernel.LANE],
        vehicle_class=facts[:rows, kernel.CLASS],
        gross_lb=facts[:rows, kernel.GROSS_LB],
        axle_offset=offset[: rows + 1],
        weight_lb=weight[:axles],
        spacing_tenth_ft=spacing[: axles - rows],
        rejected=rejected[: counts[kernel.REJECTED]],
        lines=sum(counts),
        blank=counts[kernel.BLANK],
        hours_missing=counts[kernel.HOUR_MISSING],
        hours_without_trucks=counts[kernel.HOUR_WITHOUT_TRUCKS],
    )


def _converted(values: NDArray[np.int32], numerator: int, denominator: int) -> NDArray[np.int32]:
    """Return values times a ratio, rounded, in whole numbers throughout; no field's figure lies halfway."""
    scaled = values.astype(np.int64) * numerator + denominator // 2
    return np.asarray(scaled // denominator, dtype=np.int32)
