"""A station that does not weigh by itself: it sends its strips' signals.

The static loads are drawn first and are the truth; road, springs and strips make a signal of them
(`simulators.road`). What the platform will weigh is not known here to the kilogram, so that the oracle says
between which masses it must lie, and which outcomes these allow.

The body is written a second time here, from docs/reference/mqtt.md.
"""

import math
import struct
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np

from domain.screening import Outcome
from simulators.loads import one_block
from simulators.oracle import SiteFacts, adjudged_kg, limit_and_code
from simulators.passages import CAMERAS, STRIP, Passage, Road
from simulators.randomness import from_block, stream
from simulators.road.manoeuvres import DRIVES
from simulators.road.passes import SPEED_RANGE_M_S, STANDARD_GRAVITY_M_S2, strip_passes
from simulators.road.profile import Site
from simulators.road.recordings import Recording, Sensors
from simulators.road.setting import Setting
from simulators.road.signals import Lane
from simulators.road.trucks import Trucks, draw_trucks
from simulators.vehicles import Vehicle
from simulators.wire import Draft, json_bytes

LANE = Lane.pairs_8(sample_rate_hz=2_500.0, window_s=3.0)
"""Eight strips, 240 kB a vehicle."""

ON_LANE = 1
"""Strips lie in this lane alone."""

BAD_DRIVES = ("straddling", "side-by-side", "wrong-way")
"""Drives that spoil a weighing and leave figures, so that a passage comes of them, though an unusable one."""

TOLERANCE_PPM = 50_000
"""How far from the truth the platform may weigh: five standard uncertainties of class A(5)."""

WEIGHED_PASSES = 40
"""Trucks of known axle loads that a station's calibration rests on."""

_CONTENT_TYPE = "application/vnd.zhichao.waveform"
_U_FROM_PPM, _U_TO_PPM = 1, 30_000
"""Between which the platform's standard uncertainty of a gross mass must lie."""


@dataclass(frozen=True)
class _Given(Setting):
    """A setting whose vehicle is known already."""

    vehicle: Trucks | None = None

    def trucks(self, vehicles: int) -> Trucks:
        """Return the vehicle."""
        return super().trucks(vehicles) if self.vehicle is None else self.vehicle


@dataclass(frozen=True)
class WaveformRoad(Road):
    """The traffic past one station, as its strips feel it."""

    def passage(self, number: int, at: datetime, epoch: str) -> Passage:
        """Return passage `number`, whose first sample is taken at `at`."""
        vehicle, truck, drive = self.vehicle(number), self._truck(number), self._drive(number)
        made = self._recording(number, truck, drive)
        match_key = f"{at:%Y%m%d}-W{number:06d}"
        description = describe(vehicle, made, match_key, self.station.site.direction)
        draft = Draft(STRIP, "waveform", at, _CONTENT_TYPE, waveform_body(description, made))
        captures = self._captures(vehicle, {"match_key": match_key, "lane": ON_LANE}, at)
        return Passage((draft, *captures), self._truth(vehicle, truck, drive, description))

    def _truck(self, number: int) -> Trucks:
        """Return the vehicle with its load: drawn empty first, to know what makes the gross mass."""
        vehicle = self.vehicle(number)
        name, limit = vehicle.configuration.name, vehicle.configuration.limit_kg
        stratum = from_block(one_block(self.scenario.strata), number, self.seed, self.station.station, "load")
        ratio = stream(self.seed, self.station.station, "ratio", number).randint(
            stratum.from_ppm, stratum.to_ppm
        )
        empty = draw_trucks(self._rng("truck", number), 1, codes=[name], load_factor=np.zeros(1))
        tare = float(empty.gross_kg[0])
        factor = np.array([max(0.0, (limit * ratio / 1e6 - tare) / (limit - tare))])
        return draw_trucks(self._rng("truck", number), 1, codes=[name], load_factor=factor)

    def _drive(self, number: int) -> str:
        rng = stream(self.seed, self.station.station, "drive", number)
        bad = rng.randrange(100) < self.scenario.unusable_per_100
        return rng.choice(BAD_DRIVES) if bad else "normal"

    def _recording(self, number: int, truck: Trucks, drive: str) -> Recording:
        site = _site(self.seed, self.station.station)
        setting = _Given(self._rng("signal", number), site, LANE, Sensors(), None, truck)
        return DRIVES[drive](setting, 1)

    def _rng(self, *path: str | int) -> np.random.Generator:
        return _generator(self.seed, self.station.station, *path)

    def _truth(
        self, vehicle: Vehicle, truck: Trucks, drive: str, description: dict[str, Any]
    ) -> dict[str, Any]:
        loads = [round(load) for load in truck.static_kg[0] if not math.isnan(load)]
        seen = {
            "axles": [{"tyres": tyres} for tyres in description["tyres"]],
            "spacings_mm": [round(gap * 1_000) for gap in truck.spacing_m[0][: len(loads) - 1]],
            "vehicle": description["vehicle"],
        }
        own, facts = self.station.site.gross_limit_kg, self.station.facts
        limit = min(vehicle.configuration.limit_kg, own or vehicle.configuration.limit_kg)
        trailer = vehicle.plates.trailer
        return {
            "configuration": vehicle.configuration.name,
            "vehicle_code": vehicle.configuration.code,
            "plate": vehicle.plates.vehicle.text,
            "trailer_plate": trailer.text if trailer else None,
            "true_axle_loads_kg": loads,
            "true_gross_kg": sum(loads),
            "true_limit_kg": limit,
            "truly_overloaded": sum(loads) > limit,
            "drive": drive,
            "oracle": expected(seen, sum(loads), facts, usable=drive == "normal"),
        }


