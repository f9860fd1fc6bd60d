"""The screening of one vehicle, slow and obvious: one reading after another, plain numbers, no arrays.

Shares nothing with `weigh`. Takes its figures from the law tables and follows domain.md: E3 for the
readings, A1 and A2 for the limit, C6 for the deduction, C7 for usability.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from domain.events import WeighRecord
from domain.ids import sha256_of
from domain.law import AxleRow, LimitTables
from domain.registry import StationContext

ERROR_MM = 150
ONE_TYRE = {"single", "single-under-425-mm", "wide"}
REPORTED_AS = {
    "single-under-425-mm": {"unknown", "single", "single-under-425-mm"},
    "wide": {"unknown", "single", "wide"},
    "dual": {"unknown", "dual"},
}


@dataclass
class Judgement:
    """The decision rule, as plain figures."""

    formula: str = "deduct"
    guard_k_milli: int = 3_000
    default_u_gross_ppm: int = 15_000
    default_u_axle_ppm: int = 30_000
    mpe_without_certificate_ppm: int = 100_000


@dataclass
class Vehicle:
    """One vehicle as reported; axles are numbered from 1, `gap[i]` lies behind axle i."""

    tyres: dict[int, str]
    load: dict[int, int]
    gap: dict[int, int]
    kind: str
    driven: set[int]
    air: bool | None

    @property
    def axles(self) -> int:
        return len(self.tyres)


@dataclass
class Reading:
    """One way to see the vehicle, with its limit."""

    kind: str
    paired: bool
    groups: list[list[int]]
    crowded: bool
    trailer: set[int]
    may_drive: set[int]
    steps: list[dict[str, Any]]
    limit: int
    rows: list[AxleRow]
    axle_sum_counts: bool
    width_open: bool


def screen(
    record: WeighRecord, context: StationContext, tables: LimitTables, rule: Judgement
) -> dict[str, Any]:
    """Return what `Screening.model_dump(mode="json")` must be for this passage, but for its `rule`."""
    vehicle = Vehicle(
        tyres={n: axle.tyres.value for n, axle in enumerate(record.axles, 1)},
        load={n: axle.load_kg for n, axle in enumerate(record.axles, 1)},
        gap=dict(enumerate(record.spacings_mm, 1)),
        kind=record.kind.value,
        driven={n for n in record.drive_axles or () if 2 <= n <= len(record.axles)},
        air=record.air_suspension,
    )
    readings = every_reading(vehicle, tables)
    chosen = readings[0]
    for reading in readings:
        if reading.limit > chosen.limit:
            chosen = reading
    certificate = context.certificate
    mpe = certificate.mpe_in_service_ppm if certificate else rule.mpe_without_certificate_ppm
    steps = list(chosen.steps)
    limit = chosen.limit
    site = context.site.gross_limit_kg
    if site and site < limit:
        note = "the site's own lower limit (bridge or road sign)"
        steps.append(step("site-limit", "Order 62 (2016) Art. 27", site - limit, site, note))
        limit = site
    u_gross = record.u_gross_ppm or rule.default_u_gross_ppm
    deducted, guarded = masses(record.gross_kg, limit, mpe, u_gross, rule)
    over = max(0, min(deducted, guarded) - limit)
    u_axle = record.u_axle_ppm or rule.default_u_axle_ppm
    groups = [
        group_result(vehicle, chosen, group, row, masses_of=(mpe, u_axle, rule))
        for group, row in zip(chosen.groups, chosen.rows, strict=True)
    ]
    unusable = why_unusable(record, context)
    outcome = "overloaded" if over else "within"
    statistics = why_statistics(record, context)
    if statistics:
        outcome = "statistics-only"
    if unusable:
        outcome = "unusable"
    digests: dict[str, str] = dict(tables.digests)
    if tables.confirmed_rows:
        digests["confirmed-rows"] = sha256_of("\n".join(sorted(tables.confirmed_rows)).encode())
    return {
        "outcome": outcome,
        "vehicle_code": "".join(group["code"] for group in groups),
        "taken_as": chosen.kind,
        "groups": groups,
        "limit_steps": steps,
        "adjudication": {
            "measured_gross_kg": record.gross_kg,
            "formula": rule.formula,
            "mpe_ppm": mpe,
            "u_gross_ppm": u_gross,
            "guard_k_milli": rule.guard_k_milli,
            "after_deduction_kg": deducted,
            "after_guard_kg": guarded,
            "adjudged_kg": min(deducted, guarded),
            "limit_kg": limit,
            "over_kg": over,
            "over_ppm": floor(Fraction(over * 1_000_000, limit)),
        },
        "doubts": doubts(record, vehicle, readings, chosen, tables),
        "reasons": [*unusable, *statistics],
        "axle_flags": [group["first_axle"] for group in groups if group["over_kg"]],
        "algorithm": "zhichao-screen/1",
        "tables": digests,
    }


def every_reading(vehicle: Vehicle, tables: LimitTables) -> list[Reading]:
    """Return all open readings, the one preferred among equals first."""
    readings = []
    for kind in ("train", "truck"):
        fronts = [False, True]
        if vehicle.gap[1] <= 2_100 + ERROR_MM:
            fronts = [True, False]
        for paired in fronts:
            if not front_possible(vehicle, paired=paired):
                continue
            if kind not in kinds_possible(vehicle, tables, paired=paired):
                continue
            readings += [
                read(vehicle, tables, kind, paired=paired, error=error) for error in (0, -ERROR_MM, ERROR_MM)
            ]
    return readings


def too_close_to_drive(vehicle: Vehicle) -> bool:
    """Whether the second axle is too near the first to be a tractor's drive axle."""
    return vehicle.gap[1] <= 2_100 + ERROR_MM


