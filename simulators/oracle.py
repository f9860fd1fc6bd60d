"""What the product must conclude from a record a simulated station sent: computed a second time.

Written from the law as domain.md A, C6, C7 and E3 state it, with its own small tables and slow, plain
code; it shares nothing with `weigh` and reads none of the product's law tables. Masses are kg, spacings
mm, ratios parts per million.

Axle-load limits of GB 1589 are left out on purpose: the rows that would lower a gross limit are not
confirmed (domain.md A3 marks them [M]) or hang on tyre width, which no strip sees, so under E3 none of
them may lower a limit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from domain.screening import Outcome

# Order 62 of 2016 Art. 3 para. 1 (4)-(8): number of axles -> limit.
_TRUCK_KG = {2: 18_000, 3: 25_000, 4: 31_000}
_TRAIN_KG = {3: 27_000, 4: 36_000, 5: 43_000}
_TRAIN_SIX_AXLES_KG = 49_000
_TRAIN_SIX_AXLES_SINGLE_DRIVE_KG = 46_000
_ARTICULATED_WIDE_TANDEM_KG = 37_000
_SINGLE_TYRES_KG = 3_000
_AIR_SUSPENSION_KG = 1_000

_TANDEM_MM = 2_000
_TRIDEM_MM = 1_500
_WIDE_TANDEM_MM = 1_800
_SPACING_ERROR_MM = 150
"""What ASTM E1318 allows a strip (domain.md C4)."""
_MAX_AXLE_KG = 22_700
"""50 kip: beyond it the weighing is not believed (domain.md C7)."""
_TWIN_STEERING_MM = 2_100
"""The widest twin steering pair domain.md E3 names."""
_SINGLE = frozenset({"single", "wide"})


@dataclass(frozen=True)
class SiteFacts:
    """What the registry says of the place, as of the passage."""

    mpe_ppm: int
    min_speed_m_h: int
    max_speed_m_h: int
    site_limit_kg: int | None = None
    case_basis_complete: bool = True
    """Certificate, announcement and legal basis are all in force."""


@dataclass(frozen=True)
class Rule:
    """The decision rule: the deduction m (1 - MPE), and k u as guard band."""

    guard_k_milli: int = 3_000
    default_u_gross_ppm: int = 15_000


@dataclass(frozen=True)
class Finding:
    """What the screening of one record must say."""

    outcome: str
    vehicle_code: str
    limit_kg: int
    adjudged_kg: int
    over_kg: int

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return asdict(self)


def judge(record: dict[str, Any], facts: SiteFacts, rule: Rule | None = None) -> Finding:
    """Return the finding for a weigh record, given as the JSON object that went over the wire."""
    rule = rule or Rule()
    limit, code = limit_and_code(record)
    if facts.site_limit_kg is not None:
        limit = min(limit, facts.site_limit_kg)
    u_ppm = rule.default_u_gross_ppm
    if record.get("u_gross_percent") is not None:
        u_ppm = round(record["u_gross_percent"] * 10_000)
    adjudged = adjudged_kg(record["gross_kg"], facts.mpe_ppm, u_ppm, rule.guard_k_milli)
    over = max(0, adjudged - limit)
    return Finding(_outcome(record, facts, over), code, limit, adjudged, over)


def adjudged_kg(measured_kg: int, mpe_ppm: int, u_ppm: int, k_milli: int) -> int:
    """Return the mass that decides: the smaller of deduction and guard band, rounded for the party.

    >>> adjudged_kg(52_000, 50_000, 15_000, 3_000)
    49400
    """
    after_deduction = measured_kg * (1_000_000 - mpe_ppm) // 1_000_000
    guard = -(-measured_kg * u_ppm * k_milli // 1_000_000_000)
    return min(after_deduction, measured_kg - guard)


def limit_and_code(record: dict[str, Any]) -> tuple[int, str]:
    """Return the legal limit in kg and the vehicle code, every unknown read to the party's favour."""
    tyres = [axle.get("tyres") or "unknown" for axle in record["axles"]]
    vehicle = record.get("vehicle") or {}
    best: tuple[int, str] | None = None
    for steering, groups in _readings(tyres, record["spacings_mm"]):
        code = "".join(_group_code(tyres, group, steering) for group in groups)
        for kind, air in product(_kinds(vehicle, record["spacings_mm"], steering), _suspensions(vehicle)):
            limit = _limit(kind, groups, tyres, record["spacings_mm"], vehicle.get("drive_axles"), air=air)
            if limit is not None and (best is None or limit > best[0]):
                best = (limit, code)
    if best is None:
        raise LookupError(f"no limit in Order 62 Art. 3 for {len(tyres)} axles as {vehicle.get('kind')}")
    return best


