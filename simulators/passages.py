"""One passage, put together: the truth first, then what strip and cameras report of it.

Passage number k of a station is a function of scenario, station, seed, k and the time it happens at, and
of nothing else: the same again gives the same bytes.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from domain.events import CaptureRole, DrivingFlag
from simulators.faults import Fault, fault_for
from simulators.loads import draw_axle_loads_kg, draw_gross_kg, one_block
from simulators.oracle import judge
from simulators.randomness import from_block, stream
from simulators.scenario import Scenario, StationEntry
from simulators.scene import photograph
from simulators.strip import UNUSABLE_DRIVES, measure_loads_kg, measure_spacings_mm, spoil_loads_kg
from simulators.vehicles import Vehicle, make_vehicle
from simulators.wire import Draft, capture_draft, time_text, weigh_draft, with_comment

STRIP = "wim-1"
CAMERAS = {"cam-front": CaptureRole.FRONT, "cam-rear": CaptureRole.REAR, "cam-side": CaptureRole.SIDE}
_CAMERA_DELAY_MS = {"cam-front": -400, "cam-rear": 900, "cam-side": 250}

LONGEST_DELAY = timedelta(seconds=2)
"""A passage made now happened this long ago, so that none of its photographs lies in the future."""


@dataclass(frozen=True)
class Passage:
    """The messages of one passage, in the order they are sent, and the truth about it.

    The first draft is the weigh record. `truth` lacks only what the spool's numbering decides.
    """

    drafts: tuple[Draft, ...]
    truth: dict[str, Any]
    fault: Fault | None = None


MakePassage = Callable[[int, datetime, str], Passage | None]
"""Number, time and sequence epoch -> passage; None when there are no more."""


@dataclass(frozen=True)
class Road:
    """The traffic past one station: makes its passages."""

    scenario: Scenario
    station: StationEntry
    seed: int

    def vehicle(self, number: int) -> Vehicle:
        """Return the vehicle of a passage."""
        if self.scenario.fleet is not None:
            number %= self.scenario.fleet
        return make_vehicle(self.seed, self.station.station, number)

    def passage(self, number: int, at: datetime, epoch: str) -> Passage:
        """Return passage `number`, happening at `at`."""
        vehicle = self.vehicle(number)
        truth = self.truth(number, at)
        record = truth["record"]
        drafts = [weigh_draft(STRIP, record, at), *self._captures(vehicle, record, at)]
        fault = None
        every = self.scenario.fault_every
        if every and number % every == every - 1:
            fault = fault_for(number // every, self.station.station, STRIP, epoch, at)
        return Passage(tuple(drafts), truth, fault)

    def truth(self, number: int, at: datetime) -> dict[str, Any]:
        """Return what is true of passage `number`, the record the strip makes of it, and what follows."""
        vehicle = self.vehicle(number)
        rng = stream(self.seed, self.station.station, "passage", number)
        limit = _true_limit_kg(vehicle, self.station)
        stratum = from_block(one_block(self.scenario.strata), number, self.seed, self.station.station, "load")
        true_kg = draw_axle_loads_kg(rng, vehicle.configuration, draw_gross_kg(rng, stratum, limit))
        record = self._record(rng, vehicle, true_kg, f"{at:%Y%m%d}-{number:06d}")
        trailer = vehicle.plates.trailer
        return {
            "configuration": vehicle.configuration.name,
            "vehicle_code": vehicle.configuration.code,
            "plate": vehicle.plates.vehicle.text,
            "trailer_plate": trailer.text if trailer else None,
            "true_axle_loads_kg": list(true_kg),
            "true_gross_kg": sum(true_kg),
            "true_limit_kg": limit,
            "truly_overloaded": sum(true_kg) > limit,
            "record": record,
            "oracle": judge(record, self.station.facts).as_dict(),
        }

    def _record(
        self, rng: random.Random, vehicle: Vehicle, true_kg: tuple[int, ...], match_key: str
    ) -> dict[str, Any]:
        error, configuration = self.scenario.error, vehicle.configuration
        loads = measure_loads_kg(rng, true_kg, error)
        flags: list[DrivingFlag] = []
        if rng.randrange(100) < self.scenario.unusable_per_100:
            flags.append(rng.choice(UNUSABLE_DRIVES))
            loads = spoil_loads_kg(rng, loads, flags[0])
        tyres = [{"s": "single", "d": "dual"}[letter] for letter in configuration.tyres]
        record: dict[str, Any] = {
            "match_key": match_key,
            "lane": rng.randint(1, self.station.site.lanes),
            "direction": self.station.site.direction,
            "speed_kmh": rng.randint(40_000, 90_000) / 1000,
            "gross_kg": sum(loads),
            "axles": [{"load_kg": load, "tyres": tyre} for load, tyre in zip(loads, tyres, strict=True)],
            "spacings_mm": list(measure_spacings_mm(rng, vehicle.spacings_mm, error)),
            "length_mm": vehicle.length_mm + rng.randint(-60, 60),
            "acceleration_mm_s2": rng.randint(-200, 200),
            "temperature_c": rng.randint(50, 350) / 10,
            "u_gross_percent": error.u_gross_ppm / 10_000,
            "u_axle_percent": error.u_axle_ppm / 10_000,
            "vehicle": {
                "kind": configuration.kind.value,
                "drive_axles": list(configuration.drive_axles),
                "air_suspension": configuration.air_suspension,
            },
            "flags": [flag.value for flag in flags],
            "captures": [{"device": camera, "role": role.value} for camera, role in CAMERAS.items()],
        }
        return _without(record, self.station.unreported)

    def _captures(self, vehicle: Vehicle, record: dict[str, Any], at: datetime) -> list[Draft]:
        drafts = []
        for camera, role in CAMERAS.items():
            when = at + timedelta(milliseconds=_CAMERA_DELAY_MS[camera])
            picture = photograph(vehicle, role) if self.scenario.fleet is None else _kept(vehicle, role)
            label = f"{self.station.station} {camera} {record['match_key']} {time_text(when)}"
            jpeg = with_comment(picture, label)
            drafts.append(
                capture_draft(
                    camera, role.value, jpeg, when, match_key=record["match_key"], lane=record["lane"]
                )
            )
        return drafts


def premake(road: Road) -> None:
    """Take all photographs of the station's fleet beforehand."""
    for number in range(road.scenario.fleet or 0):
        for role in CAMERAS.values():
            _kept(road.vehicle(number), role)


@lru_cache(maxsize=1024)
def _kept(vehicle: Vehicle, role: CaptureRole) -> bytes:
    return photograph(vehicle, role)


def _true_limit_kg(vehicle: Vehicle, station: StationEntry) -> int:
    own = station.site.gross_limit_kg
    limit = vehicle.configuration.limit_kg
    return limit if own is None else min(limit, own)


def _without(record: dict[str, Any], unreported: frozenset[str]) -> dict[str, Any]:
    """Return the record as a station sends it that cannot tell these fields."""
    vehicle = record["vehicle"]
    for name in unreported & vehicle.keys():
        vehicle[name] = "unknown" if name == "kind" else None
    if "tyres" in unreported:
        for axle in record["axles"]:
            axle["tyres"] = "unknown"
    if "u_gross_percent" in unreported:
        record["u_gross_percent"] = None
    return record