def front_possible(vehicle: Vehicle, *, paired: bool) -> bool:
    if paired:
        if 2 in vehicle.driven and vehicle.gap[1] > 2_100 + ERROR_MM:
            return False
        return "dual" not in (vehicle.tyres[1], vehicle.tyres[2])
    surely_paired = {vehicle.tyres[1], vehicle.tyres[2]} <= ONE_TYRE and too_close_to_drive(vehicle)
    return not surely_paired


def sections(vehicle: Vehicle) -> list[list[int]]:
    """Runs of axles that no surely wide gap parts."""
    runs = [[1]]
    for axle in range(2, vehicle.axles + 1):
        wide = vehicle.gap[axle - 1] > 2_000 + ERROR_MM
        if axle == 2:
            wide = not too_close_to_drive(vehicle)
        if wide:
            runs.append([axle])
        else:
            runs[-1].append(axle)
    return runs


def front_sections(vehicle: Vehicle, *, paired: bool) -> int:
    return 2 if paired and not too_close_to_drive(vehicle) else 1


def kinds_possible(vehicle: Vehicle, tables: LimitTables, *, paired: bool) -> set[str]:
    in_table: set[str] = {
        kind
        for kind in ("truck", "train")
        for row in tables.gross
        if row.kind == kind and (row.axles == vehicle.axles or (row.and_more and row.axles < vehicle.axles))
    }
    if len(in_table) == 1:
        return in_table
    behind_drive = sections(vehicle)[front_sections(vehicle, paired=paired) + 1 :]
    return {"truck", "train"} if behind_drive or vehicle.kind == "train" else {"truck"}


def grouped(vehicle: Vehicle, *, paired: bool, error: int) -> tuple[list[list[int]], bool]:
    """Group from the front; also say whether axles that stand close had to be parted."""

    def near(axle: int, bound: int) -> bool:
        if axle not in vehicle.gap or (paired and axle in (1, 2)):
            return False
        return vehicle.gap[axle] + error <= bound

    groups: list[list[int]] = []
    crowded = False
    axle = 1
    while axle <= vehicle.axles:
        if near(axle, 1_500) and near(axle + 1, 1_500):
            group = [axle, axle + 1, axle + 2]
        elif near(axle, 2_000):
            group = [axle, axle + 1]
        else:
            group = [axle]
        groups.append(group)
        if near(group[-1], 2_000):
            crowded = True
        axle = group[-1] + 1
    return groups, crowded


