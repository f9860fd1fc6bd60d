"""Step 2: a batch of arrivals becomes durable, in one transaction, before anything is acknowledged.

Rules
1. A device that was not registered on the day of its message, or as something else (a camera that
   weighs, another maker's decoder), is refused, not stored: nobody could say later what it was. So is
   a message of a day on which nothing is known of the site.
2. Images lie in the blob store before the row that names them is committed; nobody deletes one meanwhile.
3. A flagged passage, its hit and its job are one transaction (`store.intake`).
4. What a device's own signature speaks against is refused (`service.steps.authenticate`).
5. Nothing here blocks the event loop: weighing, screening and disk run in threads.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from domain.device_signatures import DeviceSignature
from domain.events import CaptureMessage, Decoded, StatusMessage, WaveformMessage, WeighMessage, Wire
from domain.ids import DeviceId, Epoch, StationId
from domain.ids import Sequence as SequenceNumber
from domain.refusals import RefusalCode
from domain.registry import StationContext
from ingest.arrivals import Accepted, Arrival, Claims, Refusal, Refused, Settled
from ingest.decoders import Decoders, load_decoders
from service.steps.authenticate import Authenticated, authenticate, claims_of, senders
from service.steps.drift import DRIFT_ALARM, alarms_on, basis_counted, watched_by
from service.steps.screen import Screener
from service.steps.weigh import Passage, Weigher, states_of
from store.blob_deletion import lock_for_writing
from store.blobs import BlobStore
from store.connection import Connection, Pool
from store.drift import Watched
from store.intake import store_batch
from store.intake_batch import (
    CaptureRow,
    IntakeBatch,
    Key,
    PassageRow,
    RefusalRow,
    Stored,
    StoreOutcome,
)
from store.registry import KnownDevice, contexts_at, device_keys, known_devices, local_day
from store.station_status import record_statuses
from store.transactions import transaction

_MAY_SEND = {
    "wim": WeighMessage | WaveformMessage,
    "camera": CaptureMessage,
    "gateway": WeighMessage | CaptureMessage,
}
"""What each kind of device sends besides its status."""

_WHAT = {WeighMessage: "weigh records", WaveformMessage: "waveforms", CaptureMessage: "captures"}

_Known = dict[tuple[StationId, DeviceId], KnownDevice]


class _Weighed(NamedTuple):
    """A passage to be screened, and its place among the arrivals."""

    place: int
    passage: Passage
    context: StationContext
    pairing_window: timedelta
    signature: DeviceSignature | None


class DatabaseSink:
    """Where an ingester's batches go; fulfils `ingest.arrivals.Sink`.

    Parameters
    ----------
    capture_wait
        How long after its commit a flagged passage waits for its captures.
    """

    def __init__(self, pool: Pool, blobs: BlobStore, screener: Screener, *, capture_wait: timedelta) -> None:
        self._pool = pool
        self._blobs = blobs
        self._screener = screener
        self._weigher = Weigher(screener.calibration_max_age)
        self._capture_wait = capture_wait
        self._decoders = Decoders(load_decoders().values())

    async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
        """Commit all of `arrivals`, or none; see `ingest.arrivals.Sink.store`."""
        async with transaction(self._pool) as conn:
            return await self.store_on(conn, arrivals)

    async def store_on(self, conn: Connection, arrivals: Sequence[Arrival]) -> list[Settled]:
        """Store all of `arrivals` in the caller's transaction; errors as `store`."""
        known = await known_devices(conn)
        contexts = await _contexts(conn, arrivals)
        checked = [
            self._registered(one, known, context) for one, context in zip(arrivals, contexts, strict=True)
        ]
        keys = await device_keys(conn, senders(checked))
        authentic = await asyncio.to_thread(authenticate, checked, known, keys, self._decoded_again)
        checked, passages = await self._weighed(conn, [one.arrival for one in authentic])
        batch, order = await self._batch(conn, checked, passages, contexts, known=known, authentic=authentic)
        await lock_for_writing(conn, batch.blob_digests())
        await self._blobs.put_all(list(batch.blobs()))
        stored = await store_batch(conn, batch)
        await record_statuses(conn, _statuses(checked))
        fates = dict(zip(order, stored, strict=True))
        return [
            _settled(one, fates.get(place), proven=authentic[place].proven)
            for place, one in enumerate(checked)
        ]

    def _decoded_again(self, wire: Wire) -> Sequence[Arrival]:
        return self._decoders.arrivals(wire, now=wire.received_at)

    def _registered(self, one: Arrival, known: _Known, context: StationContext | None) -> Arrival:
        """Refuse what comes from nobody we know, or from somebody as whom we do not know it."""
        if isinstance(one, Refused):
            return one
        decoder = self._decoders.for_topic(one.wire.topic)
        objection = _objection(one.decoded, known, context, decoder.name if decoder else None)
        if objection is None:
            return one
        return Refused(one.wire, claims_of(one), objection.code, objection.detail)

    async def _weighed(
        self, conn: Connection, checked: Sequence[Arrival]
    ) -> tuple[list[Arrival], dict[int, Passage]]:
        """Return the arrivals, waveforms that say nothing refused, and every passage by its place."""
        arrivals, passages = list(checked), {}
        waveforms: list[tuple[int, WaveformMessage]] = []
        for place, one in enumerate(checked):
            if isinstance(one, Accepted) and isinstance(one.decoded, WeighMessage):
                passages[place] = Passage(one.decoded)
            elif isinstance(one, Accepted) and isinstance(one.decoded, WaveformMessage):
                waveforms.append((place, one.decoded))
        messages = [message for _, message in waveforms]
        states = await states_of(conn, messages)
        results = await asyncio.to_thread(self._weigher.weigh, messages, states)
        for (place, message), result in zip(waveforms, results, strict=True):
            if isinstance(result, Passage):
                passages[place] = result
            else:
                claims = claims_of(Accepted(message))
                arrivals[place] = Refused(message.wire, claims, result.code, result.detail)
        return arrivals, passages

    async def _batch(
        self,
        conn: Connection,
        checked: Sequence[Arrival],
        passages: dict[int, Passage],
        contexts: Sequence[StationContext | None],
        *,
        known: _Known,
        authentic: Sequence[Authenticated],
    ) -> tuple[IntakeBatch, list[int]]:
        """Return the rows to store, and for each, in the store's order, its place among the arrivals."""
        weighed: list[_Weighed] = []
        captured: list[tuple[int, CaptureRow]] = []
        refused: list[tuple[int, Refused]] = []
        for place, (one, context) in enumerate(zip(checked, contexts, strict=True)):
            if isinstance(one, Refused):
                refused.append((place, one))
                continue
            signature, window = authentic[place].signature, one.pairing_window
            if place in passages and context is not None:
                weighed.append(_Weighed(place, passages[place], context, window, signature))
            elif isinstance(one.decoded, CaptureMessage):
                row = CaptureRow(one.decoded, one.decoded.meta.sha256, window, signature)
                captured.append((place, row))
        watched = [watched_by(one.passage, one.context) for one in weighed]
        drifting = await alarms_on(conn, watched)
        batch = IntakeBatch(
            passages=await asyncio.to_thread(self._passage_rows, weighed, watched, drifting),
            captures=[row for _, row in captured],
            refusals=[_refusal_row(one, known, proven=authentic[place].proven) for place, one in refused],
        )
        order = [one.place for one in weighed] + [one[0] for one in captured] + [one[0] for one in refused]
        return batch, order

    def _passage_rows(
        self, weighed: Sequence[_Weighed], watched: Sequence[Watched | None], drifting: Sequence[bool]
    ) -> list[PassageRow]:
        """Screen passages and return their rows; computes only, to be run in a thread."""
        screenings = self._screener.screen(
            [one.passage.message for one in weighed],
            [one.context for one in weighed],
            [
                (*one.passage.held, *([DRIFT_ALARM] if alarm else []))
                for one, alarm in zip(weighed, drifting, strict=True)
            ],
        )
        return [
            PassageRow(
                one.passage.message,
                one.context,
                screening,
                pairing_window=one.pairing_window,
                capture_wait=self._capture_wait,
                body_sha256=one.passage.message.wire.body_sha256,
                weighing=one.passage.weighing(screening),
                drift_basis=basis_counted(one.passage, under, screening),
                signature=one.signature,
            )
            for one, under, screening in zip(weighed, watched, screenings, strict=True)
        ]


