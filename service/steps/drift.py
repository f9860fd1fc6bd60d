"""Whether a lane still weighs as it did: front axles of live passages run through a drift test.

Rules

1. A lane is watched under the calibration it weighs by, or, where the station weighs by itself, under the
   certificate: a new one begins a new test.
2. A passage counts if nothing makes its weighing unusable and the test takes its kind of vehicle; its front
   axle waits in a row written with the passage, so that it counts once.
3. While the alarm is on, every passage of the lane under that calibration is statistics only, the late ones
   from a spool too: when the drift began is not known. A hit that waits meanwhile opens no case either.
4. Where a lane's test cannot be gone on with, nobody knows whether it drifts: its alarm is on from then, and
   the other lanes' tests go on.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from domain.errors import ConfigurationError, InputRefused, ServiceUnavailable
from domain.registry import StationContext
from domain.screening import Outcome, Screening
from domain.weighing import Weighing
from service.steps.weigh import Passage
from store.connection import Connection, Pool
from store.drift import SteerAxle, Watched, alarmed, drift_states, keep_drift, take_samples
from store.hits import StoredPassage
from store.transactions import transaction
from weigh.calibration.drift import DriftRule, DriftState
from weigh.live import watch_axles

DRIFT_ALARM = "drift-alarm"
"""Reason code: the lane's drift alarm is on."""

EVERY_S = 5.0

_RULE = DriftRule()
_CALIBRATION, _CERTIFICATE = "calibration", "certificate"

log = logging.getLogger(__name__)


def watched_by(passage: Passage, context: StationContext) -> Watched | None:
    """Return what a passage is watched under; None where it was weighed by nothing that could drift."""
    header, lane = passage.message.header, passage.message.record.lane
    weighing = None if passage.weighed is None else passage.weighed.weighing
    basis = _basis(weighing, context)
    return None if basis is None else Watched(header.station, header.device, lane, basis)


def _basis(weighing: Weighing | None, context: StationContext) -> str | None:
    if weighing is not None:
        use = weighing.calibration
        return None if use is None else f"{_CALIBRATION}:{use.version}"
    return None if context.certificate is None else f"{_CERTIFICATE}:{context.certificate.number}"


async def is_drifting(conn: Connection, passage: StoredPassage) -> bool:
    """Say whether the alarm of a stored passage's lane is on by now."""
    basis = _basis(passage.weighing, passage.context)
    header, lane = passage.header, passage.record.lane
    return basis is not None and bool(
        await alarmed(conn, [Watched(header.station, header.device, lane, basis)])
    )


async def alarms_on(conn: Connection, watched: Sequence[Watched | None]) -> list[bool]:
    """Return for each whether its alarm is on."""
    on = await alarmed(conn, [one for one in watched if one is not None])
    return [one in on for one in watched]


def basis_counted(passage: Passage, watched: Watched | None, screening: Screening) -> str | None:
    """Return under what the front axle of a passage counts; None where it does not."""
    record = passage.message.record
    counts = (
        screening.outcome is not Outcome.UNUSABLE
        and len(record.axles) in _RULE.axle_counts
        and record.gross_kg >= _RULE.min_gross_kg
        and record.axles[0].load_kg > 0
    )
    return watched.basis if watched is not None and counts else None


async def watch_drift(pool: Pool) -> None:
    """Count waiting axles into their lanes' tests, every few seconds, until cancelled."""
    while True:
        try:
            await count_axles(pool)
        except ServiceUnavailable as error:
            log.warning("the drift test is put off: %s", error)
        await asyncio.sleep(EVERY_S)


async def count_axles(pool: Pool) -> int:
    """Count the axles that wait, in one transaction; return how many there were."""
    async with transaction(pool) as conn:
        lanes = await take_samples(conn)
        states = await drift_states(conn, list(lanes))
        for watched, axles in lanes.items():
            await _count(conn, watched, states.get(watched), axles)
    return sum(map(len, lanes.values()))


async def _count(
    conn: Connection, watched: Watched, found: dict[str, Any] | None, axles: Sequence[SteerAxle]
) -> None:
    try:
        before = DriftState(calibration_version=_version(watched), rule=_RULE)
        if found is not None:
            before = DriftState.from_document(found)
        after = await asyncio.to_thread(watch_axles, before, [axle.steer_kg for axle in axles])
    except (ConfigurationError, InputRefused, ArithmeticError) as error:
        log.warning(
            "the drift test of %s/%s, lane %d under %s cannot go on (%s): its passages are statistics only "
            "until it is calibrated",
            *watched,
            error,
        )
        await keep_drift(conn, watched, found or {}, alarm_since=axles[-1].captured_at)
        return
    await _keep(conn, watched, before, after, axles)


async def _keep(
    conn: Connection, watched: Watched, before: DriftState, after: DriftState, axles: Sequence[SteerAxle]
) -> None:
    raised = after.alarmed and not before.alarmed
    await keep_drift(
        conn, watched, after.to_document(), alarm_since=axles[-1].captured_at if raised else None
    )
    if raised:
        log.error(
            "%s/%s, lane %d weighs too %s under %s: its passages are statistics only until it is calibrated",
            watched.station,
            watched.device,
            watched.lane,
            after.alarm.value,
            watched.basis,
        )


def _version(watched: Watched) -> int:
    kind, _, number = watched.basis.partition(":")
    return int(number) if kind == _CALIBRATION else 1