def _outcome(record: dict[str, Any], facts: SiteFacts, over: int) -> str:
    speed_m_h = round(record["speed_kmh"] * 1000)
    in_range = facts.min_speed_m_h <= speed_m_h <= facts.max_speed_m_h
    heaviest = max(axle["load_kg"] for axle in record["axles"])
    if record.get("flags") or not in_range or heaviest > _MAX_AXLE_KG:
        return Outcome.UNUSABLE.value
    if not facts.case_basis_complete:
        return Outcome.STATISTICS_ONLY.value
    return (Outcome.OVERLOADED if over > 0 else Outcome.WITHIN).value


Group = tuple[int, ...]
"""0-based numbers of axles judged together."""


def _readings(tyres: Sequence[str], spacings_mm: Sequence[int]) -> Iterator[tuple[int, list[Group]]]:
    """Yield the number of steering axles and the grouping, for all that is left open (domain.md E3).

    The natural reading comes first; each is read as measured and with every spacing off by its error.
    """
    both_single = all(tyre in _SINGLE for tyre in tyres[:2])
    if spacings_mm[0] > _steering_reach_mm(1 if "dual" in tyres[:2] else 2):
        # Single tyres on the second axle may be the drive's, or those of a steering axle far behind.
        steering_counts = [1, 2] if both_single else [1]
    else:
        steering_counts = [2] if both_single else [1] if "dual" in tyres[:2] else [2, 1]
    for steering, error in product(steering_counts, (0, -_SPACING_ERROR_MM, _SPACING_ERROR_MM)):
        shifted = [spacing + error for spacing in spacings_mm]
        yield steering, _grouped(shifted, split_steering=steering == 2)


def _steering_reach_mm(steering: int) -> int:
    """Return up to which distance the second axle is too near the first to be a tractor's drive axle."""
    return _TWIN_STEERING_MM + _SPACING_ERROR_MM if steering == 2 else _TANDEM_MM


def _grouped(spacings_mm: Sequence[int], *, split_steering: bool) -> list[Group]:
    groups: list[Group] = [(0,)]
    for axle, spacing in enumerate(spacings_mm, start=1):
        last = groups[-1]
        apart = spacing > _TANDEM_MM or (axle <= 2 and split_steering)
        full = len(last) == 3
        no_tridem = len(last) == 2 and max(spacing, spacings_mm[axle - 2]) > _TRIDEM_MM
        if apart or full or no_tridem:
            groups.append((axle,))
        else:
            groups[-1] = (*last, axle)
    return groups


def _group_code(tyres: Sequence[str], group: Group, steering: int) -> str:
    """Return the 7-code of one group; unknown tyres count as dual, but a steering axle's as single."""
    single = [tyres[axle] in _SINGLE or (tyres[axle] == "unknown" and axle < steering) for axle in group]
    if len(group) == 1:
        return "1" if single[0] else "2"
    if len(group) == 2:
        return "3" if all(single) else "4" if any(single) else "5"
    return "6" if all(single) else "8" if any(single) else "7"


def _kinds(vehicle: dict[str, Any], spacings_mm: Sequence[int], steering: int) -> tuple[str, ...]:
    """Return what the vehicle may be: as reported, or else a train only where a trailer has room.

    A train stands in three places at least: steering axles, drive axles, trailer.
    """
    kind = vehicle.get("kind") or "unknown"
    if kind != "unknown":
        return (kind,)
    wide = [spacing > _TANDEM_MM + _SPACING_ERROR_MM for spacing in spacings_mm]
    wide[0] = spacings_mm[0] > _steering_reach_mm(steering)
    return ("truck", "train") if sum(wide) >= 2 or len(spacings_mm) >= max(_TRUCK_KG) else ("truck",)