def read(vehicle: Vehicle, tables: LimitTables, kind: str, *, paired: bool, error: int) -> Reading:
    """Return one reading with the steps that lead to its limit."""
    groups, crowded = grouped(vehicle, paired=paired, error=error)
    runs = sections(vehicle)
    front = front_sections(vehicle, paired=paired)
    trailer = {axle for run in runs[front + 1 :] for axle in run} if kind == "train" else set()
    steering = {1, 2} if paired else {1}
    own = set(vehicle.tyres) - trailer
    may_drive = ((vehicle.driven or set(vehicle.tyres)) - steering) & own
    drive_run = runs[front] if len(runs) > front else []
    single_drive = len(drive_run) == 1 or len(vehicle.driven & own) == 1

    base = tables.gross_row(kind, vehicle.axles, single_drive=single_drive)
    steps = [step(base.id, base.clause, base.limit_kg, base.limit_kg, base.note)]
    limit = base.limit_kg
    rules = {row.role.value: row for row in tables.rules}

    reduced, width_open = [], False
    for group in groups:
        for axle in group:
            liable = len(group) > 1 or axle in trailer
            if not liable or axle in may_drive | steering:
                continue
            if vehicle.tyres[axle] == "single-under-425-mm":
                reduced.append(axle)
            if vehicle.tyres[axle] == "single":
                width_open = True
    if reduced:
        row = rules["single-tyre"]
        limit += len(reduced) * row.amount_kg
        note = "single tyres on axle " + ", ".join(str(axle) for axle in reduced)
        steps.append(step(row.id, row.clause, len(reduced) * row.amount_kg, limit, note))
    for name in air_rules(vehicle, kind, trailer, front):
        row = rules[name]
        limit += row.amount_kg
        steps.append(step(row.id, row.clause, row.amount_kg, limit, row.note))

    rows = [axle_row(vehicle, tables, group, trailer, may_drive, error=ERROR_MM) for group in groups]
    total = sum(row.limit_kg for row in rows)
    counts = not crowded and all(tables.may_lower(row) for row in rows)
    if counts and total < limit:
        row = rules["axle-sum"]
        note = " + ".join(f"{one.id} {one.limit_kg}" for one in rows)
        steps.append(step(row.id, row.clause, total - limit, total, note))
        limit = total
    return Reading(kind, paired, groups, crowded, trailer, may_drive, steps, limit, rows, counts, width_open)


def air_rules(vehicle: Vehicle, kind: str, trailer: set[int], front: int) -> list[str]:
    if vehicle.air is False:
        return []
    if kind == "truck" and vehicle.axles in (3, 4):
        others = [tyres for axle, tyres in vehicle.tyres.items() if axle > 1]
        driven = [vehicle.tyres[axle] for axle in vehicle.driven]
        if driven and all(tyres in ("dual", "unknown") for tyres in driven):
            return ["air-truck"]
        if not driven and any(tyres in ("dual", "unknown") for tyres in others):
            return ["air-truck"]
    if kind == "train" and vehicle.axles == 4 and front == 1 and trailer == {3, 4}:
        second_drives = not vehicle.driven or 2 in vehicle.driven
        dual = vehicle.tyres[2] in ("dual", "unknown")
        if second_drives and dual and vehicle.gap[3] >= 1_800 - ERROR_MM:
            return ["air-articulated"]
    return []


def axle_row(
    vehicle: Vehicle,
    tables: LimitTables,
    group: list[int],
    trailer: set[int],
    may_drive: set[int],
    *,
    error: int,
) -> AxleRow:
    """Return the highest row that may apply to a group."""
    best: AxleRow | None = None
    for row in tables.axle:
        if row.axles != len(group):
            continue
        if len(group) > 1:
            widest = max(vehicle.gap[axle] for axle in group[:-1])
            if widest < row.spacing_min_mm - error:
                continue
            if row.spacing_max_mm is not None and widest > row.spacing_max_mm + error:
                continue
        if row.tyres and any(vehicle.tyres[axle] not in REPORTED_AS[row.tyres.value] for axle in group):
            continue
        if row.drive and not may_drive & set(group):
            continue
        if row.air and vehicle.air is False:
            continue
        if row.trailer is not None and row.trailer != (group[0] in trailer):
            continue
        if best is None or row.limit_kg > best.limit_kg:
            best = row
    assert best is not None, f"no axle row for {group} of {vehicle}"
    return best


def masses(measured: int, limit: int, mpe: int, u: int, rule: Judgement) -> tuple[int, int]:
    """Return the mass after the deduction and after the guard band, in exact fractions until the end."""
    error = Fraction(mpe, 1_000_000)
    if rule.formula == "deduct":
        deducted = floor(measured * (1 - error))
    elif rule.formula == "bound":
        deducted = floor(measured / (1 + error))
    else:
        deducted = measured - ceil(limit * error)
    guarded = floor(measured * (1 - Fraction(rule.guard_k_milli, 1_000) * Fraction(u, 1_000_000)))
    return max(deducted, 0), max(guarded, 0)


def group_result(
    vehicle: Vehicle,
    chosen: Reading,
    group: list[int],
    row: AxleRow,
    *,
    masses_of: tuple[int, int, Judgement],
) -> dict[str, Any]:
    mpe, u, rule = masses_of
    load = sum(vehicle.load[axle] for axle in group)
    steering = chosen.paired and group[0] in (1, 2)
    return {
        "first_axle": group[0],
        "axle_count": len(group),
        "tyres": [vehicle.tyres[axle] for axle in group],
        "code": code(vehicle, group, steering=steering or group[0] == 1),
        "steering_pair": steering,
        "spacings_mm": [vehicle.gap[axle] for axle in group[:-1]],
        "load_kg": load,
        "limit_kg": row.limit_kg,
        "limit_row": row.id,
        "over_kg": max(0, min(masses(load, row.limit_kg, mpe, u, rule)) - row.limit_kg),
    }


