"""Whom the decision rule accuses: how many falsely, and how many of the truly overloaded it catches.

Four million six-axle trains at a place limited to 40 t. Four fifths truly weigh 0.6 to 1.0 of the limit,
evenly spread; one fifth weigh 1 + x of it, x exponential of mean 0.10. The measured mass is off by a normal
error of relative standard uncertainty u, which is declared. Decided by the product's own screening, its
guard band 3 u.

    make bench NAME=decision
    make bench NAME=decision ARGS="--plot docs/images/decision.svg"
"""

import argparse
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.result import Result
from domain.ids import DeviceId, SiteId, StationId
from domain.law import limit_tables
from domain.registry import Announcement, Certificate, LegalBasis, Site, StationContext
from weigh import OUTCOMES, ContextTable, DecisionRule, RecordColumns, screen_bulk
from weigh.screening.columns import KINDS, TYRES

SEED = 20261123
VEHICLES = 4_000_000
LIMIT_KG = 40_000
TABLES = limit_tables(date(2026, 11, 23))
GUARDS_MILLI = (0, 1_000, 2_000, 3_000)
DEDUCTIONS_PPM = (0, 50_000)
UNCERTAINTIES_PPM = (10_000, 35_000)
_SPACINGS_MM = (3_300, 1_350, 6_500, 1_310, 1_310)

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """One way to decide: uncertainty of the weighing, legal deduction, guard factor."""

    u_ppm: int
    mpe_ppm: int
    guard_k_milli: int


@dataclass(frozen=True)
class Verdicts:
    """What was decided of vehicles whose true mass is known."""

    true_kg: Ints
    flagged: Bools

    @property
    def false_percent(self) -> float:
        """Share of the flagged that are truly within the limit."""
        return 100 * float((self.true_kg[self.flagged] <= LIMIT_KG).mean())

    def caught_percent(self, over_percent: int) -> float:
        """Share of those truly over the limit by more than this that are flagged."""
        return 100 * float(self.flagged[100 * self.true_kg > (100 + over_percent) * LIMIT_KG].mean())


def main(arguments: list[str]) -> Result:
    """Run the benchmark; `--vehicles` makes it a look, `--plot FILE` draws it."""
    parser = argparse.ArgumentParser(prog="decision", description=__doc__)
    parser.add_argument("--vehicles", type=int, default=VEHICLES)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(arguments)
    true_kg = true_masses(options.vehicles)
    begun = time.perf_counter()
    verdicts = {
        Case(u, mpe, guard): decide(true_kg, Case(u, mpe, guard))
        for u in UNCERTAINTIES_PPM
        for mpe in DEDUCTIONS_PPM
        for guard in GUARDS_MILLI
    }
    seconds = time.perf_counter() - begun
    if options.plot:
        from benchmarks._decision_plot import draw  # noqa: PLC0415 - slow to import, seldom wanted

        draw(verdicts, options.plot)
    return _result(verdicts, options.vehicles, seconds)


def true_masses(count: int) -> Ints:
    """Return true gross masses, kg, in whole numbers."""
    rng = np.random.default_rng(SEED)
    over = rng.random(count) < 0.2
    ratio = np.where(over, 1 + rng.exponential(0.10, count), rng.uniform(0.6, 1.0, count))
    return np.asarray(np.rint(LIMIT_KG * ratio), dtype=np.int64)


def decide(true_kg: Ints, case: Case) -> Verdicts:
    """Weigh every vehicle once with its error, and screen it."""
    rng = np.random.default_rng((SEED, case.u_ppm))
    measured = true_kg * (1 + case.u_ppm / 1e6 * rng.standard_normal(len(true_kg)))
    columns = _columns(np.rint(measured).astype(np.int32), case)
    found = screen_bulk(columns, TABLES, DecisionRule(guard_k_milli=case.guard_k_milli))
    names = [outcome.value for outcome in OUTCOMES]
    if set(np.unique(found.outcome)) - {names.index("overloaded"), names.index("within")}:
        raise AssertionError("every weighing here is usable, and every paper in force")
    return Verdicts(true_kg, found.outcome == names.index("overloaded"))


