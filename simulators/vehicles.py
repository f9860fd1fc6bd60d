"""One vehicle as it stands on the road: configuration, measures and plates, the same for every passage."""

from dataclasses import dataclass

from domain.events import VehicleKind
from simulators.configurations import CONFIGURATIONS, Configuration
from simulators.plates import Plates, draw_plates
from simulators.randomness import from_block, stream


@dataclass(frozen=True)
class Vehicle:
    """A truck or train with its true measures in mm."""

    seed: int
    number: str
    configuration: Configuration
    spacings_mm: tuple[int, ...]
    length_mm: int
    plates: Plates

    @property
    def trailer_from(self) -> int:
        """1-based number of the trailer's first axle; 0 for a truck."""
        if self.configuration.kind is not VehicleKind.TRAIN:
            return 0
        # The trailer begins behind the longest spacing.
        return max(range(len(self.spacings_mm)), key=lambda gap: self.spacings_mm[gap]) + 2


def make_vehicle(seed: int, fleet: str, number: int) -> Vehicle:
    """Return vehicle `number` of a fleet; every configuration occurs once in each block of them."""
    configuration = from_block(CONFIGURATIONS, number, seed, fleet, "configuration")
    rng = stream(seed, fleet, "vehicle", number)
    spacings = tuple(rng.randint(low, high) for low, high in configuration.spacings_mm)
    return Vehicle(
        seed=seed,
        number=f"{fleet}-{number}",
        configuration=configuration,
        spacings_mm=spacings,
        length_mm=sum(spacings) + rng.randint(2400, 3200),
        plates=draw_plates(rng, configuration),
    )
