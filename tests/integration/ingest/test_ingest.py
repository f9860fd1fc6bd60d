"""The ingester against real brokers: nothing is acknowledged before it is committed, and nothing is lost."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from domain.events import CaptureMessage, StationState, StatusMessage, WeighMessage
from domain.refusals import RefusalCode
from ingest import Accepted, Arrival, BackOff, BrokerSettings, Counters, Refused, Settled, TlsSettings, run
from ingest.mqtt import BrokerLink
from tests.components import ROOT
from tests.counts import count
from tests.fixtures.brokers import PASSWORDS, RunningBroker
from tests.integration.ingest.sinks import MemorySink
from tests.integration.ingest.stations import Station, now_text
from tests.unit.ingest.samples import capture_header, framed, jpeg

pytestmark = pytest.mark.anyio

FAST = BackOff(first_s=0.02, longest_s=0.1)
WAIT_S = 60.0


def _settings(broker: RunningBroker, **changes: object) -> BrokerSettings:
    values: dict[str, object] = {"host": broker.host, "port": broker.port, "back_off": FAST} | changes
    return BrokerSettings(**values)  # type: ignore[arg-type]


@asynccontextmanager
async def _ingester(settings: BrokerSettings, sink: MemorySink) -> AsyncIterator[Counters]:
    """A running ingester that is ready, stopped in good order at the end."""
    ready, stop, counters = asyncio.Event(), asyncio.Event(), Counters()
    task = asyncio.create_task(
        run(
            settings,
            sink,
            ready=ready.set,
            stop=stop,
            counters=counters,
            storage_back_off=FAST,
        )
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
    assert ready.is_set()
    try:
        yield counters
    finally:
        stop.set()
        sink.gate.set()
        sink.away = False
        await asyncio.wait_for(task, WAIT_S)


async def _until(holds: Callable[[], bool]) -> None:
    """Wait for what raises no event: lines in a file or a log."""
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _longer(lines: Callable[[], list[int]], length: int) -> bool:
    return len(lines()) > length


async def _in_thread(station: Station, sequences: Sequence[int]) -> None:
    await asyncio.to_thread(station.wait_for_receipts, sequences)


async def test_messages_are_stored_and_receipted(broker: RunningBroker) -> None:
    sink, numbers = MemorySink(), range(count(3_000, reduced=600))
    async with _ingester(_settings(broker), sink) as counters:
        with Station(broker) as station:
            station.send(numbers)
            await _in_thread(station, numbers)
    assert station.receipted == set(numbers)
    assert station.refused == {}
    assert sink.sequences == list(numbers)
    assert counters.messages == len(numbers)
    assert counters.batches < len(numbers)


async def test_a_311_station_is_understood(broker: RunningBroker) -> None:
    sink = MemorySink()
    async with _ingester(_settings(broker), sink):
        with Station(broker, protocol="311") as station:
            station.send(range(20))
            head = capture_header(
                jpeg(), seq="20", device="wim-1", captured_at=now_text(), sent_at=now_text()
            )
            station.publish("zhichao/v1/S1/wim-1/capture", framed("t", head, jpeg()).payload)
            await _in_thread(station, range(21))
    events = [arrival.decoded for arrival in sink.arrivals if isinstance(arrival, Accepted)]
    assert sum(isinstance(event, WeighMessage) for event in events) == 20
    (capture,) = (event for event in events if isinstance(event, CaptureMessage))
    assert capture.image == jpeg()


async def test_bad_messages_are_receipted_with_their_reason_and_stop_nothing(broker: RunningBroker) -> None:
    sink = MemorySink()
    async with _ingester(_settings(broker), sink):
        with Station(broker) as station:
            station.send([0])
            station.send_one(1, b'{"gross_kg": NaN}')
            station.send_one(2, b"{", sent_at="2025-11-23T08:00:00Z", captured_at="2025-11-23T08:00:00Z")
            station.publish("zhichao/v1/S1/wim-1/weigh", b"no header at all")
            station.send([3])
            await _in_thread(station, range(4))
            await sink.wait_until(lambda s: len(s.arrivals) == 5)
    assert station.refused == {1: "not-finite", 2: "clock-implausible"}
    codes = [arrival.code for arrival in sink.arrivals if isinstance(arrival, Refused)]
    assert codes == [RefusalCode.NOT_FINITE, RefusalCode.CLOCK_IMPLAUSIBLE, RefusalCode.HEADER_MISSING]
    assert sink.sequences == [0, 3]


async def test_what_was_not_committed_is_delivered_again(broker: RunningBroker) -> None:
    """The ingester is stopped while the database hangs; the next one gets everything."""
    hanging = MemorySink()
    hanging.gate.clear()
    ready = asyncio.Event()  # what is sent before the subscription stands is kept for nobody
    task = asyncio.create_task(run(_settings(broker), hanging, ready=ready.set))
    await asyncio.wait_for(ready.wait(), WAIT_S)
    with Station(broker) as station:
        station.send(range(50))
        await hanging.wait_until(lambda s: s.calls > 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert hanging.arrivals == []
        assert station.receipted == set()
        second = MemorySink()
        async with _ingester(_settings(broker), second):
            await _in_thread(station, range(50))
    assert set(second.sequences) == set(range(50))


async def test_an_outage_of_the_database_loses_nothing(broker: RunningBroker) -> None:
    sink = MemorySink()
    async with _ingester(_settings(broker), sink):
        with Station(broker) as station:
            sink.away = True
            station.send(range(200))
            await sink.wait_until(lambda s: s.calls >= 5)
            assert station.receipted == set()
            sink.away = False
            await _in_thread(station, range(200))
    assert sink.sequences == list(range(200))


async def test_a_duplicate_is_receipted_again(broker: RunningBroker) -> None:
    sink = MemorySink()
    async with _ingester(_settings(broker), sink):
        with Station(broker) as station:
            station.send([5])
            await _in_thread(station, [5])
            station.receipted.clear()  # as if the receipt had been lost
            station.send([5])
            await _in_thread(station, [5])


async def test_a_broker_that_was_killed_is_found_again(broker: RunningBroker) -> None:
    """Both sides reconnect; what the broker had taken and lost, the station's spool sends again."""
    sink = MemorySink()
    async with _ingester(_settings(broker), sink):
        with Station(broker) as station:
            station.send(range(100))
            await _in_thread(station, range(100))
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            station.send(range(100, 200))
            async with asyncio.timeout(WAIT_S):
                while not set(range(200)) <= station.receipted:
                    await asyncio.sleep(0.5)
                    station.send(set(range(200)) - station.receipted)
    assert set(sink.sequences) == set(range(200))


