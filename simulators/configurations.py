"""Chinese truck configurations: every code of domain.md E2, with geometry, drive and legal limit.

The limits are written down a second time here, as the figures a lawyer would name for each
configuration (Order 62 of 2016 Art. 3); `oracle` computes them from a measured record instead,
and a test holds the two against each other.
"""

from dataclasses import dataclass

from domain.events import VehicleKind

TRUCK, TRAIN = VehicleKind.TRUCK, VehicleKind.TRAIN

_STEERING_PAIR = (1800, 2100)
_TANDEM = (1310, 1400)
_TRIDEM = (1310, 1360)
_WIDE_TANDEM = (1825, 1832)
"""A semi-trailer tandem of d >= 1 800 mm, whichever way the strip's error falls."""


@dataclass(frozen=True)
class Configuration:
    """One kind of vehicle as it was built.

    Parameters
    ----------
    name
        Unique name: the code, and a letter where one code has several variants.
    code
        Axle-group codes front to back, 7-code scheme.
    tyres
        One letter an axle: "s" single, "d" dual tyres on each side. Single tyres are ordinary ones; a strip
        does not see their width, and reports "single". None stands where its width would count.
    drive_axles
        1-based numbers of the driven axles.
    spacings_mm
        Smallest and largest distance from each axle to the next.
    shares
        Share of the gross mass each axle carries when loaded, in percent.
    limit_kg
        What the law allows this vehicle (domain.md A1, A2, E3).
    """

    name: str
    code: str
    kind: VehicleKind
    tyres: str
    drive_axles: tuple[int, ...]
    spacings_mm: tuple[tuple[int, int], ...]
    shares: tuple[int, ...]
    limit_kg: int
    air_suspension: bool = False

    @property
    def axle_count(self) -> int:
        """Number of axles."""
        return len(self.tyres)


CONFIGURATIONS = (
    Configuration("11", "11", TRUCK, "ss", (2,), ((3300, 3800),), (40, 60), 18_000),
    Configuration("12", "12", TRUCK, "sd", (2,), ((4200, 5600),), (36, 64), 18_000),
    Configuration("15", "15", TRUCK, "sdd", (2, 3), ((3800, 5000), _TANDEM), (26, 37, 37), 25_000),
    Configuration(
        "15-air",
        "15",
        TRUCK,
        "sdd",
        (2, 3),
        ((3800, 5000), _TANDEM),
        (26, 37, 37),
        26_000,
        air_suspension=True,
    ),
    Configuration("112", "112", TRUCK, "ssd", (3,), (_STEERING_PAIR, (3800, 5000)), (26, 26, 48), 25_000),
    Configuration("122", "122", TRAIN, "sdd", (2,), ((3300, 3800), (6000, 7500)), (24, 38, 38), 27_000),
    Configuration(
        "115",
        "115",
        TRUCK,
        "ssdd",
        (3, 4),
        (_STEERING_PAIR, (4000, 4800), _TANDEM),
        (20, 20, 30, 30),
        31_000,
    ),
    Configuration(
        "115-air",
        "115",
        TRUCK,
        "ssdd",
        (3, 4),
        (_STEERING_PAIR, (4000, 4800), _TANDEM),
        (20, 20, 30, 30),
        32_000,
        air_suspension=True,
    ),
    Configuration(
        "125", "125", TRAIN, "sddd", (2,), ((3300, 3800), (6500, 7800), _TANDEM), (18, 30, 26, 26), 36_000
    ),
    Configuration(
        "125-air-wide",
        "125",
        TRAIN,
        "sddd",
        (2,),
        ((3300, 3800), (6500, 7800), _WIDE_TANDEM),
        (18, 30, 26, 26),
        37_000,
        air_suspension=True,
    ),
    Configuration(
        "152", "152", TRAIN, "sddd", (2, 3), ((3300, 3600), _TANDEM, (6500, 8000)), (16, 26, 26, 32), 36_000
    ),
    Configuration(
        "127",
        "127",
        TRAIN,
        "sdddd",
        (2,),
        ((3500, 3900), (6000, 7000), _TRIDEM, _TRIDEM),
        (14, 26, 20, 20, 20),
        43_000,
    ),
    Configuration(
        "155",
        "155",
        TRAIN,
        "sdddd",
        (2, 3),
        ((3300, 3500), _TANDEM, (6000, 7500), _TANDEM),
        (14, 21, 21, 22, 22),
        43_000,
    ),
    Configuration(
        "157",
        "157",
        TRAIN,
        "sddddd",
        (2, 3),
        ((3200, 3500), _TANDEM, (6000, 7200), _TRIDEM, _TRIDEM),
        (12, 17, 17, 18, 18, 18),
        49_000,
    ),
    Configuration(
        "157-single-drive",
        "157",
        TRAIN,
        "sddddd",
        (3,),
        ((3200, 3500), _TANDEM, (6000, 7200), _TRIDEM, _TRIDEM),
        (12, 16, 18, 18, 18, 18),
        46_000,
    ),
    Configuration(
        "1127",
        "1127",
        TRAIN,
        "ssdddd",
        (3,),
        (_STEERING_PAIR, (2800, 3300), (6000, 7200), _TRIDEM, _TRIDEM),
        (10, 10, 23, 19, 19, 19),
        46_000,
    ),
)
