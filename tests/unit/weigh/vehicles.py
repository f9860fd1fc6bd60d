"""Vehicles and contexts for the screening's tests: named ones, and random ones that seek the edges."""

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Any

from domain.events import Axle, DrivingFlag, Tyres, VehicleKind, WeighRecord
from domain.ids import DeviceId, SiteId, StationId
from domain.law import LimitTables, limit_tables
from domain.registry import Announcement, Certificate, LegalBasis, Site, StationContext

DAY = date(2026, 11, 23)
LETTERS = {
    "s": Tyres.SINGLE,
    "n": Tyres.SINGLE_UNDER_425_MM,
    "w": Tyres.WIDE,
    "d": Tyres.DUAL,
    "u": Tyres.UNKNOWN,
}

CERTIFICATE = Certificate(
    number="JL-2026-001",
    device=DeviceId("wim-1"),
    issued_by="a metrology institute",
    accuracy_class="5",
    mpe_in_service_ppm=50_000,
    min_speed_m_h=500,
    max_speed_m_h=100_000,
    lanes=(1, 2),
    valid_from=date(2026, 1, 1),
    valid_to=date(2026, 12, 31),
)
ANNOUNCEMENT = Announcement(
    number="G-1", published_on=date(2026, 1, 1), in_force_from=date(2026, 2, 1), in_force_to=None
)
LEGAL_BASIS = LegalBasis(
    citation="a provincial regulation", liable_party="owner", valid_from=date(2020, 1, 1), valid_to=None
)


def context(
    *,
    site_limit_kg: int | None = None,
    certificate: Certificate | None = CERTIFICATE,
    announcement: Announcement | None = ANNOUNCEMENT,
    legal_basis: LegalBasis | None = LEGAL_BASIS,
    direction: str = "up",
    lanes: int = 2,
) -> StationContext:
    """Return a station where everything is in force, unless said otherwise."""
    site = Site(
        site_id=SiteId("site-1"),
        name="K12",
        road="G56",
        stake="K12+300",
        direction=direction,
        lanes=lanes,
        gross_limit_kg=site_limit_kg,
        completeness_profile="standard",
        valid_from=date(2025, 1, 1),
        valid_to=None,
    )
    return StationContext(
        station=StationId("S1"),
        device=DeviceId("wim-1"),
        site=site,
        certificate=certificate,
        announcement=announcement,
        legal_basis=legal_basis,
    )


def vehicle(tyres: str, spacings_mm: Sequence[int], gross_kg: int = 20_000, **more: Any) -> WeighRecord:
    """Return a record; one letter of `LETTERS` an axle, the gross mass shared out evenly.

    Suspension is not air and the drive axles are not reported, unless said otherwise.
    """
    share, rest = divmod(gross_kg, len(tyres))
    loads = [share + (1 if number < rest else 0) for number in range(len(tyres))]
    values: dict[str, Any] = {
        "match_key": "m",
        "lane": 1,
        "direction": "up",
        "speed_m_h": 60_000,
        "gross_kg": gross_kg,
        "axles": tuple(
            Axle(load_kg=load, tyres=LETTERS[letter]) for load, letter in zip(loads, tyres, strict=True)
        ),
        "spacings_mm": tuple(spacings_mm),
        "air_suspension": False,
    }
    return WeighRecord(**(values | more))


SHAPES: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("ss", (3_600,)),
    ("sd", (4_800,)),
    ("sdd", (4_200, 1_350)),
    ("ssd", (1_900, 4_500)),
    ("sdd", (3_500, 6_500)),
    ("ssdd", (1_950, 4_300, 1_350)),
    ("sddd", (3_500, 6_800, 1_350)),
    ("sddd", (3_500, 6_800, 1_820)),
    ("sddd", (3_400, 1_350, 7_000)),
    ("sdddd", (3_600, 6_500, 1_310, 1_310)),
    ("sdddd", (3_400, 1_350, 6_800, 1_350)),
    ("sddddd", (3_300, 1_350, 6_500, 1_310, 1_310)),
    ("ssdddd", (1_900, 3_000, 6_500, 1_310, 1_310)),
    ("ssddddd", (1_900, 3_000, 1_350, 6_500, 1_310, 1_310)),
    ("sdddddd", (3_300, 1_350, 6_500, 1_310, 1_310, 1_310)),
)
"""Axles of Chinese vehicles, domain.md E2, and two beyond the table."""

