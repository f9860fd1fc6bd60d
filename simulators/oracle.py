"""What the product must conclude from a record a simulated station sent: computed a second time.

Written from the law as domain.md A, C6, C7 and E3 state it, with its own small tables and slow, plain
code; it shares nothing with `weigh` and reads none of the product's law tables. Masses are kg, spacings
mm, ratios parts per million.

Axle-load limits of GB 1589 are left out on purpose: the rows that would lower a gross limit are not
confirmed (domain.md A3 marks them [M]), so under E3 none of them may lower a limit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from operator import itemgetter
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
_SINGLE = frozenset({"single", "single-under-425-mm", "wide"})


@dataclass(frozen=True)
class SiteFacts:
    """What the registry says of the place, as of the passage."""

    mpe_ppm: int
    min_speed_m_h: int
    max_speed_m_h: int
    site_limit_kg: int | None = None
    case_basis_complete: bool = True
    """Certificate, announcement and legal basis are all in force."""
    direction: str = "up"
    lanes: int = 16
    """The site is announced with one direction and so many lanes; elsewhere no case may rest on a passage."""


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
    """Return the legal limit in kg and the vehicle code, every unknown read to the party's favour.

    Of readings with equal limits the first names the code: trains come before trucks.
    """
    tyres = [axle.get("tyres") or "unknown" for axle in record["axles"]]
    spacings_mm = record["spacings_mm"]
    vehicle = record.get("vehicle") or {}
    # A report that the front axle is driven, or one that is not there, says nothing of the drive.
    driven = frozenset(axle - 1 for axle in vehicle.get("drive_axles") or () if 2 <= axle <= len(tyres))
    found: list[tuple[int, str]] = []
    for kind in ("train", "truck"):
        for steering, groups in _readings(tyres, spacings_mm, driven):
            places = _places(spacings_mm, steering)
            if kind in _kinds(vehicle.get("kind") or "unknown", places, len(tyres)):
                code = "".join(_group_code(tyres, group, steering) for group in groups)
                seen = _Seen(kind, groups, places, tyres, spacings_mm, driven)
                found += [(_limit(seen, air=air), code) for air in _suspensions(vehicle)]
    return max(found, key=itemgetter(0))


def _outcome(record: dict[str, Any], facts: SiteFacts, over: int) -> str:
    speed_m_h = round(record["speed_kmh"] * 1000)
    in_range = facts.min_speed_m_h <= speed_m_h <= facts.max_speed_m_h
    heaviest = max(axle["load_kg"] for axle in record["axles"])
    if record.get("flags") or not in_range or heaviest > _MAX_AXLE_KG:
        return Outcome.UNUSABLE.value
    at_site = record["direction"] == facts.direction != "unknown" and record["lane"] <= facts.lanes
    if not (facts.case_basis_complete and at_site):
        return Outcome.STATISTICS_ONLY.value
    return (Outcome.OVERLOADED if over > 0 else Outcome.WITHIN).value


Group = tuple[int, ...]
"""0-based numbers of axles judged together."""


@dataclass(frozen=True)
class _Seen:
    """A vehicle under one reading; axles are counted from 0."""

    kind: str
    groups: Sequence[Group]
    places: Sequence[Sequence[int]]
    tyres: Sequence[str]
    spacings_mm: Sequence[int]
    driven: frozenset[int]
    """Axles reported as driven; empty where the drive is not known."""

    @property
    def trailer(self) -> frozenset[int]:
        """Axles of the trailer: all behind the place of the drive axles."""
        behind = self.places[2:] if self.kind == "train" else ()
        return frozenset(axle for place in behind for axle in place)


def _readings(
    tyres: Sequence[str], spacings_mm: Sequence[int], driven: frozenset[int]
) -> Iterator[tuple[int, list[Group]]]:
    """Yield the number of steering axles and the grouping, for all that is left open (domain.md E3).

    The natural reading comes first; each is read as measured and with every spacing off by its error.
    Within the reach of a steering pair the axles outweigh a report that the second is driven: no tractor
    is so short.
    """
    if "dual" in tyres[:2]:
        steering_counts = [1]
    elif spacings_mm[0] <= _TWIN_STEERING_MM + _SPACING_ERROR_MM:
        steering_counts = [2] if "unknown" not in tyres[:2] else [2, 1]
    else:
        # Single tyres on the second axle may be the drive's, or those of a steering axle far behind.
        steering_counts = [1] if 1 in driven else [1, 2]
    for steering, error in product(steering_counts, (0, -_SPACING_ERROR_MM, _SPACING_ERROR_MM)):
        shifted = [spacing + error for spacing in spacings_mm]
        yield steering, _grouped(shifted, split_steering=steering == 2)


def _places(spacings_mm: Sequence[int], steering: int) -> list[list[int]]:
    """Return the axles by the places where they stand: steering, drive, and all of a trailer's.

    A gap surely wider than any group's parts two places. Two steering axles are one place, however far
    apart; an ordinary second axle opens the drive's, unless it is too near the first for a tractor's.
    """
    reach = _TWIN_STEERING_MM + _SPACING_ERROR_MM
    places = [[0]]
    for axle, spacing in enumerate(spacings_mm, start=1):
        parted = spacing > (reach if axle == 1 else _TANDEM_MM + _SPACING_ERROR_MM)
        if parted and not (axle == 1 and steering == 2):
            places.append([axle])
        else:
            places[-1].append(axle)
    return places


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


def _kinds(reported: str, places: Sequence[Sequence[int]], axles: int) -> tuple[str, ...]:
    """Return what the vehicle may be: as far as Art. 3 has a figure, as reported, as there is room.

    A train stands in three places at least: steering axles, drive axles, trailer. What a camera reports may
    be wrong: it adds a train where the axles show none, and rules nothing out.
    """
    if axles < min(_TRAIN_KG):
        return ("truck",)
    if axles > max(_TRUCK_KG):
        return ("train",)
    return ("truck", "train") if len(places) > 2 or reported == "train" else ("truck",)


def _suspensions(vehicle: dict[str, Any]) -> tuple[bool, ...]:
    air = vehicle.get("air_suspension")
    return (False, True) if air is None else (air,)


def _limit(seen: _Seen, *, air: bool) -> int:
    axles = len(seen.tyres)
    if seen.kind == "train":
        base = _train_base(seen, air=air)
    else:
        base = _TRUCK_KG[axles]
        if air and axles in (3, 4) and _dual_drive(seen, range(1, axles)):
            base += _AIR_SUSPENSION_KG
    return base - _SINGLE_TYRES_KG * _reduced_axles(seen)


def _train_base(seen: _Seen, *, air: bool) -> int:
    axles = len(seen.tyres)
    if axles >= 6:
        return _TRAIN_SIX_AXLES_SINGLE_DRIVE_KG if _single_drive(seen) else _TRAIN_SIX_AXLES_KG
    two_and_two = axles == 4 and seen.places[0] == [0] and seen.trailer == {2, 3}
    if air and two_and_two and seen.spacings_mm[2] + _SPACING_ERROR_MM >= _WIDE_TANDEM_MM:
        return _ARTICULATED_WIDE_TANDEM_KG if _dual_drive(seen, (1,)) else _TRAIN_KG[axles]
    return _TRAIN_KG[axles]


def _single_drive(seen: _Seen) -> bool:
    """Say whether the tractor drives on one axle: as reported, or because it has no second to drive on."""
    has_one = len(seen.places) > 1 and len(seen.places[1]) == 1
    return has_one or len(seen.driven - seen.trailer) == 1


def _dual_drive(seen: _Seen, own: Iterable[int]) -> bool:
    """Say whether the drive has, or where it is not known may have, dual tyres; `own` may be driven."""
    drive = seen.driven.intersection(own)
    if seen.driven:
        return bool(drive) and all(seen.tyres[axle] not in _SINGLE for axle in drive)
    return any(seen.tyres[axle] not in _SINGLE for axle in own)


def _reduced_axles(seen: _Seen) -> int:
    """Count the axles that cost 3 000 kg each (Order 62 Art. 3 para. 2 (2)): of groups and trailers.

    Only tyres known to be narrower than 425 mm count: wide ones are spared, and a tyre whose width nobody
    measured may be wide. Drive axles and steering axles are spared, and so is any axle of a truck or
    tractor that may be driven where the drive is not known.
    """
    count = 0
    for group in seen.groups:
        for axle in group:
            on_trailer = axle in seen.trailer
            may_be_driven = not on_trailer and (axle in seen.driven or not seen.driven)
            subject = axle > 0 and (len(group) > 1 or on_trailer) and not may_be_driven
            count += subject and seen.tyres[axle] == "single-under-425-mm"
    return count
