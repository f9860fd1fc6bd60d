"""Step 1a: a waveform becomes a weigh record, before it is screened like any other.

A lane's calibration is looked up as of the passage. Without one that fits or can be read, the passage is
weighed at nominal gain and held for statistics only, since a case may not rest on it but traffic may be
counted by it; a signal that shows no vehicle's axles is refused, and so kept whole in quarantine.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from domain.errors import ConfigurationError
from domain.events import WaveformMessage, WeighMessage
from domain.ids import Sha256
from domain.refusals import RefusalCode
from domain.screening import Screening
from domain.weighing import Weighing
from ingest.arrivals import Refusal
from store.calibrations import InstalledState, LaneAt, states_at
from store.connection import Connection
from weigh.calibration.state import CalibrationState
from weigh.live import TOO_OLD, Unweighed, Weighed, weigh_waveforms
from weigh.signals import Signals

_CODES = {
    "too-few-samples": RefusalCode.SIGNAL_TOO_SHORT,
    "loop-times": RefusalCode.FIELD_INVALID,
    "layout": RefusalCode.FIELD_INVALID,
    "not-finite": RefusalCode.SIGNAL_NOT_FINITE,
    "flat-strip": RefusalCode.SIGNAL_FLAT,
    "clipped": RefusalCode.SIGNAL_CLIPPED,
    "no-quiet-zone": RefusalCode.SIGNAL_NOT_QUIET,
    "no-vehicle": RefusalCode.NO_VEHICLE,
    "too-few-axles": RefusalCode.AXLES_UNCLEAR,
    "too-many-axles": RefusalCode.AXLES_UNCLEAR,
    "too-few-strips": RefusalCode.AXLES_UNCLEAR,
    "strips-disagree": RefusalCode.AXLES_UNCLEAR,
    "strip-order": RefusalCode.MOTION_UNCLEAR,
    "motion-unclear": RefusalCode.MOTION_UNCLEAR,
    "speed-range": RefusalCode.MOTION_UNCLEAR,
    "out-of-range": RefusalCode.OUT_OF_RANGE,
}
"""Problems of a signal, and what a station is told of them."""

_DRIVES = frozenset({RefusalCode.AXLES_UNCLEAR, RefusalCode.MOTION_UNCLEAR, RefusalCode.OUT_OF_RANGE})
"""What a bad drive does to a signal: where one was seen, the signal is not to blame."""


_MOST_REMEMBERED = 1_000

log = logging.getLogger(__name__)


class Passage(NamedTuple):
    """A passage to be screened, weighed by its station or here."""

    message: WeighMessage
    weighed: Weighed | None = None
    state: InstalledState | None = None
    """The calibration it was weighed with."""

    @property
    def held(self) -> tuple[str, ...]:
        """Codes of why it makes statistics only, whatever else is known of it."""
        return () if self.weighed is None else self.weighed.held

    def weighing(self, screening: Screening) -> Weighing | None:
        """Return how it was weighed here, its axles grouped as the screening grouped them."""
        if self.weighed is None:
            return None
        return self.weighed.with_groups([(one.first_axle, one.axle_count) for one in screening.groups])


async def states_of(conn: Connection, messages: Sequence[WaveformMessage]) -> list[InstalledState | None]:
    """Return the calibration in force for each message's lane when its vehicle passed."""
    return await states_at(
        conn,
        [
            LaneAt(one.header.station, one.header.device, one.waveform.lane, one.header.captured_at)
            for one in messages
        ],
    )


class Weigher:
    """Weighs waveforms; remembers the calibrations it has read.

    Parameters
    ----------
    max_age
        How long after its date a calibration may make cases.
    """

    def __init__(self, max_age: timedelta) -> None:
        self._max_age = max_age
        self._states: dict[Sha256, CalibrationState] = {}
        self._told: set[Sha256] = set()
        """Those of which the log has said that they cannot be used."""

    def weigh(
        self, messages: Sequence[WaveformMessage], states: Sequence[InstalledState | None]
    ) -> list[Passage | Refusal]:
        """Weigh messages, one result each, in order; pure computation, to be run in a thread."""
        results = weigh_waveforms(
            [
                Signals(message.waveform, message.samples, *self._read(state))
                for message, state in zip(messages, states, strict=True)
            ]
        )
        return [
            refusal_of(result)
            if isinstance(result, Unweighed)
            else Passage(
                WeighMessage(header=message.header, record=result.record, wire=message.wire),
                self._held_by_age(result, message, state),
                state if result.weighing.calibration is not None else None,
            )
            for message, state, result in zip(messages, states, results, strict=True)
        ]

    def _held_by_age(
        self, weighed: Weighed, message: WaveformMessage, state: InstalledState | None
    ) -> Weighed:
        if state is None or weighed.weighing.calibration is None:
            return weighed
        too_old = message.header.captured_at - state.valid_from > self._max_age
        return replace(weighed, held=(*weighed.held, TOO_OLD)) if too_old else weighed

    def _read(self, state: InstalledState | None) -> tuple[CalibrationState | None, bool]:
        """Return the calibration, and whether there is one that cannot be read."""
        if state is None:
            return None, False
        known = self._states.get(state.digest)
        if known is None:
            try:
                known = _state_of(state)
            except ConfigurationError as error:
                # No reason to stop: other lanes' messages are in the same batch.
                self._tell(state, error)
                return None, True
            if len(self._states) >= _MOST_REMEMBERED:
                self._states.clear()
            self._states[state.digest] = known
        return known, False

    def _tell(self, state: InstalledState, error: ConfigurationError) -> None:
        if state.digest in self._told:
            return
        self._told.add(state.digest)
        log.error(
            "calibration %d of %s/%s, lane %d is not used, and passages it is for are statistics only: %s",
            *(state.version, state.station, state.device, state.lane, error),
        )


def _state_of(installed: InstalledState) -> CalibrationState:
    """Return the calibration; an older or newer program's may not be readable."""
    state = CalibrationState.from_document(installed.document)
    if state.digest != installed.digest:
        raise ConfigurationError(
            "it has other figures than were installed; restore the database from a backup"
        )
    return state


def refusal_of(result: Unweighed) -> Refusal:
    """Return what the station is told, and why the message is in quarantine."""
    code = _CODES[result.problem]
    seen = ", ".join(flag.value for flag in result.flags)
    if seen and code in _DRIVES:
        return Refusal(RefusalCode.DRIVE_UNUSABLE, f"waveform: {seen} ({result.problem})")
    return Refusal(code, f"waveform: {result.problem}" + (f"; {seen}" if seen else ""))
