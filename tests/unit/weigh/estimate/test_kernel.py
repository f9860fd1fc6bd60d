"""The covariance between strips is that of two masses on two springs, driven over an ISO 8608 road."""

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from tests.unit.weigh.estimate.layouts import CLASS_A_M3
from weigh.estimate import ASSUMED_POPULATION, AxlePopulation, Springs
from weigh.estimate.kernel import SPEEDS_M_S, force_spectra, strip_kernels
from weigh.estimate.population import LOADS_KG, Population, members

AT_20_M_S = int(np.argmin(np.abs(SPEEDS_M_S - 20.0)))

ONE_KIND = Springs(1.0, (700, 700), (1.8, 1.8), (0.15, 0.15), (3.5e6, 3.5e6), (0.24, 0.24))
ONE_LOAD = tuple(1.0 if load == 9_000.0 else 0.0 for load in LOADS_KG)
ONE_AXLE: Population = (AxlePopulation(ONE_LOAD, (ONE_KIND,)),) * 3


def force_per_metre(wavenumber: NDArray[np.float64], speed: float) -> NDArray[np.complex128]:
    """Return the relative force of the one axle, from the two equations of motion, solved one by one."""
    load, unsprung, hertz, damping, tyre, contact = 9_000.0, 700.0, 1.8, 0.15, 3.5e6, 0.24
    sprung = load - unsprung
    spring = sprung * (2 * np.pi * hertz) ** 2
    damper = 2 * damping * np.sqrt(spring * sprung)
    force = []
    for n in wavenumber:
        w = 2 * np.pi * n * speed
        link = spring + 1j * w * damper
        motion = np.array([[link - w**2 * sprung, -link], [-link, link + tyre - w**2 * unsprung]])
        _, wheel = np.linalg.solve(motion, np.array([0.0, tyre]))
        force.append(tyre * (1.0 - wheel) * np.sinc(n * contact) / (9.80665 * load))
    return np.array(force)


def test_the_covariance_is_the_integral_over_the_road_of_the_equations_of_motion() -> None:
    position = np.array([0.0, 0.9, 4.0])
    n = np.arange(0.006, 4.99, 0.001)
    power = CLASS_A_M3 * (n / 0.1) ** -2.0 * np.square(np.abs(force_per_metre(n, 20.0)))
    wanted = [[np.trapezoid(power * np.cos(2 * np.pi * n * (a - b)), n) for a in position] for b in position]
    whole, _ = strip_kernels(position, ONE_AXLE)
    found = CLASS_A_M3 * whole[AT_20_M_S, 1]
    np.testing.assert_allclose(found, wanted, atol=0.01 * found[0, 0])


def test_axles_all_alike_have_everything_in_common() -> None:
    spectra = force_spectra(ONE_AXLE)
    np.testing.assert_allclose(np.square(np.abs(spectra.common)), spectra.power, rtol=1e-9)
    heavy = LOADS_KG.index(9_000.0)
    assert spectra.apart[:, :, heavy].max() < 1e-9 * spectra.power.max()
    assert spectra.apart[:, :, 0].max() > 0.1 * spectra.power.max()


def test_what_is_common_is_a_part_of_the_whole_and_both_are_covariances() -> None:
    whole, common = strip_kernels(np.array([0.0, 0.9, 3.1, 4.0]), ASSUMED_POPULATION)
    for kernel in (whole, common, whole - common):
        np.testing.assert_allclose(kernel, kernel.swapaxes(-1, -2), atol=1e-9 * whole.max())
        assert np.linalg.eigvalsh(kernel).min() > -1e-9 * whole.max()


def test_the_dynamic_force_on_a_class_a_road_is_what_is_published() -> None:
    whole, _ = strip_kernels(np.zeros(1), ASSUMED_POPULATION)
    highway = (SPEEDS_M_S > 14.0) & (SPEEDS_M_S < 25.0)
    rms = np.sqrt(CLASS_A_M3 * whole[highway, :, 0, 0])
    assert rms.min() > 0.04
    assert rms.max() < 0.13


def test_lighter_axles_bounce_more() -> None:
    apart = force_spectra(ASSUMED_POPULATION).apart.sum(axis=-1)
    assert (np.diff(apart[AT_20_M_S, :, :4], axis=-1) < 0.0).all()


def test_the_assumed_members_are_the_same_at_every_call_and_within_their_ranges() -> None:
    for axles in ASSUMED_POPULATION:
        first, second = members(axles.springs), members(axles.springs)
        assert (first.springs == second.springs).all()
        assert first.weight.sum() == pytest.approx(1.0)
        low = np.min([[getattr(k, n)[0] for n in NAMES] for k in axles.springs], axis=0)
        high = np.max([[getattr(k, n)[1] for n in NAMES] for k in axles.springs], axis=0)
        assert ((low <= first.springs) & (first.springs <= high)).all()


NAMES = ("unsprung_kg", "body_hz", "damping", "tyre_n_m", "contact_m")


@pytest.mark.parametrize(
    "position", [np.zeros(0), np.array([0.0, np.nan]), np.array([1.0, 0.0]), np.array([0.0, 0.0])]
)
def test_positions_that_no_layout_has_are_refused(position: NDArray[np.float64]) -> None:
    with pytest.raises(ConfigurationError, match="strip positions"):
        strip_kernels(position, ASSUMED_POPULATION)


def test_a_population_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="positive, finite and in order"):
        Springs(1.0, (700, 600), (1.8, 1.8), (0.15, 0.15), (3.5e6, 3.5e6), (0.24, 0.24))
    with pytest.raises(ConfigurationError, match="unsprung"):
        AxlePopulation(ONE_LOAD, (Springs(1.0, (1_600, 1_600), (1, 2), (0.1, 0.2), (3e6, 4e6), (0.2, 0.3)),))
    with pytest.raises(ConfigurationError, match="add up to 1"):
        AxlePopulation((0.5,) * len(LOADS_KG), (ONE_KIND,))
    with pytest.raises(ConfigurationError, match="a share for each"):
        AxlePopulation((1.0,), (ONE_KIND,))
