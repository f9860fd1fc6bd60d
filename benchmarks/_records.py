"""Millions of weigh records as columns, as a province's stations might report them: seeded, vectorised.

Vehicles are Chinese configurations (domain.md E2) with continuous spacings: each vehicle its own, and
each passage an error of speed that shifts all of them alike. Stations differ in what they can tell of
tyres, drive and suspension. A share is hostile: random tyres, and spacings at the edges of the rule.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.ids import DeviceId, SiteId, StationId
from domain.registry import Announcement, Certificate, LegalBasis, Site, StationContext
from weigh import ContextTable, RecordColumns
from weigh.screening.record_columns import DTYPES

Floats = NDArray[np.float64]

WIDTH = 9
HOSTILE = 0.01
DIRECTIONS = ("up", "down", "unknown")

SINGLE, UNDER_425, WIDE, DUAL = 1, 2, 3, 4


@dataclass(frozen=True)
class Shape:
    """One configuration: share of traffic, tyres (s single, d dual), mean spacings, legal gross mass."""

    share: float
    tyres: str
    spacings_mm: tuple[int, ...]
    limit_t: int
    driven: tuple[int, ...]
    train: bool = False
    air: float = 0.1


SHAPES = (
    Shape(0.10, "ss", (3_400,), 18, (2,)),
    Shape(0.17, "sd", (4_700,), 18, (2,)),
    Shape(0.05, "sdd", (4_300, 1_350), 25, (2, 3)),
    Shape(0.03, "ssd", (1_900, 4_600), 25, (3,)),
    Shape(0.01, "sdd", (3_500, 6_600), 27, (2,), train=True),
    Shape(0.10, "ssdd", (1_950, 4_300, 1_350), 31, (3, 4)),
    Shape(0.03, "sddd", (3_500, 6_800, 1_340), 36, (2,), train=True, air=0.2),
    Shape(0.01, "sddd", (3_500, 6_800, 1_820), 37, (2,), train=True, air=0.5),
    Shape(0.03, "sdddd", (3_600, 6_500, 1_310, 1_310), 43, (2,), train=True, air=0.2),
    Shape(0.03, "sdddd", (3_400, 1_350, 6_800, 1_350), 43, (2, 3), train=True),
    Shape(0.34, "sddddd", (3_300, 1_350, 6_500, 1_310, 1_310), 49, (2, 3), train=True, air=0.3),
    Shape(0.06, "ssdddd", (1_900, 3_000, 6_500, 1_310, 1_310), 46, (3,), train=True),
    Shape(0.02, "ssddddd", (1_900, 3_000, 1_350, 6_500, 1_310, 1_310), 49, (3, 4), train=True),
    Shape(0.01, "sdddddd", (3_300, 1_350, 6_500, 1_310, 1_310, 1_310), 49, (2, 3), train=True),
    Shape(0.007, "ssdddddd", (1_900, 3_000, 1_350, 5_500, 1_350, 1_350, 1_350), 49, (3, 4), train=True),
    Shape(
        0.003, "ssddddddd", (1_900, 3_000, 1_350, 5_000, 1_350, 1_350, 1_350, 1_350), 49, (3, 4), train=True
    ),
)

_EDGES_MM = np.array(
    (850, 1_000, 1_150, 1_300, 1_350, 1_450, 1_500, 1_650, 1_800, 1_850, 1_950, 2_000, 2_150, 2_250, 3_000)
)


def records(count: int, seed: int, contexts: ContextTable | None = None) -> RecordColumns:
    """Return records of up to `WIDTH` axles, made a million at a time."""
    table = contexts if contexts is not None else ContextTable.of(places(), DIRECTIONS)
    parts = [
        _part(min(1_000_000, count - first), np.random.default_rng((seed, first)), table)
        for first in range(0, count, 1_000_000)
    ]
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in DTYPES
    }
    return RecordColumns(**joined, contexts=table)


def places() -> list[StationContext]:
    """Return 200 stations: most with everything in force, some without, some with a lower limit."""
    return [_place(number) for number in range(200)]


def _place(number: int) -> StationContext:
    always = {"valid_from": date(2020, 1, 1), "valid_to": date(2030, 1, 1)}
    certificate = Certificate(
        number=f"C-{number}",
        device=DeviceId("wim-1"),
        issued_by="an institute",
        accuracy_class="5" if number % 4 else "10",
        mpe_in_service_ppm=50_000 if number % 4 else 100_000,
        min_speed_m_h=500,
        max_speed_m_h=100_000,
        lanes=(1, 2, 3) if number % 10 else (1, 2),
        **always,
    )
    announcement = Announcement(
        number="A", published_on=date(2020, 1, 1), in_force_from=date(2020, 1, 1), in_force_to=None
    )
    site = Site(
        site_id=SiteId(f"site-{number}"),
        name="",
        road="G56",
        stake="",
        direction="up" if number % 20 else "down",
        lanes=3 if number % 25 else 2,
        gross_limit_kg=None if number % 15 else 40_000,
        completeness_profile="standard",
        **always,
    )
    return StationContext(
        station=StationId(f"S{number}"),
        device=DeviceId("wim-1"),
        site=site,
        certificate=certificate if number % 30 else None,
        announcement=announcement if number % 40 else None,
        legal_basis=LegalBasis(citation="a regulation", liable_party="owner", **always)
        if number % 50
        else None,
    )


def _part(count: int, rng: np.random.Generator, contexts: ContextTable) -> RecordColumns:
    shares = np.array([shape.share for shape in SHAPES])
    shape = rng.choice(len(SHAPES), size=count, p=shares / shares.sum()).astype(np.int8)
    axles = np.array([len(one.tyres) for one in SHAPES], dtype=np.uint8)[shape]
    hostile = rng.random(count, dtype=np.float32) < HOSTILE
    axles[hostile] = rng.integers(2, WIDTH + 1, hostile.sum())
    station = rng.integers(0, len(contexts), count).astype(np.int32)
    spacing = _spacings(shape, axles, hostile, rng)
    load = _loads(shape, axles, rng)
    gross = load.sum(axis=0, dtype=np.int32)
    _spoil(gross, rng)
    tyres = _tyres(shape, axles, hostile, station, rng)
    tells_drive, tells_air = station % 10 == 1, station % 10 == 2
    driven = np.array([sum(1 << (axle - 1) for axle in one.driven) for one in SHAPES], dtype=np.uint16)
    air = np.array([one.air for one in SHAPES], dtype=np.float32)[shape]
    train = np.array([one.train for one in SHAPES])[shape]
    wheelbase = spacing.sum(axis=0, dtype=np.int32)
    declares = station % 3 > 0
    return RecordColumns(
        axle_count=axles,
        load_kg=load,
        tyres=tyres,
        spacing_mm=spacing,
        driven=np.where(tells_drive, driven[shape], 0).astype(np.uint16),
        kind=_kinds(train, station, rng),
        air=np.where(tells_air, rng.random(count, dtype=np.float32) < air, -1).astype(np.int8),
        gross_kg=gross,
        speed_m_h=np.clip(rng.normal(65_000, 15_000, count), 0, 300_000).astype(np.int32),
        length_mm=np.where(
            station % 2 == 0, np.clip(wheelbase + rng.integers(-200, 4_000, count), 1, 120_000), 0
        ).astype(np.int32),
        u_gross_ppm=np.where(declares, rng.integers(8_000, 35_000, count), 0).astype(np.int32),
        u_axle_ppm=np.where(declares, rng.integers(15_000, 60_000, count), 0).astype(np.int32),
        flags=np.where(rng.random(count) < 0.02, 1 << rng.integers(0, 10, count), 0).astype(np.uint16),
        lane=rng.choice(np.array([1, 2, 3, 4], dtype=np.uint8), count, p=(0.6, 0.3, 0.099, 0.001)),
        direction=rng.choice(np.array([0, 1, 2], dtype=np.uint16), count, p=(0.97, 0.02, 0.01)),
        context=station,
        contexts=contexts,
    )


def _spacings(
    shape: NDArray[np.int8], axles: NDArray[np.uint8], hostile: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Each vehicle its own, then an error of speed common to its spacings and a small one of each."""
    count = len(shape)
    speed_error = 1 + 0.005 * rng.standard_normal(count, dtype=np.float32)
    spacing = np.zeros((WIDTH - 1, count), dtype=np.uint16)
    for axle in range(WIDTH - 1):
        means = np.array(
            [one.spacings_mm[axle] if axle < len(one.spacings_mm) else 0 for one in SHAPES], dtype=np.float32
        )
        spread = np.where(means > 2_500, 0.12, 0.02).astype(np.float32)
        mean = means[shape]
        own = mean * (1 + spread[shape] * rng.standard_normal(count, dtype=np.float32))
        mm = own * speed_error + 5 * rng.standard_normal(count, dtype=np.float32)
        spacing[axle] = np.clip(np.rint(mm), 300, 60_000)
        edge = rng.choice(_EDGES_MM, count) + rng.integers(-2, 3, count)
        spacing[axle] = np.where(hostile, edge, spacing[axle])
        spacing[axle][axle + 1 >= axles] = 0
    return spacing