async def _contexts(conn: Connection, arrivals: Sequence[Arrival]) -> list[StationContext | None]:
    """Return what the registry says of each arrival's device on its day; None where it says nothing."""
    asked = [
        (place, (header.station, header.device, header.captured_at))
        for place, one in enumerate(arrivals)
        if isinstance(one, Accepted) and not isinstance(one.decoded, StatusMessage)
        for header in (one.decoded.header,)
    ]
    found = await contexts_at(conn, [wanted for _, wanted in asked])
    by_place = dict(zip((place for place, _ in asked), found, strict=True))
    return [by_place.get(place) for place in range(len(arrivals))]


def _objection(
    decoded: Decoded, known: _Known, context: StationContext | None, decoder: str | None
) -> Refusal | None:
    """Return why the registry does not allow this message; None where it does."""
    origin = decoded.status if isinstance(decoded, StatusMessage) else decoded.header
    station, name = origin.station, f"{origin.station}/{origin.device}"
    device = known.get((station, origin.device))
    if device is None:
        if station in {registered for registered, _ in known}:
            return Refusal(RefusalCode.UNKNOWN_DEVICE, f"station {station} has no device {origin.device}")
        return Refusal(RefusalCode.UNKNOWN_STATION, f"station {station} is not registered")
    if decoder != device.decoder:
        detail = f"{name} is registered with decoder {device.decoder}; this topic is read by {decoder}"
        return Refusal(RefusalCode.UNKNOWN_DEVICE, detail)
    if isinstance(decoded, StatusMessage):
        return None
    return _objection_to_event(decoded, device, name, context)


