"""From columns back to one `Screening` a passage: steps in words, groups, doubts and reasons."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from domain.errors import ConfigurationError
from domain.events import WeighRecord
from domain.ids import sha256_of
from domain.law import LawRow, LimitTables, RuleRole
from domain.registry import StationContext
from domain.screening import SITE_ROW, Screening
from domain.units import PPM
from weigh.screening.adjudication import adjudge
from weigh.screening.axle_groups import group_code
from weigh.screening.bulk import OUTCOMES, BulkFindings, screen_with_readings
from weigh.screening.doubts import DOUBTS
from weigh.screening.readings import Readings
from weigh.screening.record_columns import RecordColumns, record_columns
from weigh.screening.rule import DecisionRule
from weigh.screening.usability import REASONS

ALGORITHM = "zhichao-screen/1"
"""Name and version of what `weigh` concludes: a change of any result is a new version."""

SITE_CLAUSE = "Order 62 (2016) Art. 27"


def screen_records(
    records: Sequence[WeighRecord],
    contexts: Sequence[StationContext],
    *,
    tables: LimitTables | Sequence[LimitTables],
    rule: DecisionRule,
) -> list[Screening]:
    """Screen passages, each in the context of its station; results in the order given.

    Parameters
    ----------
    tables
        The limits of the day of the act (`domain.law.limit_tables`): one set for all, or one for each
        passage, which are then screened in as many groups as there are different sets.

    Raises
    ------
    ConfigurationError
        Records, contexts and tables are not equally many, or a table lacks a row.
    """
    by_passage = [tables] * len(records) if isinstance(tables, LimitTables) else tables
    if not len(records) == len(contexts) == len(by_passage):
        raise ConfigurationError(
            f"{len(records)} records, {len(contexts)} contexts and {len(by_passage)} tables: "
            "give one context and one set of tables for each record"
        )
    rows_by_tables: dict[int, list[int]] = {}
    for row, one in enumerate(by_passage):
        rows_by_tables.setdefault(id(one), []).append(row)
    found: dict[int, Screening] = {}
    for rows in rows_by_tables.values():
        batch = [records[row] for row in rows]
        columns = record_columns(batch, [contexts[row] for row in rows])
        plain = _plain(columns, by_passage[rows[0]], rule)
        found.update(zip(rows, _screenings(batch, plain, by_passage[rows[0]], rule), strict=True))
    return [found[row] for row in range(len(records))]


def _screenings(
    records: Sequence[WeighRecord], plain: dict[str, Any], tables: LimitTables, rule: DecisionRule
) -> list[Screening]:
    digests = _digests(tables)
    return [
        Screening.model_validate(_screening(record, plain, row, tables=tables, rule=rule, digests=digests))
        for row, record in enumerate(records)
    ]


def _plain(columns: RecordColumns, tables: LimitTables, rule: DecisionRule) -> dict[str, Any]:
    """Return all results as Python lists: one conversion a column, not one a value."""
    found, readings = screen_with_readings(columns, tables, rule)
    return {
        **{name: values.tolist() for name, values in vars(found).items()},
        **{f"legal_{name}": values.tolist() for name, values in readings.columns().items()},
        **{name: values.tolist() for name, values in _masses(columns, found, readings, rule).items()},
    }


def _masses(
    columns: RecordColumns, found: BulkFindings, readings: Readings, rule: DecisionRule
) -> dict[str, Any]:
    """Return what was taken off, and the gross masses and the group loads after each step."""
    contexts, place = columns.contexts, columns.context
    mpe = np.where(contexts.certified[place], contexts.mpe_ppm[place], rule.mpe_without_certificate_ppm)
    u_gross = np.where(columns.u_gross_ppm > 0, columns.u_gross_ppm, rule.default_u_gross_ppm)
    u_axle = np.where(columns.u_axle_ppm > 0, columns.u_axle_ppm, rule.default_u_axle_ppm)
    gross = adjudge(
        columns.gross_kg.astype(np.int64),
        found.limit_kg.astype(np.int64),
        mpe_ppm=mpe,
        u_ppm=u_gross.astype(np.int64),
        formula=rule.formula,
        guard_k_milli=rule.guard_k_milli,
    )
    load = np.pad(columns.load_kg.astype(np.int64), ((0, 2), (0, 0)))
    size = readings.by_axle("size").T[: columns.width]
    group = sum(np.where(size > member, load[member : member + columns.width], 0) for member in range(3))
    limit = readings.by_axle("group_limit_kg").T[: columns.width].astype(np.int64)
    adjudged = adjudge(
        np.asarray(group),
        limit,
        mpe_ppm=mpe,
        u_ppm=u_axle.astype(np.int64),
        formula=rule.formula,
        guard_k_milli=rule.guard_k_milli,
    )
    return {
        "mpe_ppm": mpe,
        "u_gross_ppm": u_gross,
        "after_deduction": gross.after_deduction,
        "after_guard": gross.after_guard,
        "group_load_kg": np.asarray(group).T,
        "group_over_kg": np.maximum(adjudged.decides - limit, 0).T,
    }


def _digests(tables: LimitTables) -> dict[str, str]:
    digests: dict[str, str] = dict(tables.digests)
    if tables.confirmed_rows:
        digests["confirmed-rows"] = sha256_of("\n".join(sorted(tables.confirmed_rows)).encode())
    return digests


def _screening(
    record: WeighRecord,
    plain: dict[str, Any],
    row: int,
    *,
    tables: LimitTables,
    rule: DecisionRule,
    digests: dict[str, str],
) -> dict[str, Any]:
    groups = _groups(record, plain, row, tables)
    return {
        "outcome": OUTCOMES[plain["outcome"][row]],
        "vehicle_code": "".join(group["code"] for group in groups),
        "taken_as": "train" if plain["legal_train"][row] else "truck",
        "groups": tuple(groups),
        "limit_steps": tuple(_steps(plain, row, groups, tables)),
        "adjudication": _adjudication(record, plain, row, rule),
        "doubts": _doubt_codes(plain, row),
        "reasons": _codes(REASONS, plain["reasons"][row]),
        "axle_flags": tuple(group["first_axle"] for group in groups if group["over_kg"] > 0),
        "algorithm": ALGORITHM,
        "tables": digests,
    }


def _groups(
    record: WeighRecord, plain: dict[str, Any], row: int, tables: LimitTables
) -> list[dict[str, Any]]:
    groups = []
    for first, size in enumerate(plain["legal_size"][row]):
        if size == 0:
            continue
        tyres = tuple(axle.tyres for axle in record.axles[first : first + size])
        pair = bool(plain["legal_pair"][row][first])
        groups.append(
            {
                "first_axle": first + 1,
                "axle_count": size,
                "tyres": tyres,
                "code": group_code(tyres, steering=pair or first == 0),
                "steering_pair": pair,
                "spacings_mm": record.spacings_mm[first : first + size - 1],
                "load_kg": plain["group_load_kg"][row][first],
                "limit_kg": plain["legal_group_limit_kg"][row][first],
                "limit_row": tables.axle[plain["legal_group_row"][row][first]].id,
                "over_kg": plain["group_over_kg"][row][first],
            }
        )
    return groups


def _steps(
    plain: dict[str, Any], row: int, groups: list[dict[str, Any]], tables: LimitTables
) -> list[dict[str, Any]]:
    """Return how the limit was reached, each step with the row and clause it rests on."""
    base = tables.gross[plain["legal_gross_row"][row]]
    steps = [_step(base, base.limit_kg, base.limit_kg, base.note)]
    running = base.limit_kg
    reduced = [str(axle) for axle, holds in enumerate(plain["legal_reduced"][row], start=1) if holds]
    if reduced:
        single = tables.rule(RuleRole.SINGLE_TYRE)
        running += single.amount_kg * len(reduced)
        note = f"single tyres on axle {', '.join(reduced)}"
        steps.append(_step(single, single.amount_kg * len(reduced), running, note))
    for name, role in (("air_truck", RuleRole.AIR_TRUCK), ("air_articulated", RuleRole.AIR_ARTICULATED)):
        if plain[f"legal_{name}"][row]:
            air = tables.rule(role)
            running += air.amount_kg
            steps.append(_step(air, air.amount_kg, running, air.note))
    axle_sum = plain["legal_axle_sum_kg"][row]
    if plain["legal_axle_sum_counts"][row] and axle_sum < running:
        rows = " + ".join(f"{group['limit_row']} {group['limit_kg']}" for group in groups)
        steps.append(_step(tables.rule(RuleRole.AXLE_SUM), axle_sum - running, axle_sum, rows))
        running = axle_sum
    limit = plain["limit_kg"][row]
    if limit < running:
        note = "the site's own lower limit (bridge or road sign)"
        steps.append(
            {
                "row": SITE_ROW,
                "clause": SITE_CLAUSE,
                "amount_kg": limit - running,
                "running_kg": limit,
                "note": note,
            }
        )
    return steps


def _step(row: LawRow, amount_kg: int, running_kg: int, note: str) -> dict[str, Any]:
    return {
        "row": row.id,
        "clause": row.clause,
        "amount_kg": amount_kg,
        "running_kg": running_kg,
        "note": note,
    }


def _adjudication(record: WeighRecord, plain: dict[str, Any], row: int, rule: DecisionRule) -> dict[str, Any]:
    after_deduction, after_guard = plain["after_deduction"][row], plain["after_guard"][row]
    return {
        "measured_gross_kg": record.gross_kg,
        "formula": rule.formula,
        "mpe_ppm": plain["mpe_ppm"][row],
        "u_gross_ppm": plain["u_gross_ppm"][row],
        "guard_k_milli": rule.guard_k_milli,
        "after_deduction_kg": after_deduction,
        "after_guard_kg": after_guard,
        "adjudged_kg": min(after_deduction, after_guard),
        "limit_kg": plain["limit_kg"][row],
        "over_kg": plain["over_kg"][row],
        "over_ppm": plain["over_kg"][row] * PPM // plain["limit_kg"][row],
    }


def _doubt_codes(plain: dict[str, Any], row: int) -> tuple[str, ...]:
    codes = _codes(DOUBTS, plain["doubts"][row])
    if axle_sum := plain["unconfirmed_axle_sum_kg"][row]:
        return (*codes, f"axle-sum-unconfirmed:{axle_sum}")
    return codes


def _codes(names: Sequence[str], bits: int) -> tuple[str, ...]:
    return tuple(name for bit, name in enumerate(names) if bits >> bit & 1)
