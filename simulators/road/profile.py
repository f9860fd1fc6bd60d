"""The road of a site: one ISO 8608 profile, a seeded set of sinusoids, the same for every vehicle."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError

Floats = NDArray[np.float64]
RoadClass = Literal["A", "B", "C"]

REFERENCE_WAVENUMBER_PER_M = 0.1
ROUGHNESS_M3: dict[str, float] = {"A": 16e-6, "B": 64e-6, "C": 256e-6}
"""Geometric means of Gd(n0) by road class (ISO 8608)."""

_PLACES = 2048
"""Places computed at a time, so that a long road does not fill the memory."""


def displacement_psd_m3(wavenumber_per_m: Floats, road_class: RoadClass = "A") -> Floats:
    """Return the one-sided displacement density Gd(n) = Gd(n0) (n / n0)^-2 of ISO 8608, in m3.

    Parameters
    ----------
    wavenumber_per_m
        Spatial frequencies n in cycles per metre, any shape.
    """
    if road_class not in ROUGHNESS_M3:
        raise ConfigurationError(f"road class {road_class!r} is not one of {', '.join(ROUGHNESS_M3)}")
    density = ROUGHNESS_M3[road_class] * (wavenumber_per_m / REFERENCE_WAVENUMBER_PER_M) ** -2
    return np.asarray(density, dtype=np.float64)


@dataclass(frozen=True)
class Site:
    """The road at one weighing site: z(x) = sum of amplitude cos(2 pi n x + phase).

    Parameters
    ----------
    wavenumber_per_m, amplitude_m, phase_rad
        The K components, each of shape (K,). x = 0 is the first strip; x grows along travel.
    """

    road_class: RoadClass
    wavenumber_per_m: Floats
    amplitude_m: Floats
    phase_rad: Floats

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        road_class: RoadClass = "A",
        *,
        components: int = 512,
        band_per_m: tuple[float, float] = (0.01, 4.0),
    ) -> "Site":
        """Draw the road of one site.

        Parameters
        ----------
        components
            Number K of sinusoids: one in each of K bins of equal ratio, at a random place in its bin, so that
            the road does not repeat itself; its power is that of the bin under Gd(n).
        band_per_m
            Lowest and highest spatial frequency in cycles per metre (ISO 8608 describes 0.011 to 2.83).
        """
        low, high = band_per_m
        if not (0 < low < high and components >= 2):
            raise ConfigurationError(
                "a road needs at least 2 components within a band of 0 < low < high cycles/m"
            )
        edges = np.geomspace(low, high, components + 1)
        # The integral of n^-2 over a bin is width / (low edge x high edge): no error however wide the bin.
        middle = np.sqrt(edges[:-1] * edges[1:])
        power_m2 = displacement_psd_m3(middle, road_class) * np.diff(edges)
        return cls(
            road_class=road_class,
            wavenumber_per_m=edges[:-1] * (edges[1:] / edges[:-1]) ** rng.random(components),
            amplitude_m=np.sqrt(2 * power_m2),
            phase_rad=rng.uniform(0, 2 * np.pi, components),
        )

    def phasors(self, position_m: Floats) -> NDArray[np.complex128]:
        """Return amplitude exp(i (2 pi n x + phase)), shape (..., K); z is the sum of its real part."""
        angle = 2 * np.pi * np.asarray(position_m)[..., None] * self.wavenumber_per_m + self.phase_rad
        return np.asarray(self.amplitude_m * np.exp(1j * angle), dtype=np.complex128)

    def elevation_m(self, position_m: Floats) -> Floats:
        """Return the road's height z(x) in m, in the shape of `position_m`."""
        places = np.asarray(position_m, dtype=np.float64)
        parts = [
            self.phasors(places.ravel()[first : first + _PLACES]).real.sum(axis=-1)
            for first in range(0, places.size, _PLACES)
        ]
        return np.concatenate([*parts, np.empty(0)]).reshape(places.shape)

    def area_m2(self, start_m: float, step_m: float, places: int) -> Floats:
        """Return the integral of the height over x (but for a constant) at equal steps, shape (places,).

        Every 64th place is reached by its own phasors, the 63 behind it by turning those: one matrix product.
        """
        block = 64
        starts = start_m + step_m * block * np.arange(-(-places // block), dtype=np.float64)
        wave = 2 * np.pi * self.wavenumber_per_m
        turned = np.exp(1j * np.multiply.outer(wave, step_m * np.arange(block))) / wave[:, None]
        return np.asarray((self.phasors(starts) @ turned).imag.ravel()[:places], dtype=np.float64)