def expected(seen: dict[str, Any], true_gross_kg: int, facts: SiteFacts, *, usable: bool) -> dict[str, Any]:
    """Return what may be concluded of a vehicle of this mass, weighed as well as can be asked."""
    limit, code = limit_and_code(seen)
    if facts.site_limit_kg is not None:
        limit = min(limit, facts.site_limit_kg)
    low = true_gross_kg * (1_000_000 - TOLERANCE_PPM) // 1_000_000
    high = true_gross_kg * (1_000_000 + TOLERANCE_PPM) // 1_000_000
    outcomes = [Outcome.UNUSABLE]
    if usable:
        may_pass = adjudged_kg(low, facts.mpe_ppm, _U_TO_PPM, 3_000) <= limit
        may_be_over = adjudged_kg(high, facts.mpe_ppm, _U_FROM_PPM, 3_000) > limit
        outcomes = [Outcome.WITHIN] * may_pass + [Outcome.OVERLOADED] * may_be_over
    return {
        "outcomes": [outcome.value for outcome in outcomes],
        "vehicle_code": code,
        "limit_kg": limit,
        "gross_from_kg": low if usable else 0,
        "gross_to_kg": high if usable else 1_000_000,
    }


def describe(vehicle: Vehicle, made: Recording, match_key: str, direction: str) -> dict[str, Any]:
    """Return the description that goes before the samples."""
    lane, configuration = made.lane, vehicle.configuration
    return {
        "match_key": match_key,
        "lane": ON_LANE,
        "direction": direction,
        "sample_rate_hz": round(lane.sample_rate_hz),
        "samples": made.samples.shape[2],
        "dtype": "f4",
        "strip_width_um": round(lane.width_m * 1e6),
        "strips": [{"position_mm": place} for place in strip_places_mm(lane)],
        "loops": {
            "length_mm": round(lane.loop_length_m * 1_000),
            "lead": _own_loop(made, "lead", lane.lead_loop_m),
            "trail": _own_loop(made, "trail", lane.trail_loop_m),
            "left": _times(made, "left"),
            "right": _times(made, "right"),
        },
        "temperature_c": 20.0,
        "length_mm": vehicle.length_mm,
        "tyres": [{"s": "single", "d": "dual"}[letter] for letter in configuration.tyres],
        "vehicle": {
            "kind": configuration.kind.value,
            "drive_axles": list(configuration.drive_axles),
            "air_suspension": configuration.air_suspension,
        },
        "captures": [{"device": camera, "role": role.value} for camera, role in CAMERAS.items()],
    }