async def test_the_last_will_arrives(broker: RunningBroker) -> None:
    sink = MemorySink()
    async with _ingester(_settings(broker), sink):
        station = Station(broker)
        station.__enter__()
        station.vanish()
        await sink.wait_until(lambda s: len(s.arrivals) == 1)
    (arrival,) = sink.arrivals
    assert isinstance(arrival, Accepted)
    assert isinstance(arrival.decoded, StatusMessage)
    assert (arrival.decoded.status.station, arrival.decoded.status.state) == ("S1", StationState.OFFLINE)


async def test_memory_is_bounded_while_nothing_is_committed(mosquitto: RunningBroker) -> None:
    """Mosquitto does not keep to Receive Maximum: the link stops reading by itself, and goes on after."""
    ready, bound, numbers = asyncio.Event(), 50, range(1_000)
    link = BrokerLink(_settings(mosquitto, max_in_flight=bound), ["zhichao/v1/+/+/weigh"], ready=ready.set)
    receiving = asyncio.create_task(link.run())
    await asyncio.wait_for(ready.wait(), WAIT_S)
    with Station(mosquitto) as station:
        for info in station.send(numbers):
            await asyncio.to_thread(info.wait_for_publish, WAIT_S)
        await _until(lambda: link.in_flight >= bound)
        received: list[int] = []
        async with asyncio.timeout(WAIT_S):
            for _ in numbers:
                assert link.in_flight <= bound
                delivery = await link.inbox.get()
                received.append(int(dict(delivery.wire.properties)["seq"]))
                link.acknowledge(delivery)
    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    assert received == list(numbers)


async def test_messages_kept_back_are_delivered_again_once_they_can_be_stored(
    mosquitto: RunningBroker,
) -> None:
    """Half the window of them, which would otherwise fill it for ever: the link drops its connection."""

    class Refusing(MemorySink):
        broken = True

        async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
            if self.broken:
                self.calls += len(arrivals) == 1
                raise ZeroDivisionError("no message can be stored, not even as refused")
            return await super().store(arrivals)

    sink = Refusing()
    async with _ingester(_settings(mosquitto, max_in_flight=20), sink) as counters:
        with Station(mosquitto) as station:
            station.send(range(30))
            await _until(lambda: counters.kept_back >= 20)
            sink.broken = False
            await _in_thread(station, range(30))
    assert station.refused == {}
    assert set(sink.sequences) == set(range(30))