def code(vehicle: Vehicle, group: list[int], *, steering: bool) -> str:
    ones = 0
    for axle in group:
        presumed_single = vehicle.tyres[axle] == "unknown" and steering and axle == group[0]
        if vehicle.tyres[axle] in ONE_TYRE or presumed_single:
            ones += 1
    by_length = {1: {0: "2", 1: "1"}, 2: {0: "5", 1: "4", 2: "3"}, 3: {0: "7", 1: "8", 2: "8", 3: "6"}}
    return by_length[len(group)][ones]


def why_unusable(record: WeighRecord, context: StationContext) -> list[str]:
    codes: list[str] = [
        flag
        for flag in (
            "straddling",
            "reversing",
            "stop-and-go",
            "speed-change",
            "close-following",
            "side-by-side",
            "scale-jumping",
            "wrong-way",
            "tail-lost",
            "weighing-failed",
        )
        if flag in [one.value for one in record.flags]
    ]
    certificate = context.certificate
    if certificate:
        if not certificate.min_speed_m_h <= record.speed_m_h <= certificate.max_speed_m_h:
            codes.append("speed-outside-certificate")
        if record.lane not in certificate.lanes:
            codes.append("lane-not-on-certificate")
    loads = [axle.load_kg for axle in record.axles]
    if record.gross_kg == 0 or record.gross_kg > 22_700 * len(loads):
        codes.append("gross-implausible")
    if max(loads) > 22_700:
        codes.append("axle-load-implausible")
    if abs(record.gross_kg - sum(loads)) > max(Fraction(100), Fraction(record.gross_kg, 100)):
        codes.append("axle-sum-mismatch")
    if record.spacings_mm[0] < 1_520 - ERROR_MM:
        codes.append("first-spacing-implausible")
    if sum(record.spacings_mm) < 2_130 - ERROR_MM:
        codes.append("wheelbase-implausible")
    if record.length_mm:
        shortest = sum(gap - ERROR_MM for gap in record.spacings_mm)
        if record.length_mm > 61_000 or shortest > record.length_mm:
            codes.append("length-implausible")
    return codes


def why_statistics(record: WeighRecord, context: StationContext) -> list[str]:
    codes = list(context.missing)
    if record.direction == "unknown" or record.direction != context.site.direction:
        codes.append("direction-not-registered")
    if record.lane > context.site.lanes:
        codes.append("lane-not-at-site")
    return codes


def doubts(
    record: WeighRecord,
    vehicle: Vehicle,
    readings: list[Reading],
    chosen: Reading,
    tables: LimitTables,
) -> list[str]:
    codes = []
    if vehicle.kind == "unknown" and len({reading.kind for reading in readings}) == 2:
        codes.append("kind-unknown")
    may_pull = any(reading.kind == "train" for reading in readings)
    if (vehicle.kind == "truck" and may_pull) or (vehicle.kind == "train" and not chosen.trailer):
        codes.append("kind-against-axles")
    if "unknown" in vehicle.tyres.values():
        codes.append("tyres-unknown")
    if chosen.width_open:
        codes.append("tyre-width-unknown")
    if not vehicle.driven:
        codes.append("drive-unknown")
    if vehicle.air is None:
        codes.append("suspension-unknown")
    shapes = [grouped(vehicle, paired=chosen.paired, error=error)[0] for error in (0, -ERROR_MM, ERROR_MM)]
    if any(shape != shapes[0] for shape in shapes):
        codes.append("grouping-open")
    for group, row in zip(chosen.groups, chosen.rows, strict=True):
        exact = axle_row(vehicle, tables, group, chosen.trailer, chosen.may_drive, error=0)
        if exact.limit_kg < row.limit_kg:
            codes.append("spacing-band-open")
            break
    if chosen.crowded:
        codes.append("close-axles-beyond-table")
    if record.u_gross_ppm is None:
        codes.append("uncertainty-undeclared")
    total = sum(row.limit_kg for row in chosen.rows)
    if not chosen.crowded and not chosen.axle_sum_counts and total < chosen.limit:
        codes.append(f"axle-sum-unconfirmed:{total}")
    return codes


def step(row: str, clause: str, amount: int, running: int, note: str) -> dict[str, Any]:
    return {"row": row, "clause": clause, "amount_kg": amount, "running_kg": running, "note": note}
