"""What the product must conclude from a record a simulated station sent: computed a second time.

Written from the law as domain.md A, C6, C7 and E3 state it, with its own small tables and slow, plain
code; it shares nothing with `weigh` and reads none of the product's law tables. Masses are kg, spacings
mm, ratios parts per million.

Axle-load limits of GB 1589 are left out on purpose: the rows that would lower a gross limit are not
confirmed (domain.md A3 marks them [M]) or hang on tyre width, which no strip sees, so under E3 none of
them may lower a limit.
"""

from collections.abc import Sequence
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

# Codes whose leading axles leave no room for a tractor before a trailer: only a truck looks like this.
_TRUCK_CODES = frozenset({"11", "12", "15", "112", "115"})


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
    for groups in _groupings(tyres, record["spacings_mm"]):
        code = "".join(_group_code(tyres, group) for group in groups)
        for kind, air in product(_kinds(vehicle, code), _suspensions(vehicle)):
            limit = _limit(kind, groups, tyres, record["spacings_mm"], vehicle.get("drive_axles"), air=air)
            if limit is not None and (best is None or limit > best[0]):
                best = (limit, code)
    if best is None:
        raise LookupError(f"no limit in Order 62 Art. 3 for {len(tyres)} axles as {vehicle.get('kind')}")
    return best


def _outcome(record: dict[str, Any], facts: SiteFacts, over: int) -> str:
    speed_m_h = round(record["speed_kmh"] * 1000)
    if record.get("flags") or not facts.min_speed_m_h <= speed_m_h <= facts.max_speed_m_h:
        return Outcome.UNUSABLE.value
    if not facts.case_basis_complete:
        return Outcome.STATISTICS_ONLY.value
    return (Outcome.OVERLOADED if over > 0 else Outcome.WITHIN).value


Group = tuple[int, ...]
"""0-based numbers of axles judged together."""


def _groupings(tyres: Sequence[str], spacings_mm: Sequence[int]) -> list[list[Group]]:
    """Return every grouping that what is known leaves open (domain.md E3)."""
    if tyres[0] == tyres[1] == "single":  # twin steering axles are never a group
        return [_grouped(spacings_mm, split_steering=True)]
    if "dual" in tyres[:2] or spacings_mm[0] > _TANDEM_MM:
        return [_grouped(spacings_mm, split_steering=False)]
    return [_grouped(spacings_mm, split_steering=split) for split in (True, False)]


def _grouped(spacings_mm: Sequence[int], *, split_steering: bool) -> list[Group]:
    groups: list[Group] = [(0,)]
    for axle, spacing in enumerate(spacings_mm, start=1):
        last = groups[-1]
        apart = spacing > _TANDEM_MM or (axle == 1 and split_steering)
        full = len(last) == 3
        no_tridem = len(last) == 2 and max(spacing, spacings_mm[axle - 2]) > _TRIDEM_MM
        if apart or full or no_tridem:
            groups.append((axle,))
        else:
            groups[-1] = (*last, axle)
    return groups


def _group_code(tyres: Sequence[str], group: Group) -> str:
    """Return the 7-code of one group; unknown tyres count as dual, but the front axle's as single."""
    single = [tyres[axle] == "single" or (tyres[axle] == "unknown" and axle == 0) for axle in group]
    if len(group) == 1:
        return "1" if single[0] else "2"
    if len(group) == 2:
        return "3" if all(single) else "4" if any(single) else "5"
    return "6" if all(single) else "8" if any(single) else "7"


def _kinds(vehicle: dict[str, Any], code: str) -> tuple[str, ...]:
    kind = vehicle.get("kind") or "unknown"
    if kind != "unknown":
        return (kind,)
    return ("truck",) if code in _TRUCK_CODES else ("truck", "train")


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
    return base - _SINGLE_TYRES_KG * _reduced_axles(kind, groups, tyres, drive_axles)


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
        single = _single_drive(groups, drive_axles)
        return _TRAIN_SIX_AXLES_SINGLE_DRIVE_KG if single else _TRAIN_SIX_AXLES_KG
    wide = len(groups[-1]) == 2 and spacings_mm[-1] >= _WIDE_TANDEM_MM
    if axles == 4 and wide and air and _dual_drive(tyres, drive_axles):
        return _ARTICULATED_WIDE_TANDEM_KG
    return _TRAIN_KG.get(axles)


def _single_drive(groups: Sequence[Group], drive_axles: Sequence[int] | None) -> bool:
    """Say whether the tractor drives on one axle: as reported, or because no tandem precedes the trailer."""
    if drive_axles:
        return len(drive_axles) == 1
    return all(len(group) == 1 for group in groups[:-1])


def _dual_drive(tyres: Sequence[str], drive_axles: Sequence[int] | None) -> bool:
    driven = [axle - 1 for axle in drive_axles] if drive_axles else range(1, len(tyres))
    return any(tyres[axle] != "single" for axle in driven)


def _reduced_axles(
    kind: str, groups: Sequence[Group], tyres: Sequence[str], drive_axles: Sequence[int] | None
) -> int:
    """Count single-tyre axles that cost 3 000 kg each (Order 62 Art. 3 para. 2 (2)): of groups and trailers.

    The first group of a train is its tractor's front; the last is its trailer. Drive axles and steering
    axles are spared, and so is any axle that may be driven where the drive is not known.
    """
    count = 0
    for number, group in enumerate(groups):
        trailer = kind == "train" and number == len(groups) - 1
        if len(group) == 1 and not trailer:
            continue
        for axle in group:
            may_be_driven = axle + 1 in drive_axles if drive_axles else not trailer
            count += tyres[axle] == "single" and not may_be_driven
    return count
