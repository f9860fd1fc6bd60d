"""The road: the density of ISO 8608, one road a site, the same for the same seed."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.signal import periodogram

from domain.errors import ConfigurationError
from simulators.road.profile import ROUGHNESS_M3, RoadClass, Site, displacement_psd_m3


@pytest.mark.parametrize("road_class", ["A", "B", "C"])
def test_a_sampled_road_has_the_standards_power_in_every_octave(road_class: RoadClass) -> None:
    """The road as a surveyor would measure it, every 10 cm for 1.6 km, through an independent periodogram."""
    site = Site.draw(np.random.default_rng(8), road_class)
    step_m = 0.1
    height = site.elevation_m(np.arange(16_384, dtype=np.float64) * step_m)
    wave, density = periodogram(height, fs=1 / step_m, window="hann", detrend="linear")
    for low in (0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0):
        band = (wave >= low) & (wave < 2 * low)
        standard = quad(lambda n: ROUGHNESS_M3[road_class] * (n / 0.1) ** -2, low, 2 * low)[0]
        assert density[band].sum() * wave[1] == pytest.approx(standard, rel=0.2)


def test_the_height_is_the_sum_of_its_sinusoids_and_the_area_its_integral() -> None:
    site = Site.draw(np.random.default_rng(1), components=30)
    place = 3.7
    slow = sum(
        a * np.cos(2 * np.pi * n * place + p)
        for a, n, p in zip(site.amplitude_m, site.wavenumber_per_m, site.phase_rad, strict=True)
    )
    assert site.elevation_m(np.array(place)) == pytest.approx(slow, rel=1e-12)
    area = quad(lambda x: float(site.elevation_m(np.array(x))), 0, 5, limit=400)[0]
    areas = site.area_m2(-1.0, 0.01, 701)
    assert areas[600] - areas[100] == pytest.approx(area, abs=1e-9)


def test_a_seed_is_a_road_and_another_seed_another() -> None:
    place = np.linspace(0, 30, 100)
    one, again, other = (Site.draw(np.random.default_rng(seed)).elevation_m(place) for seed in (4, 4, 5))
    assert np.array_equal(one, again)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.99


def test_a_road_does_not_repeat_itself_within_a_kilometre() -> None:
    place = np.arange(0, 20, 0.1)
    site = Site.draw(np.random.default_rng(4), band_per_m=(0.2, 4.0))
    here = site.elevation_m(place)
    far = [site.elevation_m(place + shift) for shift in np.arange(100, 1000, 50)]
    assert max(abs(np.corrcoef(here, there)[0, 1]) for there in far) < 0.8


def test_an_unknown_road_class_and_an_empty_band_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'Z'"):
        displacement_psd_m3(np.ones(1), "Z")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="band"):
        Site.draw(np.random.default_rng(1), band_per_m=(2.0, 1.0))