def _objection_to_event(
    event: WeighMessage | WaveformMessage | CaptureMessage,
    device: KnownDevice,
    name: str,
    context: StationContext | None,
) -> Refusal | None:
    day = local_day(event.header.captured_at)
    if not device.valid_from <= day <= (device.valid_to or day):
        detail = f"{name} was not registered on the day of capture, {day}"
        return Refusal(RefusalCode.UNKNOWN_DEVICE, detail)
    if not isinstance(event, _MAY_SEND[device.kind]):
        detail = f"{name} is registered as a {device.kind}: no {_WHAT[type(event)]} from it"
        return Refusal(RefusalCode.UNKNOWN_DEVICE, detail)
    if context is None:
        detail = f"nothing is registered about the site of {name} for the day of capture, {day}"
        return Refusal(RefusalCode.UNKNOWN_STATION, detail)
    return None


def _statuses(checked: Sequence[Arrival]) -> list[StatusMessage]:
    return [
        one.decoded for one in checked if isinstance(one, Accepted) and isinstance(one.decoded, StatusMessage)
    ]


def _refusal_row(one: Refused, known: _Known, *, proven: bool) -> RefusalRow:
    return RefusalRow(
        one.wire,
        one.claims,
        one.code,
        one.detail,
        key=_key(one.claims, known) if proven else None,
        body_sha256=one.wire.body_sha256,
    )


def _key(claims: Claims, known: _Known) -> Key | None:
    """Return the key of a refused message; None unless it is whole and the device is ours.

    An unknown sender must not be able to fill the ledger, which is kept for ever.
    """
    station, device, epoch, sequence = claims
    if station is None or device is None or epoch is None or sequence is None:
        return None
    key = Key(StationId(station), DeviceId(device), Epoch(epoch), SequenceNumber(sequence))
    return key if (key.station, key.device) in known else None


def _settled(one: Arrival, fate: Stored | None, *, proven: bool) -> Settled:
    claims = claims_of(one)
    refusal = Refusal(one.code, one.detail) if isinstance(one, Refused) else None
    if refusal is None and fate is not None and fate.outcome is StoreOutcome.CONFLICT:
        refusal = Refusal(
            RefusalCode.SEQUENCE_CONFLICT,
            f"epoch {claims.epoch}, sequence {claims.sequence} was received before with other content",
        )
    return Settled(*claims, refusal, proven=proven)
