"""Fictitious licence plates after the grammar of GA 36, Yunnan (云) more often than the rest."""

import random
from dataclasses import dataclass

from domain.events import VehicleKind
from domain.plates import PROVINCES, PlateClass
from simulators.configurations import Configuration

_ISSUERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS = "0123456789"


@dataclass(frozen=True)
class Plate:
    """A plate's characters and the class that decides its size, colours and layout."""

    text: str
    plate_class: PlateClass


@dataclass(frozen=True)
class Plates:
    """The plates of one vehicle: of the truck or tractor, and of the trailer if there is one."""

    vehicle: Plate
    trailer: Plate | None


def draw_plates(rng: random.Random, configuration: Configuration) -> Plates:
    """Return plates that fit the vehicle: blue for the light truck, yellow or new energy for the rest."""
    trailer = None
    if configuration.kind is VehicleKind.TRAIN:
        trailer = Plate(_head(rng) + _serial(rng, 4) + "挂", PlateClass.TRAILER)
    if configuration.code == "11":
        vehicle = Plate(_head(rng) + _serial(rng, 5), PlateClass.SMALL)
    elif rng.randrange(8) == 0:
        digits = "".join(rng.choice(_DIGITS) for _ in range(5))
        vehicle = Plate(_head(rng) + digits + rng.choice("DF"), PlateClass.NEV_LARGE)
    else:
        vehicle = Plate(_head(rng) + _serial(rng, 5), PlateClass.LARGE)
    return Plates(vehicle, trailer)


def _head(rng: random.Random) -> str:
    province = "云" if rng.randrange(2) else rng.choice(PROVINCES)
    return province + rng.choice(_ISSUERS)


def _serial(rng: random.Random, length: int) -> str:
    """Return digits with at most two letters, never I or O."""
    characters = [rng.choice(_DIGITS) for _ in range(length)]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        characters[rng.randrange(length)] = rng.choice(_LETTERS)
    return "".join(characters)
