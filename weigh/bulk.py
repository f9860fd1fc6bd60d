"""Screening any number of records as columns: the live micro-batch and the re-screening of years."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.law import LimitTables
from weigh.columns import APART_MM, FLAGS, MISSING, PassageColumns
from weigh.record_columns import RecordColumns
from weigh.rule import DecisionRule
from weigh.screening import screen_columns


@dataclass(frozen=True)
class BulkFindings:
    """What was concluded of each record.

    Attributes
    ----------
    outcome : (B,) uint8, index into `weigh.screening.OUTCOMES`
    limit_kg : (B,) int32, the limit that decides, the site's own included
    adjudged_kg : (B,) int32, the gross mass that decides, after deduction and guard band
    over_kg : (B,) int32, excess of the adjudged mass over the limit
    unconfirmed_axle_sum_kg : (B,) int32, the lower limit that unconfirmed rows would give, or 0
    reasons : (B,) uint32, bit i for `weigh.usability.REASONS[i]`
    doubts : (B,) uint16, bit i for `weigh.screening.DOUBTS[i]`
    axle_flags : (B,) uint16, bit i where the group that begins at axle i + 1 is over its limit
    train : (B,) bool, read as a train
    """

    outcome: NDArray[np.uint8]
    limit_kg: NDArray[np.int32]
    adjudged_kg: NDArray[np.int32]
    over_kg: NDArray[np.int32]
    unconfirmed_axle_sum_kg: NDArray[np.int32]
    reasons: NDArray[np.uint32]
    doubts: NDArray[np.uint16]
    axle_flags: NDArray[np.uint16]
    train: NDArray[np.bool_]


def screen_bulk(
    columns: RecordColumns, tables: LimitTables, rule: DecisionRule, *, threads: int | None = None
) -> BulkFindings:
    """Screen records that one set of tables applies to.

    Parameters
    ----------
    columns
        The records, B of them, with their contexts.
    tables
        The limits of the day of the acts (`domain.law.limit_tables`); records of days with different
        limits are screened in as many calls.
    threads
        Threads to spread large batches over; as many as there are processors if None. The findings do
        not depend on it.

    Raises
    ------
    InputRefused
        A record is outside what `domain.events.WeighRecord` admits; the first such row is named.
    ConfigurationError
        The tables lack a row.
    """
    del threads
    found = screen_columns(_passages(columns), tables, rule)
    return BulkFindings(
        outcome=found.outcome.astype(np.uint8),
        limit_kg=found.limit_kg.astype(np.int32),
        adjudged_kg=found.gross.decides.astype(np.int32),
        over_kg=found.over_kg.astype(np.int32),
        unconfirmed_axle_sum_kg=found.unconfirmed_axle_sum_kg.astype(np.int32),
        reasons=_bits(found.reasons, np.uint32),
        doubts=_bits(found.doubts, np.uint16),
        axle_flags=_bits(found.group_over_kg > 0, np.uint16),
        train=found.limits.train,
    )


def _bits(values: NDArray[np.bool_], dtype: Any) -> NDArray[Any]:
    weights = np.left_shift(1, np.arange(values.shape[1]))
    return np.asarray((values * weights).sum(axis=1), dtype=dtype)


def _passages(columns: RecordColumns) -> PassageColumns:
    """Return the same records as the row-major columns of the rule's slow reading."""
    contexts, row = columns.contexts, columns.context
    count = columns.axle_count.astype(np.int64)
    axle = np.arange(columns.width)
    spacing = np.full((len(columns), columns.width), APART_MM, dtype=np.int64)
    between = axle[:-1] < count[:, None] - 1
    spacing[:, :-1][between] = columns.spacing_mm.T[between]
    driven = (columns.driven[:, None] >> axle & 1).astype(np.bool_) & (axle > 0) & (axle < count[:, None])
    lane = columns.lane.astype(np.int64)
    direction = contexts.direction[row]
    return PassageColumns(
        axle_count=count,
        load_kg=np.ascontiguousarray(columns.load_kg.T.astype(np.int64)),
        tyres=np.ascontiguousarray(columns.tyres.T.astype(np.int64)),
        spacing_mm=spacing,
        kind=columns.kind.astype(np.int64),
        driven=driven,
        drive_known=np.asarray(driven.any(axis=1)),
        air=columns.air.astype(np.int64),
        gross_kg=columns.gross_kg.astype(np.int64),
        speed_m_h=columns.speed_m_h.astype(np.int64),
        length_mm=columns.length_mm.astype(np.int64),
        u_gross_ppm=columns.u_gross_ppm.astype(np.int64),
        u_axle_ppm=columns.u_axle_ppm.astype(np.int64),
        flags=(columns.flags[:, None] >> np.arange(len(FLAGS)) & 1).astype(np.bool_),
        missing=(contexts.missing[row][:, None] >> np.arange(len(MISSING)) & 1).astype(np.bool_),
        certified=contexts.certified[row],
        mpe_ppm=contexts.mpe_ppm[row],
        min_speed_m_h=contexts.min_speed_m_h[row],
        max_speed_m_h=contexts.max_speed_m_h[row],
        lane_certified=(contexts.certified_lanes[row] >> (lane - 1) & 1).astype(np.bool_),
        direction_registered=columns.direction == direction,
        lane_at_site=lane <= contexts.site_lanes[row],
        site_limit_kg=contexts.site_limit_kg[row],
    )