def _loads(shape: NDArray[np.int8], axles: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.int32]:
    """Gross masses from 0.3 to 1.6 of the legal one, shared out over the axles unevenly."""
    count = len(shape)
    limit = np.array([one.limit_t * 1_000 for one in SHAPES], dtype=np.float32)[shape]
    gross = limit * rng.uniform(0.3, 1.6, count).astype(np.float32)
    share = rng.normal(1.0, 0.15, (WIDTH, count)).astype(np.float32)
    share[0] *= 0.7
    share = np.clip(share, 0.05, None)
    share[np.arange(WIDTH)[:, None] >= axles] = 0
    return np.asarray(np.rint(gross * share / share.sum(axis=0)), dtype=np.int32)


def _spoil(gross: NDArray[np.int32], rng: np.random.Generator) -> None:
    """Let one gross mass in a hundred disagree with its axles, and a few be nothing."""
    odd = rng.random(len(gross)) < 0.01
    gross[odd] = gross[odd] * rng.uniform(0.9, 1.1, odd.sum())
    gross[rng.random(len(gross)) < 0.0005] = 0


def _tyres(
    shape: NDArray[np.int8],
    axles: NDArray[np.uint8],
    hostile: NDArray[np.bool_],
    station: NDArray[np.int32],
    rng: np.random.Generator,
) -> NDArray[np.int8]:
    """What stations tell: half of them single or dual, a fifth the width too, the rest nothing."""
    count = len(shape)
    knows, measures = station % 10 < 7, station % 10 < 2
    wide_trailer = rng.random(count, dtype=np.float32) < 0.05
    tyres = np.full((WIDTH, count), -1, dtype=np.int8)
    for axle in range(WIDTH):
        dual = np.array([one.tyres[axle : axle + 1] == "d" for one in SHAPES])[shape]
        single = np.where(measures, np.where(wide_trailer, WIDE, UNDER_425), SINGLE)
        behind = axle >= 3
        told = np.where(dual & ~(wide_trailer & behind), DUAL, single)
        wrong = rng.random(count, dtype=np.float32)
        told = np.where(wrong < 0.005, np.where(told == DUAL, single, DUAL), told)
        told = np.where(knows & (wrong < 0.99), told, 0)
        told = np.where(hostile, rng.integers(0, 5, count), told)
        tyres[axle] = np.where(axle < axles, told, -1)
    return tyres


def _kinds(
    train: NDArray[np.bool_], station: NDArray[np.int32], rng: np.random.Generator
) -> NDArray[np.int8]:
    wrong = rng.random(len(train), dtype=np.float32) < 0.02
    return np.where(station % 2 == 0, 0, 1 + (train ^ wrong)).astype(np.int8)
