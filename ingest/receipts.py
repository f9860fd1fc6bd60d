"""Receipts: which of a station's messages are committed, as exact ranges of sequence numbers.

    {"schema": 1, "epoch": "..", "ranges": [[1, 57], [60, 61]],
     "refused": [{"seq": 12, "code": "out-of-range", "detail": "..."}], "at": "..."}

A range names nothing that is not committed, gaps included; refused messages lie in the ranges too,
because they are kept in quarantine and must not stay in the station's spool for ever. Not so one that may
not be the device's own: it is named among the refused only, for if a range named it, whoever forges a
number would have the station drop its genuine message. A receipt is repeated whenever a duplicate
arrives, so that a lost one does no harm.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from domain.ids import DeviceId, StationId
from domain.units import utc_text
from ingest.arrivals import Settled
from ingest.topics import receipt_topic

SCHEMA_VERSION = 1


class Receipt(NamedTuple):
    """One message to one device of a station."""

    topic: str
    payload: bytes


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the numbers as the fewest closed ranges, ascending.

    >>> ranges([3, 1, 2, 7, 2])
    [(1, 3), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def receipts(settled: Iterable[Settled], *, at: datetime) -> list[Receipt]:
    """Return one receipt for each (station, device, epoch) that has anything to acknowledge."""
    by_epoch: dict[tuple[str, str, str], dict[int, Settled]] = {}
    for one in settled:
        if one.station is None or one.device is None or one.epoch is None or one.sequence is None:
            continue
        of_epoch = by_epoch.setdefault((one.station, one.device, one.epoch), {})
        if one.proven or one.sequence not in of_epoch:
            of_epoch[one.sequence] = one
    return [
        Receipt(
            receipt_topic(StationId(station), DeviceId(device)),
            json.dumps(_body(epoch, of_epoch, at), ensure_ascii=False, separators=(",", ":")).encode(),
        )
        for (station, device, epoch), of_epoch in by_epoch.items()
    ]


def _body(epoch: str, settled: dict[int, Settled], at: datetime) -> dict[str, Any]:
    return {
        "schema": SCHEMA_VERSION,
        "epoch": epoch,
        "ranges": ranges(sequence for sequence, one in settled.items() if one.proven),
        "refused": [
            {"seq": sequence, "code": one.refusal.code.value, "detail": one.refusal.detail}
            for sequence, one in sorted(settled.items())
            if one.refusal is not None
        ],
        "at": utc_text(at),
    }