async def test_a_message_no_client_can_read_stops_nothing(broker: RunningBroker) -> None:
    """U+0000 in a user property: Mosquitto drops its sender, iotcore delivers it again and again."""
    sink = MemorySink()
    async with _ingester(_settings(broker), sink):
        with Station(broker, "S2") as hostile, Station(broker) as station:
            hostile.send([0], **{"x-note": "\0"})
            async with asyncio.timeout(WAIT_S):
                while not {1, 2, 3} <= station.receipted:
                    station.send({1, 2, 3} - station.receipted)
                    await asyncio.sleep(0.5)
    assert set(sink.sequences) == {1, 2, 3}


async def test_ingesters_share_a_load(mosquitto: RunningBroker) -> None:
    first, second = MemorySink(), MemorySink()
    shared = {"share_group": "ingest"}
    async with (
        _ingester(_settings(mosquitto, client_id="one", **shared), first),
        _ingester(_settings(mosquitto, client_id="two", **shared), second),
    ):
        with Station(mosquitto) as station:
            station.send(range(400))
            await _in_thread(station, range(400))
    assert sorted([*first.sequences, *second.sequences]) == list(range(400))
    assert first.sequences
    assert second.sequences


async def test_two_ingesters_of_one_name_throw_each_other_out_and_lose_nothing(
    mosquitto: RunningBroker, tmp_path: Path
) -> None:
    """A gateway has no spool: what the broker keeps for a session that is taken over must stay there."""
    files, numbers = [tmp_path / "one", tmp_path / "two"], range(count(2_000, reduced=500))
    rivals = [await asyncio.to_thread(_start_ledger, mosquitto, file) for file in files]
    try:
        with Station(mosquitto) as station:
            for number in numbers:
                station.send([number])
                await asyncio.sleep(0.01)
            _end(rivals.pop())
            await _until(lambda: set(numbers) <= {*_ledger(files[0]), *_ledger(files[1])})
    finally:
        for rival in rivals:
            _end(rival)


async def test_over_tls_with_passwords_and_the_access_list(mosquitto_tls: RunningBroker) -> None:
    sink = MemorySink()
    settings = _settings(
        mosquitto_tls,
        username="ingester",
        password=PASSWORDS["ingester"],
        tls=TlsSettings(ca_file=mosquitto_tls.ca_file),
    )
    async with _ingester(settings, sink):
        with Station(mosquitto_tls) as one, Station(mosquitto_tls, "S2") as two:
            one.publish("zhichao/v1/S2/wim-1/weigh", b"forged")
            one.send(range(300))
            two.send(range(300))
            await _in_thread(one, range(300))
            await _in_thread(two, range(300))
    assert len(sink.arrivals) == 600
    assert all(isinstance(arrival, Accepted) for arrival in sink.arrivals)


async def test_a_wrong_password_is_said_and_tried_again(
    mosquitto_tls: RunningBroker, caplog: pytest.LogCaptureFixture
) -> None:
    tls = TlsSettings(ca_file=mosquitto_tls.ca_file)
    settings = _settings(mosquitto_tls, username="ingester", password="wrong", tls=tls)
    task = asyncio.create_task(run(settings, MemorySink()))
    await _until(lambda: caplog.text.count("connecting again") >= 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "Not authorized" in caplog.text


async def test_killed_mid_stream_it_loses_nothing(broker: RunningBroker, tmp_path: Path) -> None:
    """kill -9, three times, while a station publishes; the broker stays and delivers again."""
    stored, total = tmp_path / "stored", count(5_000, reduced=900)

    def lines() -> list[int]:
        return _ledger(stored)

    process = await asyncio.to_thread(_start_ledger, broker, stored)
    with Station(broker) as station:
        for part in range(3):
            station.send(range(part * total // 3, (part + 1) * total // 3))
            begun = part * total // 3
            await _until(partial(_longer, lines, begun))
            _end(process)
            process = await asyncio.to_thread(_start_ledger, broker, stored)
        try:
            await _until(lambda: set(range(total)) <= set(lines()))
        finally:
            _end(process)
        assert station.receipted <= set(lines())


def _start_ledger(broker: RunningBroker, stored: Path) -> subprocess.Popen[str]:
    module = "tests.integration.ingest.ledger_process"
    command = [sys.executable, "-m", module, str(broker.port), str(stored)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _ledger(stored: Path) -> list[int]:
    return [int(line) for line in stored.read_text().split("\n")[:-1]] if stored.exists() else []


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