def _columns(gross_kg: NDArray[np.int32], case: Case) -> RecordColumns:
    """Return six-axle trains of these masses, shared out evenly over the axles."""
    count, axles = len(gross_kg), len(_SPACINGS_MM) + 1
    share, rest = np.divmod(gross_kg, axles)
    tyres = [TYRES.index("single")] + [TYRES.index("dual")] * (axles - 1)
    driven = 0b110
    return RecordColumns(
        axle_count=np.full(count, axles, dtype=np.uint8),
        load_kg=np.stack([share + (rest > axle) for axle in range(axles)]).astype(np.int32),
        tyres=np.repeat(np.array(tyres, dtype=np.int8)[:, None], count, axis=1),
        spacing_mm=np.repeat(np.array(_SPACINGS_MM, dtype=np.uint16)[:, None], count, axis=1),
        driven=np.full(count, driven, dtype=np.uint16),
        kind=np.full(count, KINDS.index("train"), dtype=np.int8),
        air=np.zeros(count, dtype=np.int8),
        gross_kg=gross_kg,
        speed_m_h=np.full(count, 60_000, dtype=np.int32),
        length_mm=np.zeros(count, dtype=np.int32),
        u_gross_ppm=np.full(count, case.u_ppm, dtype=np.int32),
        u_axle_ppm=np.full(count, case.u_ppm, dtype=np.int32),
        flags=np.zeros(count, dtype=np.uint16),
        lane=np.ones(count, dtype=np.uint8),
        direction=np.zeros(count, dtype=np.uint16),
        context=np.zeros(count, dtype=np.int32),
        contexts=ContextTable.of([_place(case.mpe_ppm)], ("up",)),
    )


def _place(mpe_ppm: int) -> StationContext:
    day = date(2026, 1, 1)
    return StationContext(
        station=StationId("S1"),
        device=DeviceId("wim-1"),
        site=Site(
            site_id=SiteId("bridge"),
            name="",
            road="",
            stake="",
            direction="up",
            lanes=1,
            gross_limit_kg=LIMIT_KG,
            completeness_profile="standard",
            valid_from=day,
            valid_to=None,
        ),
        certificate=Certificate(
            number="C",
            device=DeviceId("wim-1"),
            issued_by="an institute",
            accuracy_class="5",
            mpe_in_service_ppm=mpe_ppm,
            min_speed_m_h=500,
            max_speed_m_h=100_000,
            lanes=(1,),
            valid_from=day,
            valid_to=date(2027, 1, 1),
        ),
        announcement=Announcement(number="A", published_on=day, in_force_from=day, in_force_to=None),
        legal_basis=LegalBasis(citation="a regulation", liable_party="owner", valid_from=day, valid_to=None),
    )


def _result(verdicts: dict[Case, Verdicts], vehicles: int, seconds: float) -> Result:
    u1, u35 = verdicts[Case(10_000, 0, 3_000)], verdicts[Case(35_000, 0, 3_000)]
    deducted = verdicts[Case(10_000, 50_000, 3_000)]
    figures = {
        "false_percent_u1": round(u1.false_percent, 4),
        "false_percent_u3_5": round(u35.false_percent, 4),
        "caught_percent_over5_u1": round(u1.caught_percent(5), 2),
        "caught_percent_over15_u3_5": round(u35.caught_percent(15), 2),
        "caught_percent_over5_u1_deducted": round(deducted.caught_percent(5), 2),
        "false_percent_u1_deducted": round(deducted.false_percent, 4),
        "false_percent_u3_5_tolerance_only": round(verdicts[Case(35_000, 50_000, 0)].false_percent, 2),
        "vehicles": vehicles,
    } | {
        f"false_percent_u{_percent(case.u_ppm)}_k{case.guard_k_milli // 1_000}": round(found.false_percent, 4)
        for case, found in verdicts.items()
        if case.mpe_ppm == 0
    }
    return Result(
        name="decision",
        unit="vehicles/s",
        ours=round(vehicles * len(verdicts) / seconds),
        figures=figures,
        ok={
            "false_u1": u1.false_percent <= 0.1,
            "false_u3_5": u35.false_percent <= 0.1,
            "caught_over5_u1": u1.caught_percent(5) >= 99,
            "caught_over15_u3_5": u35.caught_percent(15) >= 95,
            "caught_over5_u1_deducted": deducted.caught_percent(5) >= 94,
        },
    )


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:g}".replace(".", "_")