def _suspensions(vehicle: dict[str, Any]) -> tuple[bool, ...]:
    air = vehicle.get("air_suspension")
    return (False, True) if air is None else (air,)


def _limit(
    kind: str,
    groups: Sequence[Group],
    tyres: Sequence[str],
    spacings_mm: Sequence[int],
    drive_axles: Sequence[int] | None,
    *,
    air: bool,
) -> int | None:
    axles = len(tyres)
    if kind == "truck":
        base = _TRUCK_KG.get(axles)
        if base is None:
            return None
        if air and axles in (3, 4) and _dual_drive(tyres, drive_axles):
            base += _AIR_SUSPENSION_KG
    else:
        base = _train_base(groups, tyres, spacings_mm, drive_axles, air=air)
        if base is None:
            return None
    return base - _SINGLE_TYRES_KG * _reduced_axles(kind, groups, tyres, spacings_mm, drive_axles)


def _train_base(
    groups: Sequence[Group],
    tyres: Sequence[str],
    spacings_mm: Sequence[int],
    drive_axles: Sequence[int] | None,
    *,
    air: bool,
) -> int | None:
    axles = len(tyres)
    if axles >= 6:
        single = _single_drive(groups, spacings_mm, drive_axles)
        return _TRAIN_SIX_AXLES_SINGLE_DRIVE_KG if single else _TRAIN_SIX_AXLES_KG
    wide = len(groups[-1]) == 2 and spacings_mm[-1] + _SPACING_ERROR_MM >= _WIDE_TANDEM_MM
    if axles == 4 and wide and air and _dual_drive(tyres[: _trailer_from(spacings_mm)], drive_axles):
        return _ARTICULATED_WIDE_TANDEM_KG
    return _TRAIN_KG.get(axles)


def _single_drive(
    groups: Sequence[Group], spacings_mm: Sequence[int], drive_axles: Sequence[int] | None
) -> bool:
    """Say whether the tractor drives on one axle: as reported, or because it has no tandem to drive on."""
    if drive_axles:
        return len(drive_axles) == 1
    trailer = _trailer_from(spacings_mm)
    return all(len(group) == 1 for group in groups if 0 < group[0] < trailer)


def _trailer_from(spacings_mm: Sequence[int]) -> int:
    """Return the 0-based number of a trailer's first axle: behind the last gap wider than any group's."""
    wide = [gap for gap, spacing in enumerate(spacings_mm) if spacing > _TANDEM_MM + _SPACING_ERROR_MM]
    return wide[-1] + 1 if wide else len(spacings_mm)


def _dual_drive(own: Sequence[str], drive_axles: Sequence[int] | None) -> bool:
    """Say whether the drive has, or where it is not known may have, dual tyres; trailers left out."""
    if drive_axles:
        return all(own[axle - 1] not in _SINGLE for axle in drive_axles)
    return any(tyre not in _SINGLE for tyre in own[1:])


def _reduced_axles(
    kind: str,
    groups: Sequence[Group],
    tyres: Sequence[str],
    spacings_mm: Sequence[int],
    drive_axles: Sequence[int] | None,
) -> int:
    """Count single-tyre axles that cost 3 000 kg each (Order 62 Art. 3 para. 2 (2)): of groups and trailers.

    Drive axles and steering axles are spared, and so is any axle of a truck or tractor that may be driven
    where the drive is not known.
    """
    trailer = _trailer_from(spacings_mm) if kind == "train" else len(tyres)
    count = 0
    for group in groups:
        for axle in group:
            on_trailer = axle >= trailer
            may_be_driven = axle + 1 in drive_axles if drive_axles else not on_trailer
            subject = axle > 0 and (len(group) > 1 or on_trailer) and not may_be_driven
            count += subject and tyres[axle] == "single"
    return count
