"""`zhichao calibrate health`: the strips of a lane against each other, on its latest passages."""

import math
from datetime import UTC, datetime
from typing import NamedTuple

from domain.errors import NotFound
from domain.ids import DeviceId, StationId
from domain.units import utc_text
from service.administration import open_database
from service.settings import Settings
from store.calibrations import LaneAt, states_at
from store.strip_loads import StripLoads, strip_loads
from weigh.calibration.health import StripHealth, Verdict, health_of_lists
from weigh.calibration.state import CalibrationState

_WORDS = {
    Verdict.UNDETERMINED: "too few axles, or too few other strips, to say",
    Verdict.DEAD: "silent on most axles: have it looked at, then calibrate anew",
    Verdict.FLAT: "says the same of light and heavy axles: have it looked at, then calibrate anew",
    Verdict.NOISY: "scatters far more than the others",
    Verdict.DRIFTING: "its share against the others changes: calibrate anew",
    Verdict.SOUND: "",
}


class LaneHealth(NamedTuple):
    """What was found, and on what."""

    version: int
    loads: StripLoads
    health: StripHealth

    @property
    def sound(self) -> bool:
        """Whether every strip is."""
        return set(self.health.verdict) == {Verdict.SOUND}


async def lane_health(
    settings: Settings, station: StationId, device: DeviceId, lane: int, *, most_passages: int
) -> LaneHealth:
    """Return the health of a lane's strips, each load with the gain of the calibration now in force."""
    async with open_database(settings) as conn:
        (installed,) = await states_at(conn, [LaneAt(station, device, lane, datetime.now(UTC))])
        if installed is None:
            raise NotFound(f"{station}/{device}, lane {lane} has no calibration in force; install one first")
        state = CalibrationState.from_document(installed.document)
        strips = len(state.strip_position_mm)
        loads = await strip_loads(conn, station, device, lane, strips=strips, most_passages=most_passages)
    return LaneHealth(state.version, loads, health_of_lists(loads.axles, state.strip_gain_ppm))


def health_text(found: LaneHealth) -> str:
    """Return the health as lines for people."""
    if found.loads.since is None or found.loads.until is None:
        return f"no passage has been weighed by the strips of calibration {found.version}"
    span = f"{utc_text(found.loads.since)} to {utc_text(found.loads.until)}"
    head = f"{len(found.loads.axles)} axles from {span}, with the gains of calibration {found.version}"
    health = found.health
    figures = [
        [_percent(f) for f in row] for row in zip(health.silent, health.spread, health.change, strict=True)
    ]
    rows = [
        f"{strip + 1:>5}  {verdict.value:<12}  {'  '.join(f'{cell:>8}' for cell in cells)}  {_WORDS[verdict]}"
        for strip, (verdict, cells) in enumerate(zip(health.verdict, figures, strict=True))
    ]
    columns = "strip  verdict       silent %  spread %  change %"
    return "\n".join([head, "", columns, *(row.rstrip() for row in rows)])


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}"
