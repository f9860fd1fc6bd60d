"""A flat top tells of a converter at its end at every sample rate, and of nothing where steps are coarse."""

import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.road.driving import normal
from simulators.road.profile import Site
from simulators.road.recordings import Sensors
from simulators.road.setting import Setting
from simulators.road.signals import Lane
from tests.counts import count
from tests.unit.weigh.waveform.oracle import Drive, layout, signal
from tests.unit.weigh.waveform.test_manoeuvres import lane_layout
from weigh.waveform import Loops, process
from weigh.waveform.processing import read_pulses
from weigh.waveform.pulses import CLIPPED

RATES_HZ = (1_000.0, 2_000.0, 5_000.0, 20_000.0)
SPEEDS_M_S = (12.0, 22.0, 30.0)


def recorded(rate_hz: float, speed_m_s: float, noise_n: float = 20.0) -> NDArray[np.float64]:
    """Return one vehicle's signals with noise, (S, N)."""
    rng = np.random.default_rng([round(rate_hz), round(speed_m_s)])
    clean = signal(Drive(speed_m_s=speed_m_s), rate_hz=rate_hz, seconds=2.0)
    return clean + rng.normal(0, noise_n, clean.shape)


@pytest.mark.parametrize("speed_m_s", SPEEDS_M_S)
@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("part", [0.97, 0.9, 0.7])
def test_a_mildly_clipped_strip_is_left_out_without_its_full_scale(
    rate_hz: float, speed_m_s: float, part: float
) -> None:
    samples = recorded(rate_hz, speed_m_s)
    samples[1] = np.minimum(samples[1], part * samples[1].max())
    found = process(samples.astype(np.float32)[None], layout(rate_hz), Loops.silent(1))
    assert found.alive[0].tolist() == [True, False, True, True]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("step_n", [0.01, 1.0, 10.0, 20.0, 40.0, 80.0])
def test_a_converter_with_coarse_steps_is_not_taken_for_clipped(rate_hz: float, step_n: float) -> None:
    for noise_n in (5.0, 20.0):
        batch = np.stack([recorded(rate_hz, speed, noise_n) for speed in SPEEDS_M_S])
        coarse = (np.rint(batch / step_n) * step_n).astype(np.float32)
        assert not (read_pulses(coarse, layout(rate_hz)).state & CLIPPED).any()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_what_passes_for_whole_has_lost_next_to_nothing(rate_hz: float) -> None:
    rng = np.random.default_rng(round(rate_hz))
    lane = Lane.pairs_8(rate_hz, window_s=3.0)
    site = Site.draw(rng, "A")
    made = normal(
        Setting(rng=rng, site=site, lane=lane, sensors=Sensors()), count(40, reduced=5), speeds=(15.0, 30.0)
    )
    layout, loops = lane_layout(lane), Loops(**vars(made.loops))
    whole = process(made.samples, layout, loops)
    empty = np.median(made.samples, axis=2, keepdims=True)
    height = made.samples.max(axis=2, keepdims=True) - empty
    for part in (0.995, 0.98, 0.95, 0.8):
        found = process(np.minimum(made.samples, empty + np.float32(part) * height), layout, loops)
        axles = min(found.load.shape[1], whole.load.shape[1])
        lost = 1 - found.load[:, :axles] / whole.load[:, :axles]
        assert not (lost > 0.01).any()
        assert found.alive.mean() < (1.0 if part > 0.95 else 0.05)


@pytest.mark.parametrize(("clipped", "is_held"), [(0, False), (1, False), (2, True)])
def test_a_load_beyond_the_range_of_several_strips_makes_no_case(clipped: int, is_held: bool) -> None:
    """Those left are the strips on which it bounced low, and no fair sample."""
    samples = recorded(2_000.0, 20.0)
    samples[:clipped] = np.minimum(samples[:clipped], 12_000.0)
    found = process(samples.astype(np.float32)[None], layout(2_000.0), Loops.silent(1))
    assert found.alive.sum() == 4 - clipped
    assert ("strips-clipped" in found.doubts_of(0)) is is_held
