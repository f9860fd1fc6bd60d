"""A waveform whose loops leave open what it is makes statistics, and never a case."""

from typing import Any

import pytest

from domain.events import Loop, Waveform
from ingest.limits import Limits
from ingest.waveforms import read
from tests.unit.weigh.test_live import NOW, ROAD, STATE
from weigh.live import HELD, Weighed, weigh_waveforms
from weigh.signals import Signals


@pytest.fixture(scope="module")
def vehicle() -> Signals:
    """Return a vehicle driving as it should, over loops that say all they can."""
    made = (ROAD.passage(place, NOW, "e") for place in range(50))
    body = next(one for one in made if one.truth["drive"] == "normal").drafts[0].body
    waveform, offset = read(body, limits=Limits())
    return Signals(waveform, body[offset:], STATE)


def without(loop: Loop | None, *names: str) -> Loop | None:
    """Return a loop less some of what it said."""
    assert loop is not None
    return loop.model_copy(update=dict.fromkeys(names))


def held(signals: Signals, **changes: Any) -> tuple[str, ...]:
    """Return why a vehicle is held with another description."""
    waveform: Waveform = signals.waveform.model_copy(update=changes)
    (result,) = weigh_waveforms([signals._replace(waveform=waveform)])
    assert isinstance(result, Weighed)
    assert result.record.flags == ()
    assert result.record.u_gross_ppm is not None, "the figures stand, for statistics"
    return result.held


def test_what_the_loops_leave_open_holds_a_passage(vehicle: Signals) -> None:
    wave = vehicle.waveform
    silent = {"on_us", "off_us", "detuning_milli"}
    shallow = {
        "lead": without(wave.lead, "detuning_milli"),
        "trail": without(wave.trail, "detuning_milli"),
    }
    nobody = {"left": None, "right": None}
    assert held(vehicle) == ()
    assert held(vehicle, lead=None, trail=None, **nobody) == ("no-loop", "straddling-open")
    assert held(vehicle, lead=without(wave.lead, *silent), trail=without(wave.trail, *silent)) == ("no-loop",)
    assert held(vehicle, **shallow) == ()
    assert held(vehicle, **nobody) == ()
    assert held(vehicle, **shallow, **nobody) == ("straddling-open",)
    assert held(vehicle, **shallow, left=None) == ("straddling-open",)


def test_a_vehicle_with_loops_and_one_without_do_not_share_a_layout(vehicle: Signals) -> None:
    bare = vehicle._replace(
        waveform=vehicle.waveform.model_copy(update=dict.fromkeys(("lead", "trail", "left", "right")))
    )
    one, other = weigh_waveforms([vehicle, bare])
    assert isinstance(one, Weighed)
    assert isinstance(other, Weighed)
    assert (one.held, other.held) == ((), ("no-loop", "straddling-open"))
    assert set(other.held) <= set(HELD)
