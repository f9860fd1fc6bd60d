"""A roadside station at work: makes passages at its pace, spools them, sends them, drops what is receipted.

Rules: 1. nothing is sent that is not on disk; 2. at most `window` messages are out without a receipt;
3. what has no receipt after `resend_after_s`, or was out when the connection broke, is sent again;
4. a station with a fixed start (replay) takes its times from there, a live one from the clock.
"""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.faults import Fault
from simulators.link import Link
from simulators.passages import LONGEST_DELAY, MakePassage, Passage
from simulators.spool import Key, Spool
from simulators.truth import TruthFile, event_id
from simulators.wire import time_text

_STATUS_EVERY_S = 5.0
_IDLE_S = 0.02


@dataclass(frozen=True)
class Pace:
    """When passages happen and how stubbornly messages are sent.

    `every_s` is the real time between two passages of this station (0: as fast as they can be made).
    With `start`, passage k happens at start + k * interval whatever the real time is.
    """

    every_s: float
    start: datetime | None = None
    interval_ms: int = 6000
    window: int = 60
    resend_after_s: float = 15.0


@dataclass
class Counts:
    """What a station has done since it was started; read by others for display only."""

    passages: int = 0
    messages: int = 0
    sent: int = 0
    resent: int = 0
    receipted: int = 0
    refused: int = 0
    faults: int = 0
    waiting: int = 0


class Station:
    """One station; `run` is its whole life."""

    def __init__(
        self, name: str, *, make: MakePassage, pace: Pace, spool: Spool, link: Link, truth: TruthFile | None
    ) -> None:
        self.name = name
        self.counts = Counts()
        self.refusals: list[dict[str, Any]] = []
        self._make, self._pace, self._spool, self._link, self._truth = make, pace, spool, link, truth
        self._sent_at: dict[Key, float] = {}
        self._faults: list[Fault] = []
        self._connection = 0
        self._next_status = 0.0

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._link.connected

    def run(self, stop: threading.Event, *, passages: int | None) -> None:
        """Make `passages` passages in all, earlier runs with this spool counted (None: endless).

        Returns when all are made and receipted, or soon after `stop` is set; what is not receipted stays in
        the spool.
        """
        self._link.start()
        due = time.monotonic()
        making = True
        try:
            while not stop.is_set():
                making = making and (passages is None or self._spool.next_passage < passages)
                if making and time.monotonic() >= due and not self._unpaced_enough():
                    making = self._make_one()
                    due = max(due + self._pace.every_s, time.monotonic() - 1.0)
                self._take_receipts()
                if self._link.connected:
                    self._send()
                if not making and not self._spool.pending and not self._faults:
                    return
                if not making or time.monotonic() < due or self._unpaced_enough():
                    stop.wait(_IDLE_S)
        finally:
            self._link.stop()

    def _unpaced_enough(self) -> bool:
        """Say whether an unpaced station should wait: it would fill the disk faster than it can send."""
        return self._pace.every_s == 0 and len(self._spool) >= self._pace.window

    def _make_one(self) -> bool:
        number = self._spool.next_passage
        passage = self._make(number, self._time_of(number), self._spool.epoch)
        if passage is None:
            return False
        if self._truth is not None:
            for entry in self._truth_lines(passage):
                self._truth.write(entry)
        self.counts.messages += len(self._spool.append(passage.drafts))
        self.counts.passages += 1
        if passage.fault is not None:
            self._faults.append(passage.fault)
        return True

    def _time_of(self, number: int) -> datetime:
        if self._pace.start is not None:
            return self._pace.start + timedelta(milliseconds=number * self._pace.interval_ms)
        now = datetime.now(UTC) - LONGEST_DELAY
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _truth_lines(self, passage: Passage) -> list[dict[str, Any]]:
        sequences = self._spool.peek(passage.drafts)
        record, *captures = (
            {
                "event_id": event_id(self.name, draft.device, self._spool.epoch, sequence),
                "device": draft.device,
                "epoch": self._spool.epoch,
                "sequence": sequence,
            }
            for draft, sequence in zip(passage.drafts, sequences, strict=True)
        )
        lines = [
            {
                "kind": "passage",
                "station": self.name,
                **record,
                "captured_at": time_text(passage.drafts[0].captured_at),
                **passage.truth,
                "captures": captures,
            }
        ]
        if passage.fault is not None:
            lines.append(
                {
                    "kind": "fault",
                    "station": self.name,
                    "fault": passage.fault.name,
                    "expects": passage.fault.expects,
                    "messages": len(passage.fault.messages),
                }
            )
        return lines

    def _take_receipts(self) -> None:
        for receipt in self._link.take_receipts():
            dropped = self._spool.drop(receipt.device, receipt.epoch, receipt.ranges)
            self.counts.receipted += dropped
            if dropped:
                self.counts.refused += len(receipt.refused)
                self.refusals += [{"device": receipt.device, **refusal} for refusal in receipt.refused]
        pending = set(self._spool.oldest(self._pace.window))
        self._sent_at = {key: at for key, at in self._sent_at.items() if key in pending}
        self.counts.waiting = len(self._spool)

    def _send(self) -> None:
        now = time.monotonic()
        if self._connection != self._link.connections:  # what was out when the link broke goes out again
            self._connection = self._link.connections
            self._sent_at.clear()
            self._next_status = now
        if now >= self._next_status:
            self._link.send_status(len(self._spool))
            self._next_status = now + _STATUS_EVERY_S
        for key in self._spool.oldest(self._pace.window):
            sent_at = self._sent_at.get(key)
            if sent_at is not None and now - sent_at < self._pace.resend_after_s:
                continue
            self._link.send(self._spool.read(key))
            self._sent_at[key] = now
            self.counts.sent += 1
            self.counts.resent += sent_at is not None
        while self._faults:
            fault = self._faults.pop(0)
            for message in fault.messages:
                header = {"sent_at": time_text(datetime.now(UTC)), **message.header}
                self._link.send_raw(message.topic, message.body, header, message.content_type)
            self.counts.faults += 1
