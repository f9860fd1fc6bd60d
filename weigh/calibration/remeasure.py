"""What a calibration makes of the strips' loads of weighed passes, to compare with the references."""

from dataclasses import replace

import numpy as np

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from weigh.calibration.passes import WeighedPasses
from weigh.calibration.state import CalibrationState
from weigh.weighing import PROBLEMS, weigh_loads


def remeasured(passes: WeighedPasses, state: CalibrationState) -> WeighedPasses:
    """Return the passes with `measured_kg` as the calibration weighs them; one it cannot weigh is refused."""
    strips = len(state.strip_position_mm)
    if passes.strip_load.shape[2] != strips:
        raise InputRefused(
            RefusalCode.FIELD_MISSING,
            f"passes have loads of {passes.strip_load.shape[2]} strips, the calibration is of {strips}",
        )
    heard = np.asarray((np.isfinite(passes.strip_load) | ~passes.axle[:, :, None]).all(axis=1))
    weighing = weigh_loads(
        passes.strip_load, passes.axle_type, passes.speed_m_s, state, passes.temperature_k, alive=heard
    )
    if weighing.problem.any():
        first = int(np.flatnonzero(weighing.problem)[0])
        raise InputRefused(
            RefusalCode.OUT_OF_RANGE, f"weighed pass {first + 1}: {PROBLEMS[weighing.problem[first]]}"
        )
    return replace(passes, measured_kg=np.where(passes.axle, weighing.axle_kg, np.nan))