_EDGES_MM = (
    *(850, 1_000, 1_150, 1_300, 1_350, 1_400, 1_450, 1_500, 1_650, 1_800, 1_850, 2_000, 2_100),
    *(2_150, 2_250, 1_370, 1_980, 3_000, 6_000),
)
_CONFIRMED = (
    frozenset[str](),
    frozenset({"gb1589-2-single-single", "gb1589-2-single-dual"}),
    frozenset({"gb1589-2-tandem-1300", "gb1589-2-tridem-over-1300", "gb1589-2-single-dual-drive"}),
)


def tables_choices() -> list[LimitTables]:
    """Return the tables as nothing, something and everything of them is confirmed."""
    every = frozenset(row.id for row in limit_tables(DAY).axle)
    return [limit_tables(DAY, confirmed_rows=rows) for rows in (*_CONFIRMED, every, every)]


def context_choices() -> list[StationContext]:
    """Return contexts of every kind the screening tells apart."""
    narrow = CERTIFICATE.model_copy(update={"lanes": (2,), "mpe_in_service_ppm": 100_000})
    return [
        *[context()] * 4,
        context(site_limit_kg=30_000),
        context(site_limit_kg=60_000, certificate=narrow),
        context(certificate=None),
        context(announcement=None, legal_basis=None),
        context(lanes=1, direction="down", certificate=None),
    ]


def random_vehicle(random: Random) -> WeighRecord:
    """Return a vehicle near an edge of some rule more often than not."""
    tyres, spacings = _random_axles(random)
    count = len(tyres)
    gross = _random_gross(random, count)
    drive = random.choice((None, None, (2,), (3,), (2, 3), (3, 4), (1,), (count,), ()))
    record = vehicle(
        tyres,
        spacings,
        gross,
        kind=random.choice(tuple(VehicleKind)),
        drive_axles=drive,
        air_suspension=random.choice((None, True, False)),
        u_gross_ppm=random.choice((None, 5_000, 15_000, 16_667, 40_000)),
        u_axle_ppm=random.choice((None, 30_000)),
    )
    return record.model_copy(update=_random_spoiling(random, record))


def _random_axles(random: Random) -> tuple[str, tuple[int, ...]]:
    if random.random() < 0.3:
        count = random.choice((2, 3, 4, 4, 5, 6, 7, 8, 12, 16))
        return (
            "".join(random.choice("ssnndduw") for _ in range(count)),
            tuple(random.choice(_EDGES_MM) + random.randint(-2, 2) for _ in range(count - 1)),
        )
    tyres, spacings = random.choice(SHAPES)
    letters = [random.choice("sndduw") if random.random() < 0.2 else letter for letter in tyres]
    if random.random() < 0.15:
        letters = ["u"] * len(letters)
    moved = []
    for spacing in spacings:
        near = random.choice(_EDGES_MM) if random.random() < 0.25 else spacing
        moved.append(near + random.choice((0, 0, 1, -1, 150, -150, random.randint(-60, 60))))
    return "".join(letters), tuple(moved)


def _random_gross(random: Random, axles: int) -> int:
    """Return a mass whose adjudged value lies at a limit, 1000 kg over it, or anywhere."""
    limit = random.choice((18, 25, 26, 27, 30, 31, 32, 36, 37, 40, 43, 46, 49)) * 1_000
    target = limit + random.choice((0, 0, 1_000, 2_000, 21_000))
    if random.random() < 0.6:
        return round(target * random.choice((1, 20 / 19, 1 / 0.955, 1.05))) + random.randint(-3, 3)
    return random.randint(0, 9_000 * axles)


def _random_spoiling(random: Random, record: WeighRecord) -> dict[str, Any]:
    """Return now and then a reason why the weighing is not usable, or nearly so."""
    wheelbase = sum(record.spacings_mm)
    spoilings: tuple[dict[str, Any], ...] = (
        {"flags": tuple(random.sample(tuple(DrivingFlag), 2))},
        {"speed_m_h": random.choice((499, 500, 100_000, 100_001))},
        {"lane": random.choice((2, 3))},
        {"direction": random.choice(("down", "unknown"))},
        {"gross_kg": max(0, record.gross_kg + random.choice((-101, -100, 100, 101, 400, 1_000)))},
        {"length_mm": min(120_000, max(1, wheelbase + random.choice((-151, -150, 0, 500))))},
        {"length_mm": random.choice((61_000, 61_001))},
        {"axles": (Axle(load_kg=22_700 + random.randint(0, 1)), *record.axles[1:])},
    )
    return random.choice(spoilings) if random.random() < 0.2 else {}