def waveform_body(description: dict[str, Any], made: Recording) -> bytes:
    """Return a message's body: one vehicle's description and samples."""
    text = json_bytes(description)
    samples: bytes = made.samples[0].astype("<f4").tobytes()
    return b"ZCWF" + struct.pack(">II", 1, len(text)) + text + samples


def strip_places_mm(lane: Lane) -> list[int]:
    """Return where the strips lie, from the first."""
    return [round(place * 1_000) for place in lane.strip_position_m]


def calibration_document(station: str, begins: datetime, seed: int = 1) -> dict[str, Any]:
    """Return a calibration for a simulated station, as the service installs it.

    The gain is that of `WEIGHED_PASSES` trucks of known axle loads over the station's own road, one for all
    strips. What the road does to axles of a type and to speeds is not fitted: the uncertainties, set by
    hand, allow for it.
    """
    places = strip_places_mm(LANE)
    each = [0] * len(places)
    return {
        "algorithm": "zhichao-calibration/1",
        "version": 1,
        "valid_from": begins.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "station": station,
        "device": STRIP,
        "lane": ON_LANE,
        "passes": WEIGHED_PASSES,
        "passes_sha256": "",
        "strip_position_mm": places,
        "strip_width_um": round(LANE.width_m * 1e6),
        "strip_alive": [1] * len(places),
        "sample_type": "f4",
        "strip_scale_un": [],
        "other_unit": 0,
        "strip_gain_ppm": [round(_gain_kg_n(station, seed) * 1e6)] * len(places),
        "temperature_reference_mk": 293_150,
        "temperature_slope_ppb_k": each,
        "temperature_curve_ppb_k2": each,
        "temperature_min_mk": 253_150,
        "temperature_max_mk": 333_150,
        "strip_noise_ppm": [15_000] * len(places),
        "road_roughness_mm3": 16_000,
        "speed_bound_m_h": [],
        "site_bias_ppm": [[0]] * 3,
        "u_site_ppm": [[15_000]] * 3,
        "u_site_gross_ppm": [10_000],
        "u_gain_temperature_mk": [293_150],
        "u_gain_ppm": [2_000],
        "conformal_axle_milli": 1_000,
        "conformal_group_milli": 1_000,
        "conformal_gross_milli": 1_000,
    }


def _gain_kg_n(station: str, seed: int) -> float:
    """Return kilograms a newton: static loads of weighed trucks over what the strips say of them."""
    rng = _generator(seed, station, "weighed")
    trucks = draw_trucks(rng, WEIGHED_PASSES)
    speed = rng.uniform(*SPEED_RANGE_M_S, WEIGHED_PASSES)
    felt = strip_passes(rng, _site(seed, station), trucks, speed, LANE.strip_position_m)
    ratio = np.nansum(felt.mean(axis=2), axis=1) * STANDARD_GRAVITY_M_S2 / trucks.gross_kg
    return float(1.0 / ratio.mean())


def _own_loop(made: Recording, name: str, place_m: float) -> dict[str, Any]:
    depth = float(getattr(made.loops, f"{name}_detuning")[0])
    known = {} if math.isnan(depth) else {"detuning": round(depth, 3)}
    return {"position_mm": round(place_m * 1_000), **_times(made, name), **known}


def _times(made: Recording, name: str) -> dict[str, int]:
    times = {end: float(getattr(made.loops, f"{name}_{end}")[0]) for end in ("on", "off")}
    return {f"{end}_us": round(at * 1e6) for end, at in times.items() if not math.isnan(at)}


def _generator(*path: str | int) -> np.random.Generator:
    return np.random.default_rng(stream(0, *path).getrandbits(128))


@lru_cache(maxsize=64)
def _site(seed: int, station: str) -> Site:
    """Return the one road of a station."""
    return Site.draw(_generator(seed, station, "road"), "A")
