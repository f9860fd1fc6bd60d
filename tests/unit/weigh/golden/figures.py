"""What the golden vehicle weighs now, with its calibration and without one, and by which algorithms."""

from typing import Any

from domain.ids import sha256_of
from tests.unit.weigh.golden.state import calibration
from tests.unit.weigh.golden.vehicle import waveform
from weigh.live import Weighed, weigh_waveforms
from weigh.signals import Signals

GROUPS = ((1, 1), (2, 1), (3, 3))
"""First axle and number of axles."""


def figures() -> dict[str, Any]:
    """Return the weighing documents."""
    wave, samples = waveform()
    results = weigh_waveforms([Signals(wave, samples, state) for state in (calibration(), None)])
    found: dict[str, Any] = {"samples": sha256_of(samples)}
    for name, result in zip(("calibrated", "nominal"), results, strict=True):
        assert isinstance(result, Weighed)
        found[name] = {
            "held": list(result.held),
            "flags": list(result.record.flags),
            "weighing": result.with_groups(GROUPS).model_dump(mode="json"),
        }
    return found
